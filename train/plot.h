// Line plots as SVG inside a page (train/page.h): axes, ticks, names at the ends of the lines, no script.
#pragma once
#include <string>
#include <vector>

namespace weft::train {

struct Point {
  double x = 0, y = 0;
};

struct PlotLine {
  std::string name = {};  // stands at the end of the line; empty: none
  int colour = 0;         // of the palette; lines of one colour belong together
  bool thick = true;
  bool broken_off = false;  // a cross at its end: it diverged
  bool dots = false;        // a mark on every point
  std::vector<Point> points = {};
};

/// A dashed line across the plot.
struct PlotLevel {
  std::string name;
  double y = 0;
};

struct Plot {
  std::string title = {}, x = {}, y = {};  // y is the text above the axis
  bool log_x = false, log_y = false;
  std::vector<PlotLine> lines = {};
  std::vector<PlotLevel> levels = {};
};

/// About `wanted` round values from `low` to `high`: steps of 1, 2 or 5 times a power of ten.
std::vector<double> round_ticks(double low, double high, int wanted);

/// Whether the values of all lines are above 0 and so far apart that a straight axis would show the largest alone.
bool suits_log(const Plot& plot);

/// What a plot shows, for those who cannot see it: where every named line begins, ends and is lowest.
std::string in_words(const Plot& plot);

/// At most about `most` points: from every stretch of the line its lowest and highest, so that no spike is lost.
std::vector<Point> decimated(const std::vector<Point>& points, std::size_t most = 1000);

/// The median of `y` at the middle of each of `count` stretches: what a line that jumps from step to step is about. Not
/// the mean: a single gradient of a thousand would lift a stretch of ones.
std::vector<Point> medians(const std::vector<Point>& points, std::size_t count);

/// Levels whose names the plot cannot show, since they are far from every line.
std::vector<PlotLevel> levels_out_of_view(const Plot& plot);

/// The plot; nothing when no line has a point. Points that are not finite, or not above 0 on a logarithmic axis, are
/// left out.
std::string svg(const Plot& plot);

}  // namespace weft::train
