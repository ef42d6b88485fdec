#include "train/safetensors.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/key.h"
#include "tests/train/temporary.h"
#include "train/crc32c.h"

using namespace weft;
using namespace weft::train;

namespace {

std::string prefixed(u64 length, std::string_view rest) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(length >> (8 * i) & 255);
  return bytes.append(rest);
}

std::string file(const std::string& header, std::size_t data = 0) {
  return prefixed(header.size(), header + std::string(data, '\0'));
}

// What reading and loading everything says: "" when all is well.
std::string verdict(std::string_view bytes) {
  const Caught error = caught([&] { Safetensors(bytes, "f").load_all(); });
  if (!error.message.empty()) CHECK(error.failure == Failure::data);
  return error.message;
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

std::vector<NamedTensor> some_tensors() {
  return {{"b", Tensor::from({1, 2, 3, 4, 5, NAN}, {2, 3}, DType::f32)},
          {"a", Tensor::from({1.5, -2.5}, {2}, DType::f64)},
          {"tokens", Tensor::of_indices(std::vector<i32>{-1, 7}, {1, 2})},
          {"scalar", Tensor::from({3}, {}, DType::f32)},
          {"none", Tensor::zeros({0, 4}, DType::f32)},
          {"model.\"é\\\n", Tensor::zeros({1}, DType::f32)}};
}

}  // namespace

TEST_CASE("the checksum is CRC-32C, also when it is taken in parts") {
  CHECK(crc32c("123456789") == 0xe3069283u);
  CHECK(crc32c("") == 0u);
  const std::string text = "The quick brown fox jumps over the lazy dog";
  CHECK(crc32c(text) == 0x22620404u);
  for (std::size_t i = 0; i <= text.size(); ++i) {
    CHECK(crc32c(text.substr(i), crc32c(text.substr(0, i))) == crc32c(text));
  }
}

TEST_CASE("what is written is read back with the same bits, names and metadata") {
  const TemporaryFolder folder;
  const auto tensors = some_tensors();
  write_safetensors(folder / "f", tensors, {{"note", "a \"quoted\" line\nand é"}});
  const Safetensors saved(folder / "f");
  CHECK(saved.metadata().at("note") == "a \"quoted\" line\nand é");
  CHECK(saved.metadata().at("format") == "weft");
  CHECK(saved.entries().size() == tensors.size());
  for (const NamedTensor& t : tensors) {
    REQUIRE(saved.find(t.name));
    CHECK(same_bits(saved.load(*saved.find(t.name)), t.tensor));
  }
  saved.verify();
  CHECK(read_file(folder / "f") == safetensors_bytes(tensors, {{"note", "a \"quoted\" line\nand é"}}));
}

TEST_CASE(
    "the writer starts with a brace, pads with spaces to eight, and orders by alignment, then "
    "name") {
  const std::string bytes = safetensors_bytes(some_tensors(), {});
  u64 length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
  CHECK(length % 8 == 0);
  CHECK(bytes[8] == '{');
  const auto header = nlohmann::json::parse(bytes.substr(8, length));  // a reader that is not ours
  CHECK(header.at("a").at("data_offsets") == nlohmann::json{0, 16});
  CHECK(header.at("b").at("data_offsets") == nlohmann::json{16, 40});
  CHECK(header.at("b").at("shape") == nlohmann::json{2, 3});
  CHECK(header.at("tokens").at("dtype") == "I32");
  CHECK(bytes.size() == 8 + length + 16 + 24 + 4 + 4 + 8);
}

TEST_CASE("the writer refuses the reserved name and a name twice") {
  const Tensor t = Tensor::zeros({1}, DType::f32);
  CHECK_THROWS_WITH_AS(safetensors_bytes({{"__metadata__", t}}, {}), doctest::Contains("keeps that name"), Error);
  CHECK_THROWS_WITH_AS(safetensors_bytes({{"a", t}, {"a", t}}, {}), doctest::Contains("twice"), Error);
}

