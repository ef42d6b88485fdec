// Matrix products: every backend against plain loops.
#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/bf16.h"
#include "engine/key.h"
#include "engine/runtime.h"

using namespace weft;

namespace {

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

std::vector<std::unique_ptr<Products>> bf16_products() {
  std::vector<std::unique_ptr<Products>> all;
  if (has_bf16()) all.push_back(make_bf16_products());
  return all;
}

template <class T>
void compare_products(const Products& loops, const std::vector<std::unique_ptr<Products>>& others, double tolerance) {
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
          const auto x = product<T>(loops, ta, tb, m, n, k, T(1.5), beta);
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
template <class T>
void compare_panels(const std::vector<std::unique_ptr<Products>>& all, i64 m, i64 k, double tolerance) {
  constexpr i64 n = 45;
  std::vector<T> a(static_cast<std::size_t>(m * k)), b(static_cast<std::size_t>(n * k));
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<T>(2 * uniform(Key{1}, i) - 1);
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<T>(2 * uniform(Key{2}, i) - 1);
  for (const auto& backend : all) {
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
        p.panels = {panels.data(), begin, n};
        backend->multiply(p);
      }
      for (std::size_t i = 0; i < parts.size(); ++i) CHECK(std::abs(parts[i] - whole[i]) <= tolerance);
    }
  }
}

}  // namespace

TEST_CASE("products by loops and by BLAS agree for every layout, empty sums included") {
  compare_products<float>(*make_loops_products(), backends(),
                          65 * 1.5 * 1.2e-7 * 4);  // at most 65 terms of at most 1.5, each with a few roundings
  compare_products<double>(*make_loops_products(), backends(), 65 * 1.5 * 2.3e-16 * 4);
}

TEST_CASE("products from panels that were laid out once have the same bits") {
  compare_panels<float>(backends(), 9, 390, 0);
  compare_panels<float>(bf16_products(), 9, 1171, 0);
  compare_panels<double>(backends(), 9, 390, 0);
}

TEST_CASE("a row times panels is a row times the matrix") {
  compare_panels<float>(backends(), 1, 390, 2e-5);
  compare_panels<double>(backends(), 1, 390, 4e-14);
}

TEST_CASE("products in bf16 round their factors, and nothing else") {
  const auto loops = make_loops_products(Precision::bf16);
  compare_products<float>(*loops, bf16_products(), 65 * 1.5 * 1.2e-7 * 4);  // as above: the products are exact
  compare_products<double>(*make_loops_products(), bf16_products(), 65 * 1.5 * 2.3e-16 * 4);  // f64 stays what it is
  const auto exact = product<float>(*make_loops_products(), false, false, 17, 33, 65, 1.5f, 0.f),
             rounded = product<float>(*loops, false, false, 17, 33, 65, 1.5f, 0.f);
  double most = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) most = std::max<double>(most, std::abs(exact[i] - rounded[i]));
  CHECK(most > 1e-3);
  CHECK(most < 65 * 1.5 * 2 * 0.00195);  // two factors, each off by 2^-9 at most
}

TEST_CASE("a number is rounded to the nearest bf16, and to the even one between two") {
  const auto bits = [](u32 from) { return std::bit_cast<u32>(to_bf16(std::bit_cast<float>(from))); };
  CHECK(bits(0x3f800000) == 0x3f800000);
  CHECK(bits(0x3f807fff) == 0x3f800000);
  CHECK(bits(0x3f808000) == 0x3f800000);  // between two: the even one, below
  CHECK(bits(0x3f818000) == 0x3f820000);  // and above
  CHECK(bits(0x3f808001) == 0x3f810000);
  CHECK(bits(0xbf818000) == 0xbf820000);
  CHECK(bits(0x80000000) == 0x80000000);
  CHECK(bits(0x7f7fffff) == 0x7f800000);  // the largest f32 is nearer to infinity than to the largest bf16
  CHECK(bits(0xff800000) == 0xff800000);
  CHECK(std::isnan(to_bf16(std::bit_cast<float>(0x7f800001))));
  CHECK(std::bit_cast<u32>(bf16_pair(1, -2)) == 0xc0003f80);
}

TEST_CASE("a product over an empty sum sets C, also when the rows of A are empty") {
  std::vector<float> b(6, 1), c(4, 7);
  for (const auto& products : {make_loops_products(), make_blas_products()}) {
    std::fill(c.begin(), c.end(), 7.f);
    products->multiply(Product<float>{false, false, 2, 2, 0, b.data(), 0, b.data(), 2, c.data(), 2, 1, 0});
    for (const float x : c) CHECK(x == 0);
  }
}
