#include "dsl/yaml.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "dsl/guard.h"

namespace weft::dsl {
namespace {

std::string quoted_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// `|2-` and the lines: a quoted "\n" would be an escape, which expressions refuse.
std::string block_text(const std::string& text, int indent) {
  const char* keep = text.ends_with("\n\n") || text == "\n" ? "+" : text.ends_with('\n') ? "" : "-";
  std::string out = fmt::format("|2{}", keep);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    out += '\n';
    if (!line.empty()) out.append(static_cast<size_t>(indent) + 2, ' ').append(line);
  }
  return out;
}

std::string scalar_text(const Yaml& value, int indent) {
  if (value.is_null()) return "null";
  if (value.quoted) return quoted_text(value.text);
  if (value.style == Yaml::Style::block || value.text.find('\n') != std::string::npos)
    return block_text(value.text, indent);
  return value.text;
}

bool prints_inline(const Yaml& value) {
  if (value.is_map()) return value.entries.empty();
  if (!value.is_list()) return true;
  return value.items.empty() ||
         (value.flow && std::all_of(value.items.begin(), value.items.end(), [](const Yaml& item) {
            return item.is_scalar() && item.text.find('\n') == std::string::npos;
          }));
}

std::string inline_text(const Yaml& value, int indent) {
  if (value.is_map()) return "{}";
  if (!value.is_list()) return scalar_text(value, indent);
  std::string out = "[";
  for (const Yaml& item : value.items) out += (out.size() > 1 ? ", " : "") + scalar_text(item, indent);
  return out + "]";
}

}  // namespace

const Entry* Yaml::find_entry(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key.text == key) return &entry;
  }
  return nullptr;
}

const Yaml* Yaml::find(std::string_view key) const {
  const Entry* entry = find_entry(key);
  return entry ? &entry->value : nullptr;
}

Yaml* Yaml::find(std::string_view key) {
  for (Entry& entry : entries) {
    if (entry.key.text == key) return &entry.value;
  }
  return nullptr;
}

std::string_view kind_name(const Yaml& value) {
  switch (value.kind) {
    case Yaml::Kind::null: return "nothing";
    case Yaml::Kind::map: return "a map";
    case Yaml::Kind::list: return "a list";
    case Yaml::Kind::scalar: break;
  }
  return "a single value";
}

SourcePtr read_source(const std::string& path, Diagnostics& diagnostics) {
  const Span nowhere{make_source(path, ""), 0, 0};
  std::error_code failed;
  const auto status = std::filesystem::status(path, failed);
  if (!std::filesystem::exists(status)) {
    const std::string reason =
        failed && failed != std::errc::no_such_file_or_directory ? failed.message() : "there is no such file";
    diagnostics.error("E0001", nowhere, fmt::format("cannot read `{}`: {}", path, reason));
    return nullptr;
  }
  if (!std::filesystem::is_regular_file(status)) {
    const char* what = std::filesystem::is_directory(status) ? "it is a folder" : "it is no regular file";
    diagnostics.error("E0001", nowhere, fmt::format("cannot read `{}`: {}", path, what));
    return nullptr;
  }
  const auto size = std::filesystem::file_size(path, failed);
  if (!failed && size > kFileBytes) {  // before reading: it may be a data set of many gigabytes
    diagnostics.error("E0102", nowhere,
                      fmt::format("`{}` has {} bytes; a description has at most {}", path, size, kFileBytes));
    return nullptr;
  }
  std::ifstream stream(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (!stream.good() && !stream.eof()) {
    diagnostics.error("E0001", nowhere, fmt::format("cannot read `{}`: {}", path, std::strerror(errno)));
    return nullptr;
  }
  return make_source(path, std::move(text));
}

std::string yaml_text(const Yaml& value, int indent) {
  const std::string margin(static_cast<size_t>(indent), ' ');
  if (prints_inline(value)) return margin + inline_text(value, indent) + "\n";
  std::string out;
  const auto put = [&](const std::string& head, const Yaml& child) {
    out += margin + head;
    out += prints_inline(child) ? ' ' : '\n';
    out += prints_inline(child) ? inline_text(child, indent) + '\n' : yaml_text(child, indent + 2);
  };
  for (const Entry& entry : value.entries) put(entry.key.text + ":", entry.value);
  for (const Yaml& item : value.items) {
    // A map begins beside its dash.
    if (item.is_map() && !prints_inline(item))
      out += margin + "- " + yaml_text(item, indent + 2).substr(margin.size() + 2);
    else put("-", item);
  }
  return out;
}

}  // namespace weft::dsl
