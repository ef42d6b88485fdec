// Every optimizer against its formula, written here once more: in f64, one element or one sum at a time.
#include "train/optimizer.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/train/weights.h"
#include "train/orthogonal.h"

using namespace weft;
using namespace weft::train;

namespace {

const std::vector<bool> kDecays{true, false, false, true, true, false};

std::vector<Rule> adamw_rules() {
  std::vector<Rule> rules;
  for (const bool decays : kDecays) rules.emplace_back(AdamWOptions{.weight_decay = decays ? 0.1 : 0});
  return rules;
}

// Muon for matrices, AdamW for the rest.
std::vector<Rule> muon_rules(const MuonOptions& muon) {
  std::vector<Rule> rules = adamw_rules();
  for (const std::size_t i : {0, 3, 4, 5}) rules[i] = muon;
  return rules;
}

std::vector<Rule> sgd_rules(bool nesterov) {
  return std::vector<Rule>(kDecays.size(), SgdOptions{.lr = 0.02, .nesterov = nesterov, .weight_decay = 0.03});
}

// Ten steps with another gradient, clip and rate each.
std::vector<Tensor> ten_steps(const Runtime& runtime, const std::vector<Rule>& rules, DType dtype) {
  std::vector<Tensor> weights = drawn(1, dtype);
  Optimizer optimizer(rules, weights);
  for (u64 t = 1; t <= 10; ++t)
    optimizer.step(runtime, weights, drawn(100 + t, dtype), 1.0 / static_cast<double>(t), 0.1 * static_cast<double>(t));
  return weights;
}

// From the paper.
double adamw_reference(std::size_t tensor, i64 i) {
  const AdamWOptions o;
  double w = drawn(1, DType::f64)[tensor].at(i), m = 0, v = 0;
  for (u64 t = 1; t <= 10; ++t) {
    const double g = drawn(100 + t, DType::f64)[tensor].at(i) / static_cast<double>(t),
                 lr = o.lr * 0.1 * static_cast<double>(t);
    m = o.beta1 * m + (1 - o.beta1) * g;
    v = o.beta2 * v + (1 - o.beta2) * g * g;
    const double mhat = m / (1 - std::pow(o.beta1, t)), vhat = v / (1 - std::pow(o.beta2, t));
    w = w - lr * mhat / (std::sqrt(vhat) + o.eps) - (kDecays[tensor] ? lr * o.weight_decay * w : 0);
  }
  return w;
}

double sgd_reference(std::size_t tensor, i64 i, bool nesterov) {
  double w = drawn(1, DType::f64)[tensor].at(i), buffer = 0;
  for (u64 t = 1; t <= 10; ++t) {
    const double g = drawn(100 + t, DType::f64)[tensor].at(i) / static_cast<double>(t) + 0.03 * w;
    buffer = 0.9 * buffer + g;
    w -= 0.02 * 0.1 * static_cast<double>(t) * (nesterov ? g + 0.9 * buffer : buffer);
  }
  return w;
}

// Matrices as lists of rows.
using Matrix = std::vector<std::vector<double>>;

Matrix matrix(const Tensor& x) {
  const i64 rows = x.shape()[0], columns = x.shape()[1];
  Matrix m(static_cast<std::size_t>(rows));
  for (i64 i = 0; i < x.size(); ++i) m[static_cast<std::size_t>(i / columns)].push_back(x.at(i));
  return m;
}

Matrix transposed(const Matrix& m) {
  Matrix t(m[0].size(), std::vector<double>(m.size()));
  for (std::size_t i = 0; i < m.size(); ++i)
    for (std::size_t j = 0; j < t.size(); ++j) t[j][i] = m[i][j];
  return t;
}

Matrix times(const Matrix& a, const Matrix& b) {
  Matrix c(a.size(), std::vector<double>(b[0].size()));
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t k = 0; k < b.size(); ++k)
      for (std::size_t j = 0; j < b[0].size(); ++j) c[i][j] += a[i][k] * b[k][j];
  return c;
}

// alpha a + beta b
Matrix sum(double alpha, Matrix a, double beta, const Matrix& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t j = 0; j < a[i].size(); ++j) a[i][j] = alpha * a[i][j] + beta * b[i][j];
  return a;
}

