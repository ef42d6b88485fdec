#include "train/spikes.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace weft;
using namespace weft::train;

TEST_CASE("a loss is held against a full window alone, in standard deviations above its mean") {
  LossWindow window(4);
  for (const double loss : {1.0, 2.0, 3.0}) {
    window.add(loss);
    CHECK_FALSE(window.score(100));
  }
  window.add(4);
  CHECK(*window.score(2.5) == doctest::Approx(0));
  CHECK(*window.score(5) == doctest::Approx(2.5 / std::sqrt(1.25)));
  CHECK(*window.score(0) < 0);
  window.add(5);
  CHECK(window.losses() == std::vector<double>{2, 3, 4, 5});
}

TEST_CASE("equal losses and a window of none tell nothing") {
  LossWindow flat(3), none(0);
  for (int i = 0; i < 3; ++i) flat.add(2), none.add(2);
  CHECK_FALSE(flat.score(3));
  CHECK_FALSE(none.score(3));
  CHECK(none.losses().empty());
}

TEST_CASE("a window that is read again goes on as before") {
  LossWindow a(3);
  for (const double loss : {0.1, 1.0 / 3, 7.0}) a.add(loss);
  const LossWindow b(3, a.losses());
  CHECK(*a.score(9) == *b.score(9));
}
