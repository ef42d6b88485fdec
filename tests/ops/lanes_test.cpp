#include "ops/shared/lanes.h"

#include <doctest/doctest.h>

#include <vector>

using namespace weft;

TEST_CASE("sums and maxima in lanes take every element once, also where they do not fill the lanes") {
  for (i64 n = 0; n <= 50; ++n) {
    const auto term = [](i64 i) { return static_cast<double>((i * 7) % 11 - 5); };  // whole numbers: exact in any order
    double sum = 0, largest = -100;
    std::vector<double> x;
    for (i64 i = 0; i < n; ++i) {
      x.push_back(term(i));
      sum += term(i);
      largest = std::max(largest, term(i));
    }
    CHECK(ops::lane_sum<double>(n, [&](auto at) { return at(x.data()); }) == sum);
    CHECK(ops::lane_max(n, x.data(), -100.0) == largest);
    if (n == 0) continue;
    x.back() = 99;
    CHECK(ops::lane_max(n, x.data(), -100.0) == 99);
  }
}