TEST_CASE("malformed lengths are refused before anything is read (cases 1 to 7)") {
  CHECK(contains(verdict(""), "byte 0: the file has 0 bytes"));
  CHECK(contains(verdict("1234567"), "byte 0: the file has 7 bytes"));
  CHECK(contains(verdict(prefixed(60, "")), "byte 8: a header of 60 bytes is announced, the file has 0 more"));
  CHECK(contains(verdict(prefixed(~u64{0}, "{}")), "byte 0: a header of 18446744073709551615 bytes"));
  CHECK(contains(verdict(prefixed(100'000'001, "{}")), "at most 100000000"));
  CHECK(contains(verdict(prefixed(3, "{}")), "the file has 2 more"));
  CHECK(contains(verdict(prefixed(0, "")), "byte 8: the text ends where '{' is expected"));
}

TEST_CASE("headers that are no JSON object are refused with the byte (cases 8 to 15)") {
  CHECK(contains(verdict(file("\xff")), "byte 8: the text is not UTF-8"));
  CHECK(contains(verdict(file("{")), "byte 9: a name in quotes is expected"));
  CHECK(contains(verdict(file("[]")), "byte 8: '{' is expected"));
  CHECK(contains(verdict(file("\"x\"")), "byte 8: '{' is expected"));
  CHECK(contains(verdict(file("{}x")), "byte 10: something follows"));
  CHECK(verdict(file("{}")).empty());
  CHECK(verdict(file(R"({"__metadata__":{"a":"b"}})")).empty());
  CHECK(contains(verdict(file("{}", 8)), "describes 0 bytes of data and the file holds 8"));
  CHECK(verdict(file(" \t\r\n{} \r\t\n")).empty());
  CHECK(contains(verdict(file(std::string("{}\0\0", 4))), "byte 10: something follows"));
}

TEST_CASE("bytes that no tensor owns, or that two own, are refused (cases 16 to 22)") {
  const std::string a = entry("a", "F32", "[2]", "[0,8]");
  CHECK(verdict(file("{" + a + "}", 8)).empty());
  CHECK(contains(verdict(file("{" + a + "}", 12)),
                 "byte 70: the header describes 8 bytes of data and the file holds 12"));
  CHECK(contains(verdict(file("{" + a + "}", 6)), "describes 8 bytes of data and the file holds 6"));
  CHECK(contains(verdict(file("{" + a + "," + entry("b", "F32", "[1]", "[12,16]") + "}", 16)),
                 "leaving a hole after \"a\""));
  CHECK(contains(verdict(file("{" + a + "," + entry("b", "F32", "[1]", "[7,11]") + "}", 11)),
                 "\"b\" starts at data byte 7, overlapping \"a\""));
  std::string attack;
  for (char c = '0'; c <= '9'; ++c)
    attack += (attack.empty() ? "{" : ",") + entry(std::string(1, c), "F32", "[4]", "[0,16]");
  CHECK(contains(verdict(file(attack + "}", 16)), "\"1\" starts at data byte 0, overlapping \"0\""));
  CHECK(contains(verdict(file("{" + entry("a", "F32", "[2]", "[4,12]") + "}", 12)), "leaving a hole after the start"));
  CHECK(contains(verdict(file("{" + entry("a", "F32", "[2]", "[8,0]") + "}", 8)), "end before begin"));
}

