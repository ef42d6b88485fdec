// ListOps (Nangia and Bowman 2018, arXiv:1804.06028): nested MIN, MAX, MED and SUM MOD of digits; the class is the
// value. From files in either published layout, or made by the published rules (Tay et al. 2020, arXiv:2011.04006,
// too).
#include <algorithm>
#include <array>
#include <map>
#include <numeric>

#include "train/file.h"
#include "train/make_option.h"
#include "train/sequences.h"
#include "train/terminal.h"

namespace weft::train {
namespace {

// Tokens: the digits, the operators, the end of one.
constexpr std::array<std::string_view, 15> kTokens = {"0", "1", "2",    "3",    "4",    "5",   "6", "7",
                                                      "8", "9", "[MIN", "[MAX", "[MED", "[SM", "]"};
enum : i32 { kMin = 10, kMax = 11, kMed = 12, kSum = 13, kEnd = 14 };

i32 applied(i32 op, std::vector<i32> args) {
  if (op == kMin) return *std::min_element(args.begin(), args.end());
  if (op == kMax) return *std::max_element(args.begin(), args.end());
  if (op == kSum) return std::accumulate(args.begin(), args.end(), 0) % 10;
  std::sort(args.begin(), args.end());
  const std::size_t half = args.size() / 2;
  return args.size() % 2 == 1 ? args[half] : (args[half - 1] + args[half]) / 2;  // rounded down
}

// ---- by the rules -----------------------------------------------------------------------------------------------

struct Rules {
  i64 max_args, max_depth, shortest, longest;
};

// A node is an operator with probability 1/4, below the deepest level never, at the root always: a digit alone, which
// the published sets have ten times at most, is no task.
class Tree {
 public:
  Tree(const Rules& rules, Key key) : rules_(rules), key_(key) { value = node(1); }
  std::vector<i32> tokens;
  i32 value = 0;
  bool fits() const {
    const i64 n = std::ssize(tokens);
    return n >= rules_.shortest && n <= rules_.longest;
  }

 private:
  u64 draw(u64 n) { return bits(key_, drawn_++) % n; }
  i32 node(i64 depth) {
    const bool op = depth == 1 || (depth < rules_.max_depth && draw(4) == 0);
    if (!op || std::ssize(tokens) > rules_.longest) {  // too long already: the rest does not matter
      tokens.push_back(static_cast<i32>(draw(10)));
      return tokens.back();
    }
    const i32 which = kMin + static_cast<i32>(draw(4));
    tokens.push_back(which);
    std::vector<i32> args(2 + static_cast<std::size_t>(draw(static_cast<u64>(rules_.max_args - 1))));
    for (i32& arg : args) arg = node(depth + 1);
    tokens.push_back(kEnd);
    return applied(which, std::move(args));
  }
  const Rules& rules_;
  Key key_;
  u64 drawn_ = 0;
};

constexpr u64 kTries = 100000;  // of lengths that the rules can hardly make

Example made(const Rules& rules, Key key) {
  for (u64 i = 0; i < kTries; ++i) {
    Tree tree(rules, key.fold(i));
    if (tree.fits()) return {std::move(tree.tokens), {tree.value}};
  }
  throw Error(
      fmt::format("data.listops: of {} expressions none had {} to {} tokens; give other lengths, or more of "
                  "max_depth and max_args",
                  kTries, rules.shortest, rules.longest));
}

// ---- what is known without a network ----------------------------------------------------------------------------

// The class that was the most frequent, of all and behind each first operator.
std::vector<Floor> floors_of(std::span<const Example> train, std::span<const Example> valid) {
  std::map<i32, std::array<i64, 10>> by_root;
  std::array<i64, 10> all{};
  const auto first = [](const Example& e) { return e.tokens.front(); };
  for (const Example& e : train)
    ++all[static_cast<std::size_t>(e.targets[0])], ++by_root[first(e)][static_cast<std::size_t>(e.targets[0])];
  const auto best = [](const std::array<i64, 10>& counts) {
    return static_cast<i32>(std::max_element(counts.begin(), counts.end()) - counts.begin());
  };
  double majority = 0, root = 0;
  for (const Example& e : valid) {
    const auto seen = by_root.find(first(e));
    majority += best(all) == e.targets[0];
    root += best(seen == by_root.end() ? all : seen->second) == e.targets[0];
  }
  const double n = static_cast<double>(valid.size());
  return {{"most frequent class", {}, majority / n}, {"first operator alone", {}, root / n}};
}

class ListOpsTask final : public Task {
 public:
  ListOpsTask(const Rules& rules, i64 valid)
      : Task(fmt::format("ListOps of {} to {} tokens, depth {}, {} arguments", rules.shortest, rules.longest,
                         rules.max_depth, rules.max_args),
             {std::ssize(kTokens), 10}, rules.longest, valid, 0.1),
        rules_(rules) {
    made(rules_, Key{});  // whether there are any
  }
  std::vector<Floor> floors() const override {
    constexpr u64 kCounted = 10000;
    std::vector<Example> train, valid;
    for (u64 i = 0; i < kCounted; ++i) {
      train.push_back(make(Key{}.fold("floors").fold(i)));
      valid.push_back(make(Key{}.fold("floors of validation").fold(i)));
    }
    return floors_of(train, valid);
  }

