// Data of lines: texts a line each, with and without labels.
#include <map>
#include <set>

#include "tests/train/made_data.h"

using namespace weft;
using namespace weft::train;

TEST_CASE("lines are learned from line feed to line feed, some are kept to validate, and each is seen once a round") {
  TemporaryFolder folder;
  write_atomically(folder / "names.txt", "ab\r\n\ncab\nb\nacb\nba\n");
  const auto data = made("lines: {path: names.txt, val_fraction: 0.2}", folder.path());
  CHECK(data->sizes.vocab == 4);  // the line feed, a, b, c
  CHECK(contains(data->amount(), "4 lines to learn from, 1 to validate"));
  std::set<std::string> seen;
  for (i64 step = 1; step <= 2; ++step) {
    const dsl::Batch batch = data->training(options(2), step, 0);
    for (i64 r = 0; r < 2; ++r) {
      std::vector<i32> x = row(batch.tokens, r), y = row(batch.targets, r);
      while (y.back() == -1) x.pop_back(), y.pop_back();
      CHECK(x.front() == y.back());  // the line feed
      CHECK(std::equal(x.begin() + 1, x.end(), y.begin()));
      seen.insert(data->tokenizer()->decode(y));
    }
  }
  CHECK(seen.size() == 4);
}

TEST_CASE("texts with labels: classes are the labels that are learned, and are kept with the tokens") {
  TemporaryFolder folder;
  std::string lines;
  for (int i = 0; i < 20; ++i) {
    lines += fmt::format("{{\"label\": {}, \"id\": [{{\"x\": 1.5e3}}, null], \"text\": \"{}\\u00e9\"}}\r\n\n",
                         i % 2 ? "\"odd\"" : "7", std::string(static_cast<std::size_t>(i + 1), i % 2 ? 'o' : 'e'));
  }
  write_atomically(folder / "t.jsonl", lines);
  const auto data = made("jsonl: {path: t.jsonl, val_fraction: 0.2}", folder.path());
  CHECK(data->vocabulary()->labels == std::vector<std::string>{"7", "odd"});
  CHECK(data->tokenizer() == nullptr);
  CHECK(data->sizes.classes == 2);
  CHECK(data->sizes.vocab == 3);  // e, o, é
  CHECK(data->length({}) == 21);
  CHECK(data->amount() == "16 texts to learn from, 4 to validate; classes 7, odd");
  CHECK(contains(data->notes(), "20 carriage returns"));
  std::set<std::vector<i32>> seen;
  const auto look = [&](const dsl::Batch& batch) {
    for (i64 r = 0; r < batch.tokens.shape()[0]; ++r) {
      const std::vector<i32> tokens = present(row(batch.tokens, r));
      CHECK(row(batch.targets, r)[0] == (tokens[0] == 1 ? 1 : 0));
      CHECK(seen.insert(tokens).second);
    }
  };
  for (i64 step = 1; step <= 4; ++step) look(data->training(options(4), step, 0));
  look(data->validation(options(4), 0));
  CHECK(seen.size() == 20);

  CHECK(made("jsonl: {path: t.jsonl, tokenizer: byte}", folder.path())->length({}) == 22);
  const auto bpe = made("jsonl: {path: t.jsonl, tokenizer: bpe, vocab: 260}", folder.path());
  CHECK(bpe->sizes.vocab == 260);
  CHECK(bpe->length({}) < 12);
  const auto cut = made("jsonl: {path: t.jsonl, longest: 10, longer: cut}", folder.path());
  CHECK(cut->length({}) == 10);
  CHECK(contains(cut->notes(), "11 of 20 texts are cut after 10 characters, the first at "));

  // Weights that are there keep their classes: another file has no other ones, and fewer change no number.
  write_atomically(folder / "odd.jsonl",
                   "{\"text\": \"oo\", \"label\": \"odd\"}\n{\"text\": \"oe\", \"label\": \"odd\"}\n");
  const Tokenizer known = *data->vocabulary();
  const auto again = made("jsonl: {path: odd.jsonl}", folder.path(), &known);
  CHECK(again->sizes.classes == 2);
  CHECK(row(again->validation(options(1), 0).targets, 0)[0] == 1);
}

