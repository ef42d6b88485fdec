// The JSON header of a safetensors file, read strictly: every rule is checked before anything is
// allocated for data.
//
// We read it ourselves because a general JSON reader hides what matters here: duplicate names (some
// readers take the last, some fail later with a misleading offset error), 16.0 where 16 is meant,
// and the byte where it went wrong.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/dim.h"

namespace weft::train {

constexpr u64 kMaxHeaderBytes = 100'000'000;  // the limit of the format

struct TensorEntry {
  std::string name;
  std::string dtype;  // as written: F32, I64, ...
  Shape shape;
  u64 begin = 0, end = 0;  // bytes, from the end of the header
  u64 position = 0;        // byte of the file where its name stands
};

struct Header {
  std::map<std::string, std::string> metadata;
  std::vector<TensorEntry> entries;  // in order of their bytes
  std::vector<std::string> warnings;
};

/// Reads and checks the header `json`, which starts at byte 8 of a file of `file_size` bytes;
/// `file` begins messages.
Header parse_header(std::string_view json, u64 file_size, const std::string& file);

/// Bits of one element; 0 for a dtype that the format does not have.
int dtype_bits(std::string_view dtype);

/// A name from a file, safe to print: control characters replaced, long ones cut.
std::string shown(std::string_view name);

}  // namespace weft::train
