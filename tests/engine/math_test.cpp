#include "engine/math.h"

#include <doctest/doctest.h>

#include <functional>
#include <limits>

using namespace weft;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();

// Largest relative error over every 509th float from `low` to `high`, both of one sign.
double worst_error(float low, float high, float (*f)(float), double (*exact)(double)) {
  double worst = 0;
  const auto a = std::bit_cast<std::uint32_t>(low), b = std::bit_cast<std::uint32_t>(high);
  for (auto i = std::min(a, b); i <= std::max(a, b); i += 509) {
    const float x = std::bit_cast<float>(i);
    const double y = exact(x);
    const double error = std::abs(f(x) - y) / std::abs(y);
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

float exp32(float x) { return weft::exp(x); }
float sigmoid32(float x) { return weft::sigmoid(x); }
float tanh32(float x) { return weft::tanh(x); }
double exp64(double x) { return std::exp(x); }
double sigmoid64(double x) { return 1 / (1 + std::exp(-x)); }
double tanh64(double x) { return std::tanh(x); }

}  // namespace

TEST_CASE("exp in f32 has a relative error of at most 8.1e-8 wherever its result is normal") {
  CHECK(worst_error(1e-30f, 88.72f, exp32, exp64) < 8.1e-8);
  CHECK(worst_error(-1e-30f, -87.33f, exp32, exp64) < 8.1e-8);
}

TEST_CASE("exp is exact at 0, right in the denormal range, and ends in 0 and infinity") {
  CHECK(weft::exp(0.f) == 1);
  CHECK(weft::exp(-0.f) == 1);
  // Denormal results: one unit in their last place is 1.4e-45.
  for (float x = -103.9f; x < -87.4f; x += 0.01f) CHECK(std::abs(weft::exp(x) - std::exp(double(x))) < 1.5e-45);
  CHECK(weft::exp(-104.f) == 0);
  CHECK(weft::exp(-1e30f) == 0);
  CHECK(weft::exp(-kInf) == 0);
  CHECK(std::isfinite(weft::exp(88.72f)));
  CHECK(weft::exp(88.73f) == kInf);
  CHECK(weft::exp(1e30f) == kInf);
  CHECK(weft::exp(kInf) == kInf);
  CHECK(std::isnan(weft::exp(kNan)));
  CHECK(weft::exp(1e-42f) == 1);
}

TEST_CASE("sigmoid in f32 has a relative error of at most 1.8e-7 and neither overflows nor loses NaN") {
  CHECK(worst_error(1e-30f, 100.f, sigmoid32, sigmoid64) < 1.8e-7);
  CHECK(worst_error(-1e-30f, -87.f, sigmoid32, sigmoid64) < 1.8e-7);
  CHECK(weft::sigmoid(0.f) == 0.5f);
  CHECK(weft::sigmoid(kInf) == 1);
  CHECK(weft::sigmoid(-kInf) == 0);
  CHECK(weft::sigmoid(-1e30f) == 0);
  CHECK(std::isnan(weft::sigmoid(kNan)));
  CHECK(weft::sigmoid(-700.0) == doctest::Approx(std::exp(-700.0)).epsilon(1e-15));
  CHECK(weft::sigmoid(-1000.0) == 0);
  CHECK(weft::sigmoid(1000.0) == 1);
}

TEST_CASE("tanh in f32 has a relative error of at most 1.5e-7, also near 0 and at its seam") {
  CHECK(worst_error(1e-30f, 20.f, tanh32, tanh64) < 1.5e-7);
  CHECK(worst_error(-1e-30f, -20.f, tanh32, tanh64) < 1.5e-7);
  CHECK(worst_error(0.6249f, 0.6251f, tanh32, tanh64) < 1.5e-7);
  CHECK(weft::tanh(0.f) == 0);
  CHECK(weft::tanh(kInf) == 1);
  CHECK(weft::tanh(-kInf) == -1);
  CHECK(weft::tanh(1e-42f) == 1e-42f);
  CHECK(std::isnan(weft::tanh(kNan)));
}

TEST_CASE("cosine and sine are within 1e-8 of the angle's own up to 1e7, and no number where a double has lost it") {
  for (const double most : {1.0, 100.0, 1e5, 1e7}) {
    double worst = 0;
    for (int i = 0; i < 100'000; ++i) {
      const double angle = most * (static_cast<double>(i * i64{7919} % 100'003) / 50'001.5 - 1);
      float c, s;
      weft::cos_sin(angle, c, s);
      worst = std::max({worst, std::abs(c - std::cos(angle)), std::abs(s - std::sin(angle))});
    }
    CHECK(worst < 1e-8 + 3e-8);  // and half a unit in the last place of a float
  }
  float c, s;
  weft::cos_sin(0, c, s);
  CHECK(c == 1);
  CHECK(s == 0);
  for (const double lost : {1e16, -1e300, static_cast<double>(kInf), static_cast<double>(kNan)}) {
    weft::cos_sin(lost, c, s);
    CHECK(std::isnan(c));
    CHECK(std::isnan(s));
  }
}
