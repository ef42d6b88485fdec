// What there is in a file system, and what becomes of it as a text.
#include "train/text_files.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/train/temporary.h"
#include "train/room.h"
#include "train/text_data.h"

using namespace weft;
using namespace weft::train;

namespace {

TrainOptions windows(i64 context, i64 batch = 2) {
  TrainOptions o;
  o.context = context, o.batch = batch;
  return o;
}

std::string refusal(const fs::path& path, const std::string& tokenizer, i64 context = 4) {
  const Caught error = caught(
      [&] { load_text({.path = {path}, .val_fraction = 0, .tokenizer = tokenizer}).check_run(windows(context)); });
  if (!error.message.empty()) CHECK(error.failure == Failure::data);
  return error.message;
}

std::vector<i32> all_of(const Tokens& tokens) {
  std::vector<i32> all(static_cast<std::size_t>(tokens.size()));
  tokens.read(0, all);
  return all;
}

std::vector<i32> bytes_of(const std::string& text) { return Tokenizer::bytes().encode(text, "x"); }

void sparse(const fs::path& path, off_t size) {
  std::ofstream(path).close();
  REQUIRE(::truncate(path.c_str(), size) == 0);
}

}  // namespace

TEST_CASE("whatever a path leads to is a text or an error that says why not") {
  const TemporaryFolder folder;
  const auto file = [&](const char* name, const std::string& text) {
    write_atomically(folder / name, text);
    return folder / name;
  };
  const fs::path fifo = folder / "fifo", loop = folder / "loop", empty = folder / "nothing";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  REQUIRE(::symlink("loop", loop.c_str()) == 0);
  fs::create_directory(empty);
  struct Row {
    fs::path path;
    const char *bytes, *chars, *bpe;  // part of the refusal; empty: it works
  };
  const char* short1 = "the training part has 1 ";
  const Row rows[] = {
      {file("empty", ""), "is empty", "is empty", "is empty"},
      {file("one", "x"), short1, short1, short1},
      {file("context", "abcd"), "has 4 bytes, a context of 4 needs at least 5", "has 4 characters", "has 4 tokens"},
      {file("more", "abcde"), "", "", ""},
      {file("invalid", "abc\xff\x80xyz"), "", "byte 3 (0xff) is not UTF-8", ""},
      {file("cut", "abcdefgh\xe2\x82"), "", "byte 8 (0xe2) is not UTF-8", ""},
      {folder / "gone", "there is no such file", "there is no such file", "there is no such file"},
      {empty, "has no files", "has no files", "has no files"},
      {fifo, "is a pipe or a device", "is a pipe or a device", "is a pipe or a device"},
      {"/dev/zero", "is a pipe or a device", "is a pipe or a device", "is a pipe or a device"},
      {loop, "Too many levels of symbolic links", "Too many levels", "Too many levels"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.path.string());
    for (const auto& [tokenizer, part] : {std::pair("byte", row.bytes), {"char", row.chars}, {"bpe", row.bpe}}) {
      CAPTURE(tokenizer);
      const std::string message = refusal(row.path, tokenizer);
      CAPTURE(message);
      if (*part) CHECK(contains(message, row.path.string()));
      CHECK((*part ? contains(message, part) : message.empty()));
    }
  }
}

TEST_CASE("a folder is all files in it and below, in the order of their names; a list is in its own order") {
  const TemporaryFolder folder;
  fs::create_directories(folder / "books/b");
  write_atomically(folder / "books/c.txt", "ccc");
  write_atomically(folder / "books/b/x", "bbbb");
  write_atomically(folder / "books/a.md", "aa");
  write_atomically(folder / "books/.hidden", "h");
  write_atomically(folder / "books/nothing", "");
  const TextFiles all({folder / "books"});
  std::vector<std::string> names;
  for (const TextFile& f : all.files()) names.push_back(fs::relative(f.name, folder / "books").string());
  CHECK(names == std::vector<std::string>{"a.md", "b/x", "c.txt", "nothing"});
  CHECK(all.bytes() == 9);
  CHECK(all.source() == fmt::format("4 files of {}", (folder / "books").string()));
  CHECK(TextFiles({folder / "books/c.txt"}).look().hash == hash_of("ccc"));  // as it was when there was but one
  const TextFiles list({folder / "books/c.txt", folder / "books/a.md"});
  CHECK(list.files()[0].name == (folder / "books/c.txt").string());
  CHECK(list.look().hash != TextFiles({folder / "books/a.md", folder / "books/c.txt"}).look().hash);
  write_atomically(folder / "books/nothing", "!");
  CHECK(TextFiles({folder / "books"}).look().hash != all.look().hash);
  REQUIRE(::symlink("..", (folder / "books/b/up").c_str()) == 0);
  CHECK(contains(caught([&] { TextFiles({folder / "books"}); }).message, "b/up: leads to a folder"));
}