 private:
  Example make(Key key) const override { return made(rules_, key); }
  Rules rules_;
};

// ---- files --------------------------------------------------------------------------------------------------------

// The value of an expression; nothing when it is none.
std::optional<i32> evaluated(const std::vector<i32>& tokens) {
  std::vector<std::vector<i32>> open = {{}};  // the values so far, within each operator that is not closed
  for (const i32 token : tokens) {
    if (token >= kMin && token != kEnd) {
      open.push_back({token});
      continue;
    }
    i32 value = token;
    if (token == kEnd) {
      if (open.size() < 2 || open.back().size() < 2) return {};
      value = applied(open.back()[0], {open.back().begin() + 1, open.back().end()});
      open.pop_back();
    }
    open.back().push_back(value);
  }
  return open.size() == 1 && open[0].size() == 1 ? std::optional(open[0][0]) : std::nullopt;
}

// One line: "label <tab> expression", or "expression <tab> label" as in long ListOps, which has round brackets, too.
Example parsed(std::string_view line, const std::string& source, std::size_t number) {
  const auto fail = [&](const std::string& why) { fail_data("{}:{}: {}", source, number, why); };
  const std::size_t tab = line.find('\t');
  if (tab == std::string_view::npos) fail("a line of ListOps is an expression and its value with a tab between them");
  std::string_view label = line.substr(0, tab), text = line.substr(tab + 1);
  if (label.size() > 1) std::swap(label, text);
  if (label.size() != 1 || label[0] < '0' || label[0] > '9') fail("the value is a digit");
  Example e{{}, {label[0] - '0'}};
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    begin = end + 1;
    if (word.empty() || word == "(" || word == ")") continue;
    const auto found = std::find(kTokens.begin(), kTokens.end(), word);
    if (found == kTokens.end()) fail(fmt::format("`{}` is no digit, operator or `]`", dsl::printable(word)));
    e.tokens.push_back(static_cast<i32>(found - kTokens.begin()));
  }
  const std::optional<i32> value = evaluated(e.tokens);
  if (!value) fail("the brackets do not make an expression");
  if (*value != e.targets[0]) fail(fmt::format("the value is {}, not {}", *value, e.targets[0]));
  return e;
}

class ListOpsFiles final : public Examples {
 public:
  ListOpsFiles(const std::filesystem::path& train, const std::filesystem::path& valid, i64 longest) {
    source = train.string();
    train_ = read(train, longest);
    valid_ = read(valid, longest);
    sizes = {std::ssize(kTokens), 10};
    hash = hash_of(fmt::format("{} {}", hash, longest));
    measure();
  }
  std::string unit() const override { return "sequence"; }
  std::string amount() const override {
    return fmt::format("{} sequences to learn from, {} to validate{}", grouped(std::ssize(train_)),
                       grouped(std::ssize(valid_)),
                       left_out_ ? fmt::format("; {} longer ones are left out", grouped(left_out_)) : "");
  }
  std::vector<Floor> floors() const override { return floors_of(train_, valid_); }

 private:
  std::vector<Example> read(const std::filesystem::path& path, i64 longest) {
    const std::string text = read_file(path);
    hash += hash_of(text);
    std::vector<Example> all;
    std::size_t number = 0;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      std::string_view line = std::string_view(text).substr(begin, end - begin);
      begin = end + 1;
      ++number;
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (line.empty() || (number == 1 && line == "Source\tTarget")) continue;
      Example e = parsed(line, path.string(), number);
      if (std::ssize(e.tokens) <= longest) all.push_back(std::move(e));
      else ++left_out_;
    }
    if (all.empty()) fail_data("{}: has no expression of up to {} tokens", path.string(), longest);
    return all;
  }
  i64 left_out_ = 0;
};

void check_listops(const Settings& data) {
  const auto place = [&](const char* name) { return dsl::place_text(data.span(std::string("listops.") + name)); };
  check(data.has("listops.path") == data.has("listops.valid"), "{}: `path` and `valid` come together",
        place(data.has("listops.path") ? "path" : "valid"));
  for (const char* name : {"max_args", "max_depth", "shortest", "valid_count"}) {
    const bool idle = data.has("listops.path") && data.given(std::string("listops.") + name);
    check(!idle, "{}: `{}` is for expressions that are made, and `path` gives some", place(name), name);
  }
  check(data.whole("listops.shortest") <= data.whole("listops.longest"), "{}: `shortest` is at most `longest`, {}",
        place("shortest"), data.whole("listops.longest"));
}

}  // namespace

DataKind listops_kind() {
  return {section("listops", "Nested operations on digits; the class is the value (Nangia and Bowman 2018).",
                  {path("path", "A file of expressions and values, instead of making them."),
                   path("valid", "Another one to validate on."),
                   whole("longest", "100", 4, "Tokens; longer ones are left out.", kMost),
                   whole("shortest", "4", 4, "Tokens of those that are made.", kMost),
                   whole("max_args", "5", 2, "Arguments of an operator, from 2 on. Long ListOps has 10.", kMost),
                   whole("max_depth", "20", 2, "Levels, that of the digits included. Long ListOps has 10.", 1000),
                   whole("valid_count", "1000", 1, "Sequences to validate on, the same in every run.", kMost)}),
          [](const Settings&) { return dsl::DataSizes(std::ssize(kTokens), 10); }, check_listops,
          [](const Settings& data, const DataGiven& given) -> std::shared_ptr<const Data> {
            if (!given.files && data.has("listops.path")) return nullptr;
            const i64 longest = data.whole("listops.longest");
            if (data.has("listops.path"))
              return std::make_shared<const ListOpsFiles>(data.path("listops.path"), data.path("listops.valid"),
                                                          longest);
            return std::make_shared<const ListOpsTask>(
                Rules{data.whole("listops.max_args"), data.whole("listops.max_depth"), data.whole("listops.shortest"),
                      longest},
                data.whole("listops.valid_count"));
          }};
}

}  // namespace weft::train
