// safetensors: named tensors and a map of texts in one file (github.com/huggingface/safetensors).
//
// Layout: u64 little-endian length N, N bytes of JSON, the data without holes. Our files carry, in
// their metadata, a CRC-32C of every tensor (with its dtype and shape) and of the metadata; both
// are checked on reading.
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/tensor.h"
#include "train/safetensors_header.h"

namespace weft::train {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};
using Metadata = std::map<std::string, std::string>;

/// An open file whose header was found correct; tensors are read when asked for.
class Safetensors {
 public:
  explicit Safetensors(const std::filesystem::path& path);
  /// The same from bytes in memory, which must outlive it; `name` begins messages.
  Safetensors(std::string_view bytes, std::string name);

  const Metadata& metadata() const { return header_.metadata; }
  /// In order of their bytes.
  const std::vector<TensorEntry>& entries() const { return header_.entries; }
  const TensorEntry* find(std::string_view tensor) const;
  /// What is legal but odd in a file of another program; in our own it is an error.
  const std::vector<std::string>& warnings() const { return header_.warnings; }
  /// F32 and F64 as they are, I32 and I64 as i32 (a value out of range is an error); checks the
  /// checksum. `convertible` also takes F16 and BF16 as f32, and U8 and BOOL as i32: each is exact.
  enum class Accept { exact, convertible };
  Tensor load(const TensorEntry& entry, Accept accept = Accept::exact) const;
  std::vector<NamedTensor> load_all() const;
  /// CRC-32C of its dtype, shape and bytes; throws when the file says another one.
  std::string checksum(const TensorEntry& entry) const;
  /// Reads everything once and throws what `load` would throw.
  void verify() const;

 private:
  using Read = std::function<void(u64 offset, std::span<std::byte> to)>;
  void open(u64 size);
  void read_checksums();
  void check_bytes(const TensorEntry& entry, std::span<const std::byte> bytes) const;
  std::string name_;
  Read read_;
  u64 data_ = 0;  // byte of the file where the data start
  Header header_;
  std::map<std::string, std::string> checksums_;  // by tensor; empty in files of other programs
};

/// The file as a text, for tests and pipes. Adds "format": "weft" and the checksums to the
/// metadata.
std::string safetensors_bytes(const std::vector<NamedTensor>& tensors, Metadata metadata);
/// Writes it atomically (train/file.h).
void write_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors, Metadata metadata);

}  // namespace weft::train
