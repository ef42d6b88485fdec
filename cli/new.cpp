// weft new FILE: a description to start from. weft new --op NAME: the header of a new op, which has every property of
// the suite from the start.
#include <CLI/CLI.hpp>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "cli/output.h"
#include "cli/starter.h"
#include "cli/verb.h"
#include "dsl/expression_lexer.h"
#include "ops/table.h"
#include "train/session.h"

namespace weft::cli {
namespace {

namespace fs = std::filesystem;

// Words that C++ takes for itself, and those whose struct would hide a type that every op names.
constexpr std::string_view kKeywords =
    " alignas alignof and asm auto bool break case catch char class compl concept const consteval constexpr constinit "
    "continue decltype default delete do double else enum explicit export extern false final float for friend goto if "
    "inline int long main mutable namespace new noexcept not nullptr operator or override private protected public "
    "register requires return short signed sizeof static std struct switch template this throw true try typedef typeid "
    "typename union unsigned using virtual void volatile while xor ";
constexpr std::string_view kTypes =
    " attrs axis composite cost dim dims doc general graph input input_dims kernel op pointwise pointwise_binary reads "
    "reduce row sample shape table tensor var weft ";

bool contains_word(std::string_view words, const std::string& word) {
  return words.find(" " + word + " ") != std::string_view::npos;
}

void check_name(const std::string& name) {
  const bool letters = name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
  const bool ends = !name.empty() && name[0] >= 'a' && name[0] <= 'z' && name.back() != '_';
  check(letters && ends && name.find("__") == std::string::npos,
        "`{}` is no name for an op: lower-case words joined by single underscores, such as `soft_clip`", name);
  check(!contains_word(kKeywords, name) && !dsl::is_reserved(name),
        "`{}` means something in C++ or in equations; an op needs another name", name);
  check(!contains_word(kTypes, name), "the engine has a type of the name `{}`; an op needs another", name);
  check(!ops::find(name), "there is an op `{}` already; `weft ops {}` tells about it", name, name);
}

// soft_clip -> SoftClip, as ops/units.cmake does.
std::string type_name(const std::string& name) {
  std::string type;
  bool start = true;
  for (const char c : name) {
    if (c != '_') type += start ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    start = c == '_';
  }
  return type;
}

// The folder of ops that this program was built from, when the launcher says where that is.
fs::path folder_of(const std::string& into) {
  if (!into.empty()) return into;
  const char* home = std::getenv("WEFT_HOME");
  const fs::path ops = home && *home ? fs::relative(fs::path(home) / "ops") : fs::path("ops");
  check(fs::exists(ops / "table.h"),
        "there are no sources of Weft here; call ./weft, or give a folder of your own: --into DIR");
  return ops;
}

int new_op(const std::string& name, const std::string& family, const std::string& into) {
  check_name(name);
  const fs::path folder = folder_of(into), file = folder / (name + ".h");
  if (!fs::is_directory(folder)) throw Error(fmt::format("there is no folder {}", folder.string()), Failure::data);
  for (const ops::Template& t : ops::templates()) {
    if (t.family == family)
      write_new(file, replaced(replaced(std::string(t.text), "NewOp", type_name(name)), "new_op", name));
  }
  std::cout << fmt::format("{} is an op that works, with an equation to be replaced. Next:\n", file.string());
  if (!into.empty())
    std::cout << fmt::format("  cmake -B build -DWEFT_EXTRA_OPS={}   once: builds the folder in\n",
                             fs::absolute(folder).string());
  std::cout << fmt::format("  edit it, then prove it:  ./weft test --op {}\n  its reference:           ./weft ops {}\n",
                           name, name)
            << fmt::format("  call it:                 {}(x) in equations, ops::{}(x) in C++\n", name, name)
            << "docs/adding-an-op.md is a walk through all of it.\n";
  return 0;
}

int new_description(const std::string& file, const std::string& from) {
  const std::string name = from.starts_with("std/") ? from.substr(4) : from;
  write_new(file, name.empty() ? starter(file) : starter_from(file, name));
  std::cout << fmt::format("{0} is a model that can be trained. Next:\n  ./weft check {0}\n  ./weft train {0}\n",
                           train::shell_word(file));
  return 0;
}

}  // namespace

Verb new_verb() {
  return {"new", "a description to start from; the header of a new op",
          "  ./weft new mine.yaml\n  ./weft new mine.yaml --from retnet\n  ./weft new --op soft_clip\n",
          [](CLI::App& app) {
            auto file = std::make_shared<std::string>(), from = std::make_shared<std::string>();
            auto* place = app.add_option("FILE", *file, "the description to write: a mixer of your own, explained");
            app.add_option("--from", *from, "start from this architecture of `weft std list`")->needs(place);
            auto op = std::make_shared<std::string>(), family = std::make_shared<std::string>("pointwise"),
                 into = std::make_shared<std::string>();
            std::vector<std::string> families;
            for (const ops::Template& t : ops::templates()) families.emplace_back(t.family);
            auto* option = app.add_option("--op", *op, "name of the op, and of its file")->excludes(place);
            app.add_option("--family", *family, "what it starts from: pointwise, reduce, composite or general")
                ->check(CLI::IsMember(families))
                ->needs(option);
            app.add_option("--into", *into, "a folder of your own instead of ops/, built in by -DWEFT_EXTRA_OPS=DIR")
                ->needs(option);
            return [=] {
              if (option->count() > 0) return new_op(*op, *family, *into);
              check(!file->empty(), "`weft new` needs the FILE to write, or `--op NAME`");
              return new_description(*file, *from);
            };
          }};
}

}  // namespace weft::cli
