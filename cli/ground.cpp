#include "cli/ground.h"

#include "train/page.h"

namespace weft::cli {

std::string Ground::floors_text() const {
  std::string text;
  const auto add = [&](const std::string& one) { text += (text.empty() ? "" : ", ") + one; };
  for (const train::PlotLevel& f : floors) add(fmt::format("{:.3f} {}", f.y, f.name));
  for (const train::PlotLevel& f : accuracy_floors) add(fmt::format("{:.1f} % {}", 100 * f.y, f.name));
  return text;
}

Ground ground_of(const Work& work, const train::TrainOptions& recipe) {
  const train::Data& data = *work.data;
  Ground g{fmt::format("{}: {}; vocabulary {}", data.source, data.amount(), *data.sizes.vocab),
           data.unit(),
           data.length(recipe),
           {},
           {}};
  if (data.validations(recipe) == 0) return g;  // they are measured on the validation part
  for (const train::Floor& f : data.floors()) {
    if (f.nats) g.floors.push_back({f.name, *f.nats});
    if (f.accuracy) g.accuracy_floors.push_back({f.name, *f.accuracy});
  }
  return g;
}

std::string out_of_view(const train::Plot& plot) {
  std::string text;
  for (const train::PlotLevel& level : levels_out_of_view(plot))
    text += fmt::format("{}{} at {:.3f}", text.empty() ? "" : ", ", level.name, level.y);
  return text.empty() ? "" : train::paragraph("Out of view: " + text + ".");
}

}  // namespace weft::cli