TEST_CASE("shape, dtype and offsets must agree, without overflow (cases 23 to 26)") {
  CHECK(contains(verdict(file("{" + entry("a", "I32", "[2,2]", "[0,4]") + "}", 4)), "needs 16 bytes"));
  CHECK(verdict(file("{" + entry("a", "I32", "[2,0]", "[0,0]") + "}")).empty());
  CHECK(
      contains(verdict(file("{" + entry("a", "I32", "[2,18446744073709551614]", "[0,0]") + "}")), "larger than 2^48"));
  CHECK(contains(verdict(file("{" + entry("a", "I32", "[2,9223372036854775807]", "[0,0]") + "}")), "larger than 2^48"));
  for (const char* shape : {"[0,9223372036854775808,2]", "[9223372036854775808,2,0]"}) {
    CHECK(contains(verdict(file("{" + entry("a", "I32", shape, "[0,0]") + "}")), "larger than 2^48"));
  }
  CHECK(contains(verdict(file("{" + entry("a", "I32", "[281474976710656,281474976710656,0]", "[0,0]") + "}")),
                 "overflows"));
  const std::string two = entry("z", "F32", "[0]", "[4,4]") + "," + entry("a", "F32", "[1]", "[0,4]");
  CHECK(verdict(file("{" + two + "," + entry("b", "F32", "[1]", "[4,8]") + "}", 8)).empty());
}

TEST_CASE("numbers must be whole, from 0 up, in 64 bits, and complete (cases 27 to 31)") {
  for (const char* number : {"-4", "4.0", "1e1", "\"4\"", "18446744073709551616", "04", "null", "[4]", ""}) {
    CAPTURE(number);
    CHECK_FALSE(verdict(file("{" + entry("a", "F32", "[1]", std::string("[0,") + number + "]") + "}", 4)).empty());
    CHECK_FALSE(verdict(file("{" + entry("a", "F32", std::string("[") + number + ",1]", "[0,4]") + "}", 4)).empty());
  }
  CHECK(contains(verdict(file("{" + entry("a", "F32", "[1]", "[0]") + "}", 4)), "has 1 offsets instead of two"));
  CHECK(contains(verdict(file("{" + entry("a", "F32", "[1]", "[0,4,4]") + "}", 4)), "more than two offsets"));
  CHECK(contains(verdict(file(R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4)), "has no dtype"));
  CHECK(contains(verdict(file(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4)), "has no shape"));
  CHECK(contains(verdict(file(R"({"a":{"dtype":"F32","shape":[1]}})", 4)), "has no data_offsets"));
}

TEST_CASE("an unknown field is a warning in a foreign file and an error in ours (case 32)") {
  const std::string with = R"("a":{"dtype":"F32","x":[{"y":null}],"shape":[1],"data_offsets":[0,4]}})";
  const std::string foreign = file("{" + with, 4);
  const Safetensors saved(foreign, "f");
  REQUIRE(saved.warnings().size() == 1);
  CHECK(saved.warnings()[0] == "byte 28: unknown field \"x\" in \"a\"");
  CHECK(contains(verdict(file(R"({"__metadata__":{"format":"weft","crc32c":"{}"},)" + with, 4)), "unknown field"));
}

TEST_CASE("dtypes that we do not read are said to be unsupported, not corrupt (cases 33 and 34)") {
  CHECK(contains(verdict(file("{" + entry("a", "F33", "[1]", "[0,4]") + "}", 4)), "not supported"));
  CHECK(contains(verdict(file("{" + entry("a", "f32", "[1]", "[0,4]") + "}", 4)), "not supported"));
  CHECK(contains(verdict(file("{" + entry("a", "BF16", "[2]", "[0,4]") + "}", 4)), "BF16, which is not supported"));
  CHECK(contains(verdict(file("{" + entry("a", "F4", "[3]", "[0,2]") + "}", 2)), "ends inside a byte"));
}

