#include "train/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "train/crc32c.h"
#include "train/file.h"
#include "train/json_reader.h"

namespace weft::train {
namespace {

constexpr u64 kPrefix = 8;
constexpr std::string_view kChecksumKey = "crc32c";

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string_view dtype_name(DType dtype) {
  switch (dtype) {
    case DType::f32: return "F32";
    case DType::f64: return "F64";
    default: return "I32";
  }
}

// Dtype and shape are part of it: a flipped bit may turn F32 into another dtype of the same size.
std::string checksum(std::string_view dtype, const Shape& shape, std::span<const std::byte> bytes) {
  return fmt::format("{:08x}", crc32c(as_text(bytes), crc32c(fmt::format("{}{}", dtype, text(shape)))));
}

std::string metadata_checksum(const Metadata& metadata) {
  std::uint32_t crc = 0;
  for (const auto& [key, value] : metadata) {
    if (key == kChecksumKey) continue;
    crc = crc32c(value, crc32c(fmt::format("{}:{}={}:", key.size(), key, value.size()), crc));
  }
  return fmt::format("{:08x}", crc);
}

std::string quoted(const std::string& text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    throw Error(fmt::format("safetensors: {} is not UTF-8", shown(text)), Failure::internal);
  }
}

// Widest alignment first, so that every tensor of a mapped file is aligned; then by name, so that
// bytes are stable.
std::vector<const NamedTensor*> writing_order(const std::vector<NamedTensor>& tensors) {
  std::vector<const NamedTensor*> order;
  std::set<std::string_view> names;
  for (const NamedTensor& t : tensors) {
    check(t.name != "__metadata__" && names.insert(t.name).second, "safetensors: {} cannot be written {}",
          shown(t.name), t.name == "__metadata__" ? "as a tensor: the format keeps that name" : "twice");
    order.push_back(&t);
  }
  std::sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    const std::size_t wide_a = byte_size(a->tensor.dtype()), wide_b = byte_size(b->tensor.dtype());
    return wide_a != wide_b ? wide_a > wide_b : a->name < b->name;
  });
  return order;
}

// As text, not as a JSON object: to destroy one takes memory, and where there is none the program would end at once
// in the middle of a save.
std::string checksums_text(const std::string& of_metadata, const std::map<std::string_view, std::string>& of_tensors) {
  std::string list;
  for (const auto& [name, sum] : of_tensors)
    list += fmt::format("{}{}:\"{}\"", list.empty() ? "" : ",", quoted(std::string(name)), sum);
  return fmt::format(R"({{"metadata":"{}","tensors":{{{}}}}})", of_metadata, list);
}

std::span<const std::byte> bytes_of(const Tensor& t) { return {t.raw(), t.bytes()}; }

// The length and the header, padded with spaces to a multiple of eight.
std::string header_bytes(const std::vector<const NamedTensor*>& order, Metadata metadata) {
  metadata["format"] = "weft";
  std::map<std::string_view, std::string> sums;
  std::string entries;
  u64 offset = 0;
  for (const NamedTensor* t : order) {
    const std::string_view dtype = dtype_name(t->tensor.dtype());
    const Shape& shape = t->tensor.shape();
    const u64 end = offset + t->tensor.bytes();
    entries += fmt::format(R"(,{}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", quoted(t->name), dtype,
                           fmt::join(shape, ","), offset, end);
    sums[t->name] = checksum(dtype, shape, bytes_of(t->tensor));
    offset = end;
  }
  metadata[std::string(kChecksumKey)] = checksums_text(metadata_checksum(metadata), sums);
  std::string pairs;
  for (const auto& [key, value] : metadata)
    pairs += fmt::format("{}{}:{}", pairs.empty() ? "" : ",", quoted(key), quoted(value));
  std::string json = fmt::format(R"({{"__metadata__":{{{}}}{}}})", pairs, entries);
  json.resize((json.size() + 7) / 8 * 8, ' ');
  check(json.size() <= kMaxHeaderBytes, "safetensors: a header of {} bytes, at most {} are allowed", json.size(),
        kMaxHeaderBytes);
  std::string bytes(kPrefix, '\0');
  for (std::size_t i = 0; i < kPrefix; ++i) bytes[i] = static_cast<char>(json.size() >> (8 * i) & 255);
  return bytes + json;
}

