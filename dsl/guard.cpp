#include "dsl/guard.h"

#include <array>

#include <fmt/format.h>

namespace weft::dsl {
namespace {

bool refuse(const SourcePtr& source, size_t at, const std::string& message, const char* help,
            Diagnostics& diagnostics) {
  const int begin = static_cast<int>(at);
  diagnostics.error("E0101", {source, begin, begin + 1}, message).help(help);
  return false;
}

struct Row {
  std::string_view theirs;
  Explained ours;
};

// Matched as a part of yaml-cpp's message, first row first.
constexpr std::array kRows = {
    Row{"referenced anchor is not defined",
        {"E0105", "aliases are not allowed", "repeat the value, or make it a def or a param"}},
    Row{"alias not found", {"E0105", "`*` cannot begin a value", "put the value in quotes"}},
    Row{"anchor not found", {"E0105", "`&` cannot begin a value", "put the value in quotes"}},
    Row{"multiple anchors", {"E0105", "anchors are not allowed", "repeat the value, or make it a def or a param"}},
    Row{"multiple tags", {"E0105", "tags are not allowed", "put a value that begins with `!` in quotes"}},
    Row{"tag", {"E0105", "tags are not allowed", "put a value that begins with `!` in quotes"}},
    Row{"end of sequence flow", {"E0103", "this list is not closed", "close it with `]`"}},
    Row{"end of map flow", {"E0103", "this map is not closed", "close it with `}`"}},
    Row{"illegal flow end", {"E0103", "a bracket closes what was not opened", ""}},
    Row{"end of map",
        {"E0103", "this line does not belong to the map above it",
         "indent the keys of one map alike; put a value that YAML misreads in quotes"}},
    Row{"end of sequence",
        {"E0103", "this line does not belong to the list above it", "indent the items of one list alike"}},
    Row{"illegal map value",
        {"E0103", "a `:` stands where no value can begin", "put a text that contains `: ` in quotes"}},
    Row{"illegal map key", {"E0103", "a key cannot stand here", "put a value that begins with `?` in quotes"}},
    Row{"illegal block entry",
        {"E0103", "a list cannot begin here",
         "begin a list on its own line; for a negative value write `-x` without a space"}},
    Row{"illegal EOF in scalar", {"E0104", "a quoted text is not closed", "close it on its line"}},
    Row{"illegal document indicator", {"E0104", "a quoted text is not closed", "close it on its line"}},
    Row{"unknown escape", {"E0103", "unknown escape in a quoted text", "use single quotes, or write `\\\\`"}},
    Row{"hex", {"E0103", "an escape in a quoted text is incomplete", ""}},
    Row{"unicode", {"E0103", "an escape in a quoted text is no character", ""}},
    Row{"illegal tab", {"E0103", "a tab is used for indentation", "indent with spaces"}},
    Row{"unknown token",
        {"E0103", "this cannot begin a value",
         "put a value that begins with `@`, `%` or a backtick in quotes; indent with spaces, not "
         "tabs"}},
    Row{"directive", {"E0103", "this directive is not understood", "remove the line that begins with `%`"}},
    Row{"block scalar",
        {"E0103", "this block of text is not understood",
         "write `|` alone and begin the text on the next line, indented"}},
    Row{"chomp",
        {"E0103", "this block of text is not understood",
         "write `|` alone and begin the text on the next line, indented"}},
};

size_t line_begin(std::string_view text, size_t at) {
  const size_t found = at == 0 ? std::string_view::npos : text.rfind('\n', std::min(at, text.size()) - 1);
  return found == std::string_view::npos ? 0 : found + 1;
}

}  // namespace

bool check_bytes(const SourcePtr& source, int begin, Diagnostics& diagnostics) {
  const std::string_view text = source->text;
  if (text.size() > kFileBytes) {
    diagnostics.error("E0102", {source, begin, begin},
                      fmt::format("this text has {} bytes; a description has at most {}", text.size(), kFileBytes));
    return false;
  }
  for (auto i = static_cast<size_t>(begin); i < text.size();) {
    const int length = utf8_length(text, i);
    const auto byte = static_cast<unsigned char>(text[i]);
    if (length == 0) {
      return refuse(source, i, fmt::format("byte 0x{:02x} at offset {} is not UTF-8", byte, i),
                    "save the file as UTF-8", diagnostics);
    }
    if (byte == '\r' && (i + 1 == text.size() || text[i + 1] != '\n')) {
      return refuse(source, i, "a carriage return without a line feed", "save the file with LF or CRLF line ends",
                    diagnostics);
    }
    if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7F) {
      return refuse(source, i, fmt::format("control character 0x{:02x} at offset {}", byte, i), "remove it",
                    diagnostics);
    }
    if (text.substr(i, 3) == "\xEF\xBB\xBF")
      return refuse(source, i, "a byte order mark inside the text", "remove it", diagnostics);
    i += static_cast<size_t>(length);
  }
  return true;
}

Explained explain_yaml(std::string_view theirs) {
  for (const Row& row : kRows) {
    if (theirs.find(row.theirs) != std::string_view::npos) return row.ours;
  }
  return {"E0103", "this is not YAML", ""};
}

int open_quote_before(std::string_view text, int offset) {
  size_t begin = 0;
  while (begin < text.size() && static_cast<int>(begin) <= offset) {
    const size_t end = std::min(text.size(), text.find('\n', begin));
    for (size_t i = begin; i < end; ++i) {
      const bool opens = (text[i] == '"' || text[i] == '\'') &&
                         (i == begin || std::string_view(" [{,\t").find(text[i - 1]) != std::string_view::npos);
      if (text[i] == '#' && i > begin && text[i - 1] == ' ') break;
      if (!opens) continue;
      const size_t close = text.find(text[i], i + 1);
      if (close >= end) return static_cast<int>(i);
      i = close;
    }
    begin = end + 1;
  }
  return -1;
}

int indenting_tab(std::string_view text, int offset) {
  const size_t begin = line_begin(text, static_cast<size_t>(offset));
  const size_t end = std::min(text.size(), text.find_first_not_of(" \t", begin));
  const size_t tab = text.find('\t', begin);
  return tab < end ? static_cast<int>(tab) : -1;
}

int comment_before(std::string_view text, int offset) {
  const size_t end = line_begin(text, static_cast<size_t>(offset));
  if (end == 0) return -1;
  const size_t begin = line_begin(text, end - 1);
  const size_t hash = text.substr(0, end).find(" #", begin);
  const bool behind = hash != std::string_view::npos && text.find_first_not_of(' ', begin) < hash;
  return behind ? static_cast<int>(hash) + 1 : -1;
}

}  // namespace weft::dsl
