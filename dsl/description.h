// A description from its text to a model: read, overridden by `--set`, checked, lowered.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "dsl/file.h"
#include "dsl/function.h"
#include "dsl/model.h"

namespace weft::dsl {

/// What the language needs from the folders to its right, as arguments.
struct Surroundings {
  /// The text of `std/NAME`, or nothing.
  std::function<std::optional<std::string_view>(std::string_view name)> library;
  std::vector<std::string> library_names;
  /// The tables of `data train eval generate`.
  std::span<const Option> sections;
};

class Modules;

class Description {
 public:
  /// Reads the structure; `overrides` are "params.D=64", "train.steps=10". Errors go to `diagnostics`; after one, the
  /// other members may still be called and report what else is wrong.
  Description(const SourcePtr& source, const std::vector<std::string>& overrides, Surroundings surroundings,
              Diagnostics& diagnostics);

  /// The description of one run of its sweep. A path that does not exist, and a setting that changes nothing, is an
  /// error at its place in the sweep.
  Description with(const SweepRun& run, Diagnostics& diagnostics) const;

  /// The description with the sections `data train eval generate` of another in place of its own: what `task` does not
  /// say has its default, not what this one says.
  Description on(const Description& task, Diagnostics& diagnostics) const;

  const File& file() const { return file_; }
  /// `name:`, or the name of the file without its folder and ending.
  std::string name() const;
  /// The description as it was resolved, overrides included.
  std::string text() const;
  /// The same with every option of `train eval generate`, and of `data` when it is there, written out.
  std::string resolved(Diagnostics& diagnostics) const;
  /// The description with what it imports, uses and takes from the prelude copied in (dsl/expand.h); `notes` say what
  /// could not be. Empty when a file cannot be read (reported).
  std::string expanded(std::vector<std::string>& notes, Diagnostics& diagnostics) const;
  /// A JSON Schema for descriptions; for this one alone, with its own layers, when `closed` (dsl/json_schema.h).
  nlohmann::ordered_json schema(bool closed, Diagnostics& diagnostics) const;
  /// The values of a section, defaults where it says nothing or is absent.
  Settings section(std::string_view section, Diagnostics& diagnostics) const;
  /// Whether `vocab` comes from data (there is a section `data`); otherwise the params must declare it.
  bool has_data() const { return file_.data != nullptr; }
  /// Builds the graphs. Null when the description has errors (reported). `sizes`: of the data.
  std::shared_ptr<const Model> model(const DataSizes& sizes, Diagnostics& diagnostics) const;
  /// The model or one def as a function of named tensors. Null when the description has errors (reported).
  std::unique_ptr<const Function> function(const Asked& asked, const DataSizes& sizes, Diagnostics& diagnostics) const;
  /// Whether `name` is a param of the def, or a size that its inputs bind.
  bool belongs_to(const std::string& name, const std::string& def) const;

 private:
  Description(File file, Surroundings surroundings) : surroundings_(std::move(surroundings)), file_(std::move(file)) {}
  Yaml absolute_tree() const;
  Blueprint blueprint(Modules& modules, const DataSizes& sizes) const;
  Surroundings surroundings_;
  File file_;
};

}  // namespace weft::dsl
