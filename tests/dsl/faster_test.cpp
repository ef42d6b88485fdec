#include "dsl/faster.h"

#include <doctest/doctest.h>

using namespace weft;
using dsl::Faster;

namespace {

// How often each way is gone in `turns`, where way 0 takes `first` seconds and way 1 `second`.
std::array<int, 2> gone(Faster& faster, int turns, double first, double second) {
  std::array<int, 2> count = {0, 0};
  for (int i = 0; i < turns; ++i) {
    const int way = faster.way();
    ++count[static_cast<std::size_t>(way)];
    faster.took(way == 0 ? first : second);
  }
  return count;
}

}  // namespace

TEST_CASE("the faster way is gone nearly always, the other now and then") {
  for (const bool first : {true, false}) {
    Faster faster;
    const auto count = gone(faster, 20000, first ? 1 : 2, first ? 2 : 1);
    CHECK(count[first ? 1 : 0] >= 7 * 5);  // tries 128, 256, 512 ... turns apart
    CHECK(count[first ? 1 : 0] <= 7 * 12);
  }
}

TEST_CASE("when the other way becomes the faster one, it is found") {
  Faster faster;
  gone(faster, 20000, 1, 2);
  const auto count = gone(faster, 20000, 2, 1);
  CHECK(count[0] < 4096 + 7 * 12);
}

TEST_CASE("a few odd moments decide nothing: medians of seven count") {
  Faster faster;
  for (int i = 0; i < 14; ++i) faster.took(i % 2 == 0 ? (i < 6 ? 0.5 : 2) : i < 6 ? 9 : 1);
  CHECK(faster.way() == 1);
}
