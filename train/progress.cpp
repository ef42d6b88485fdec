#include "train/progress.h"

#include <charconv>

#include "train/file.h"

namespace weft::train {
namespace {

// Shortest digits that read back as the same number: equal state, equal bytes.
std::string digits(double value) { return fmt::format("{}", value); }

std::string list_text(const std::vector<double>& values) {
  std::string all;
  for (const double value : values) all += (all.empty() ? "" : " ") + digits(value);
  return all;
}

template <class T> T parsed_number(std::string_view text, const std::string& key, const fs::path& file) {
  T value{};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
    fail_data("{}: `{}` is not a number in its metadata: {}", file.string(), key, shown(text));
  }
  return value;
}

const std::string& text_of(const Metadata& metadata, const std::string& key, const fs::path& file) {
  const auto found = metadata.find(key);
  if (found == metadata.end())
    fail_data("{}: is not a checkpoint of ours (no `{}` in its metadata)", file.string(), key);
  return found->second;
}

template <class T> T number(const Metadata& metadata, const std::string& key, const fs::path& file) {
  return parsed_number<T>(text_of(metadata, key, file), key, file);
}

std::vector<double> numbers(std::string_view list, const std::string& key, const fs::path& file) {
  std::vector<double> all;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(' '), list.size());
    all.push_back(parsed_number<double>(list.substr(0, end), key, file));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return all;
}

}  // namespace

Metadata metadata_of(const Progress& p) {
  return {{"step", std::to_string(p.step)},
          {"data_position", std::to_string(p.step)},
          {"evaluated", std::to_string(p.evaluated)},
          {"best_loss", digits(p.best_loss)},
          {"best_step", std::to_string(p.best_step)},
          {"best_count", std::to_string(p.best_count)},
          {"best_correct", std::to_string(p.best_correct)},
          {"seed", std::to_string(p.seed)},
          {"text_hash", p.text_hash},
          {"tokenizer", p.tokenizer},
          {"description", p.description},
          {"skipped", std::to_string(p.skipped)},
          {"skipped_in_a_row", std::to_string(p.skipped_in_a_row)},
          {"losses", list_text(p.losses)}};
}

Progress progress_of(const Metadata& metadata, const fs::path& file) {
  Progress p;
  p.step = number<i64>(metadata, "step", file);
  p.evaluated = number<i64>(metadata, "evaluated", file);
  p.best_loss = number<double>(metadata, "best_loss", file);
  p.best_step = number<i64>(metadata, "best_step", file);
  if (metadata.contains("best_count")) {  // since there is data other than text
    p.best_count = number<i64>(metadata, "best_count", file);
    p.best_correct = number<i64>(metadata, "best_correct", file);
  }
  p.seed = number<u64>(metadata, "seed", file);
  if (metadata.contains("skipped")) {  // since updates can be left out
    p.skipped = number<i64>(metadata, "skipped", file);
    p.skipped_in_a_row = number<i64>(metadata, "skipped_in_a_row", file);
    p.losses = numbers(text_of(metadata, "losses", file), "losses", file);
  }
  p.text_hash = text_of(metadata, "text_hash", file);
  p.tokenizer = text_of(metadata, "tokenizer", file);
  p.description = text_of(metadata, "description", file);
  return p;
}

}  // namespace weft::train
