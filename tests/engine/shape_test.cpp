#include "engine/shape.h"

#include <doctest/doctest.h>

#include <vector>

using namespace weft;

TEST_CASE("a shape of any length is changed, copied, moved and compared as a vector is") {
  for (const std::size_t n : {0u, 1u, 5u, 6u, 7u, 13u, 40u}) {
    CAPTURE(n);
    std::vector<i64> v;
    Shape s;
    const auto same = [&](const Shape& shape) { return std::vector<i64>(shape.begin(), shape.end()) == v; };
    for (std::size_t d = 0; d < n; ++d) v.push_back(static_cast<i64>(3 * d)), s.push_back(static_cast<i64>(3 * d));
    CHECK(same(s));
    CHECK(s == Shape(v.begin(), v.end()));
    const Shape copy = s;
    s.insert(s.begin() + static_cast<std::ptrdiff_t>(n / 2), {7, 8, 9});
    v.insert(v.begin() + static_cast<std::ptrdiff_t>(n / 2), {7, 8, 9});
    CHECK(same(s));
    CHECK(s != copy);
    CHECK((s < copy) == (v < std::vector<i64>(copy.begin(), copy.end())));
    s.erase(s.begin() + 1), v.erase(v.begin() + 1);
    s.pop_back(), v.pop_back();
    CHECK(same(s));
    Shape moved = std::move(s);
    CHECK(same(moved));
    s = copy;  // what was moved from may be used again, whatever it held
    s.resize(n + 9, 4);
    CHECK(s.size() == n + 9);
    CHECK(s.back() == 4);
    s = std::move(moved);
    CHECK(same(s));
    s.erase(s.begin(), s.end());
    CHECK(s.empty());
  }
  CHECK(Shape(3, 5) == Shape{5, 5, 5});
  CHECK(Shape{2, 1} > Shape{2});
}
