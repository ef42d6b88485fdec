#include "train/plot.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "train/page.h"

namespace weft::train {
namespace {

constexpr double kWidth = 760, kHeight = 380, kLeft = 62, kTop = 40, kBottom = 48;
constexpr double kLetter = 6.7;     // width of a letter at the size of the names
constexpr double kNameHeight = 16;  // between two names at the right
constexpr std::size_t kLongest = 26;

// What the axes reach over, before the ticks widen it.
struct View {
  double left, right, bottom, top;  // in data, the logarithm where the axis has it
  double right_margin;

  double x(double value) const { return kLeft + (value - left) / (right - left) * (kWidth - kLeft - right_margin); }
  double y(double value) const {
    return kHeight - kBottom - (value - bottom) / (top - bottom) * (kHeight - kTop - kBottom);
  }
};

Point placed(const Plot& plot, const Point& p) {
  return {plot.log_x ? std::log10(p.x) : p.x, plot.log_y ? std::log10(p.y) : p.y};
}

bool visible(const Plot& plot, const Point& p) {
  return std::isfinite(p.x) && std::isfinite(p.y) && (!plot.log_x || p.x > 0) && (!plot.log_y || p.y > 0);
}

const Point* last_visible(const Plot& plot, const PlotLine& line) {
  const auto last =
      std::find_if(line.points.rbegin(), line.points.rend(), [&](const Point& p) { return visible(plot, p); });
  return last == line.points.rend() ? nullptr : &*last;
}

double width_of(const std::string& name) {
  return kLetter * static_cast<double>(shortened_inside(name, kLongest).size());
}

struct Extent {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void take(double v) { low = std::min(low, v), high = std::max(high, v); }
  bool empty() const { return low > high; }
  double span() const { return high - low; }
};

std::pair<Extent, Extent> extents(const Plot& plot) {
  Extent x, y;
  for (const PlotLine& line : plot.lines) {
    for (const Point& p : line.points) {
      if (!visible(plot, p)) continue;
      const Point at = placed(plot, p);
      x.take(at.x), y.take(at.y);
    }
  }
  return {x, y};
}

// A level as far away as the lines reach would press them flat.
bool in_view(const Plot& plot, const PlotLevel& level, const Extent& y) {
  constexpr double kReach = 0.6;
  const double at = placed(plot, {1, level.y}).y;
  return at > y.low - kReach * y.span() && at < y.high + kReach * y.span();
}

void widen(Extent& e, double share) {
  const double room = e.span() > 0 ? share * e.span() : std::max(std::abs(e.high), 1.0) * 0.1;
  e.low -= room, e.high += room;
}

View view_of(const Plot& plot, Extent x, Extent y) {
  const Extent lines = y;
  double letters = 0;
  for (const PlotLine& line : plot.lines) letters = std::max(letters, width_of(line.name));
  for (const PlotLevel& level : plot.levels) {
    if (!in_view(plot, level, lines)) continue;
    y.take(placed(plot, {1, level.y}).y);
    letters = std::max(letters, width_of(level.name));
  }
  widen(y, 0.06);
  if (x.span() <= 0 || plot.log_x) widen(x, 0.06);
  return {x.low, x.high, y.low, y.high, letters + 34};
}

std::string tick_text(double value, double step) {
  const double size = std::abs(value);
  if (value == 0) return "0";
  if (size >= 1e6 || size < 1e-3) return fmt::format("{:.3g}", value);
  const int digits = step >= 1 ? 0 : static_cast<int>(std::ceil(-std::log10(step) - 1e-9));
  return fmt::format("{:.{}f}", value, digits);
}

// 1, 2, 5 of every power of ten, or fewer where these would stand too close.
std::vector<double> log_ticks(double low, double high) {
  constexpr std::size_t kMost = 9;
  for (const int every : {0, 1, 2, 3, 5, 10, 20, 50, 100}) {  // powers; 0: with their doubles and fives
    std::vector<double> ticks;
    for (double power = std::floor(low); power <= high; ++power) {
      if (every == 0) {
        for (const double digit : {1.0, 2.0, 5.0}) ticks.push_back(power + std::log10(digit));
      } else if (std::fmod(power, every) == 0) {
        ticks.push_back(power);
      }
    }
    std::erase_if(ticks, [&](double t) { return t < low || t > high; });
    if (ticks.size() <= kMost) return ticks;
  }
  return {};
}

struct Tick {
  double at;
  std::string text;
};

std::vector<Tick> ticks_of(double low, double high, bool log) {
  const std::vector<double> at = log ? log_ticks(low, high) : round_ticks(low, high, 6);
  const double step = at.size() > 1 ? at[1] - at[0] : 1;
  std::vector<Tick> ticks;
  for (const double t : at) ticks.push_back({t, log ? fmt::format("{:.3g}", std::pow(10, t)) : tick_text(t, step)});
  return ticks;
}

std::string axes(const Plot& plot, const View& v) {
  std::string s;
  const double right = kWidth - v.right_margin, floor = kHeight - kBottom;
  for (const Tick& t : ticks_of(v.bottom, v.top, plot.log_y)) {
    s += fmt::format("<line class='grid' x1='{:.1f}' x2='{:.1f}' y1='{:.1f}' y2='{:.1f}'/>", kLeft, right, v.y(t.at),
                     v.y(t.at));
    s += fmt::format("<text class='tick' x='{:.1f}' y='{:.1f}' text-anchor='end'>{}</text>", kLeft - 8, v.y(t.at) + 4,
                     t.text);
  }
  for (const Tick& t : ticks_of(v.left, v.right, plot.log_x)) {
    s += fmt::format("<line class='axis' x1='{0:.1f}' x2='{0:.1f}' y1='{1:.1f}' y2='{2:.1f}'/>", v.x(t.at), floor,
                     floor + 5);
    s += fmt::format("<text class='tick' x='{:.1f}' y='{:.1f}' text-anchor='middle'>{}</text>", v.x(t.at), floor + 19,
                     t.text);
  }
  s += fmt::format("<line class='axis' x1='{:.1f}' x2='{:.1f}' y1='{:.1f}' y2='{:.1f}'/>", kLeft, right, floor, floor);
  s += fmt::format("<text class='label' x='{:.1f}' y='{:.1f}' text-anchor='middle'>{}</text>", (kLeft + right) / 2,
                   kHeight - 8, escaped(plot.x));
  s += fmt::format("<text class='label' x='{:.1f}' y='{:.1f}'>{}{}</text>", 6.0, kTop - 18, escaped(plot.y),
                   plot.log_y ? " (logarithmic)" : "");
  return s;
}

std::string drawn(const Plot& plot, const PlotLine& line, const View& v, std::size_t most) {
  constexpr std::size_t kDots = 60;  // more of them are a line of their own
  std::vector<Point> points;
  for (const Point& p : line.points) {
    if (!visible(plot, p)) continue;
    const Point at = placed(plot, p);
    points.push_back({v.x(at.x), v.y(at.y)});
  }
  if (points.empty()) return {};
  const std::string look = fmt::format("c{}{}", line.colour % kColours, line.thick ? " thick" : " thin");
  std::string s = fmt::format("<polyline class='{}{}' points='", look, line.colour >= kColours ? " again" : "");
  for (const Point& p : decimated(points, most)) s += fmt::format("{:.1f},{:.1f} ", p.x, p.y);
  s += "'/>";
  const Point end = points.back();
  if (line.broken_off) {
    s += fmt::format("<path class='{0}' d='M{1:.1f} {2:.1f}l8 8m0 -8l-8 8'/>", look, end.x - 4, end.y - 4);
  }
  if ((line.dots && points.size() <= kDots) || points.size() == 1) {
    for (const Point& p : points)
      s += fmt::format("<circle class='{} dot' cx='{:.1f}' cy='{:.1f}' r='3'/>", look, p.x, p.y);
  }
  return s;
}

// A name at the right, where its line ends, and the height that is left for it.
struct Name {
  std::string text, look;
  Point end;
  double at;
};

// Names that would cover each other move apart, and none leaves the plot.
void spread(std::vector<Name>& names) {
  std::sort(names.begin(), names.end(), [](const Name& a, const Name& b) { return a.end.y < b.end.y; });
  double next = kTop;
  for (Name& n : names) n.at = std::max(n.end.y, next), next = n.at + kNameHeight;
  double most = kHeight - kBottom;
  for (auto n = names.rbegin(); n != names.rend(); ++n) n->at = std::min(n->at, most), most = n->at - kNameHeight;
}

std::string named(const std::vector<Name>& names, double x) {
  std::string s;
  for (const Name& n : names) {
    s += fmt::format("<path class='leader {}' d='M{:.1f} {:.1f}L{:.1f} {:.1f}h8'/>", n.look, n.end.x, n.end.y, x + 12,
                     n.at);
    s += fmt::format("<text class='name' x='{:.1f}' y='{:.1f}'>{}</text>", x + 25, n.at + 4,
                     escaped(shortened_inside(n.text, kLongest)));
  }
  return s;
}

}  // namespace

std::vector<double> round_ticks(double low, double high, int wanted) {
  if (!(high > low) || wanted < 1) return {low};
  const double raw = (high - low) / wanted, power = std::pow(10, std::floor(std::log10(raw)));
  const double part = raw / power;
  const double step = power * (part <= 1.5 ? 1 : part <= 3.5 ? 2 : part <= 7.5 ? 5 : 10);
  std::vector<double> ticks;
  const double first = std::ceil(low / step - 1e-9), last = std::floor(high / step + 1e-9);
  for (double i = first; i <= last; ++i) ticks.push_back(i * step);
  return ticks;
}

std::vector<Point> decimated(const std::vector<Point>& points, std::size_t most) {
  if (points.size() <= most) return points;
  const std::size_t buckets = std::max<std::size_t>(1, most / 2);
  std::vector<Point> kept;
  for (std::size_t b = 0; b < buckets; ++b) {
    const auto begin = points.begin() + static_cast<std::ptrdiff_t>(b * points.size() / buckets);
    const auto end = points.begin() + static_cast<std::ptrdiff_t>((b + 1) * points.size() / buckets);
    auto [low, high] = std::minmax_element(begin, end, [](const Point& p, const Point& q) { return p.y < q.y; });
    if (high < low) std::swap(low, high);
    kept.push_back(*low);
    if (high != low) kept.push_back(*high);
  }
  return kept;
}

std::vector<Point> medians(const std::vector<Point>& points, std::size_t count) {
  std::vector<Point> all;
  count = std::min(count, points.size());
  for (std::size_t b = 0; b < count; ++b) {
    const std::size_t begin = b * points.size() / count, end = (b + 1) * points.size() / count;
    std::vector<double> values;
    for (std::size_t i = begin; i < end; ++i) {
      if (std::isfinite(points[i].y)) values.push_back(points[i].y);
    }
    if (values.empty()) continue;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    all.push_back({(points[begin].x + points[end - 1].x) / 2, *middle});
  }
  return all;
}

bool suits_log(const Plot& plot) {
  constexpr double kRatio = 50;  // below, the smallest value still stands well above the bottom
  Extent y;
  for (const PlotLine& line : plot.lines) {
    for (const Point& p : line.points) {
      if (std::isfinite(p.y)) y.take(p.y);
    }
  }
  return y.low > 0 && y.high / y.low > kRatio;
}

std::string in_words(const Plot& plot) {
  std::string text = fmt::format("{}. {} by {}.", plot.title, plot.y, plot.x);
  for (const PlotLine& line : plot.lines) {
    const Point* last = last_visible(plot, line);
    if (line.name.empty() || !last) continue;
    const auto first =
        std::find_if(line.points.begin(), line.points.end(), [&](const Point& p) { return visible(plot, p); });
    const Point* low = last;
    for (const Point& p : line.points) {
      if (visible(plot, p) && p.y < low->y) low = &p;
    }
    text += fmt::format(" {}: {:.5g} at {:.6g}, lowest {:.5g} at {:.6g}, {:.5g} at the end ({:.6g}){}.", line.name,
                        first->y, first->x, low->y, low->x, last->y, last->x, line.broken_off ? ", diverged" : "");
  }
  return text;
}

std::vector<PlotLevel> levels_out_of_view(const Plot& plot) {
  const Extent y = extents(plot).second;
  std::vector<PlotLevel> out;
  for (const PlotLevel& level : plot.levels) {
    if (!in_view(plot, level, y)) out.push_back(level);
  }
  return out;
}

std::string svg(const Plot& plot) {
  const auto [x, y] = extents(plot);
  if (x.empty()) return {};
  const View v = view_of(plot, x, y);
  std::string s = fmt::format("<svg viewBox='0 0 {:.0f} {:.0f}' role='img' aria-label='{}'><title>{}</title>", kWidth,
                              kHeight, escaped(in_words(plot)), escaped(plot.title));
  s += axes(plot, v);
  std::vector<Name> names;
  const double right = kWidth - v.right_margin;
  for (const PlotLevel& level : plot.levels) {
    if (!in_view(plot, level, y)) continue;
    const double at = v.y(placed(plot, {1, level.y}).y);
    s += fmt::format("<line class='level' x1='{:.1f}' x2='{:.1f}' y1='{:.1f}' y2='{:.1f}'/>", kLeft, right, at, at);
    names.push_back({level.name, "level", {right, at}, at});
  }
  // All lines of a plot together take some 50 kB of the page, whatever their number.
  const std::size_t most = std::clamp<std::size_t>(4000 / plot.lines.size(), 100, 1000);
  for (const bool thick : {false, true}) {  // the thick lines lie above
    for (const PlotLine& line : plot.lines) {
      if (line.thick != thick) continue;
      s += drawn(plot, line, v, most);
      const Point* last = last_visible(plot, line);
      if (line.name.empty() || !last) continue;
      const Point at = placed(plot, *last), end{v.x(at.x), v.y(at.y)};
      names.push_back({line.name, fmt::format("c{}", line.colour % kColours), end, end.y});
    }
  }
  spread(names);
  return s + named(names, right) + "</svg>";
}

}  // namespace weft::train
