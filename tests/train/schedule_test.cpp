#include "train/schedule.h"

#include <doctest/doctest.h>

using namespace weft;
using namespace weft::train;

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

TEST_CASE("wsd stays at the peak until the last fraction of the steps") {
  const Schedule wsd{Schedule::Shape::wsd, 10, 0.2, 0.25};
  CHECK(schedule_factor(wsd, 5, 200) == doctest::Approx(0.5));
  for (const i64 step : {10, 100, 150}) CHECK(schedule_factor(wsd, step, 200) == 1);
  CHECK(schedule_factor(wsd, 175, 200) == doctest::Approx(0.6));  // half of the way from 1 to 0.2
  CHECK(schedule_factor(wsd, 200, 200) == doctest::Approx(0.2));
  CHECK(schedule_factor({Schedule::Shape::wsd, 10, 0.2, 1}, 105, 200) == doctest::Approx(0.6));  // from the warm-up on
  CHECK(schedule_factor({Schedule::Shape::wsd, 10, 0.2, 0}, 200, 200) == 1);
}
