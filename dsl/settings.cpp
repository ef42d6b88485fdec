// Typed access to the options of a section, and their resolved form as text.

#include <stdexcept>

#include <fmt/format.h>

#include "dsl/options.h"

namespace weft::dsl {
namespace {

template <typename T> const T& held(const Setting& setting, const std::string& path) {
  if (const T* value = std::get_if<T>(&setting.value)) return *value;
  throw std::logic_error(fmt::format("settings: {} has another type", path));
}

/// Plain where YAML reads it back as the same text, else in double quotes.
std::string text_as_yaml(const std::string& text) {
  bool plain = !text.empty() && text != "null" && text != "~";
  for (const char c : text) {
    const bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                      c == '/' || c == '.' || c == '-';
    plain &= safe;
  }
  if (plain && text[0] != '-' && text[0] != '.') return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\n') out += "\\n";
    else if (c == '\t') out += "\\t";
    else if (c == '"' || c == '\\') out += {'\\', c};
    else out += c;
  }
  return out + "\"";
}

std::string leaf_text(const Setting& setting) {
  if (const i64* whole = std::get_if<i64>(&setting.value)) return fmt::format("{}", *whole);
  if (const double* real = std::get_if<double>(&setting.value)) {
    return real_text(*real);  // shortest digits that read back as the same double
  }
  if (const bool* truth = std::get_if<bool>(&setting.value)) return *truth ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&setting.value)) return text_as_yaml(*text);
  std::string out = "[";
  for (const ExprPtr& expr : std::get<std::vector<ExprPtr>>(setting.value))
    out += (out.size() > 1 ? ", '" : "'") + expr_text(*expr) + "'";
  return out + "]";
}

std::vector<std::string> segments(const std::string& path) {
  std::vector<std::string> parts;
  size_t begin = 0;
  while (begin <= path.size() && !path.empty()) {
    const size_t end = std::min(path.size(), path.find('.', begin));
    parts.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace

void Settings::put(const std::string& path, Setting setting) {
  if (!values_.contains(path)) order_.push_back(path);
  values_[path] = std::move(setting);
}

const Setting& Settings::at(const std::string& path) const {
  const auto found = values_.find(path);
  if (found == values_.end()) throw std::logic_error(fmt::format("settings: there is no {}", path));
  return found->second;
}

bool Settings::given(const std::string& path) const { return has(path) && at(path).given; }
Span Settings::span(const std::string& path) const { return has(path) ? at(path).span : Span{}; }
i64 Settings::whole(const std::string& path) const { return held<i64>(at(path), path); }
double Settings::real(const std::string& path) const { return held<double>(at(path), path); }
bool Settings::boolean(const std::string& path) const { return held<bool>(at(path), path); }
const std::string& Settings::word(const std::string& path) const { return held<std::string>(at(path), path); }
const std::string& Settings::text(const std::string& path) const { return held<std::string>(at(path), path); }
const std::vector<ExprPtr>& Settings::expressions(const std::string& path) const {
  return held<std::vector<ExprPtr>>(at(path), path);
}
std::string Settings::chosen(const std::string& path) const {
  return has(path) ? held<std::string>(at(path), path) : "";
}
i64 Settings::size(const std::string& path) const { return has(path) ? at(path).size : 0; }

std::filesystem::path Settings::path(const std::string& path) const {
  const Setting& setting = at(path);
  const std::filesystem::path result = held<std::string>(setting, path);
  const bool in_file = setting.span.source && !setting.span.source->name.starts_with('<');
  if (!in_file || result.is_absolute()) return result;
  return (std::filesystem::path(setting.span.source->name).parent_path() / result).lexically_normal();
}

std::vector<double> Settings::reals(const std::string& path) const {
  std::vector<double> result;
  for (i64 i = 0; i < size(path); ++i) result.push_back(real(fmt::format("{}.{}", path, i)));
  return result;
}

std::vector<i64> Settings::wholes(const std::string& path) const {
  std::vector<i64> result;
  for (i64 i = 0; i < size(path); ++i) result.push_back(whole(fmt::format("{}.{}", path, i)));
  return result;
}

std::vector<std::string> Settings::words(const std::string& path) const {
  std::vector<std::string> result;
  for (i64 i = 0; i < size(path); ++i) result.push_back(word(fmt::format("{}.{}", path, i)));
  return result;
}

// Paths stand in the order of the table, so every group is printed together: the head of a group is
// written when its first member comes.
std::string Settings::print(int indent) const {
  std::string out;
  std::vector<std::string> open;
  for (size_t i = 0; i < order_.size(); ++i) {
    const std::string& path = order_[i];
    const Setting& setting = at(path);
    const std::vector<std::string> parts = segments(path);
    if (parts.empty()) {  // a section that is itself a choice: its name is the head of what follows
      if (order_.size() == 1)
        out += std::string(static_cast<size_t>(indent), ' ') + std::get<std::string>(setting.value) + ": {}\n";
      continue;
    }
    const bool container = setting.kind == OptionKind::list || setting.kind == OptionKind::one_of;
    size_t common = 0;
    while (common < open.size() && common + 1 < parts.size() && open[common] == parts[common]) ++common;
    open.resize(common);
    const auto line = [&](size_t depth, const std::string& text) {
      out += std::string(static_cast<size_t>(indent) + 2 * depth, ' ') + text + "\n";
    };
    for (; open.size() + 1 < parts.size(); open.push_back(parts[open.size()])) {
      const bool element = std::isdigit(static_cast<unsigned char>(parts[open.size()][0]));
      line(open.size(), element ? "-" : parts[open.size()] + ":");
    }
    const bool element = std::isdigit(static_cast<unsigned char>(parts.back()[0]));
    const std::string head = element ? "-" : parts.back() + ":";
    if (!container) {
      line(open.size(), head + " " + leaf_text(setting));
      continue;
    }
    const bool bare = i + 1 == order_.size() || !order_[i + 1].starts_with(path + ".");
    if (setting.kind == OptionKind::list) {
      line(open.size(), head + (bare ? " []" : ""));
    } else {
      const std::string& chosen = std::get<std::string>(setting.value);
      line(open.size(), head + (bare ? " " + text_as_yaml(chosen) : ""));
    }
    if (!bare) open.push_back(parts.back());
  }
  return out;
}

}  // namespace weft::dsl
