#include "train/tokenizer.h"

#include <doctest/doctest.h>

#include "tests/train/temporary.h"

using namespace weft;
using namespace weft::train;

TEST_CASE("characters are numbered in order of their code points") {
  const Tokenizer t = Tokenizer::characters("banana é 😀\n", "text");
  CHECK(t.vocab() == 7);
  CHECK(t.encode("\n abné😀", "x") == std::vector<i32>{0, 1, 2, 3, 4, 5, 6});
  CHECK(t.decode(std::vector<i32>{6, 5, 2}) == "😀éa");
}

TEST_CASE("bytes that are not UTF-8 are an error with their place") {
  const Caught error = caught([] { Tokenizer::characters("ab\xff", "notes.txt"); });
  CHECK(error.failure == Failure::data);
  CHECK(contains(error.message, "notes.txt: byte 2 (0xff) is not UTF-8"));
  CHECK(caught([] { Tokenizer::characters("", "notes.txt"); }).failure == Failure::data);
}

TEST_CASE("an unknown character is named with its place") {
  const Tokenizer t = Tokenizer::characters("abc é", "text");
  const Caught error = caught([&] { t.encode("é ab€", "the prompt", Failure::usage); });
  CHECK(error.failure == Failure::usage);
  CHECK(contains(error.message, "the prompt: character 5 is '€' (U+20AC), which is not among the 5"));
  CHECK(t.knows("cab"));
  CHECK_FALSE(t.knows("d"));
}

TEST_CASE("bytes go through unchanged, whatever they are") {
  const Tokenizer t = Tokenizer::bytes();
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  CHECK(t.vocab() == 256);
  CHECK(t.decode(t.encode(all, "x")) == all);
}

TEST_CASE("a tokenizer is the same after it was stored") {
  for (const Tokenizer& t : {Tokenizer::bytes(), Tokenizer::characters("\"quoted\" \\ é😀\n\t", "text")}) {
    CHECK(Tokenizer::from_json(t.json(), "run") == t);
  }
  for (const char* broken :
       {"", "{", "{}", R"({"tokenizer":"bpe"})", R"({"tokenizer":"char","characters":[]})",
        R"({"tokenizer":"char","characters":["b","a"]})", R"({"tokenizer":"char","characters":["ab"]})"}) {
    CHECK(caught([&] { Tokenizer::from_json(broken, "run"); }).failure == Failure::data);
  }
}
