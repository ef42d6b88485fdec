// A function as a graph for Graphviz (graphviz.org): data flow from top to bottom.
#pragma once
#include <string>

#include "dsl/function.h"

namespace weft::cli {

/// Inputs and weights are ovals, ops are boxes with their shape; what only renames dimensions is left out.
std::string dot(const dsl::Function& function, const std::string& title);

}  // namespace weft::cli
