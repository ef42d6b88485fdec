#pragma once
// Declared options of a section (`train`, `data`, ...): read, checked, defaulted and printed from
// one table.

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dsl/params.h"

namespace weft::dsl {

enum class OptionKind {
  whole,
  real,
  boolean,
  word,  // one of `choices`; any name when there are none
  text,
  path,         // relative to the folder of the description, on the command line to the working directory
  expressions,  // a list of expressions (one alone is taken for a list)
  section,      // a map with the keys `children`; one with a required child is absent unless given
  one_of,       // a map with one key, which chooses among `children` (sections); a bare name chooses
                // with defaults
  list,         // a list whose elements are as children[0] says
};

struct Option {
  std::string name;
  OptionKind kind = OptionKind::text;
  std::optional<std::string> fallback = {};  // YAML text; nothing: the option is absent unless given
  std::optional<double> min = {};
  std::optional<double> max = {};
  std::vector<std::string> choices = {};
  std::string about = {};
  std::vector<Option> children = {};
  bool required = false;
  std::string shorthand = {};  // of a section: the child that a scalar alone is (`from: FILE` is `from: {path: FILE}`)

  const Option* child(std::string_view key) const;
};

/// `from: FILE` becomes `from: {path: FILE}`, where the section has a shorthand.
void spell_out(Yaml& value, const Option& section);

/// One value that was read, or the default that stands for it.
struct Setting {
  OptionKind kind = OptionKind::text;
  Span span;  // without source for a default
  bool given = false;
  std::variant<std::monostate, i64, double, bool, std::string, std::vector<ExprPtr>> value;
  i64 size = 0;  // of a list
};

/// Typed values by dotted path ("optimizer.adamw.lr"; elements of lists by number: "betas.0").
/// Asking for a path or a type the table does not have is our mistake and throws std::logic_error.
class Settings {
 public:
  bool has(const std::string& path) const { return values_.contains(path); }
  /// Whether the description says it, as opposed to a default.
  bool given(const std::string& path) const;
  Span span(const std::string& path) const;

  i64 whole(const std::string& path) const;
  double real(const std::string& path) const;
  bool boolean(const std::string& path) const;
  const std::string& word(const std::string& path) const;
  const std::string& text(const std::string& path) const;
  std::filesystem::path path(const std::string& path) const;
  const std::vector<ExprPtr>& expressions(const std::string& path) const;
  /// The key that a one_of chose; empty when it is absent.
  std::string chosen(const std::string& path) const;

  i64 size(const std::string& path) const;
  std::vector<double> reals(const std::string& path) const;
  std::vector<i64> wholes(const std::string& path) const;
  std::vector<std::string> words(const std::string& path) const;

  /// The resolved section as YAML text, every default explicit, without its own key.
  std::string print(int indent = 0) const;

  void put(const std::string& path, Setting setting);

 private:
  const Setting& at(const std::string& path) const;

  std::map<std::string, Setting> values_;
  std::vector<std::string> order_;  // as the table has them
};

/// Reads a section. `table` is its Option (kind section or one_of); `key` is where missing keys are
/// reported; `others` are the sections a misplaced key may belong to.
Settings read_options(const Option& table, const Yaml* given, const Span& key, const Scope& params,
                      Diagnostics& diagnostics, std::span<const Option> others = {});

/// A line of the reference: an option by its dotted path, as `--set` takes it.
struct OptionRow {
  std::string path, fallback, about;
  std::string values;  // the choices or the range; empty: any
};
std::vector<OptionRow> option_rows(std::span<const Option> tables);
std::string options_text(std::span<const OptionRow> rows);      // `weft help options`
std::string options_markdown(std::span<const OptionRow> rows);  // docs/options.md

}  // namespace weft::dsl
