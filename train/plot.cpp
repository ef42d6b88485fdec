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

double placed(const Plot& plot, double x) { return plot.log_x ? std::log10(x) : x; }

bool visible(const Plot& plot, const Point& p) {
  return std::isfinite(p.x) && std::isfinite(p.y) && (!plot.log_x || p.x > 0);
}

std::string shortened(const std::string& name) {
  std::size_t letters = 0, at = 0;
  for (; at < name.size(); ++at) {
    if ((static_cast<unsigned char>(name[at]) & 0xC0) == 0x80) continue;  // inside a character
    if (++letters > kLongest) break;
  }
  return at == name.size() ? name : name.substr(0, at) + "…";
}

double width_of(const std::string& name) { return kLetter * static_cast<double>(shortened(name).size()); }

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
      if (visible(plot, p)) x.take(placed(plot, p.x)), y.take(p.y);
    }
  }
  return {x, y};
}

// A level as far away as the lines reach would press them flat.
bool in_view(const PlotLevel& level, const Extent& y) {
  constexpr double kReach = 0.6;
  return level.y > y.low - kReach * y.span() && level.y < y.high + kReach * y.span();
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
    if (!in_view(level, lines)) continue;
    y.take(level.y);
    letters = std::max(letters, width_of(level.name));
  }
  widen(y, 0.06);
  if (x.span() <= 0 || plot.log_x) widen(x, 0.06);
  return {x.low, x.high, y.low, y.high, letters + 34};
}

std::string tick_text(double value, double step) {
  const double size = std::abs(value);
  if (value == 0) return "0";
  if (size >= 1e5 || size < 1e-3) return fmt::format("{:.3g}", value);
  const int digits = step >= 1 ? 0 : static_cast<int>(std::ceil(-std::log10(step) - 1e-9));
  return fmt::format("{:.{}f}", value, digits);
}

std::string axes(const Plot& plot, const View& v) {
  std::string s;
  const double right = kWidth - v.right_margin, floor = kHeight - kBottom;
  const std::vector<double> ys = round_ticks(v.bottom, v.top, 6);
  const double y_step = ys.size() > 1 ? ys[1] - ys[0] : 1;
  for (const double t : ys) {
    s += fmt::format("<line class='grid' x1='{:.1f}' x2='{:.1f}' y1='{:.1f}' y2='{:.1f}'/>", kLeft, right, v.y(t),
                     v.y(t));
    s += fmt::format("<text class='tick' x='{:.1f}' y='{:.1f}' text-anchor='end'>{}</text>", kLeft - 8, v.y(t) + 4,
                     tick_text(t, y_step));
  }
  std::vector<double> xs = round_ticks(v.left, v.right, 6);
  if (plot.log_x) {  // 1, 2, 5 of every power of ten
    xs.clear();
    for (double power = std::floor(v.left); power <= v.right; ++power) {
      for (const double digit : {1.0, 2.0, 5.0}) xs.push_back(power + std::log10(digit));
    }
    std::erase_if(xs, [&](double t) { return t < v.left || t > v.right; });
  }
  const double x_step = xs.size() > 1 ? xs[1] - xs[0] : 1;
  for (const double t : xs) {
    s += fmt::format("<line class='axis' x1='{0:.1f}' x2='{0:.1f}' y1='{1:.1f}' y2='{2:.1f}'/>", v.x(t), floor,
                     floor + 5);
    s += fmt::format("<text class='tick' x='{:.1f}' y='{:.1f}' text-anchor='middle'>{}</text>", v.x(t), floor + 19,
                     plot.log_x ? fmt::format("{:.3g}", std::pow(10, t)) : tick_text(t, x_step));
  }
  s += fmt::format("<line class='axis' x1='{:.1f}' x2='{:.1f}' y1='{:.1f}' y2='{:.1f}'/>", kLeft, right, floor, floor);
  s += fmt::format("<text class='label' x='{:.1f}' y='{:.1f}' text-anchor='middle'>{}</text>", (kLeft + right) / 2,
                   kHeight - 8, escaped(plot.x));
  s += fmt::format("<text class='label' x='{:.1f}' y='{:.1f}'>{}</text>", 6.0, kTop - 18, escaped(plot.y));
  return s;
}

std::string drawn(const Plot& plot, const PlotLine& line, const View& v) {
  std::vector<Point> points;
  for (const Point& p : line.points) {
    if (visible(plot, p)) points.push_back({v.x(placed(plot, p.x)), v.y(p.y)});
  }
  if (points.empty()) return {};
  const std::string look = fmt::format("c{}{}", line.colour % kColours, line.thick ? " thick" : " thin");
  std::string s = fmt::format("<polyline class='{}{}' points='", look, line.colour >= kColours ? " again" : "");
  for (const Point& p : decimated(points)) s += fmt::format("{:.1f},{:.1f} ", p.x, p.y);
  s += "'/>";
  const Point end = points.back();
  if (line.broken_off) {
    s += fmt::format("<path class='{0}' d='M{1:.1f} {2:.1f}l8 8m0 -8l-8 8'/>", look, end.x - 4, end.y - 4);
  }
  if (line.dots || points.size() == 1) {
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
    s +=
        fmt::format("<text class='name' x='{:.1f}' y='{:.1f}'>{}</text>", x + 25, n.at + 4, escaped(shortened(n.text)));
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

std::vector<PlotLevel> levels_out_of_view(const Plot& plot) {
  const Extent y = extents(plot).second;
  std::vector<PlotLevel> out;
  for (const PlotLevel& level : plot.levels) {
    if (!in_view(level, y)) out.push_back(level);
  }
  return out;
}

std::string svg(const Plot& plot) {
  const auto [x, y] = extents(plot);
  if (x.empty()) return {};
  const View v = view_of(plot, x, y);
  std::string s = fmt::format("<svg viewBox='0 0 {:.0f} {:.0f}' role='img' aria-label='{}'><title>{}</title>", kWidth,
                              kHeight, escaped(plot.title), escaped(plot.title));
  s += axes(plot, v);
  std::vector<Name> names;
  const double right = kWidth - v.right_margin;
  for (const PlotLevel& level : plot.levels) {
    if (!in_view(level, y)) continue;
    const double at = v.y(level.y);
    s += fmt::format("<line class='level' x1='{:.1f}' x2='{:.1f}' y1='{:.1f}' y2='{:.1f}'/>", kLeft, right, at, at);
    names.push_back({level.name, "level", {right, at}, at});
  }
  for (const bool thick : {false, true}) {  // the thick lines lie above
    for (const PlotLine& line : plot.lines) {
      if (line.thick != thick) continue;
      s += drawn(plot, line, v);
      const auto last =
          std::find_if(line.points.rbegin(), line.points.rend(), [&](const Point& p) { return visible(plot, p); });
      if (line.name.empty() || last == line.points.rend()) continue;
      const Point end{v.x(placed(plot, last->x)), v.y(last->y)};
      names.push_back({line.name, fmt::format("c{}", line.colour % kColours), end, end.y});
    }
  }
  spread(names);
  return s + named(names, right) + "</svg>";
}

}  // namespace weft::train