TEST_CASE("no window goes over the end of a file, and every target of every file is seen") {
  const TemporaryFolder folder;
  fs::create_directory(folder / "t");
  // Tokens tell their file and place: 0-99, 100-102, 110, 120-129.
  const auto write = [&](const char* name, int first, int n) {
    std::string text;
    for (int i = 0; i < n; ++i) text += static_cast<char>(first + i);
    write_atomically(folder / "t" / name, text);
  };
  write("a", 0, 100), write("b", 100, 3), write("c", 110, 1), write("d", 120, 10);
  const TextData data = load_text({.path = {folder / "t"}, .val_fraction = 0, .tokenizer = "byte"});
  CHECK(data.train.pieces() == 4);
  data.check_run(windows(7));
  const auto file_of = [](i32 token) { return token < 100 ? 'a' : token < 110 ? 'b' : token < 120 ? 'c' : 'd'; };
  std::set<i32> targets;
  i64 padded = 0;
  for (i64 step = 1; step <= 300; ++step) {
    const dsl::Batch batch = data.training(windows(7, 4), step, 0);
    const auto x = batch.tokens.values<i32>(), y = batch.targets.values<i32>();
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (y[i] < 0) {
        ++padded;
        continue;
      }
      CHECK(y[i] == x[i] + 1);
      CHECK(file_of(y[i]) == file_of(x[i]));
      targets.insert(y[i]);
    }
  }
  CHECK(targets.size() == 99 + 2 + 0 + 9);  // the first of each file is none
  CHECK(padded > 0);                        // b is shorter than a window
  // The same rows come again: they follow from seed, step and row.
  const TextData again = load_text({.path = {folder / "t"}, .val_fraction = 0, .tokenizer = "byte"});
  for (i64 step : {1, 77})
    CHECK(same_bits(data.training(windows(7), step, 0).tokens, again.training(windows(7), step, 0).tokens));
  CHECK(contains(caught([&] { data.check_run(windows(100)); }).message,
                 "the longest file of the training part has 100 bytes, a context of 100 needs at least 101"));

  // As a validation part: each of these targets once.
  const ValidationBatches batches(data.train, 3, 7);
  std::multiset<i32> told;
  for (i64 i = 0; i < batches.count(); ++i) {
    const dsl::Batch batch = batches.at(i);
    for (const i32 y : batch.targets.values<i32>())
      if (y >= 0) told.insert(y);
  }
  CHECK(told == std::multiset<i32>(targets.begin(), targets.end()));
  CHECK(batches.targets() == 110);
}

TEST_CASE("the cut between training and validation may fall into a file, and BPE learns before it alone") {
  const TemporaryFolder folder;
  write_atomically(folder / "a", std::string(60, 'a'));
  write_atomically(folder / "b", std::string(20, 'b') + std::string(20, 'c'));
  const std::vector<fs::path> both = {folder / "a", folder / "b"};
  const TextData bytes = load_text({.path = both, .val_fraction = 0.2, .tokenizer = "byte"});
  CHECK(all_of(bytes.train) == bytes_of(std::string(60, 'a') + std::string(20, 'b')));
  CHECK(all_of(bytes.valid) == bytes_of(std::string(20, 'c')));
  const TextData bpe = load_text({.path = both, .val_fraction = 0.2, .tokenizer = "bpe", .vocab = 300});
  CHECK(bpe.tokenizer()->decode(all_of(bpe.train)) == std::string(60, 'a') + std::string(20, 'b'));
  CHECK(bpe.tokenizer()->decode(all_of(bpe.valid)) == std::string(20, 'c'));
  CHECK(bpe.valid.size() == 20);  // no merge of c: it occurs in the validation part alone
  CHECK(bpe.train.size() < 20);
  CHECK(load_text({.path = {both[0]}, .valid = {both[1]}, .tokenizer = "byte"}).valid.size() == 40);
  // As bits per byte the two losses are one scale: 20 bytes but the first, in 19 targets each.
  CHECK(*bytes.target_bytes() == 1);
  CHECK(*bpe.target_bytes() == 1);
}

