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

namespace {

Tokenizer small_bpe() {
  TokenizerMaker maker("bpe", 260);
  maker.add("the cat and the hat and the bat", "text");
  return maker.made("text");
}

Tokenizer labelled() {
  Tokenizer t = Tokenizer::characters("ab", "text");
  t.labels = {"no", "yes \"€\""};
  return t;
}

}  // namespace

TEST_CASE("a tokenizer is the same after it was stored") {
  for (const Tokenizer& t : {Tokenizer::bytes(), Tokenizer::characters("\"quoted\" \\ é😀\n\t", "text"), small_bpe(),
                             labelled(), Tokenizer::of(Bpe())}) {
    const Tokenizer again = Tokenizer::from_json(t.json(), "run");
    CHECK(again == t);
    CHECK(again.labels == t.labels);
    CHECK(again.vocab() == t.vocab());
  }
  CHECK(small_bpe().vocab() == 260);
  CHECK(small_bpe().encode("the cat", "x") == Tokenizer::from_json(small_bpe().json(), "run").encode("the cat", "x"));
}

TEST_CASE("what older versions stored, without version and checksum, is read") {
  CHECK(Tokenizer::from_json(R"({"tokenizer":"byte"})", "run") == Tokenizer::bytes());
  CHECK(Tokenizer::from_json(R"({"characters":["a","b"],"tokenizer":"char"})", "run") ==
        Tokenizer::characters("ba", "text"));
}

TEST_CASE("a stored tokenizer that is anything else is an error with its byte") {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"", "byte 0: the text ends where '{' is expected"},
      {"{", "a name in quotes is expected"},
      {"{}", "a tokenizer is byte, char or bpe, not ``"},
      {R"({"tokenizer":"word"})", "not `word`"},
      {R"({"tokenizer":"byte"} x)", "byte 21: something follows"},
      {R"({"tokenizer":"byte","tokenizer":"byte"})", "byte 20: \"tokenizer\" stands twice"},
      {R"({"tokenizer":"byte","size":3})", "byte 20: a tokenizer has no \"size\""},
      {R"({"tokenizer":"bpe"})", "\"merges\" belongs to the tokenizer `bpe`"},
      {R"({"tokenizer":"byte","merges":[]})", "\"merges\" belongs to the tokenizer `bpe`, and this one is `byte`"},
      {R"({"tokenizer":"char"})", "\"characters\" belongs to"},
      {R"({"tokenizer":"char","characters":[]})", "it has no characters"},
      {R"({"tokenizer":"char","characters":["b","a"]})", "byte 38: they are not in their order"},
      {R"({"tokenizer":"char","characters":["a","a"]})", "byte 38: they are not in their order, each once"},
      {R"({"tokenizer":"char","characters":["ab"]})", "byte 34: one character is expected"},
      {R"({"tokenizer":"char","characters":[""]})", "byte 34: one character is expected"},
      {"{\"tokenizer\":\"char\",\"characters\":[\"\xff\"]}", "byte 35: the text is not UTF-8"},
      {R"({"tokenizer":"bpe","merges":[[1,2],[3]]})", "byte 35: a merge has two tokens"},
      {R"({"tokenizer":"bpe","merges":[[1,2,3]]})", "byte 34: a merge has two tokens"},
      {R"({"tokenizer":"bpe","merges":[[1,256]]})", "byte 29: there are only the tokens 0 to 255"},
      {R"({"tokenizer":"bpe","merges":[[1,2],[1,2]]})", "byte 35: the pair is merged already"},
      {R"({"tokenizer":"bpe","merges":[[1,99999999999]]})", "byte 29: a token is less than 65536"},
      {R"({"tokenizer":"bpe","merges":[[1,-2]]})", "byte 32: a token must be a whole number"},
      {R"({"tokenizer":"bpe","merges":{}})", "byte 28: '[' is expected to open the merges"},
      {R"({"tokenizer":"byte","version":2,"crc32c":"00000000"})",
       "byte 30: it has the version 2, this program knows 1"},
      {R"({"tokenizer":"byte","version":1})", "a version and a checksum come together"},
      {R"({"tokenizer":"byte","version":1,"crc32c":"00000000"})", "the checksum 00000000 is not that of its values"},
      {R"({"tokenizer":"byte","version":1,"crc32c":""})", "the checksum  is not that of its values"},
  };
  for (const auto& [broken, part] : rows) {
    CAPTURE(broken);
    const Caught error = caught([&, text = broken] { Tokenizer::from_json(text, "run"); });
    CHECK(error.failure == Failure::data);
    CAPTURE(error.message);
    CHECK(contains(error.message, part));
  }
  const Caught large = caught([] { Tokenizer::from_json(std::string((32 << 20) + 1, ' '), "run"); });
  CHECK(contains(large.message, "run: its tokenizer has 33554433 bytes, 33554432 is the most"));
}

TEST_CASE("a stored tokenizer that was cut short or changed in any place is refused, or it is the same") {
  for (const Tokenizer& t : {small_bpe(), labelled()}) {
    const std::string whole = t.json();
    for (std::size_t n = 0; n < whole.size(); ++n) {
      CHECK(caught([&] { Tokenizer::from_json(whole.substr(0, n), "run"); }).failure == Failure::data);
      for (const char c : {'0', '9', '"', ',', '[', 'x', '\xff'}) {
        std::string other = whole;
        other[n] = c;
        if (other == whole) continue;
        CAPTURE(other);
        CHECK(caught([&] { Tokenizer::from_json(other, "run"); }).failure == Failure::data);
      }
    }
  }
}

TEST_CASE("what may be shown of a text that goes on ends with a whole character") {
  const std::string text = "a€😀";
  for (std::size_t n = 0; n <= text.size(); ++n) {
    const std::size_t whole = n < 4 ? std::min<std::size_t>(n, 1) : n < 8 ? 4 : 8;
    CHECK(whole_characters(std::string_view(text).substr(0, n)) == whole);
  }
  // Bytes that begin no character are not waited for.
  for (const char* broken : {"a\xff", "a\x80", "\x80\x80\x80\x80", "\xc0", "\xf8"})
    CHECK(whole_characters(broken) == std::string_view(broken).size());
}
