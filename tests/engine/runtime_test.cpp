#include "engine/runtime.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>

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

// m x n x k with rows longer than they need be; C starts as NaN where beta is 0.
template <class T>
std::vector<T> product(const Products& products, bool ta, bool tb, i64 m, i64 n, i64 k, T alpha, T beta) {
  const i64 lda = (ta ? m : k) + 2, ldb = (tb ? k : n) + 1, ldc = n + 3;
  std::vector<T> a(static_cast<std::size_t>((ta ? k : m) * lda + 1)),
      b(static_cast<std::size_t>((tb ? n : k) * ldb + 1));
  std::vector<T> c(static_cast<std::size_t>(m * ldc + 1), beta == 0 ? std::numeric_limits<T>::quiet_NaN() : T(3));
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<T>(2 * uniform(Key{1}, i) - 1);
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<T>(2 * uniform(Key{2}, i) - 1);
  products.multiply(Product<T>{ta, tb, m, n, k, a.data(), lda, b.data(), ldb, c.data(), ldc, alpha, beta});
  std::vector<T> out;
  for (i64 i = 0; i < m; ++i) {
    for (i64 j = 0; j < n; ++j) out.push_back(c[static_cast<std::size_t>(i * ldc + j)]);
  }
  return out;
}

std::vector<std::unique_ptr<Products>> backends() {
  std::vector<std::unique_ptr<Products>> all;
  all.push_back(make_blas_products());
#ifdef WEFT_ONE_ISA  // nothing is compiled for a set of its own: the tiles of each can be tried on any machine
  const Isa most = Isa::avx512;
#else
  const Isa most = best_isa();
#endif
  for (const Isa isa : {Isa::avx2, Isa::avx512}) {
    if (isa <= most) all.push_back(make_packed_products(isa));
  }
  return all;
}

template <class T> void compare_products(double tolerance) {
  const auto loops = make_loops_products();
  const auto others = backends();
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      for (const auto& [m, n, k] : {std::array<i64, 3>{1, 1, 1},
                                    {5, 7, 3},
                                    {17, 33, 65},
                                    {64, 64, 64},
                                    {6, 16, 8},
                                    {13, 40, 400},
                                    {1, 37, 70},
                                    {1, 3, 5},
                                    {1, 45, 32},  // keys of a head, not a whole number of vectors of them
                                    {1, 32, 33},  // its values, an odd number
                                    {1, 64, 64},
                                    {2, 3, 0},
                                    {0, 4, 2}}) {
        for (const T beta : {T(0), T(1), T(-0.5)}) {
          const auto x = product<T>(*loops, ta, tb, m, n, k, T(1.5), beta);
          for (const auto& other : others) {
            CAPTURE(other->name());
            const auto y = product<T>(*other, ta, tb, m, n, k, T(1.5), beta);
            for (std::size_t i = 0; i < x.size(); ++i) CHECK(std::abs(x[i] - y[i]) <= tolerance);
          }
        }
      }
    }
  }
}

// A product in two parts, 32 columns and the rest, from panels that were laid out once; b itself is out of reach. A
// single row adds in another order without them: `tolerance` is some thirty roundings of its sums of 390.
template <class T> void compare_panels(i64 m, double tolerance) {
  constexpr i64 n = 45, k = 390;
  std::vector<T> a(static_cast<std::size_t>(m * k)), b(n * k);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<T>(2 * uniform(Key{1}, i) - 1);
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<T>(2 * uniform(Key{2}, i) - 1);
  for (const auto& backend : backends()) {
    for (const bool tb : {false, true}) {
      std::vector<T> whole(static_cast<std::size_t>(m * n)), parts = whole;
      Product<T> p{false, tb, m, n, k, a.data(), k, b.data(), tb ? k : n, whole.data(), n};
      backend->multiply(p);
      const i64 size = backend->laid_out(p);
      if (!size) continue;
      std::vector<T> panels(static_cast<std::size_t>(size));
      backend->lay_out(p, 32, n, panels.data());
      backend->lay_out(p, 0, 32, panels.data());
      p.b = nullptr;
      for (const i64 begin : {i64{0}, i64{32}}) {
        p.n = begin ? n - begin : 32;
        p.c = parts.data() + begin;
        p.panels = {panels.data(), begin, size / k};
        backend->multiply(p);
      }
      for (std::size_t i = 0; i < parts.size(); ++i) CHECK(std::abs(parts[i] - whole[i]) <= tolerance);
    }
  }
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

TEST_CASE("products from panels that were laid out once have the same bits") {
  compare_panels<float>(9, 0);
  compare_panels<double>(9, 0);
}

TEST_CASE("a row times panels is a row times the matrix") {
  compare_panels<float>(1, 2e-5);
  compare_panels<double>(1, 4e-14);
}

TEST_CASE("ranges cover 0 .. n once, in pieces of the grain") {
  std::vector<std::unique_ptr<Parallel>> all;
  all.push_back(make_serial());
  for (const int threads : {1, 2, 3}) all.push_back(make_threads(threads));
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
  for (const int threads : {1, 2, 3, 5}) CHECK(make_threads(threads)->threads() == threads);
  CHECK(Runtime({.threads = 3}).parallel().threads() == 3);
}

TEST_CASE("an exception inside a parallel range arrives, with its kind, and the runtime goes on") {
  for (const bool serial : {true, false}) {
    const auto parallel = serial ? make_serial() : make_threads(3);
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
  const auto parallel = make_threads(2);
  std::atomic<int> count = 0;
  parallel->ranges(20, 1, [&](i64, i64) { parallel->ranges(20, 1, [&](i64, i64) { ++count; }); });
  CHECK(count == 400);
}

TEST_CASE("products by loops and by BLAS agree for every layout, empty sums included") {
  compare_products<float>(65 * 1.5 * 1.2e-7 * 4);  // at most 65 terms of at most 1.5, each with a few roundings
  compare_products<double>(65 * 1.5 * 2.3e-16 * 4);
}

TEST_CASE("a product over an empty sum sets C, also when the rows of A are empty") {
  std::vector<float> b(6, 1), c(4, 7);
  for (const auto& products : {make_loops_products(), make_blas_products()}) {
    std::fill(c.begin(), c.end(), 7.f);
    products->multiply(Product<float>{false, false, 2, 2, 0, b.data(), 0, b.data(), 2, c.data(), 2, 1, 0});
    for (const float x : c) CHECK(x == 0);
  }
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
