// Products that are larger than a tile, or only one row high: what the small samples of the suite do not reach.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/key.h"
#include "engine/run.h"
#include "ops/contract.h"

using namespace weft;

namespace {

Tensor drawn(const Shape& shape, u64 seed) {
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = normal(Key{seed}, i);
  return Tensor::from(values, shape, DType::f64);
}

Tensor product(const Runtime& runtime, const std::string& pattern, const Tensor& a, const Tensor& b) {
  Graph g(Graph::Gradients::no);
  const Var x = g.input("a", to_dims(a.shape())), y = g.input("b", to_dims(b.shape()));
  return Run(g, {ops::contract(x, y, pattern)})(runtime, DType::f64, {{x, a}, {y, b}})[0];
}

// sum over l of a[i, l] b[l, j], with the strides of a row and a column in each.
double worst_error(const Tensor& c, const Tensor& a, i64 ai, i64 al, const Tensor& b, i64 bl, i64 bj, i64 M, i64 N,
                   i64 K) {
  double worst = 0;
  for (i64 i = 0; i < M; ++i) {
    for (i64 j = 0; j < N; ++j) {
      double sum = 0;
      for (i64 l = 0; l < K; ++l) sum += a.at(i * ai + l * al) * b.at(l * bl + j * bj);
      worst = std::max(worst, std::abs(sum - c.at(i * N + j)));
    }
  }
  return worst;
}

struct Sizes {
  i64 M, N, K;
};
// Around the tiles of 192 x 512, one that is cut finer, and single rows as in generation, the last of them in parts.
const Sizes kSizes[] = {{193, 30, 9}, {20, 513, 9}, {386, 20, 33}, {150, 140, 700},
                        {1, 300, 70}, {1, 1, 65},   {70, 1, 20},   {1, 600, 500}};

// 700 terms of size 1, each rounded to 1e-16.
constexpr double kTolerance = 1e-12;

}  // namespace

TEST_CASE("a product that is cut into tiles is the product, however its operands lie") {
  const Runtime blas({.threads = 2}), loops({.products = "loops", .parallel = "serial"});
  for (const auto& [M, N, K] : kSizes) {
    CAPTURE(M);
    CAPTURE(N);
    for (const Runtime* runtime : {&blas, &loops}) {
      CHECK(worst_error(product(*runtime, "ab,bc->ac", drawn({M, K}, 1), drawn({K, N}, 2)), drawn({M, K}, 1), K, 1,
                        drawn({K, N}, 2), N, 1, M, N, K) < kTolerance);
      CHECK(worst_error(product(*runtime, "ab,cb->ac", drawn({M, K}, 1), drawn({N, K}, 2)), drawn({M, K}, 1), K, 1,
                        drawn({N, K}, 2), 1, K, M, N, K) < kTolerance);
      CHECK(worst_error(product(*runtime, "ba,bc->ac", drawn({K, M}, 1), drawn({K, N}, 2)), drawn({K, M}, 1), 1, M,
                        drawn({K, N}, 2), N, 1, M, N, K) < kTolerance);
    }
  }
}

TEST_CASE("the bits of a product do not depend on the number of threads") {
  const Runtime one({.parallel = "serial"}), three({.threads = 3});
  for (const auto& [M, N, K] : kSizes) {
    const Tensor a = drawn({2, M, K}, 3), b = drawn({2, K, N}, 4);
    CHECK(same_bits(product(one, "zab,zbc->zac", a, b), product(three, "zab,zbc->zac", a, b)));
  }
}
