// The names that the equations of one def see: a closed room.
#pragma once
#include <functional>
#include <set>

#include "dsl/align.h"

namespace weft::dsl {

struct Room {
  const Module* module = nullptr;
  std::string path;                  // where it stands in the model: "model.1.retention"
  Scope numbers;                     // params, sizes, and numbers that equations define
  std::map<std::string, Dim> sizes;  // the named sizes, `T` apart
  Definitions definitions;           // each in terms of params and bound dimensions
  Definitions outside;               // each in the caller's names
  std::map<std::string, Var> tensors;
  std::map<std::string, std::function<Var()>> weights;  // made when first read: a choice not taken makes none
  std::map<std::string, std::string> hints;             // for names that are known elsewhere in the def: why not here
  std::set<std::string> failed;                         // names whose definition had an error, reported

  /// The path of what is called `name` in here; a def that stands alone has no path of its own.
  std::string below(const std::string& name) const { return path.empty() ? name : path + "." + name; }

  /// A named size; `outside` is what the caller calls it.
  void add_size(const std::string& name, i64 value, std::optional<Dim> outside = {},
                std::optional<Dim> definition = {}) {
    sizes[name] = Dim::named(name, value);
    numbers[name] = value;
    definitions[name] = definition ? *definition : sizes[name];
    if (outside) this->outside[name] = *outside;
  }
};

}  // namespace weft::dsl