Matrix newton_schulz(Matrix x) {
  const bool tall = x.size() > x[0].size();
  if (tall) x = transposed(x);
  double squares = 0;
  for (const auto& row : x)
    for (const double v : row) squares += v * v;
  x = sum(1 / std::sqrt(squares), x, 0, x);
  for (int i = 0; i < 5; ++i) {
    const Matrix a = times(x, transposed(x)), b = sum(-4.7750, a, 2.0315, times(a, a));
    x = sum(3.4445, x, 1, times(b, x));
  }
  return tall ? transposed(x) : x;
}

Matrix muon_reference(std::size_t tensor, const MuonOptions& o) {
  Matrix w = matrix(drawn(1, DType::f64)[tensor]), buffer = sum(0, w, 0, w);
  const auto rows = static_cast<double>(w.size()), columns = static_cast<double>(w[0].size());
  for (u64 t = 1; t <= 10; ++t) {
    const Matrix raw = matrix(drawn(100 + t, DType::f64)[tensor]), g = sum(1 / static_cast<double>(t), raw, 0, raw);
    const double lr = o.lr * 0.1 * static_cast<double>(t);
    buffer = sum(o.momentum, buffer, 1 - o.momentum, g);
    const Matrix direction = newton_schulz(o.nesterov ? sum(1 - o.momentum, g, o.momentum, buffer) : buffer);
    const double size =
        o.match_rms_adamw ? 0.2 * std::sqrt(std::max(rows, columns)) : std::sqrt(std::max(1.0, rows / columns));
    w = sum(1 - lr * o.weight_decay, w, -lr * size, direction);
  }
  return w;
}

}  // namespace

TEST_CASE("ten steps of AdamW equal the formula in double precision") {
  const Runtime runtime({.products = "loops", .parallel = "serial"});
  const auto f64 = ten_steps(runtime, adamw_rules(), DType::f64), f32 = ten_steps(runtime, adamw_rules(), DType::f32);
  for (std::size_t t = 0; t < f64.size(); ++t) {
    for (i64 i = 0; i < f64[t].size(); i += 4999) {
      const double w = adamw_reference(t, i);
      CHECK(std::abs(f64[t].at(i) - w) < 1e-13);
      CHECK(std::abs(f32[t].at(i) - w) < 1e-6);  // weights up to 4, ten roundings of 2^-24 each
    }
  }
}

TEST_CASE("ten steps of SGD equal the formula in double precision, with and without Nesterov") {
  const Runtime runtime({.products = "loops", .parallel = "serial"});
  for (const bool nesterov : {false, true}) {
    const auto f64 = ten_steps(runtime, sgd_rules(nesterov), DType::f64),
               f32 = ten_steps(runtime, sgd_rules(nesterov), DType::f32);
    for (std::size_t t = 0; t < f64.size(); ++t) {
      for (i64 i = 0; i < f64[t].size(); i += 4999) {
        const double w = sgd_reference(t, i, nesterov);
        CHECK(std::abs(f64[t].at(i) - w) < 1e-13);
        CHECK(std::abs(f32[t].at(i) - w) < 3e-6);  // as above, and roundings of a momentum up to 5
      }
    }
  }
}

TEST_CASE("ten steps of Muon equal the formula in double precision, tall, wide and with AdamW's size") {
  for (const char* products : {"loops", "blas", "auto"}) {
    const Runtime runtime({.products = products, .parallel = "serial"});
    for (const MuonOptions& o : {MuonOptions{}, MuonOptions{.nesterov = false}, MuonOptions{.match_rms_adamw = true}}) {
      const auto f64 = ten_steps(runtime, muon_rules(o), DType::f64),
                 f32 = ten_steps(runtime, muon_rules(o), DType::f32);
      for (const std::size_t t : {4, 5}) {
        const Matrix want = muon_reference(t, o);
        for (i64 i = 0; i < f64[t].size(); ++i) {
          const double w =
              want[static_cast<std::size_t>(i) / want[0].size()][static_cast<std::size_t>(i) % want[0].size()];
          CHECK(std::abs(f64[t].at(i) - w) < 1e-12);
          CHECK(std::abs(f32[t].at(i) - w) < 3e-6);
        }
      }
      for (i64 i = 0; i < 5; ++i) CHECK(std::abs(f64[1].at(i) - adamw_reference(1, i)) < 1e-13);
    }
  }
}

