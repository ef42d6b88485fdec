#include "dsl/structure.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace weft::dsl {
namespace {

constexpr bool kRequired = true;

std::vector<MapKeys> top_tables() {
  const Field about{"about", Holds::text, "For people."};
  const Field params{
      "params", Holds::maps_or_values, "Numbers and words that can be changed, `-p name=value`.", {}, false, "param"};
  const Field check{"check", Holds::checks, "Conditions that the params must meet, as in `[D % H == 0]`."};
  const Field defs{"defs", Holds::maps, "Layers, written as equations.", {}, false, "def"};
  Field model{"model", Holds::items, "The composition: from tokens [T] to logits [T, vocab], or to scores [classes]."};
  const std::vector<Field> description = {
      {"schema", Holds::whole, "The version of the language: 1.", {}, kRequired},
      {"name", Holds::text, "For people, and for the folder of a run.", "the name of the file"},
      about,
      params,
      check,
      {"import", Holds::imports,
       "`alias: path`: the defs of another file, called `alias.def`; `std/NAME` is one of Weft's."},
      defs,
      model,
      {"data", Holds::section, "What to learn from."},
      {"train", Holds::section, "Training."},
      {"eval", Holds::section, "Validation."},
      {"generate", Holds::section, "Text from the model."},
      {"sweep", Holds::map, "Several runs: `weft sweep FILE`.", {}, false, "sweep"}};
  model.required = true;
  return {{"description", description},
          {"inline", {about, params, check, defs, model}},
          {"sweep",
           {{"grid", Holds::settings,
             "Every combination of the values given for each path, as in `params.width: [64, 128]`."},
            {"list", Holds::setting_list, "These settings one after another; with a grid, each with all of it."}}},
          {"param",
           {{"type", Holds::word, "What it may be.", "any value", false, {}, {"int", "float", "bool", "enum"}},
            {"default", Holds::expression, "Its value unless another is given; may use other params."},
            {"min", Holds::expression, "The least value."},
            {"max", Holds::expression, "The greatest value."},
            {"choices", Holds::words, "The words of an enum."},
            about}}};
}

std::vector<MapKeys> def_tables() {
  const Field shape{"shape", Holds::shape, "Its dimensions: `[D, H * dk]`.", {}, kRequired};
  const Field over{"over", Holds::word, "The dimension it runs over.", {}, kRequired, {}, {"T"}};
  return {
      {"def",
       {{"about", Holds::text, "For people."},
        {"params", Holds::maps_or_values, "Given by name at the call.", {}, false, "param"},
        {"in", Holds::shapes, "Inputs and their dimensions: `x: [T, D]`; the first is what comes through the list."},
        {"dims", Holds::sizes, "Names for sizes: `dk: D / H`."},
        {"weights", Holds::maps_or_values, "Matrices and vectors to be learned.", {}, false, "weight"},
        {"let", Holds::equations, "Equations, in order; each name has one definition."},
        {"recurrence", Holds::map, "One step along time.", {}, false, "recurrence"},
        {"fold", Holds::map, "A tree over time, merged pair by pair.", {}, false, "fold"},
        {"out", Holds::out, "An expression, or several named ones, of which the last is the value.", {}, kRequired}}},
      {"weight",
       {shape,
        {"init", Holds::expression, "zeros, ones, a number, normal(std), uniform(a), xavier(gain), orthogonal(gain).",
         "xavier; zeros below rank 2"},
        {"decay", Holds::boolean, "Whether weight decay applies.", "from rank 2 up"},
        {"buffer", Holds::boolean, "Drawn, and not trained.", "false"},
        {"redraw", Holds::expression, "Of a buffer: steps between two draws.", "never"}}},
      {"recurrence",
       {over,
        {"state", Holds::maps_or_values, "What a step hands to the next.", {}, kRequired, "state"},
        {"step",
         Holds::equations,
         "Equations of one position; a state's name is its value before the step.",
         {},
         kRequired},
        {"read", Holds::equations, "Equations after the step; they become sequences.", {}, kRequired},
        {"forms",
         Holds::words,
         "Forms that must exist.",
         "auto",
         false,
         {},
         {"auto", "recurrent", "chunkwise", "parallel"}},
        {"chunk", Holds::expression, "Positions of a chunk.", "chosen by cost"}}},
      {"state",
       {shape,
        {"init", Holds::expression, "The value before the first step; `learned` makes it a weight.", "zeros"},
        {"learned", Holds::boolean, "Whether the first value is a weight.", "false"}}},
      {"fold",
       {over,
        {"leaf", Holds::equations, "The value of a node with one token.", {}, kRequired},
        {"merge", Holds::equations, "Two nodes as one: `left(c)`, `right(c)`, `level`.", {}, kRequired},
        {"read", Holds::equations, "What a position sees of the nodes before it.", {}, kRequired}}}};
}

std::vector<MapKeys> item_tables() {
  const Field name{"name", Holds::name, "Replaces the item's place in the names of weights."};
  const Field body{"body", Holds::items, "The layers inside.", {}, kRequired};
  const Field times{"times", Holds::expression, "How often.", {}, kRequired};
  const Field as{"as", Holds::name, "A name for the counter, from 0 on."};
  const Field with{"with", Holds::arguments, "Values for its params."};
  return {
      {"residual",
       {{"norm", Holds::item, "A layer before the body (after the sum with `pre: false`)."},
        {"pre", Holds::boolean, "true: x + body(norm(x)); false: norm(x + body(x)).", "true"},
        body,
        name}},
      {"parallel",
       {{"branches", Holds::branches, "Layers that all take the same input.", {}, kRequired},
        {"combine",
         Holds::word,
         "How their outputs become one; gate: the first times the sigmoid of the second.",
         "add",
         false,
         {},
         {"add", "concat", "mul", "gate"}},
        name}},
      {"repeat", {times, as, {"tied", Holds::boolean, "One set of weights for all passes.", "false"}, body, name}},
      {"cycle", {times, as, {"of", Holds::branches, "The layers to take in turn.", {}, kRequired}, name}},
      {"share",
       {{"name", Holds::name, "What the shared weights are called.", {}, kRequired},
        {"of", Holds::items, "The layers; said at the first use alone."}}},
      {"use item",
       {{"use", Holds::path, "The composition of another file: `std/retnet`, or a path.", {}, kRequired}, with, name}},
      {"inline item",
       {{"inline",
         Holds::map,
         "A description inside a description: a composition with params, defs and names of its own.",
         {},
         kRequired,
         "inline"},
        with,
        name}}};
}

}  // namespace

const std::vector<MapKeys>& structure() {
  static const std::vector<MapKeys> all = [] {
    std::vector<MapKeys> tables = top_tables();
    for (auto* more : {def_tables, item_tables}) {
      for (MapKeys& map : more()) tables.push_back(std::move(map));
    }
    return tables;
  }();
  return all;
}

const std::vector<Field>& keys_of(std::string_view map) {
  for (const MapKeys& m : structure()) {
    if (m.name == map) return m.keys;
  }
  throw std::logic_error(fmt::format("structure: there is no map `{}`", map));
}

std::vector<std::string> key_names(std::string_view map) {
  std::vector<std::string> names;
  for (const Field& key : keys_of(map)) names.emplace_back(key.name);
  return names;
}

const std::vector<std::string>& words_of(std::string_view map, std::string_view key) {
  for (const Field& k : keys_of(map)) {
    if (k.name == key) return k.words;
  }
  throw std::logic_error(fmt::format("structure: `{}` has no key `{}`", map, key));
}

const std::vector<std::string>& item_keywords() {
  static const std::vector<std::string> names = {"residual", "parallel", "repeat", "cycle", "share", "use", "inline"};
  return names;
}

}  // namespace weft::dsl
