#include "engine/runtime.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

#include "engine/tape.h"
#include "tests/engine/little_ops.h"

using namespace weft;
using namespace weft::tests;

namespace {

std::vector<Tensor> values_and_gradients(const Runtime& runtime, DType dtype) {
  Tape tape(runtime, dtype);
  // Long enough for several pieces of 16,384, and not a multiple of anything.
  const Var x = tape.leaf(random({7, 311, 97}, 1)), row = tape.leaf(random({97}, 2)),
            column = tape.leaf(random({311, 1}, 3));
  const Var y = exponential(mul(add(square(x), row), column));
  auto all = tape.gradient(y, {x, row, column}, random({7, 311, 97}, 4));
  all.push_back(tape.value(y));
  return all;
}

}  // namespace

TEST_CASE("every number of threads gives the same bits") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const auto reference = values_and_gradients(Runtime({.parallel = "serial"}), dtype);
    for (const int threads : {1, 2, 3}) {
      const auto found = values_and_gradients(Runtime({.threads = threads}), dtype);
      for (std::size_t i = 0; i < found.size(); ++i) CHECK(same_bits(found[i], reference[i]));
    }
  }
}

TEST_CASE("ranges cover 0 .. n once, in pieces of the grain") {
  std::vector<std::unique_ptr<Parallel>> all;
  all.push_back(make_serial());
  for (const int threads : {1, 2, 3}) all.push_back(make_threads(threads)), all.push_back(make_team(threads));
  for (const auto& parallel : all) {
    for (const i64 n : {0, 1, 9, 10, 11, 1003}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(n));
      std::atomic<int> odd_pieces = 0;
      parallel->ranges(n, 10, [&](i64 begin, i64 end) {
        if (begin % 10 || end - begin != std::min<i64>(10, n - begin)) ++odd_pieces;
        for (i64 i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
      });
      CHECK(odd_pieces == 0);
      for (const auto& v : visits) CHECK(v == 1);
    }
  }
}

TEST_CASE("as many threads as asked for, also more than the machine has") {
  CHECK(make_serial()->threads() == 1);
  for (const int threads : {1, 2, 3, 5}) {
    CHECK(make_threads(threads)->threads() == threads);
    CHECK(make_team(threads)->threads() == threads);
  }
  CHECK(Runtime({.threads = 3}).parallel().threads() == 3);
  CHECK(Runtime({.threads = 3}).awake().parallel().name() == "team");
  CHECK(Runtime({.threads = 1}).awake().parallel().name() == "serial");
}

TEST_CASE("an exception inside a parallel range arrives, with its kind, and the runtime goes on") {
  for (const auto& parallel :
       {std::shared_ptr(make_serial()), std::shared_ptr(make_threads(3)), std::shared_ptr(make_team(3))}) {
    try {
      parallel->ranges(1000, 10, [](i64 begin, i64) {
        if (begin == 500) throw Error("the token 7 does not exist", Failure::data);
      });
      FAIL("no exception");
    } catch (const Error& e) {
      CHECK(e.failure == Failure::data);
      CHECK(std::string(e.what()) == "the token 7 does not exist");
    }
    std::atomic<i64> sum = 0;
    parallel->ranges(100, 1, [&](i64 begin, i64) { sum += begin; });
    CHECK(sum == 4950);
  }
}

TEST_CASE("a range inside a range is finished") {
  for (const auto& parallel : {std::shared_ptr(make_threads(2)), std::shared_ptr(make_team(2))}) {
    std::atomic<int> count = 0;
    parallel->ranges(20, 1, [&](i64, i64) { parallel->ranges(20, 1, [&](i64, i64) { ++count; }); });
    CHECK(count == 400);
  }
}

TEST_CASE("a team finishes every range, whether its threads are awake, asleep or busy with another caller's") {
  const auto team = make_team(3);
  const auto sum_of = [&](i64 n) {
    std::atomic<i64> sum = 0;
    team->ranges(n, 1, [&](i64 begin, i64) { sum += begin; });
    return sum.load();
  };
  for (int i = 0; i < 20000; ++i) REQUIRE(sum_of(1 + i % 7) == (1 + i % 7) * (i % 7) / 2);
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // they sleep after 0.2
    CHECK(sum_of(100) == 4950);
  }
  std::vector<std::thread> callers;
  std::atomic<int> wrong = 0;
  for (int c = 0; c < 3; ++c) {
    callers.emplace_back([&] {
      for (int i = 0; i < 3000; ++i) wrong += sum_of(9) != 36;
    });
  }
  for (std::thread& c : callers) c.join();
  CHECK(wrong == 0);
}

TEST_CASE("a side that OpenBLAS cannot count is an error") {
  const float x = 0;
  float y = 5;
  CHECK_THROWS_AS(
      make_blas_products()->multiply(Product<float>{false, false, 1, 1, i64{1} << 32, &x, i64{1} << 32, &x, 1, &y, 1}),
      Error);
  CHECK(y == 5);
}

TEST_CASE("an unknown option is refused with those that exist") {
  CHECK_THROWS_WITH_AS(Runtime({.products = "mkl"}), "--products is auto, packed, blas or loops, not mkl", Error);
  CHECK_THROWS_WITH_AS(Runtime({.parallel = "openmp"}), "--parallel is serial or tbb, not openmp", Error);
  CHECK_THROWS_WITH_AS(Runtime({.threads = -1}), "--threads is from 1 to 1024, not -1", Error);
  CHECK_THROWS_WITH_AS(Runtime({.parallel = "serial", .threads = 1025}), "--threads is from 1 to 1024, not 1025",
                       Error);
}

TEST_CASE("the banner tells products, threads and instruction set") {
  CHECK(Runtime({.products = "loops", .parallel = "serial"}).describe() ==
        "products loops, 1 threads (serial), baseline");
  CHECK(Runtime({.products = "loops", .threads = 2}).describe() ==
        fmt::format("products loops, 2 threads ({}), {}", make_threads(2)->name(), name(best_isa())));
  CHECK(Runtime({.products = "blas"}).describe().find("products OpenBLAS, ") == 0);
}

// Run by the next case in a process of its own: OpenBLAS reads the environment when it is loaded.
TEST_CASE("the banner is printed" * doctest::skip()) { std::puts(Runtime().describe().c_str()); }

TEST_CASE("a user's own OPENBLAS_CORETYPE is kept, and the banner says so") {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe");
  const std::string command = "OPENBLAS_CORETYPE=Nehalem '" + program + "' -tc='the banner is printed' --no-skip";
  std::string banner;
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe);
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) banner += static_cast<char>(c);
  REQUIRE(pclose(pipe) == 0);
  CHECK(banner.find("OpenBLAS, Nehalem kernels (chosen by OPENBLAS_CORETYPE)") != std::string::npos);
}
