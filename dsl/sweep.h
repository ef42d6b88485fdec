// `sweep:` one description as several runs, which differ in a few settings.
#pragma once
#include <string>
#include <vector>

#include "dsl/diagnostic.h"
#include "dsl/yaml.h"

namespace weft::dsl {

/// A path as `--set` takes it, and its value.
struct SweepSetting {
  std::string path;
  Span span;  // of the path
  Yaml value;
};

struct SweepRun {
  std::vector<SweepSetting> settings;
  std::string name;  // "width=64,lr=1e-3": fit for a folder, unique in its sweep
};

/// Every combination of `grid` with every entry of `list`, in order. Structure only: whether the paths exist and what
/// the values mean is asked where they are applied.
std::vector<SweepRun> read_sweep(const Entry& sweep, Diagnostics& diagnostics);

/// A value on one line, as in `[0.9, 0.99]`.
std::string short_text(const Yaml& value);

}  // namespace weft::dsl
