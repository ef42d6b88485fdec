// Where the prompts of `weft generate` come from: an argument, a file, standard input, a list.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/error.h"

namespace CLI {
class App;
}

namespace weft::cli {

struct Prompt {
  std::string text;
  std::string source;             // for messages
  Failure kind = Failure::usage;  // of an error in it
};

struct PromptOptions {
  std::optional<std::string> text;  // `-`: standard input
  std::string file, list;
};
void add_prompt_options(CLI::App& app, PromptOptions& options);
/// None where the command line says none. An empty one is an error.
std::vector<Prompt> prompts_given(const PromptOptions& options);

}  // namespace weft::cli
