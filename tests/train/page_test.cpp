#include <doctest/doctest.h>

#include <cmath>

#include "tests/train/temporary.h"
#include "train/page.h"

using namespace weft::train;

TEST_CASE("ticks are round, inside and about as many as wanted") {
  CHECK(round_ticks(0, 10, 5) == std::vector<double>{0, 2, 4, 6, 8, 10});
  for (const auto& [low, high] : {std::pair{1.31, 2.77}, {-3e-5, 8e-5}, {0.0, 123456.0}, {7.0, 7.001}}) {
    const std::vector<double> ticks = round_ticks(low, high, 6);
    CHECK(ticks.size() >= 3);
    CHECK(ticks.size() <= 11);
    CHECK(ticks.front() >= low - 1e-9);
    CHECK(ticks.back() <= high + 1e-9);
  }
  CHECK(round_ticks(3, 3, 6) == std::vector<double>{3});
}

TEST_CASE("a long line is thinned out without losing a spike") {
  std::vector<Point> points;
  for (int i = 0; i < 100'000; ++i) points.push_back({static_cast<double>(i), std::sin(i * 1e-3)});
  points[54'321].y = 9;
  points[77'777].y = -9;
  const std::vector<Point> few = decimated(points);
  CHECK(few.size() <= 1000);
  int spikes = 0;
  for (std::size_t i = 0; i < few.size(); ++i) {
    spikes += std::abs(few[i].y) == 9;
    if (i > 0) CHECK(few[i].x > few[i - 1].x);
  }
  CHECK(spikes == 2);
  CHECK(decimated({{1, 2}, {3, 4}}).size() == 2);
}

TEST_CASE("what a user names is text in a page, never markup") {
  CHECK(escaped("a<b>&\"'\x01\xff") == "a&lt;b&gt;&amp;&quot;&#39;??");
  Plot plot{.title = "<t>", .x = "<x>", .y = "<y>"};
  plot.lines.push_back({.name = "<line>", .points = {{1, 2}, {2, 3}}});
  plot.levels.push_back({"<level>", 2.5});
  const std::string all = weft::train::page(
      "<title>", figure(plot, html_table({{"<top>"}, {"<cell>"}})) + preformatted("<pre>") + heading("<h>"));
  for (const char* raw : {"<t>", "<x>", "<y>", "<line>", "<level>", "<top>", "<cell>", "<h>", "<title><"})
    CHECK_FALSE(contains(all, raw));
  CHECK(contains(all, "&lt;line&gt;"));
  CHECK(contains(all, "&lt;level&gt;"));
}

TEST_CASE("a plot leaves out what is not finite and levels that would press it flat") {
  Plot plot{.title = "t"};
  CHECK(svg(plot).empty());
  plot.lines.push_back({.points = {{1, NAN}, {2, INFINITY}}});
  CHECK(svg(plot).empty());
  plot.lines[0].points.push_back({3, 1});
  plot.lines[0].points.push_back({4, 2});
  plot.levels = {{"near", 2.5}, {"far", 40}};
  const std::string s = svg(plot);
  CHECK_FALSE(contains(s, "nan"));
  CHECK_FALSE(contains(s, "inf"));
  CHECK(contains(s, ">near<"));
  CHECK_FALSE(contains(s, ">far<"));
  REQUIRE(levels_out_of_view(plot).size() == 1);
  CHECK(levels_out_of_view(plot)[0].name == "far");
}
