#include "train/optimizer.h"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/key.h"
#include "train/schedule.h"

using namespace weft;
using namespace weft::train;

namespace {

std::vector<Tensor> drawn(u64 seed, DType dtype, double scale = 1) {
  std::vector<Tensor> tensors;
  for (const Shape& shape : {Shape{300, 170}, Shape{5}, Shape{}, Shape{0, 3}}) {
    std::vector<double> values;
    for (i64 i = 0; i < element_count(shape); ++i) {
      values.push_back(scale * normal(Key{seed}.fold(tensors.size()), static_cast<u64>(i)));
    }
    tensors.push_back(Tensor::from(values, shape, dtype));
  }
  return tensors;
}

const std::vector<bool> kDecays{true, false, false, true};

// Ten steps with another gradient, clip and rate each.
std::vector<Tensor> ten_steps(const Runtime& runtime, DType dtype) {
  std::vector<Tensor> weights = drawn(1, dtype);
  AdamW adamw({}, weights, kDecays);
  for (u64 t = 1; t <= 10; ++t)
    adamw.step(runtime, weights, drawn(100 + t, dtype), 1.0 / static_cast<double>(t), 0.1 * static_cast<double>(t));
  return weights;
}

// The same in f64, one element at a time, from the paper.
double reference(std::size_t tensor, i64 i) {
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

}  // namespace

TEST_CASE("ten steps of AdamW equal the formula in double precision") {
  const Runtime runtime({.products = "loops", .parallel = "serial"});
  const auto f64 = ten_steps(runtime, DType::f64), f32 = ten_steps(runtime, DType::f32);
  for (std::size_t t = 0; t < f64.size(); ++t) {
    for (i64 i = 0; i < f64[t].size(); i += 4999) {
      const double w = reference(t, i);
      CHECK(std::abs(f64[t].at(i) - w) < 1e-13);
      CHECK(std::abs(f32[t].at(i) - w) < 1e-6);  // weights up to 4, ten roundings of 2^-24 each
    }
  }
}

TEST_CASE("a step gives the same bits for any number of threads") {
  const auto one = ten_steps(Runtime({.products = "loops", .parallel = "serial"}), DType::f32);
  for (const int threads : {1, 2, 3}) {
    const auto many = ten_steps(Runtime({.products = "loops", .parallel = "tbb", .threads = threads}), DType::f32);
    for (std::size_t t = 0; t < one.size(); ++t) CHECK(same_bits(one[t], many[t]));
  }
}

TEST_CASE("the norm is the root of the sum of squares, the same for any number of threads") {
  const auto tensors = drawn(3, DType::f32);
  double sum = 0;
  for (const Tensor& t : tensors) {
    for (i64 i = 0; i < t.size(); ++i) sum += t.at(i) * t.at(i);
  }
  const Norm one = global_norm(*make_serial(), tensors);
  CHECK(one.norm == doctest::Approx(std::sqrt(sum)).epsilon(1e-12));
  CHECK(one.not_finite == -1);
  for (const int threads : {1, 2, 3}) CHECK(global_norm(*make_tbb(threads), tensors).norm == one.norm);
}

TEST_CASE("the norm names the first tensor that is not finite") {
  auto tensors = drawn(3, DType::f32);
  tensors[2] = Tensor::full({}, INFINITY, DType::f32);
  CHECK(global_norm(*make_serial(), tensors).not_finite == 2);
  tensors[1] = Tensor::full({5}, NAN, DType::f32);
  CHECK(global_norm(*make_serial(), tensors).not_finite == 1);
}

TEST_CASE("a tensor that someone else holds keeps its values through a step") {
  const Runtime runtime({.products = "loops", .parallel = "serial"});
  std::vector<Tensor> weights = drawn(1, DType::f32);
  const std::vector<Tensor> held = weights;
  AdamW({}, weights, kDecays).step(runtime, weights, drawn(2, DType::f32), 1, 1);
  CHECK(same_bits(held[0], drawn(1, DType::f32)[0]));
  CHECK_FALSE(same_bits(held[0], weights[0]));
}

TEST_CASE("scaled sums add up tensor by tensor") {
  std::vector<Tensor> into{Tensor::from({1, 2}, {2}, DType::f32)};
  add_scaled(*make_serial(), into, {Tensor::from({10, 20}, {2}, DType::f32)}, 0.5);
  CHECK(into[0].at(0) == 6);
  CHECK(into[0].at(1) == 12);
}

TEST_CASE("the optimizer refuses tensors that do not match its weights") {
  const Runtime runtime({.products = "loops", .parallel = "serial"});
  std::vector<Tensor> weights = drawn(1, DType::f32);
  AdamW adamw({}, weights, kDecays);
  CHECK_THROWS_WITH_AS(adamw.step(runtime, weights, drawn(2, DType::f64), 1, 1),
                       doctest::Contains("gradients 0 are f64"), Error);
  CHECK_THROWS_AS(adamw.restore(1, {}, {}), Error);
}

TEST_CASE("the schedule climbs to the peak and falls to its floor") {
  const Schedule cosine{Schedule::Shape::cosine, 10, 0.1}, linear{Schedule::Shape::linear, 10, 0.2};
  CHECK(schedule_factor(cosine, 1, 110) == doctest::Approx(0.1));
  CHECK(schedule_factor(cosine, 10, 110) == doctest::Approx(1));
  CHECK(schedule_factor(cosine, 60, 110) == doctest::Approx(0.55));
  CHECK(schedule_factor(cosine, 110, 110) == doctest::Approx(0.1));
  CHECK(schedule_factor(linear, 60, 110) == doctest::Approx(0.6));
  CHECK(schedule_factor(linear, 110, 110) == doctest::Approx(0.2));
  CHECK(schedule_factor({Schedule::Shape::constant, 10, 0}, 90, 110) == 1);
  CHECK(schedule_factor({Schedule::Shape::cosine, 0, 0}, 1, 1) == doctest::Approx(0));
  CHECK(schedule_factor({Schedule::Shape::cosine, 100, 0}, 50, 50) == doctest::Approx(0.5));
}
