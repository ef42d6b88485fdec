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

Pool::~Pool() { release(); }

std::size_t Pool::live_bytes() const {
  const std::lock_guard lock(mutex_);
  return live_;
}

std::size_t Pool::peak_bytes() const {
  const std::lock_guard lock(mutex_);
  return peak_;
}

void Pool::reset_peak() {
  const std::lock_guard lock(mutex_);
  peak_ = live_;
}

void Pool::poison(bool on) {
  const std::lock_guard lock(mutex_);
  poison_ = on;
}

void Pool::limit(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  limit_ = bytes;
}

// Gives the cached blocks back to the system.
void Pool::release() {
  for (auto& [size, blocks] : free_) {
    for (std::byte* block : blocks) std::free(block);
  }
  free_.clear();
  cached_ = 0;
}

std::byte* Pool::cached(std::size_t bytes) {
  const auto found = free_.find(bytes);
  if (found == free_.end() || found->second.empty()) return nullptr;
  std::byte* block = found->second.back();
  found->second.pop_back();
  cached_ -= bytes;
  return block;
}

std::byte* Pool::take(std::size_t bytes) {
  std::unique_lock lock(mutex_);
  if (limit_ && live_ + bytes > limit_) {
    throw Error(
        fmt::format("out of memory: {} bytes are in use, {} more would pass the limit of {}", live_, bytes, limit_),
        Failure::size);
  }
  std::byte* block = cached(bytes);
  const auto fresh = [&] { block = static_cast<std::byte*>(std::aligned_alloc(kAlignment, bytes)); };
  if (!block) {
    if (limit_ && live_ + cached_ + bytes > limit_) release();
    fresh();
  }
  if (!block) {  // what is cached in other sizes may be what is missing
    release();
    fresh();
  }
  if (!block) throw Error(fmt::format("out of memory: the system refused {} bytes", bytes), Failure::size);
  live_ += bytes;
  peak_ = std::max(peak_, live_);
  const bool poisoned = poison_;
  lock.unlock();
  if (poisoned) std::memset(block, kPoison, bytes);
  return block;
}

void Pool::put(std::byte* block, std::size_t bytes) noexcept {
  const std::lock_guard lock(mutex_);
  live_ -= bytes;
  try {
    free_[bytes].push_back(block);
    cached_ += bytes;
  } catch (const std::bad_alloc&) {
    std::free(block);
  }
}

std::shared_ptr<std::byte> Pool::allocate(const std::shared_ptr<Pool>& pool, std::size_t bytes) {
  if (bytes > kMostBytes) {
    throw Error(fmt::format("out of memory: {} bytes are more than can be addressed", bytes), Failure::size);
  }
  const std::size_t size = rounded(bytes);
  // The deleter owns a share of the pool, so a tensor may outlive everything else.
  return {pool->take(size), [pool, size](std::byte* block) { pool->put(block, size); }};
}

}  // namespace weft
