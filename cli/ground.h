// What a loss is measured on: all that pages and tables ask of the kind of data is here.
#pragma once
#include <string>
#include <vector>

#include "cli/work.h"
#include "train/plot.h"

namespace weft::cli {

/// What is known of the data without a network.
struct Ground {
  std::string data, unit;  // of a loss: "character"
  i64 length = 0;          // tokens of a row, at most
  std::vector<train::PlotLevel> floors, accuracy_floors;

  /// "4.564 uniform, 3.483 1-gram"; empty where nothing is known.
  std::string floors_text() const;
};
/// `work` has its data.
Ground ground_of(const Work& work, const train::TrainOptions& recipe);

/// What stands below a plot about levels that are too far from its lines.
std::string out_of_view(const train::Plot& plot);

}  // namespace weft::cli