// IEEE half precision: 1 sign, 5 exponent and 10 fraction bits; exact in f32.
float from_half(unsigned bits) {
  const int exponent = static_cast<int>(bits >> 10 & 31), fraction = static_cast<int>(bits & 1023);
  const float sign = bits >> 15 ? -1.0f : 1.0f;
  if (exponent == 31) {
    return sign * (fraction ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity());
  }
  return exponent == 0 ? sign * std::ldexp(static_cast<float>(fraction), -24)
                       : sign * std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
}

bool is_narrow(std::string_view dtype) { return dtype == "F16" || dtype == "BF16" || dtype == "U8" || dtype == "BOOL"; }

Tensor widened(std::span<const std::byte> bytes, const TensorEntry& entry) {
  const auto byte = [&](std::size_t i) { return std::to_integer<unsigned>(bytes[i]); };
  const auto count = static_cast<std::size_t>(element_count(entry.shape));
  if (entry.dtype == "U8" || entry.dtype == "BOOL") {
    std::vector<i32> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<i32>(byte(i));
    return Tensor::of_indices(values, entry.shape);
  }
  Tensor tensor = Tensor::uninitialised(entry.shape, DType::f32, std::make_shared<Pool>());
  const auto to = tensor.mutable_values<float>();
  for (std::size_t i = 0; i < count; ++i) {
    const unsigned bits = byte(2 * i) | byte(2 * i + 1) << 8;
    to[i] = entry.dtype == "F16" ? from_half(bits) : std::bit_cast<float>(bits << 16);
  }
  return tensor;
}

void check_i32(std::span<const i64> values, const std::string& file, const TensorEntry& entry) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] < std::numeric_limits<i32>::min() || values[i] > std::numeric_limits<i32>::max()) {
      fail_data("{}: {} holds {} at element {}, which is out of the range of i32", file, shown(entry.name), values[i],
                i);
    }
  }
}

}  // namespace

Safetensors::Safetensors(const fs::path& path) : name_(path.string()) {
  const auto file = std::make_shared<InputFile>(path);
  read_ = [file](u64 offset, std::span<std::byte> to) { file->read_at(offset, to); };
  open(file->size());
}

Safetensors::Safetensors(std::string_view bytes, std::string name) : name_(std::move(name)) {
  read_ = [bytes](u64 offset, std::span<std::byte> to) {
    const std::string_view part = bytes.substr(offset, to.size());
    assert(part.size() == to.size());
    std::copy(part.begin(), part.end(), reinterpret_cast<char*>(to.data()));
  };
  open(bytes.size());
}

void Safetensors::open(u64 size) {
  if (size < kPrefix) fail_data("{}: byte 0: the file has {} bytes, a header needs at least {}", name_, size, kPrefix);
  std::array<std::byte, kPrefix> prefix;
  read_(0, prefix);
  u64 length = 0;
  for (std::size_t i = 0; i < kPrefix; ++i) length |= std::to_integer<u64>(prefix[i]) << (8 * i);
  if (length > kMaxHeaderBytes) {
    fail_data("{}: byte 0: a header of {} bytes, at most {} are allowed", name_, length, kMaxHeaderBytes);
  }
  if (length > size - kPrefix) {
    fail_data("{}: byte {}: a header of {} bytes is announced, the file has {} more", name_, kPrefix, length,
              size - kPrefix);
  }
  std::string json(length, '\0');
  read_(kPrefix, std::as_writable_bytes(std::span(json)));
  header_ = parse_header(json, size, name_);
  data_ = kPrefix + length;
  read_checksums();
}

