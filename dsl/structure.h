// The keys of every map of a description whose meaning the language itself gives: one table, from which the reader
// knows what is legal and the schema for editors is made. Sections (`train`, ...) have their tables in the options.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace weft::dsl {

/// What stands under a key.
enum class Holds {
  text,
  name,
  path,
  whole,       // a plain number
  expression,  // a number or an expression
  boolean,
  word,   // one of `words`
  words,  // one or several of them
  shape,
  item,
  items,     // one or a list
  branches,  // a list whose elements are items or lists of them
  arguments,
  equations,  // user's names, each with an expression
  sizes,      // the same, of numbers
  shapes,     // user's names, each with a shape
  checks,     // a list of expressions
  imports,
  settings,        // a path of `--set`, each with a list of values
  setting_list,    // a list of maps: a path of `--set`, each with a value
  out,             // an expression or equations
  map,             // the map of `of`
  maps,            // user's names, each with the map of `of`
  maps_or_values,  // the same; in place of a map a shape or an expression may stand
  section,         // a table of options
};

struct Field {
  std::string_view name;
  Holds holds;
  std::string_view about;
  std::string_view fallback = {};  // what holds when it is absent
  bool required = false;
  std::string_view of = {};  // of map, maps: the name of its table
  std::vector<std::string> words = {};
};

struct MapKeys {
  std::string_view name;  // "description", "def", "recurrence", "residual", ...
  std::vector<Field> keys;
};

/// All tables; those of items are called by their key.
const std::vector<MapKeys>& structure();
const std::vector<Field>& keys_of(std::string_view map);
/// Their names, as messages list them.
std::vector<std::string> key_names(std::string_view map);
/// The words that `key` takes.
const std::vector<std::string>& words_of(std::string_view map, std::string_view key);

/// Keys that begin an item which is no call.
const std::vector<std::string>& item_keywords();

}  // namespace weft::dsl