TEST_CASE("bytes a target are those of the text that is told") {
  const TextData text = load_text({.builtin = "t", .val_fraction = 0.5, .tokenizer = "bpe", .vocab = 258},
                                  "abababababababababab"
                                  "abababababababababab");
  const std::vector<i32> valid = all_of(text.valid);
  const std::string told = text.tokenizer()->decode(std::span(valid).subspan(1));
  CHECK(*text.target_bytes() ==
        doctest::Approx(static_cast<double>(told.size()) / static_cast<double>(valid.size() - 1)));
  CHECK(*text.target_bytes() > 1.5);
}

TEST_CASE("five gigabytes of bytes are read where they lie, and as characters refused with the numbers or held") {
  const TemporaryFolder folder;
  const fs::path path = folder / "sparse";
  constexpr off_t kSize = off_t{5} << 30;
  sparse(path, kSize);
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(kSize - 8);
    file << "the end.";
  }
  const double before = resident_bytes().value_or(0);
  auto input = std::make_shared<const InputFile>(path);
  Tokens tokens;
  tokens.add(input, 0, static_cast<u64>(kSize));
  CHECK(tokens.size() == kSize);
  std::vector<i32> end(9);
  tokens.read(kSize - 9, end);
  CHECK(end == bytes_of(std::string("\0the end.", 9)));
  for (i64 step = 1; step <= 50; ++step) training_batch(tokens, 1, step, 0, 16, 256);
  const Tokens valid = tokens.part(kSize - 1000, kSize);
  CHECK(ValidationBatches(valid, 4, 100).count() == 3);
  CHECK(resident_bytes().value_or(0) - before < 64e6);
  const double available = available_memory().value_or(Available{}).bytes;
  for (const char* tokenizer : {"char", "bpe"}) {
    if (available > 30e9) continue;  // a machine that could hold it would read it all
    const Caught error = caught([&] { load_text({.path = {path}, .tokenizer = tokenizer}); });
    CHECK(error.failure == Failure::size);
    CHECK(contains(error.message, "its 5,368,709,120 bytes as tokens would take"));
    CHECK(contains(error.message, "`tokenizer: byte` reads files of any size from the disk"));
  }
}

TEST_CASE("a large file that is cut short or written to while it is in use is an error, not a signal") {
  const TemporaryFolder folder;
  const fs::path path = folder / "large";
  sparse(path, 20 << 20);
  const TextData data = load_text({.path = {path}, .val_fraction = 0, .tokenizer = "byte"});
  data.training(windows(100), 1, 0);
  REQUIRE(::truncate(path.c_str(), 1000) == 0);
  const Caught cut = caught([&] { data.training(windows(100), 1, 0); });
  CHECK(cut.failure == Failure::data);
  CHECK(contains(cut.message, "had 20971520 bytes when it was opened, and has 1000 now"));
  sparse(path, 20 << 20);
  CHECK(contains(caught([&] { data.training(windows(100), 1, 0); }).message, "was written to since it was opened"));
}

TEST_CASE("more large files than may be open at first are opened") {
  const TemporaryFolder folder;
  for (int i = 0; i < 40; ++i) sparse(folder / std::to_string(i), 16 << 20);
  struct rlimit before {};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const struct rlimit few { 32, before.rlim_max };
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  CHECK(TextFiles({folder.path()}).files().size() == 40);
  CHECK(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}