void Safetensors::read_checksums() {
  const auto format = header_.metadata.find("format");
  const auto found = header_.metadata.find(std::string(kChecksumKey));
  const bool ours = format != header_.metadata.end() && format->second == "weft";
  if (!ours && found == header_.metadata.end()) return;
  if (found == header_.metadata.end()) fail_data("{}: the checksums are missing from its metadata", name_);
  if (!header_.warnings.empty()) fail_data("{}: {}", name_, header_.warnings.front());
  std::string metadata_sum;
  try {
    JsonReader sums(found->second, 0, name_);
    sums.object([&](const std::string& key, std::size_t at) {
      if (key == "metadata") metadata_sum = sums.string("a checksum");
      else if (key == "tensors")
        sums.object(
            [&](std::string tensor, std::size_t) { checksums_[std::move(tensor)] = sums.string("a checksum"); });
      else sums.fail(at, "unknown");
    });
    sums.finish();
  } catch (const Error&) {
    fail_data("{}: the checksums in its metadata are damaged", name_);
  }
  if (metadata_sum != metadata_checksum(header_.metadata)) fail_data("{}: its metadata are damaged (checksum)", name_);
  for (const TensorEntry& entry : header_.entries) {
    if (!checksums_.contains(entry.name)) {
      fail_data("{}: byte {}: {} has no checksum", name_, entry.position, shown(entry.name));
    }
  }
  if (checksums_.size() != header_.entries.size()) {
    fail_data("{}: {} tensors have a checksum and {} are there", name_, checksums_.size(), header_.entries.size());
  }
}

const TensorEntry* Safetensors::find(std::string_view tensor) const {
  for (const TensorEntry& entry : header_.entries) {
    if (entry.name == tensor) return &entry;
  }
  return nullptr;
}

void Safetensors::check_bytes(const TensorEntry& entry, std::span<const std::byte> bytes) const {
  const auto expected = checksums_.find(entry.name);
  if (expected != checksums_.end() && train::checksum(entry.dtype, entry.shape, bytes) != expected->second) {
    fail_data("{}: {} is damaged (bytes {} to {}, checksum)", name_, shown(entry.name), data_ + entry.begin,
              data_ + entry.end);
  }
}

Tensor Safetensors::load(const TensorEntry& entry, Accept accept) const {
  const auto fill = [&](std::span<std::byte> to) {
    read_(data_ + entry.begin, to);
    check_bytes(entry, to);
  };
  if (accept == Accept::convertible && is_narrow(entry.dtype)) {
    std::vector<std::byte> bytes(entry.end - entry.begin);
    fill(bytes);
    return widened(bytes, entry);
  }
  if (entry.dtype == "I64") {
    std::vector<i64> wide(static_cast<std::size_t>(element_count(entry.shape)));
    fill(std::as_writable_bytes(std::span(wide)));
    check_i32(wide, name_, entry);
    return Tensor::of_indices(std::vector<i32>(wide.begin(), wide.end()), entry.shape);
  }
  for (const DType dtype : {DType::f32, DType::f64, DType::i32}) {
    if (entry.dtype != dtype_name(dtype)) continue;
    Tensor tensor = Tensor::uninitialised(entry.shape, dtype, std::make_shared<Pool>());
    fill({tensor.mutable_raw(), tensor.bytes()});
    return tensor;
  }
  fail_data("{}: byte {}: {} has the dtype {}, which is not supported (F32, F64, I32 and I64 are{})", name_,
            entry.position, shown(entry.name), entry.dtype,
            accept == Accept::convertible ? ", F16, BF16, U8 and BOOL are converted" : "");
}

std::vector<NamedTensor> Safetensors::load_all() const {
  std::vector<NamedTensor> tensors;
  for (const TensorEntry& entry : header_.entries) tensors.push_back({entry.name, load(entry)});
  return tensors;
}

std::string Safetensors::checksum(const TensorEntry& entry) const {
  std::vector<std::byte> bytes(entry.end - entry.begin);
  read_(data_ + entry.begin, bytes);
  check_bytes(entry, bytes);
  return train::checksum(entry.dtype, entry.shape, bytes);
}

void Safetensors::verify() const {
  for (const TensorEntry& entry : header_.entries) checksum(entry);
}

std::string safetensors_bytes(const std::vector<NamedTensor>& tensors, Metadata metadata) {
  const auto order = writing_order(tensors);
  std::string bytes = header_bytes(order, std::move(metadata));
  for (const NamedTensor* t : order) bytes += as_text(bytes_of(t->tensor));
  return bytes;
}

void write_safetensors(const fs::path& path, const std::vector<NamedTensor>& tensors, Metadata metadata) {
  const auto order = writing_order(tensors);
  const std::string header = header_bytes(order, std::move(metadata));
  std::vector<std::string_view> parts{header};
  for (const NamedTensor* t : order) parts.push_back(as_text(bytes_of(t->tensor)));
  write_atomically(path, parts);
}

}  // namespace weft::train
