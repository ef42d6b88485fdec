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
  CHECK(escaped("a<b>&\"'") == "a&lt;b&gt;&amp;&quot;&#39;");
  Plot plot{.title = "<t>", .x = "<x>", .y = "<y>"};
  plot.lines.push_back({.name = "<line>", .points = {{1, 2}, {2, 3}}});
  plot.levels.push_back({"<level>", 2.5});
  const std::string all = weft::train::page(
      "<title>", figure(plot, html_table({{"<top>"}, {"<cell>"}})) + preformatted("<pre>") + heading("<h>"));
  for (const char* raw : {"<t>", "<x>", "<y>", "<line>", "<level>", "<top>", "<cell>", "<h>", "<title><"})
    CHECK_FALSE(contains(all, raw));
  CHECK(contains(all, "&lt;line&gt;"));
  CHECK(contains(all, "&lt;level&gt;"));
  CHECK(paragraph("`a<b` and `c` `d") == "<p><code>a&lt;b</code> and <code>c</code> `d</p>\n");
}

TEST_CASE("characters that act on text instead of being seen are shown in a page") {
  CHECK(escaped("a\x01\x1b[0m\x7f") == "a␁␛[0m␡");
  CHECK(escaped("\xff|\xe2\x82|\xc3") == "\uFFFD|\uFFFD\uFFFD|\uFFFD");  // no UTF-8, half a character
  CHECK(escaped("\u202Egnp.exe\u2066\uFEFF\u200B\u0085") == "⟨U+202E⟩gnp.exe⟨U+2066⟩⟨U+FEFF⟩⟨U+200B⟩⟨U+0085⟩");
  CHECK(escaped("é\t∂ 語\n𝔸") == "é\t∂ 語\n𝔸");
}

TEST_CASE("long names are shortened by letters, not bytes") {
  CHECK(shortened("äöü", 3) == "äöü");
  CHECK(shortened("äöüß", 3) == "äöü…");
  CHECK(shortened_inside("capacity_16/dpfp1/seed_3", 10) == "capac…eed_3");
  CHECK(shortened_inside("äöüß", 4) == "äöüß");
  CHECK(shortened_inside("äöüßé", 4) == "äö…ßé");
}

TEST_CASE("a table under a plot has the values of its named lines, and nothing where a line has ended") {
  Plot plot{.title = "t", .x = "step"};
  PlotLine whole{.name = "<whole>"}, half{.name = "half"}, unnamed{.points = {{1, 77}}};
  for (int i = 1; i <= 120; ++i) whole.points.push_back({static_cast<double>(i), 200.0 - i});
  for (int i = 1; i <= 60; ++i) half.points.push_back({static_cast<double>(i), 1000.0 + i});
  plot.lines = {whole, half, unnamed};
  const std::string table = table_of(plot);
  CHECK(contains(table, "&lt;whole&gt;"));
  CHECK(contains(table, "<td class='number'>60</td><td class='number'>140</td><td class='number'>1060</td>"));
  CHECK(contains(table, "<td class='number'>120</td><td class='number'>80</td><td class='number'>-</td>"));
  CHECK_FALSE(contains(table, "77"));
  CHECK(table_of(Plot{}).empty());
}

TEST_CASE("medians over stretches are not moved by a spike, and what was no number is left out") {
  std::vector<Point> points;
  for (int i = 0; i < 1000; ++i) points.push_back({static_cast<double>(i), 2 + 0.001 * (i % 2)});
  points[500].y = NAN;
  points[750].y = 1e6;
  const std::vector<Point> all = medians(points, 10);
  REQUIRE(all.size() == 10);
  for (const Point& p : all) CHECK(p.y == doctest::Approx(2).epsilon(0.01));
  CHECK(all[0].x == 49.5);
  CHECK(medians({{1, 5}}, 10).size() == 1);
  CHECK(medians({{1, NAN}}, 10).empty());
  CHECK(medians({}, 10).empty());
}

TEST_CASE("values over many powers of ten have a logarithmic axis with few ticks, others a straight one") {
  Plot plot{.title = "t", .x = "x", .y = "norm"};
  plot.lines.push_back({.name = "a", .points = {{1, 1e-9}, {2, 1}, {3, 1e9}}});
  CHECK(suits_log(plot));
  plot.log_y = true;
  const std::string s = svg(plot);
  CHECK(contains(s, "norm (logarithmic)"));
  std::size_t ticks = 0;
  for (std::size_t at = 0; (at = s.find("class='grid'", at)) != std::string::npos; ++at) ++ticks;
  CHECK(ticks >= 3);
  CHECK(ticks <= 9);
  plot.lines[0].points = {{1, 1}, {2, 4}};
  CHECK_FALSE(suits_log(plot));
  plot.lines[0].points = {{1, 0}, {2, 400}};
  CHECK_FALSE(suits_log(plot));
}

TEST_CASE("a plot is told in words for those who cannot see it") {
  Plot plot{.title = "Loss", .x = "step", .y = "nats"};
  plot.lines.push_back({.name = "a\"b", .broken_off = true, .points = {{1, 4}, {2, 1}, {3, 2}}});
  CHECK(in_words(plot) == "Loss. nats by step. a\"b: 4 at 1, lowest 1 at 2, 2 at the end (3), diverged.");
  CHECK(contains(svg(plot), "aria-label='Loss. nats by step. a&quot;b: 4 at 1"));
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