TEST_CASE("a line that is no text with a label is an error with its place") {
  TemporaryFolder folder;
  const std::string good =
      "{\"text\": \"a\", \"label\": \"x\"}\n{\"text\": \"b\", \"label\": \"y\"}\n{\"text\": \"b\", \"label\": \"y\"}\n";
  for (const auto& [line, message] : std::map<std::string, std::string>{
           {"a, b", "t.jsonl:4: byte 0: '{' is expected to open an object"},
           {"{\"text\": \"a\"}", "t.jsonl:4: byte 0: has no \"label\""},
           {"{\"label\": \"x\"}", "t.jsonl:4: byte 0: has no \"text\""},
           {"{\"text\": \"\", \"label\": \"x\"}", "\"text\" is empty"},
           {"{\"text\": 3, \"label\": \"x\"}", "t.jsonl:4: byte 9: a text in quotes is expected"},
           {"{\"text\": \"a\", \"label\": 1.5}",
            "t.jsonl:4: byte 23: a label, a text in quotes or else a number, must be a whole"},
           {"{\"text\": \"a\", \"label\": \"x\", \"text\": \"b\"}", "t.jsonl:4: byte 28: \"text\" stands twice"},
           {"{\"text\": \"a\", \"label\": \"x\"} 1", "t.jsonl:4: byte 28: something follows"},
           {"{\"text\": \"a\xff\", \"label\": \"x\"}", "t.jsonl:4: byte 11: the text is not UTF-8"},
           {"{\"text\": \"abcdefghijk\", \"label\": \"x\"}",
            "t.jsonl:4: has 11 characters, `longest` is 10; raise it"}}) {
    write_atomically(folder / "t.jsonl", good + line + "\n");
    CAPTURE(line);
    const Caught error = caught([&] { made("jsonl: {path: t.jsonl, longest: 10}", folder.path()); });
    CAPTURE(error.message);
    CHECK(error.failure == Failure::data);
    CHECK(contains(error.message, message));
  }
  write_atomically(folder / "t.jsonl", good);
  write_atomically(folder / "v.jsonl", "{\"text\": \"a\", \"label\": \"z\"}\n");
  CHECK(contains(caught([&] { made("jsonl: {path: t.jsonl, valid: v.jsonl}", folder.path()); }).message,
                 "v.jsonl:1: the label \"z\" is none of those that are learned: x, y"));
  CHECK(contains(caught([&] { made("jsonl: {path: v.jsonl}", folder.path()); }).message,
                 "0 texts to learn from and 1 to validate"));
  write_atomically(folder / "v.jsonl", "{\"text\": \"a\", \"label\": \"z\"}\n{\"text\": \"b\", \"label\": \"z\"}\n");
  CHECK(contains(caught([&] { made("jsonl: {path: v.jsonl}", folder.path()); }).message,
                 "all texts have the label \"z\""));
  write_atomically(folder / "v.jsonl", "");
  CHECK(contains(caught([&] { made("jsonl: {path: v.jsonl}", folder.path()); }).message, "is empty"));
}

TEST_CASE("lines by BPE begin and end with the line feed, whatever was merged") {
  TemporaryFolder folder;
  std::string lines;
  for (int i = 0; i < 40; ++i) lines += fmt::format("   the cat {}\n", i % 7);
  write_atomically(folder / "l.txt", lines);
  const auto data = made("lines: {path: l.txt, tokenizer: bpe, vocab: 270}", folder.path());
  CHECK(data->sizes.vocab > 256);
  const dsl::Batch batch = data->training(options(8), 1, 0);
  for (i64 r = 0; r < 8; ++r) {
    std::vector<i32> x = row(batch.tokens, r), y = row(batch.targets, r);
    while (y.back() == -1) x.pop_back(), y.pop_back();
    CHECK(x.front() == '\n');
    CHECK(y.back() == '\n');
    CHECK(contains(data->tokenizer()->decode(y), "   the cat "));
  }
  CHECK(*data->target_bytes() > 1);
}
