// The files of one description: itself, what it imports or uses, and the prelude.
#pragma once
#include <memory>

#include "dsl/description.h"
#include "dsl/program.h"

namespace weft::dsl {

class Modules {
 public:
  Modules(const Surroundings& surroundings, Diagnostics& diagnostics);

  /// Takes a file that was read and loads what it imports.
  const Module* root(File file);
  /// The file at `path` (`std/NAME`, or relative to the folder of `from`); null when it cannot be read (reported).
  const Module* load(const std::string& path, const Span& at, const Module& from);
  /// What an item `use` or `inline` stands for.
  const Module* load(const Item& item, const Module& from);

 private:
  const Module* add(const std::string& key, const SourcePtr& source);
  void import_all(Module& module);
  const Module* room(const std::shared_ptr<const File>& file);

  const Surroundings& surroundings_;
  Diagnostics& diagnostics_;
  std::map<std::string, std::unique_ptr<Module>> modules_;  // by resolved path
  std::map<const File*, std::unique_ptr<Module>> rooms_;    // inside other files
  std::vector<std::string> open_;                           // being loaded, to see a circle
  const Module* prelude_ = nullptr;
};

/// `path` as the file at `source` means it: `std/NAME` as it is, others from the folder of the file.
std::string resolved_path(const std::string& path, const Source& source);

}  // namespace weft::dsl
