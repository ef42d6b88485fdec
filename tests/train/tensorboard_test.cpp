#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <map>

#include "tests/train/temporary.h"
#include "train/crc32c.h"
#include "train/tensorboard.h"

using namespace weft;
using namespace weft::train;

namespace {

template <class T> T taken(std::string_view& bytes) {
  T value;
  REQUIRE(bytes.size() >= sizeof value);
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
  return value;
}

u64 varint(std::string_view& bytes) {
  u64 value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(taken<char>(bytes));
    value |= static_cast<u64>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}

// Fields of a message by their number: varints and fixed numbers as text of a number, blocks as they are.
std::multimap<int, std::string> fields(std::string_view bytes) {
  std::multimap<int, std::string> all;
  while (!bytes.empty()) {
    const u64 key = varint(bytes);
    const int field = static_cast<int>(key >> 3);
    switch (key & 7) {
      case 0: all.emplace(field, std::to_string(varint(bytes))); break;
      case 1: all.emplace(field, fmt::format("{}", taken<double>(bytes))); break;
      case 5: all.emplace(field, fmt::format("{}", taken<float>(bytes))); break;
      case 2: {
        const std::size_t size = varint(bytes);
        REQUIRE(bytes.size() >= size);
        all.emplace(field, std::string(bytes.substr(0, size)));
        bytes.remove_prefix(size);
        break;
      }
      default: FAIL("there is no such kind of field");
    }
  }
  return all;
}

std::string one(const std::multimap<int, std::string>& all, int field) {
  REQUIRE(all.count(field) == 1);
  return all.find(field)->second;
}

// The rotated and shifted checksum, written another way round than in the file under test.
bool guarded(std::string_view bytes, std::uint32_t mask) {
  const std::uint32_t turned = mask - 0xa282ead8u;
  return (turned << 15 | turned >> 17) == crc32c(bytes);
}

std::vector<std::string> records(std::string_view file) {
  std::vector<std::string> all;
  while (!file.empty()) {
    const std::string_view length = file.substr(0, 8);
    const u64 size = taken<u64>(file);
    CHECK(guarded(length, taken<std::uint32_t>(file)));
    REQUIRE(file.size() >= size + 4);
    all.emplace_back(file.substr(0, size));
    file.remove_prefix(size);
    CHECK(guarded(all.back(), taken<std::uint32_t>(file)));
  }
  return all;
}

}  // namespace

TEST_CASE("an event file has every step, validation and sample, each record with its checksums") {
  History h;
  h.updates = {
      {.step = 1, .loss = 4.5, .learning_rate = 0.25, .gradient_norm = 2, .tokens_per_second = 300, .seconds = 2},
      {.step = 200, .loss = NAN, .learning_rate = 0.125, .gradient_norm = 1, .tokens_per_second = 400, .seconds = 3}};
  h.validations = {{200, 5, 1.75, 0.5}};
  h.events = {{"start", 0, "", 1000}};
  const std::vector<std::string> all = records(event_file(h, {{200, "# one\ntwo"}}, 7));
  REQUIRE(all.size() == 3);
  CHECK(one(fields(all[0]), 3) == "brain.Event:2");
  const auto first = fields(all[1]), second = fields(all[2]);
  CHECK(one(first, 1) == "1002");
  CHECK(one(first, 2) == "1");
  CHECK(one(second, 1) == "1005");
  CHECK(one(second, 2) == "200");
  std::map<std::string, std::string> scalars;
  std::string text;
  for (const auto& [field, value] : fields(one(second, 5))) {
    const auto v = fields(value);
    if (v.count(2)) scalars[one(v, 1)] = one(v, 2);
    else text = value;
  }
  CHECK(scalars["loss/validation"] == "1.75");
  CHECK(scalars["accuracy/validation"] == "0.5");
  CHECK(scalars["learning_rate"] == "0.125");
  CHECK(scalars["norm/gradient"] == "1");
  CHECK(scalars["tokens_per_second"] == "400");
  CHECK(scalars.count("loss/training") == 0);  // it was not finite
  const auto sample = fields(text);
  CHECK(one(sample, 1) == "sample");
  CHECK(one(fields(one(fields(one(sample, 9)), 1)), 1) == "text");
  const auto tensor = fields(one(sample, 8));
  CHECK(one(tensor, 1) == "7");
  CHECK(one(tensor, 8) == "    # one\n    two");  // no heading, no emphasis
}

TEST_CASE("a log without times begins when its run was written, and a second file replaces the first") {
  TemporaryFolder run;
  write_atomically(run / "description.yaml", "schema: 1\n");
  History h;
  h.updates = {{.step = 1, .loss = 1}};
  const fs::path file = write_event_file(run.path(), h, {});
  CHECK(std::stod(one(fields(records(read_file(file))[0]), 1)) > 1.6e9);
  CHECK(write_event_file(run.path(), h, {}) == file);
  CHECK(std::distance(fs::directory_iterator(run / "tb"), fs::directory_iterator{}) == 1);
  CHECK(contains(file.filename().string(), "tfevents"));
}
