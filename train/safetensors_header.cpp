#include "train/safetensors_header.h"

#include <algorithm>
#include <array>
#include <set>
#include <unordered_set>
#include <utility>

#include "train/json_reader.h"

namespace weft::train {
namespace {

constexpr int kMaxDepth = 4;
constexpr std::size_t kMaxName = 4096;
constexpr std::size_t kMaxEntries = 1'000'000;
constexpr std::size_t kMaxRank = 64;
constexpr u64 kMaxDimension = u64{1} << 48;
constexpr u64 kFirst = 8;  // the header follows the eight bytes of its length

struct Kind {
  std::string_view name;
  int bits;
};
constexpr std::array<Kind, 22> kKinds{{
    {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},
    {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
    {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
    {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64},
}};

/// The members of the header object, as the format names them.
class Parser {
 public:
  Parser(std::string_view text, const std::string& file) : json_(text, kFirst, file) {}

  Header parse() {
    bool metadata_seen = false;
    std::unordered_set<std::string> names;
    json_.object([&](std::string name, std::size_t at) {
      if (name == "__metadata__") {
        if (std::exchange(metadata_seen, true)) json_.fail(at, "\"__metadata__\" appears twice");
        return metadata();
      }
      if (name.size() > kMaxName) {
        json_.fail(at, fmt::format("a tensor name of {} bytes, more than {}", name.size(), kMaxName));
      }
      if (!names.insert(name).second) json_.fail(at, fmt::format("duplicate tensor name {}", shown(name)));
      if (names.size() > kMaxEntries) json_.fail(at, fmt::format("more than {} tensors", kMaxEntries));
      entry(std::move(name), at);
    });
    json_.finish();
    return std::move(header_);
  }

 private:
  void metadata() {
    json_.object([&](std::string key, std::size_t at) {
      if (header_.metadata.contains(key)) json_.fail(at, fmt::format("duplicate {} in \"__metadata__\"", shown(key)));
      header_.metadata[std::move(key)] = json_.string("a text as value of \"__metadata__\"");
    });
  }

  void shape(TensorEntry& e) {
    json_.list("the shape", [&] {
      const std::size_t at = json_.at();
      const u64 size = json_.whole("a dimension");
      if (size > kMaxDimension) json_.fail(at, fmt::format("a dimension of {} is larger than 2^48", size));
      if (e.shape.size() == kMaxRank) json_.fail(at, fmt::format("more than {} dimensions", kMaxRank));
      e.shape.push_back(static_cast<i64>(size));
    });
  }

  void entry(std::string name, std::size_t at) {
    TensorEntry e{std::move(name), {}, {}, 0, 0, json_.position(at)};
    std::set<std::string> seen;
    std::vector<u64> offsets;
    json_.object([&](std::string key, std::size_t key_at) {
      if (!seen.insert(key).second) {
        json_.fail(key_at, fmt::format("duplicate {} in {}", shown(key), shown(e.name)));
      }
      if (key == "dtype") {
        e.dtype = json_.string("a dtype");
      } else if (key == "shape") {
        shape(e);
      } else if (key == "data_offsets") {
        json_.list("the offsets", [&] {
          if (offsets.size() == 2) json_.fail(json_.at(), "more than two offsets");
          offsets.push_back(json_.whole("an offset"));
        });
      } else {
        unknown(key, key_at, e);
      }
    });
    for (const char* key : {"dtype", "shape", "data_offsets"}) {
      if (!seen.contains(key)) json_.fail(at, fmt::format("{} has no {}", shown(e.name), key));
    }
    if (offsets.size() != 2)
      json_.fail(at, fmt::format("{} has {} offsets instead of two", shown(e.name), offsets.size()));
    e.begin = offsets[0];
    e.end = offsets[1];
    header_.entries.push_back(std::move(e));
  }

  void unknown(const std::string& key, std::size_t at, const TensorEntry& e) {
    constexpr std::size_t kEnough = 20;
    if (header_.warnings.size() < kEnough) {
      header_.warnings.push_back(
          fmt::format("byte {}: unknown field {} in {}", json_.position(at), shown(key), shown(e.name)));
    }
    json_.skip(kMaxDepth - 2);
  }

  JsonReader json_;
  Header header_;
};

[[noreturn]] void fail_entry(const std::string& file, const TensorEntry& e, const std::string& what) {
  fail_data("{}: byte {}: {} {}", file, e.position, shown(e.name), what);
}

// Bytes that dtype and shape ask for; zero-size dimensions do not excuse a product that does not
// fit.
u64 bytes_needed(const TensorEntry& e, const std::string& file) {
  const u64 bits = static_cast<u64>(dtype_bits(e.dtype));
  if (bits == 0) {
    fail_entry(file, e,
               fmt::format("has the dtype {}, which is not supported (F32, F64, I32 and I64 are)", shown(e.dtype)));
  }
  u64 elements = 1;
  bool zero = false;
  for (const i64 size : e.shape) {
    zero = zero || size == 0;
    if (__builtin_mul_overflow(elements, static_cast<u64>(std::max<i64>(size, 1)), &elements) ||
        elements > (u64{1} << 56)) {
      fail_entry(file, e, fmt::format("has the shape {}, whose size overflows", text(e.shape)));
    }
  }
  const u64 total = zero ? 0 : elements * bits;
  if (total % 8 != 0) fail_entry(file, e, fmt::format("ends inside a byte ({} of {})", text(e.shape), e.dtype));
  return total / 8;
}

// No holes, no overlaps, nothing after the last tensor: what is not described is not there.
void check_layout(Header& header, u64 data_start, u64 data_bytes, const std::string& file) {
  for (const TensorEntry& e : header.entries) {
    if (e.end < e.begin)
      fail_entry(file, e, fmt::format("has the data_offsets [{}, {}], end before begin", e.begin, e.end));
    const u64 needed = bytes_needed(e, file);
    if (e.end - e.begin != needed) {
      fail_entry(file, e,
                 fmt::format("needs {} bytes ({} of {}) and its data_offsets hold {}", needed, text(e.shape), e.dtype,
                             e.end - e.begin));
    }
  }
  std::stable_sort(header.entries.begin(), header.entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  u64 end = 0;
  std::string before = "the start of the data";
  for (const TensorEntry& e : header.entries) {
    if (e.begin != end) {
      fail_entry(file, e,
                 fmt::format("starts at data byte {}, {} {} (at {})", e.begin,
                             e.begin > end ? "leaving a hole after" : "overlapping", before, end));
    }
    end = e.end;
    before = shown(e.name);
  }
  if (end != data_bytes) {
    fail_data("{}: byte {}: the header describes {} bytes of data and the file holds {}", file,
              data_start + std::min(end, data_bytes), end, data_bytes);
  }
}

}  // namespace

int dtype_bits(std::string_view dtype) {
  for (const Kind& kind : kKinds) {
    if (kind.name == dtype) return kind.bits;
  }
  return 0;
}

std::string shown(std::string_view name) {
  constexpr std::size_t kLongest = 80;
  std::string cut(name.substr(0, kLongest));
  if (cut.size() < name.size()) cut += "...";
  return "\"" + dsl::printable(cut) + "\"";
}

Header parse_header(std::string_view json, u64 file_size, const std::string& file) {
  Header header = Parser(json, file).parse();
  const u64 data_start = kFirst + json.size();
  check_layout(header, data_start, file_size - data_start, file);
  return header;
}

}  // namespace weft::train
