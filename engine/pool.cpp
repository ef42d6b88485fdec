#include "engine/pool.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <fstream>
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

// A block that is given back must leave the process. glibc stops mapping large ones apart after the first that was
// freed, and then keeps their holes: 150 MB instead of 101 for three steps of examples/quickstart.yaml. From 128 KB on,
// where trees of many sizes need smaller ones, too, ListOps held 58 MB instead of 51.
void map_large_blocks() {
#ifdef __GLIBC__
  static const int done = mallopt(M_MMAP_THRESHOLD, 32 << 10);
  (void)done;
#endif
}

}  // namespace

Pool::Pool() { map_large_blocks(); }

Pool::~Pool() { release(); }

std::size_t Pool::live_bytes() const {
  const std::lock_guard lock(mutex_);
  return live_;
}

std::size_t Pool::peak_bytes() const {
  const std::lock_guard lock(mutex_);
  return peak_;
}

std::size_t Pool::held_bytes() const {
  const std::lock_guard lock(mutex_);
  return live_ + cached_;
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
  for (auto& [size, kept] : free_) {
    for (std::byte* block : kept.blocks) std::free(block);
  }
  free_.clear();
  cached_ = 0;
}

std::byte* Pool::cached(std::size_t bytes) {
  const auto found = free_.find(bytes);
  if (found == free_.end()) return nullptr;
  Cached& kept = found->second;
  kept.used = ++requests_;
  if (kept.blocks.empty()) return nullptr;
  std::byte* block = kept.blocks.back();
  kept.blocks.pop_back();
  cached_ -= bytes;
  return block;
}

// Before a new block of `bytes`: what is held may be twice the most that was ever live. Steps of one size never come
// there; with an eighth above it they gave blocks back in every step and took a quarter longer.
void Pool::make_room(std::size_t bytes) {
  const std::size_t allowed = 2 * std::max(most_, live_ + bytes);
  while (cached_ > 0 && live_ + cached_ + bytes > allowed) {
    const auto oldest = std::min_element(free_.begin(), free_.end(), [](const auto& a, const auto& b) {
      return std::pair(a.second.blocks.empty(), a.second.used) < std::pair(b.second.blocks.empty(), b.second.used);
    });
    for (std::byte* block : oldest->second.blocks) std::free(block);
    cached_ -= oldest->first * oldest->second.blocks.size();
    free_.erase(oldest);
  }
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
    make_room(bytes);
    fresh();
  }
  if (!block) {  // what is cached in other sizes may be what is missing
    release();
    fresh();
  }
  if (!block) throw Error(fmt::format("out of memory: the system refused {} bytes", bytes), Failure::size);
  live_ += bytes;
  peak_ = std::max(peak_, live_);
  most_ = std::max(most_, live_);
  const bool poisoned = poison_;
  lock.unlock();
  if (poisoned) std::memset(block, kPoison, bytes);
  return block;
}

void Pool::put(std::byte* block, std::size_t bytes, bool outgrown) noexcept {
  const std::lock_guard lock(mutex_);
  live_ -= bytes;
  // Eight texts of 2,000 tokens at size M held 809 MB when the caches that they had outgrown were kept.
  if (outgrown) return std::free(block);
  try {
    Cached& kept = free_[bytes];
    kept.blocks.push_back(block);
    kept.used = ++requests_;
    cached_ += bytes;
  } catch (const std::bad_alloc&) {
    std::free(block);
  }
}

std::optional<std::size_t> address_space_left() {
  struct rlimit space {};
  if (::getrlimit(RLIMIT_AS, &space) != 0 || space.rlim_cur == RLIM_INFINITY) return {};
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const std::size_t used = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return space.rlim_cur > used ? space.rlim_cur - used : 0;
}

std::shared_ptr<std::byte> Pool::allocate(const std::shared_ptr<Pool>& pool, std::size_t bytes, std::size_t room) {
  if (bytes > kMostBytes || room > kMostBytes) {
    throw Error(fmt::format("out of memory: {} bytes are more than can be addressed", bytes), Failure::size);
  }
  const std::size_t size = rounded(bytes + room);
  // The deleter owns a share of the pool, so a tensor may outlive everything else.
  std::byte* const block = pool->take(size);
  return {block, PutBack{pool, block, size, bytes, room > 0}};
}

bool Pool::claim(const std::shared_ptr<std::byte>& data, std::size_t from, std::size_t to) {
  PutBack* const block = std::get_deleter<PutBack>(data);
  return block && data.get() == block->begin && to <= block->size &&
         std::atomic_ref(block->used).compare_exchange_strong(from, to);
}

}  // namespace weft
