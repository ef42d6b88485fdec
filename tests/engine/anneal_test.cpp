#include "engine/anneal.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace weft;

TEST_CASE("an annealed number begins at the first step and has arrived after as many steps as it says") {
  for (const auto curve : {Anneal::Curve::linear, Anneal::Curve::cosine, Anneal::Curve::exponential}) {
    const Anneal a{4, 0.5, 10, curve};
    CHECK(a.at(1) == 4);
    CHECK(a.at(11) == 0.5);
    CHECK(a.at(1'000'000) == 0.5);
    CHECK(a.at(0) == 0.5);  // outside training
    for (i64 step = 2; step <= 11; ++step) CHECK(a.at(step) < a.at(step - 1));
  }
  CHECK(Anneal{3, 7, 1}.at(1) == 3);
  CHECK(Anneal{3, 7, 1}.at(2) == 7);
}

TEST_CASE("it goes in a straight line, along a half cosine, or by equal ratios") {
  CHECK(Anneal{4, 0, 8}.at(3) == 3);
  const Anneal wave{4, 0, 8, Anneal::Curve::cosine};
  CHECK(wave.at(5) == doctest::Approx(2).epsilon(1e-15));
  CHECK(wave.at(3) == doctest::Approx(2 + std::sqrt(2.0)).epsilon(1e-15));
  const Anneal ratio{8, 0.5, 4, Anneal::Curve::exponential};
  for (i64 step = 2; step <= 5; ++step) CHECK(ratio.at(step) == doctest::Approx(ratio.at(step - 1) / 2).epsilon(1e-15));
  for (const auto curve : {Anneal::Curve::linear, Anneal::Curve::cosine})
    CHECK(std::isfinite(Anneal{1e308, -1e308, 8, curve}.at(5)));
  CHECK(std::isfinite(Anneal{1e-308, 1e308, 8, Anneal::Curve::exponential}.at(5)));
}
