// Memory: a caching pool from the first day, with exact counts of what is live.
//
// Freed blocks are kept by size and handed out again. Page faults cost 1.3 us per 4 KB, ten times the cost of using
// the memory: returning blocks to the system between steps makes memory-bound ops 2.5 times slower. Where sizes change
// from step to step, as with sequences of many lengths, those not asked for of late go back before a new one is made.
#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/error.h"

namespace weft {

class Pool {
 public:
  Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool();

  /// A block of at least `bytes`, 64-byte aligned, uninitialised, with `room` behind them. The shared owner puts it
  /// back; one with room, which what it held has outgrown, leaves the process: nobody will ask for its size again.
  static std::shared_ptr<std::byte> allocate(const std::shared_ptr<Pool>& pool, std::size_t bytes,
                                             std::size_t room = 0);
  /// Whether the caller may write the bytes `from` .. `to` - 1 behind `data`, the beginning of a block: they are within
  /// it, those in use end at `from`, and nobody has asked for them before.
  static bool claim(const std::shared_ptr<std::byte>& data, std::size_t from, std::size_t to);

  std::size_t live_bytes() const;
  std::size_t peak_bytes() const;
  /// Live bytes, and those kept to be handed out again.
  std::size_t held_bytes() const;
  void reset_peak();
  /// Fill fresh blocks with signalling bytes: tests use it to find reads of what was never written.
  void poison(bool on);
  /// Refuse to hold more than this many bytes, cached blocks included (0: no limit); the error is of kind `size`.
  void limit(std::size_t bytes);

  static constexpr std::size_t kMostBytes = std::size_t{1} << 47;  // the address space of a process on x86-64

 private:
  // The owner of a block that is in use.
  struct PutBack {
    std::shared_ptr<Pool> pool;
    const std::byte* begin;
    std::size_t size, used;  // bytes; those that somebody has
    bool grows;
    void operator()(std::byte* block) const noexcept { pool->put(block, size, grows); }
  };
  struct Cached {
    std::vector<std::byte*> blocks;
    std::size_t used = 0;  // when a block of this size was taken or given back last
  };
  std::byte* take(std::size_t bytes);
  void put(std::byte* block, std::size_t bytes, bool outgrown) noexcept;
  std::byte* cached(std::size_t bytes);
  void release();
  void make_room(std::size_t bytes);
  mutable std::mutex mutex_;
  std::map<std::size_t, Cached> free_;
  std::size_t live_ = 0, peak_ = 0, cached_ = 0, limit_ = 0;
  std::size_t most_ = 0, requests_ = 0;  // the highest live bytes ever, and what `used` counts
  bool poison_ = false;
};

/// What `ulimit -v` leaves of the address space; nothing without a limit.
std::optional<std::size_t> address_space_left();

}  // namespace weft