TEST_CASE("duplicates are refused wherever they stand (cases 35 and 36)") {
  const std::string a = entry("a", "F32", "[1]", "[0,4]");
  CHECK(contains(verdict(file("{" + a + "," + entry("a", "F32", "[1]", "[4,8]") + "}", 8)),
                 "duplicate tensor name \"a\""));
  CHECK(contains(verdict(file("{" + a + "," + a + "}", 4)), "duplicate tensor name \"a\""));
  CHECK(contains(verdict(file("{" + a + R"(,"\u0061":{}})", 4)), "duplicate tensor name"));
  CHECK(contains(verdict(file(R"({"__metadata__":{"x":"1","x":"1"}})")), "duplicate \"x\""));
  CHECK(contains(verdict(file(R"({"__metadata__":{"x":1}})")), "byte 29: a text as value"));
  CHECK(contains(verdict(file(R"({"__metadata__":null})")), "'{' is expected"));
  CHECK(contains(verdict(file(R"({"__metadata__":{},"__metadata__":{}})")), "appears twice"));
  CHECK(contains(verdict(file(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4)),
                 "duplicate \"dtype\""));
}

TEST_CASE("names are opaque keys of at most 4 KiB (case 37)") {
  for (const std::string name : {"", "../x", "a\\u0000b", "\\ud83d\\ude00", "a/b c"}) {
    CHECK(verdict(file("{" + entry(name, "F32", "[1]", "[0,4]") + "}", 4)).empty());
  }
  const std::string emoji = file("{" + entry("\\ud83d\\ude00", "F32", "[1]", "[0,4]") + "}", 4);
  CHECK(Safetensors(emoji, "f").entries()[0].name == "\xf0\x9f\x98\x80");
  CHECK(contains(verdict(file("{" + entry(std::string(1 << 20, 'x'), "F32", "[1]", "[0,4]") + "}", 4)),
                 "a tensor name of 1048576 bytes"));
  for (const char* escape : {"\\ud800", "\\ud800x", "\\ud800\\u0041", "\\udc00", "\\u12g4", "\\x", "\n", "\\"}) {
    CHECK_FALSE(verdict(file("{" + entry(escape, "F32", "[1]", "[0,4]") + "}", 4)).empty());
  }
}

