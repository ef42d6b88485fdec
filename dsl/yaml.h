#pragma once
// Guarded YAML: text -> located tree. YAML never decides a type here: a scalar is text, the field
// that reads it decides.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/diagnostic.h"
#include "dsl/source.h"

namespace weft::dsl {

struct Entry;

struct Yaml {
  enum class Kind { null, scalar, map, list };
  enum class Style { plain, quoted, block };  // of a scalar

  Kind kind = Kind::null;
  Style style = Style::plain;
  bool quoted = false;  // style == quoted
  bool flow = false;    // a map or list in braces or brackets
  Span span;            // of a null value: its key
  std::string text;     // of a scalar, decoded
  std::vector<Entry> entries;
  std::vector<Yaml> items;

  bool is_null() const { return kind == Kind::null; }
  bool is_scalar() const { return kind == Kind::scalar; }
  bool is_map() const { return kind == Kind::map; }
  bool is_list() const { return kind == Kind::list; }

  /// The value under a key of a map; nullptr when absent or when this is no map.
  const Yaml* find(std::string_view key) const;
  Yaml* find(std::string_view key);
  const Entry* find_entry(std::string_view key) const;
};

struct Entry {
  Yaml key;
  Yaml value;
};

/// "a map", "a list", "a text", "nothing": for messages.
std::string_view kind_name(const Yaml& value);

/// The tree of a text, or a null node when the text is no YAML (reported). Other errors keep the
/// rest of the tree. `begin` reads only what follows that byte, with positions in the whole source.
Yaml read_yaml(const SourcePtr& source, Diagnostics& diagnostics, int begin = 0);

/// Reads a file whole: regular, at most 256 KiB. Failures are of the class "file" (exit 4) and give
/// nullptr.
SourcePtr read_source(const std::string& path, Diagnostics& diagnostics);

/// For every byte of a scalar's text, and one past its end, the byte of the source it was written
/// as.
std::vector<int> source_offsets(const Yaml& scalar);

/// The tree as YAML text in block style: what a resolved description is written with.
std::string yaml_text(const Yaml& value, int indent = 0);

}  // namespace weft::dsl
