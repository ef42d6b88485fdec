#include "engine/gradcheck.h"

#include <doctest/doctest.h>

#include "tests/engine/little_ops.h"

using namespace weft;
using namespace weft::tests;

namespace {

template <class D> GradientCheck checked(std::vector<Tensor> inputs) {
  return check_gradients(runtime(), {&row<D>(), {}, std::move(inputs)});
}

}  // namespace

TEST_CASE("a right gradient passes with four orders of magnitude to spare") {
  const auto result = checked<Faulty<Mistake::none>>({random({5}, 1)});
  CHECK(result.worst < 1e-11);
  CHECK(result.probes == 5);
  CHECK(result.skipped == 0);
}

TEST_CASE("a factor of 1.0005, a sign and a dropped term are found, and the place is told") {
  CHECK(checked<Faulty<Mistake::factor>>({random({5}, 1)}).worst > 1e-5);
  CHECK(checked<Faulty<Mistake::sign>>({random({5}, 1)}).worst > 0.1);
  const auto result = checked<Faulty<Mistake::dropped_term>>({random({5}, 1)});
  CHECK(result.worst > 0.1);
  CHECK(result.where.find("input 0, element ") == 0);
  CHECK(result.where.find("gradient ") != std::string::npos);
}

TEST_CASE("gradients of what was broadcast are checked for every input") {
  const auto result = checked<Mul>({random({4, 3}, 1), random({3}, 2)});
  CHECK(result.worst < 1e-11);
  CHECK(result.probes == 15);
}

TEST_CASE("a probe beside a kink is repeated with a smaller step and then trusted") {
  const auto result = checked<Relu>({Tensor::from({0.7, 1e-4, -1e-5, 3e-8, -0.3}, {5})});
  CHECK(result.worst < 1e-7);
  CHECK(result.probes == 5);
  CHECK(result.refined > 5);
  CHECK(result.skipped == 0);
}

TEST_CASE("a probe on a kink, or nearer than a difference can tell, is skipped and counted") {
  const auto result = checked<Relu>({Tensor::from({0.7, 0, 5e-10, -1e-12}, {4})});
  CHECK(result.skipped == 3);
  CHECK(result.probes == 1);
  CHECK(result.worst < 1e-11);
}

TEST_CASE("a gradient of NaN is the worst of all") {
  const double huge = 1e200;  // its square overflows: the difference is NaN
  const auto result = checked<Square>({Tensor::from({0.5, huge}, {2})});
  CHECK(result.worst == HUGE_VAL);
  CHECK(result.where.find("nan") != std::string::npos);
}
