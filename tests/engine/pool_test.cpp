#include "engine/pool.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <set>
#include <thread>

#include "engine/tape.h"
#include "tests/engine/little_ops.h"

using namespace weft;
using namespace weft::tests;

namespace {

using Block = std::shared_ptr<std::byte>;

Failure failure_of(const std::shared_ptr<Pool>& pool, std::size_t bytes) {
  try {
    Pool::allocate(pool, bytes);
  } catch (const Error& e) {
    return e.failure;
  }
  FAIL("no error");
  return Failure::internal;
}

}  // namespace

TEST_CASE("live and peak bytes are exact") {
  const auto pool = std::make_shared<Pool>();
  Block a = Pool::allocate(pool, 4096);
  CHECK(pool->live_bytes() == 4096);
  {
    const Block b = Pool::allocate(pool, 8192);
    CHECK(pool->live_bytes() == 12288);
  }
  CHECK(pool->live_bytes() == 4096);
  CHECK(Pool::allocate(pool, 64));  // less than the peak: it stays
  CHECK(pool->peak_bytes() == 12288);
  pool->reset_peak();
  CHECK(pool->peak_bytes() == 4096);
  a.reset();
  CHECK(pool->live_bytes() == 0);
}

TEST_CASE("what has outgrown its room leaves the process, all else is kept") {
  const auto pool = std::make_shared<Pool>();
  Block a = Pool::allocate(pool, 4096, 2048), b = Pool::allocate(pool, 1024);
  CHECK(pool->held_bytes() == 4096 + 2048 + 1024);
  a.reset();
  b.reset();
  CHECK(pool->held_bytes() == 1024);
}

TEST_CASE("a block is at most an eighth and a cache line larger than asked for, and never smaller") {
  for (std::size_t bytes = 0; bytes < 5000; bytes += 7) {
    const auto pool = std::make_shared<Pool>();
    const Block b = Pool::allocate(pool, bytes);
    CHECK(pool->live_bytes() >= std::max<std::size_t>(bytes, 1));
    CHECK(pool->live_bytes() <= bytes + std::max<std::size_t>(64, bytes / 4));
    std::memset(b.get(), 1, pool->live_bytes());  // the sanitizer watches
  }
}

TEST_CASE("blocks of many sizes, one after another, do not pile up") {
  const auto pool = std::make_shared<Pool>();
  for (std::size_t length = 1; length <= 200; ++length) {
    const Block a = Pool::allocate(pool, 4096 * length), b = Pool::allocate(pool, 1024 * length);
  }
  CHECK(pool->held_bytes() <= 2 * pool->peak_bytes());
  const Block again = Pool::allocate(pool, 4096 * 200);  // what was used last is still there
  CHECK(pool->held_bytes() <= 2 * pool->peak_bytes());
}

TEST_CASE("every block is aligned to 64 bytes") {
  const auto pool = std::make_shared<Pool>();
  for (const std::size_t bytes : {0, 1, 63, 64, 65, 1000, 4097, 1 << 20}) {
    CHECK(reinterpret_cast<std::uintptr_t>(Pool::allocate(pool, bytes).get()) % 64 == 0);
  }
}

TEST_CASE("a freed block is handed out again for its size") {
  const auto pool = std::make_shared<Pool>();
  Block a = Pool::allocate(pool, 5000);
  const std::byte* where = a.get();
  a.reset();
  CHECK(Pool::allocate(pool, 5100).get() == where);  // near sizes share blocks
  const Block b = Pool::allocate(pool, 5000), c = Pool::allocate(pool, 5000);
  CHECK(b.get() != c.get());
}

TEST_CASE("passing the limit is an error of kind size that changes nothing") {
  const auto pool = std::make_shared<Pool>();
  pool->limit(8192);
  Block a = Pool::allocate(pool, 4096);
  CHECK(failure_of(pool, 4097) == Failure::size);
  CHECK_THROWS_WITH_AS(Pool::allocate(pool, 8192),
                       "out of memory: 4096 bytes are in use, 8192 more would pass the limit of 8192", Error);
  CHECK(pool->live_bytes() == 4096);
  CHECK(pool->peak_bytes() == 4096);
  a.reset();
  CHECK(Pool::allocate(pool, 8192));  // the cached 4096 bytes go back to the system first
  pool->limit(0);
  CHECK(Pool::allocate(pool, 1 << 20));
}

TEST_CASE("what the system cannot give is an error of kind size") {
  const auto pool = std::make_shared<Pool>();
  for (const std::size_t bytes : {~std::size_t{0}, (std::size_t{1} << 63) + 1, Pool::kMostBytes + 1}) {
    CHECK(failure_of(pool, bytes) == Failure::size);
  }
#ifndef __SANITIZE_ADDRESS__  // it ends the program instead of giving null
  CHECK(failure_of(pool, Pool::kMostBytes) == Failure::size);
#endif
  CHECK(pool->live_bytes() == 0);
}

TEST_CASE("poison fills fresh and used blocks with NaN") {
  const auto pool = std::make_shared<Pool>();
  pool->poison(true);
  for (const int round : {0, 1}) {
    CAPTURE(round);
    Tensor t = Tensor::uninitialised({100}, DType::f32, pool);
    for (const float x : t.values<float>()) CHECK(std::isnan(x));
    std::fill(t.mutable_values<float>().begin(), t.mutable_values<float>().end(), 0.f);
  }
  CHECK(std::isnan(Tensor::uninitialised({1}, DType::f64, pool).at(0)));
}

TEST_CASE("a block outlives every other owner of its pool, and the pool goes with the last block") {
  Block b;
  std::weak_ptr<Pool> pool;
  {
    const auto owner = std::make_shared<Pool>();
    pool = owner;
    b = Pool::allocate(owner, 100);
  }
  CHECK_FALSE(pool.expired());
  std::memset(b.get(), 0, 100);
  b.reset();
  CHECK(pool.expired());
}

TEST_CASE("threads never hold the same block, and all of it comes back") {
  const auto pool = std::make_shared<Pool>();
  std::vector<std::thread> threads;
  std::vector<int> damaged(4);
  for (int id = 0; id < 4; ++id) {
    threads.emplace_back([&, id] {
      for (int round = 0; round < 2000; ++round) {
        const std::size_t bytes = 64 * (1 + bits(Key{7}.fold(id), static_cast<u64>(round)) % 8);
        const Block block = Pool::allocate(pool, bytes);
        std::memset(block.get(), id, bytes);
        std::this_thread::yield();
        for (std::size_t i = 0; i < bytes; i += 64)
          damaged[static_cast<std::size_t>(id)] += block.get()[i] != std::byte(id);
      }
    });
  }
  for (auto& t : threads) t.join();
  CHECK(damaged == std::vector<int>(4));
  CHECK(pool->live_bytes() == 0);
  CHECK(pool->peak_bytes() >= 64);
}

TEST_CASE("after a tape has died nothing of it is live") {
  const Runtime runtime({.products = "loops", .parallel = "serial"});
  const auto pool = runtime.pool();
  Tensor kept;
  {
    Tape tape(runtime, DType::f32);
    const Var x = tape.leaf(random({32, 32}, 1));
    kept = tape.gradient(mul(square(x), x), {x})[0];
    CHECK(pool->live_bytes() > kept.bytes());
  }
  CHECK(pool->live_bytes() == kept.bytes());
  kept = Tensor();
  CHECK(pool->live_bytes() == 0);
}
