// A description from its text to a model: read, overridden by `--set`, checked, lowered.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

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

  const File& file() const { return file_; }
  /// `name:`, or the name of the file without its folder and ending.
  std::string name() const;
  /// The description as it was resolved, overrides included.
  std::string text() const;
  /// The same with every option of `train eval generate`, and of `data` when it is there, written out.
  std::string resolved(Diagnostics& diagnostics) const;
  /// The values of a section, defaults where it says nothing or is absent.
  Settings section(std::string_view section, Diagnostics& diagnostics) const;
  /// Whether `vocab` comes from data (there is a section `data`); otherwise the params must declare it.
  bool has_data() const { return file_.data != nullptr; }
  /// Builds the graphs. Null when the description has errors (reported). `vocab`: bound by the data.
  std::shared_ptr<const Model> model(std::optional<i64> vocab, Diagnostics& diagnostics) const;
  /// The model or one def as a function of named tensors. Null when the description has errors (reported).
  std::unique_ptr<const Function> function(const Asked& asked, std::optional<i64> vocab,
                                           Diagnostics& diagnostics) const;
  /// Whether `name` is a param of the def, or a size that its inputs bind.
  bool belongs_to(const std::string& name, const std::string& def) const;

 private:
  Blueprint blueprint(Modules& modules, std::optional<i64> vocab) const;
  Surroundings surroundings_;
  File file_;
};

}  // namespace weft::dsl
