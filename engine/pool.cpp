#include "engine/pool.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

namespace weft {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr unsigned char kPoison = 0xFF;  // a NaN in f32 and f64, -1 in i32

// Rounded so that near sizes share blocks: to an eighth of the next power of two, at most 12.5 % is wasted.
std::size_t rounded(std::size_t bytes) {
  const std::size_t step = std::max<std::size_t>(kAlignment, std::bit_ceil(bytes) / 8);
  return std::max(step, (bytes + step - 1) / step * step);
}

}  // namespace

Pool::~Pool() {
  for (auto& [size, blocks] : free_) {
    for (std::byte* block : blocks) std::free(block);
  }
}

std::byte* Pool::take(std::size_t bytes) {
  std::byte* block = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (limit_ && live_ + bytes > limit_) {
      throw Error(fmt::format("out of memory: {} bytes are in use, {} more would pass the limit of {}", live_, bytes,
                              limit_),
                  Failure::size);
    }
    live_ += bytes;
    peak_ = std::max(peak_, live_);
    auto found = free_.find(bytes);
    if (found != free_.end() && !found->second.empty()) {
      block = found->second.back();
      found->second.pop_back();
    }
  }
  if (!block) block = static_cast<std::byte*>(std::aligned_alloc(kAlignment, bytes));
  if (!block) {
    const std::lock_guard lock(mutex_);
    live_ -= bytes;
    throw Error(fmt::format("out of memory: the system refused {} bytes", bytes), Failure::size);
  }
  if (poison_) std::memset(block, kPoison, bytes);
  return block;
}

void Pool::put(std::byte* block, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  live_ -= bytes;
  free_[bytes].push_back(block);
}

std::shared_ptr<std::byte> Pool::allocate(const std::shared_ptr<Pool>& pool, std::size_t bytes) {
  const std::size_t size = rounded(bytes);
  // The deleter owns a share of the pool, so a tensor may outlive everything else.
  return {pool->take(size), [pool, size](std::byte* block) { pool->put(block, size); }};
}

}  // namespace weft