TEST_CASE("the iteration of Muon brings singular values near 1 and leaves zeros alone") {
  const Runtime runtime({.products = "loops", .parallel = "serial"});
  const Tensor diagonal = Tensor::from({3, 0, 0, 0, 1, 0}, {2, 3});
  const Tensor turned = orthogonalised(runtime, diagonal);
  for (const i64 i : {0, 4}) CHECK(std::abs(turned.at(i) - 0.95) < 0.25);
  for (const i64 i : {1, 2, 3, 5}) CHECK(turned.at(i) == 0);
  const Tensor nothing = orthogonalised(runtime, Tensor::zeros({4, 3}, DType::f32));
  for (i64 i = 0; i < 12; ++i) CHECK(nothing.at(i) == 0);
}

TEST_CASE("a step gives the same bits for any number of threads") {
  for (const std::vector<Rule>& rules : {adamw_rules(), sgd_rules(true), muon_rules({})}) {
    for (const char* products : {"loops", "blas", "auto"}) {
      const auto one = ten_steps(Runtime({.products = products, .parallel = "serial"}), rules, DType::f32);
      for (const int threads : {1, 2, 3}) {
        const Runtime runtime({.products = products, .parallel = "tbb", .threads = threads});
        const auto many = ten_steps(runtime, rules, DType::f32);
        for (std::size_t t = 0; t < one.size(); ++t) CHECK(same_bits(one[t], many[t]));
      }
    }
  }
}

TEST_CASE("a tensor that someone else holds keeps its values through a step") {
  const Runtime runtime({.products = "loops", .parallel = "serial"});
  for (const std::vector<Rule>& rules : {adamw_rules(), sgd_rules(false), muon_rules({})}) {
    std::vector<Tensor> weights = drawn(1, DType::f32);
    const std::vector<Tensor> held = weights;
    Optimizer(rules, weights).step(runtime, weights, drawn(2, DType::f32), 1, 1);
    CHECK(same_bits(held[0], drawn(1, DType::f32)[0]));
    CHECK_FALSE(same_bits(held[0], weights[0]));
  }
}

TEST_CASE("a fixed weight stays the same tensor, nothing is remembered of it, and the others move as without it") {
  const Runtime runtime({.products = "loops", .parallel = "serial"});
  std::vector<Rule> rules = muon_rules({});
  const auto alone = ten_steps(runtime, rules, DType::f32);
  rules[0] = rules[1] = Fixed{};
  const auto moved = ten_steps(runtime, rules, DType::f32);
  for (std::size_t t = 0; t < moved.size(); ++t) CHECK(same_bits(moved[t], t < 2 ? drawn(1, DType::f32)[t] : alone[t]));
  const Optimizer optimizer(rules, drawn(1, DType::f32));
  for (const Memory& m : optimizer.memory()) CHECK(m.weight >= 2);
}

TEST_CASE("the optimizer refuses tensors that do not match its weights") {
  const Runtime runtime({.products = "loops", .parallel = "serial"});
  std::vector<Tensor> weights = drawn(1, DType::f32);
  Optimizer optimizer(adamw_rules(), weights);
  CHECK_THROWS_WITH_AS(optimizer.step(runtime, weights, drawn(2, DType::f64), 1, 1),
                       doctest::Contains("gradients 0 are f64"), Error);
  CHECK_THROWS_AS(optimizer.restore(1, {}), Error);
  CHECK_THROWS_WITH_AS(optimizer.restore(1, Optimizer(std::vector<Rule>(12, SgdOptions{}),
                                                      [] {
                                                        auto twice = drawn(1, DType::f32);
                                                        const auto more = drawn(1, DType::f32);
                                                        twice.insert(twice.end(), more.begin(), more.end());
                                                        return twice;
                                                      }())
                                                .memory()),
                       doctest::Contains("`sgd.momentum` of weight 0 where `adamw.first` of weight 0 belongs"), Error);
}
