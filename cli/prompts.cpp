#include "cli/prompts.h"

#include <CLI/CLI.hpp>

#include <iostream>
#include <iterator>

#include <nlohmann/json.hpp>

#include "train/file.h"

namespace weft::cli {
namespace {

Prompt whole(std::string text, std::string source) {
  if (text.empty()) train::fail_data("{}: is empty; a prompt must hold at least one character", source);
  return {std::move(text), std::move(source), Failure::data};
}

// {"prompt": "Once"} a line: a prompt may hold line feeds.
std::vector<Prompt> listed(const std::string& file) {
  std::vector<Prompt> prompts;
  const std::string text = train::read_file(file);
  i64 number = 1;
  for (std::size_t begin = 0; begin < text.size(); ++number) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const auto line = nlohmann::json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                            text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    const bool fits = line.is_object() && line.size() == 1 && line.contains("prompt") && line["prompt"].is_string();
    const std::string at = fmt::format("{}:{}", file, number);
    if (!fits) train::fail_data("{}: a line is an object with a text `prompt` alone: {{\"prompt\": \"Once\"}}", at);
    prompts.push_back(whole(line["prompt"].get<std::string>(), at));
    begin = end + 1;
  }
  if (prompts.empty()) train::fail_data("{}: holds no prompts", file);
  return prompts;
}

}  // namespace

void add_prompt_options(CLI::App& app, PromptOptions& o) {
  auto* text = app.add_option(
      "--prompt", o.text, "what the text starts with, not printed again in a pipe; -: all of standard input, as it is");
  auto* file = app.add_option("--prompt-file", o.file, "a file that the text starts with, as it is")->excludes(text);
  app.add_option("--prompts", o.list, "a file of prompts, {\"prompt\": \"...\"} a line, for a text each")
      ->excludes(text)
      ->excludes(file);
}

std::vector<Prompt> prompts_given(const PromptOptions& o) {
  if (!o.list.empty()) return listed(o.list);
  if (!o.file.empty()) return {whole(train::read_file(o.file), o.file)};
  if (!o.text) return {};
  if (*o.text == "-") return {whole(std::string(std::istreambuf_iterator<char>(std::cin), {}), "standard input")};
  check(!o.text->empty(), "generate.prompt must hold at least one character");
  return {{*o.text, "the prompt"}};
}

}  // namespace weft::cli
