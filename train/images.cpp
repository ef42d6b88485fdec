// Small pictures, drawn by rules, row by row: what transforms without a direction in time are for.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "train/make_option.h"
#include "train/sequences.h"

namespace weft::train {
namespace {

constexpr std::array<std::string_view, 8> kFigures = {"lines across", "lines down", "slanting lines", "a chessboard",
                                                      "a disk",       "a ring",     "a square",       "a cross"};

// Whether the figure covers the point (x, y), from 0 to 1 each.
class Figure {
 public:
  Figure(std::size_t kind, Key key)
      : kind_(kind),
        period_(0.15 + 0.2 * uniform(key, 0)),
        phase_(uniform(key, 1)),
        x_(0.35 + 0.3 * uniform(key, 2)),
        y_(0.35 + 0.3 * uniform(key, 3)),
        radius_(0.18 + 0.14 * uniform(key, 4)) {}

  bool covers(double x, double y) const {
    const double dx = std::abs(x - x_), dy = std::abs(y - y_), r = std::hypot(dx, dy);
    switch (kind_) {
      case 0: return odd(y);
      case 1: return odd(x);
      case 2: return odd((x + y) / std::numbers::sqrt2);
      case 3: return odd(x) != odd(y);
      case 4: return r < radius_;
      case 5: return r < radius_ && r > 0.55 * radius_;
      case 6: return std::max(dx, dy) < 0.9 * radius_;
      default: return std::min(dx, dy) < 0.3 * radius_ && std::max(dx, dy) < radius_;
    }
  }

 private:
  bool odd(double x) const { return std::fmod(x / period_ + 2 * phase_, 2) < 1; }
  std::size_t kind_;
  double period_, phase_, x_, y_, radius_;
};

// A token is the grey of a point, from 0 to levels - 1.
class Images final : public Task {
 public:
  Images(i64 side, i64 levels, double noise, i64 valid)
      : Task(fmt::format("pictures of {} x {} points in {} greys, noise {}", side, side, levels, noise),
             {levels, std::ssize(kFigures)}, side * side, valid, 1 / static_cast<double>(kFigures.size())),
        side_(side),
        levels_(levels),
        noise_(noise) {}

 private:
  Example make(Key key) const override {
    const std::size_t kind = bits(key.fold("kind"), 0) % kFigures.size();
    const Figure figure(kind, key.fold("figure"));
    const double paper = 0.1 + 0.3 * uniform(key.fold("greys"), 0), ink = 0.6 + 0.3 * uniform(key.fold("greys"), 1);
    Example e{{}, {static_cast<i32>(kind)}};
    for (i64 i = 0; i < side_ * side_; ++i) {
      const auto at = [&](i64 place) { return (static_cast<double>(place) + 0.5) / static_cast<double>(side_); };
      const double grey = figure.covers(at(i % side_), at(i / side_)) ? ink : paper;
      const double noisy = grey + noise_ * normal(key.fold("noise"), static_cast<u64>(i));
      e.tokens.push_back(static_cast<i32>(std::clamp(noisy, 0.0, 0.999999) * static_cast<double>(levels_)));
    }
    return e;
  }
  i64 side_, levels_;
  double noise_;
};

}  // namespace

DataKind images_kind() {
  Option side = whole("side", "16", 4, "Points of a row, and rows.");
  side.max = 1024;
  return {
      section("images", "Drawn figures, a token for the grey of each point, row by row; the class is one of 8 kinds.",
              {std::move(side), whole("levels", "16", 2, "Greys."),
               real("noise", "0.15", 0, {},
                    "Standard deviation of what is added to each point, black being 0 and white 1."),
               valid_option()}),
      [](const Settings& data) { return dsl::DataSizes(data.whole("images.levels"), std::ssize(kFigures)); },
      [](const Settings&) {},
      [](const Settings& data, const DataGiven&) {
        return std::make_shared<const Images>(data.whole("images.side"), data.whole("images.levels"),
                                              data.real("images.noise"), data.whole("images.valid"));
      }};
}

}  // namespace weft::train
