// Tensors as the verbs exchange them with other programs.
#pragma once
#include <nlohmann/json.hpp>

#include "dsl/function.h"
#include "train/checkpoint.h"
#include "train/terminal.h"

namespace weft::cli {

/// What was decided because nobody said it, on stderr.
void print_notes(const dsl::Function& function);

/// What is special about how a weight is trained: "frozen", "no decay"; mostly empty.
std::string remark(const dsl::Weight& weight);

/// Rows of text with their columns brought in line, two spaces apart.
std::string columns(const std::vector<std::vector<std::string>>& rows, const std::string& indent = "");

}  // namespace weft::cli
