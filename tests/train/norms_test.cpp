#include "train/norms.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/train/weights.h"

using namespace weft;
using namespace weft::train;

namespace {

const Runtime serial({.parallel = "serial"});

}  // namespace

TEST_CASE("the norm is the root of the sum of squares, the same for any number of threads") {
  const auto tensors = drawn(3, DType::f32);
  double sum = 0;
  for (const Tensor& t : tensors) {
    for (i64 i = 0; i < t.size(); ++i) sum += t.at(i) * t.at(i);
  }
  const Norm one = global_norm(serial, tensors);
  CHECK(one.norm == doctest::Approx(std::sqrt(sum)).epsilon(1e-12));
  CHECK(one.not_finite == -1);
  for (const int threads : {1, 2, 3}) CHECK(global_norm(Runtime({.threads = threads}), tensors).norm == one.norm);
}

TEST_CASE("the norm names the first tensor that is not finite") {
  auto tensors = drawn(3, DType::f32);
  tensors[2] = Tensor::full({}, INFINITY, DType::f32);
  CHECK(global_norm(serial, tensors).not_finite == 2);
  tensors[1] = Tensor::full({5}, NAN, DType::f32);
  CHECK(global_norm(serial, tensors).not_finite == 1);
}

TEST_CASE("scaled sums add up tensor by tensor") {
  std::vector<Tensor> into{Tensor::from({1, 2}, {2}, DType::f32)};
  add_scaled(serial, into, {Tensor::from({10, 20}, {2}, DType::f32)}, 0.5);
  CHECK(into[0].at(0) == 6);
  CHECK(into[0].at(1) == 12);
}

TEST_CASE("the distance is the norm of the difference, the same for any number of threads") {
  const auto a = drawn(3, DType::f32), b = drawn(4, DType::f32);
  double sum = 0;
  for (std::size_t t = 0; t < a.size(); ++t) {
    for (i64 i = 0; i < a[t].size(); ++i) sum += std::pow(a[t].at(i) - b[t].at(i), 2);
  }
  const Norm one = global_distance(serial, a, b);
  CHECK(one.norm == doctest::Approx(std::sqrt(sum)).epsilon(1e-12));
  for (const int threads : {1, 2, 3}) CHECK(global_distance(Runtime({.threads = threads}), a, b).norm == one.norm);
}