TEST_CASE("a hundred thousand tensors and absurd nesting take less than a second (case 38)") {
  std::string many;
  for (int i = 0; i < 100'000; ++i)
    many += (i ? "," : "{") + entry("weight." + std::to_string(i), "F32", "[0]", "[0,0]");
  const auto start = std::chrono::steady_clock::now();
  CHECK(verdict(file(many + "}")).empty());
  const std::string deep(100'000, '[');
  CHECK_FALSE(verdict(file(R"({"__metadata__":{"x":)" + deep + "}}")).empty());
  CHECK(contains(verdict(file(R"({"a":{"x":)" + deep + "}}")), "nesting is too deep"));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));  // five: the machine may be busy
}

TEST_CASE("64-bit integers are read as i32 when they fit") {
  std::string good = file("{" + entry("a", "I64", "[2]", "[0,16]") + "}", 16);
  good[good.size() - 16] = 5;
  for (std::size_t i = good.size() - 8; i < good.size(); ++i) good[i] = '\xff';
  const Safetensors saved(good, "f");
  const Tensor t = saved.load(saved.entries()[0]);
  CHECK(t.at(0) == 5);
  CHECK(t.at(1) == -1);
  good[good.size() - 1] = '\x7f';
  CHECK(contains(verdict(good), "holds 9223372036854775807 at element 1"));
}

TEST_CASE("halves, bytes and truth values are converted where that is asked for, exactly") {
  std::string bytes = file("{" + entry("h", "F16", "[6]", "[0,12]") + "," + entry("b", "BF16", "[2]", "[12,16]") + "," +
                           entry("u", "U8", "[2]", "[16,18]") + "," + entry("t", "BOOL", "[2]", "[18,20]") + "}");
  const auto put = [&](std::initializer_list<int> values, int wide) {
    for (const int v : values) {
      for (int i = 0; i < wide; ++i) bytes += static_cast<char>(v >> (8 * i) & 255);
    }
  };
  put({0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0x7e00}, 2);  // 1, -2, the least, the largest, infinity, NaN
  put({0x3f80, 0xff7f}, 2);
  put({255, 7, 1, 0}, 1);
  const Safetensors saved(bytes, "f");
  const auto load = [&](const char* name) { return saved.load(*saved.find(name), Safetensors::Accept::convertible); };
  const Tensor h = load("h"), b = load("b"), u = load("u"), t = load("t");
  CHECK(h.dtype() == DType::f32);
  CHECK(h.at(0) == 1);
  CHECK(h.at(1) == -2);
  CHECK(h.at(2) == std::ldexp(1.0, -24));
  CHECK(h.at(3) == 65504);
  CHECK(std::isinf(h.at(4)));
  CHECK(std::isnan(h.at(5)));
  CHECK(b.at(0) == 1);
  CHECK(b.at(1) == -std::ldexp(255.0, 120));
  CHECK(u.dtype() == DType::i32);
  CHECK(u.at(0) == 255);
  CHECK(t.at(0) == 1);
  CHECK(t.at(1) == 0);
  CHECK_THROWS_WITH_AS(saved.load(*saved.find("h")), doctest::Contains("F16, which is not supported"), Error);
  const std::string other = file("{" + entry("a", "U16", "[1]", "[0,2]") + "}", 2);
  const Safetensors foreign(other, "f");
  CHECK_THROWS_WITH_AS(foreign.load(foreign.entries()[0], Safetensors::Accept::convertible),
                       doctest::Contains("U16, which is not supported"), Error);
}

TEST_CASE("a file cut at any byte is refused") {
  const std::string whole = safetensors_bytes(some_tensors(), {{"step", "12"}});
  CHECK(verdict(whole).empty());
  for (std::size_t n = 0; n < whole.size(); ++n) CHECK_FALSE(verdict(std::string_view(whole).substr(0, n)).empty());
}

TEST_CASE("a flipped bit anywhere in our own file is found") {
  std::string bytes = safetensors_bytes(some_tensors(), {{"step", "12"}});
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes[i] = static_cast<char>(bytes[i] ^ (1 << bit));
      // One flip is harmless: a space of the padding that becomes another JSON space (none is one
      // bit away from 0x20 but '\0', '!', '"', '$', '(', '0', '`' and 0xa0, which are errors).
      CHECK_FALSE(verdict(bytes).empty());
      bytes[i] = static_cast<char>(bytes[i] ^ (1 << bit));
    }
  }
}

TEST_CASE("a byte of a foreign header set to anything is read or refused, never more") {
  const std::string good = file("{" + entry("a", "F32", "[2]", "[0,8]") + R"(,"__metadata__":{"k":"v"}})", 8);
  for (std::size_t i = 0; i < good.size() - 8; ++i) {
    for (int value = 0; value < 256; ++value) {
      std::string changed = good;
      changed[i] = static_cast<char>(value);
      verdict(changed);
    }
  }
}

TEST_CASE("headers drawn at random survive our writer and reader") {
  for (u64 round = 0; round < 200; ++round) {
    const Key key = Key{round};
    std::vector<NamedTensor> tensors;
    for (u64 i = 0; i < bits(key, 0) % 6; ++i) {
      const Key k = key.fold(i + 1);
      Shape shape;
      for (u64 d = 0; d < bits(k, 0) % 4; ++d) shape.push_back(static_cast<i64>(bits(k, d + 1) % 4));
      const DType dtype = bits(k, 9) % 2 ? DType::f32 : DType::f64;
      tensors.push_back({"t" + std::to_string(bits(k, 10) % 1000) + "." + std::to_string(i),
                         Tensor::full(shape, normal(k, 11), dtype)});
    }
    const std::string bytes = safetensors_bytes(tensors, {{"round", std::to_string(round)}});
    const Safetensors saved(bytes, "f");
    REQUIRE(saved.entries().size() == tensors.size());
    for (const NamedTensor& t : tensors) CHECK(same_bits(saved.load(*saved.find(t.name)), t.tensor));
  }
}
