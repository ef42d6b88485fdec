// weft explain FILE: what each recurrence is, in which forms it can be computed, what they take, and why; and what each
// fold is.
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include <iostream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/tensors.h"
#include "cli/verb.h"
#include "cli/work.h"
#include "ops/shared/tree.h"

namespace weft::cli {
namespace {

using Json = nlohmann::ordered_json;
using Report = dsl::RecurrenceReport;

// At what the numbers are given: the length and precision of training.
struct At {
  i64 length;
  DType dtype;
};

std::string line_of(const dsl::Span& span) {
  return span.source ? fmt::format("{}:{}", span.source->name, dsl::place(span).line) : "";
}

// `text` behind `head`, its words on lines of 100 columns below each other.
std::string wrapped(const std::string& head, const std::string& text) {
  constexpr std::size_t kColumns = 100;
  std::string all = head;
  std::size_t used = head.size();
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (used > head.size() && used + 1 + word.size() > kColumns) {
      all += "\n" + std::string(head.size(), ' ');
      used = head.size();
    } else if (used > head.size()) {
      all += " ", ++used;
    }
    all += word, used += word.size();
  }
  return all + "\n";
}

double state_bytes(const Report& r, DType dtype) {
  double bytes = 0;
  for (const dsl::StateReport& s : r.states) bytes += static_cast<double>(byte_count(weft::bind(s.dims, {}), dtype));
  return bytes;
}

// Of the last nodes of all levels and the number of tokens.
double state_bytes(const dsl::FoldReport& f, DType dtype) {
  i64 numbers = 1;
  for (const dsl::NodeReport& v : f.values) numbers += ops::kTreeLevels * element_count(weft::bind(v.dims, {}));
  return static_cast<double>(byte_count({numbers}, dtype));
}

bool runs(const Report& r, const std::string& op) { return std::find(r.ops.begin(), r.ops.end(), op) != r.ops.end(); }

// What is computed when nobody asks for a form, and why that.
std::string choice(const Report& r) {
  if (r.taken == "scan") return "the loop, in training and in a stream: there is no other form";
  const std::string by = "(" + dsl::listed(r.ops, "and") + ")";
  if (!runs(r, "linrec")) return "one pass over all positions, under the name of any form " + by;
  const std::string chunks = fmt::format("chunkwise, {} positions a chunk", r.chunk);
  if (r.taken != "auto") return fmt::format("{} {}, demanded", r.taken == "chunkwise" ? chunks : r.taken, by);
  return fmt::format("{} {}, in training: {}; single steps in a stream", chunks, by,
                     r.chunk_written ? "as the file says" : "measured as the fastest");
}

// ---- as text --------------------------------------------------------------------------------------------------

void print_states(const Report& r) {
  for (const dsl::GradientReport& g : r.gradients) {
    std::cout << wrapped("  ", g.written) << wrapped("      is        ", g.derived);
  }
  for (const dsl::StateReport& s : r.states) {
    std::cout << fmt::format("  {} {} = {}: {}\n", s.name, text(s.dims), text(weft::bind(s.dims, {})), s.kind)
              << wrapped("      equation  ", s.update) << wrapped("      because   ", s.why.text);
    for (const dsl::PartReport& p : r.parts) {
      if (p.state == s.name) std::cout << wrapped(fmt::format("      {:<8}  ", p.name), p.text);
    }
  }
}

void print_forms(const Report& r, const At& at) {
  std::vector<std::vector<std::string>> rows = {{"form", "forward", "kept for backward"}};
  std::vector<std::pair<std::string, const dsl::Reason*>> missing;
  for (const dsl::FormReport& f : r.forms) {
    if (f.cost) {
      const dsl::FormCost c = f.cost(at.length, at.dtype);
      rows.push_back(
          {f.name, flops_text(c.flops / static_cast<double>(at.length)) + " a token", bytes_text(c.kept) + " a row"});
    } else if (!missing.empty() && missing.back().second->text == f.hinder->text) {
      missing.back().first += ", " + f.name;
    } else {
      missing.emplace_back(f.name, &*f.hinder);
    }
  }
  std::cout << columns(rows, "  ");
  for (const auto& [names, why] : missing)
    std::cout << wrapped(fmt::format("  not {}: ", names), fmt::format("{} ({})", why->text, line_of(why->where)));
}

void print_place(const auto& r) {
  std::cout << fmt::format("\n{}  {}\n", r.def, line_of(r.where));
  if (const auto n = r.paths.size(); n > 1)
    std::cout << wrapped("  at        ", fmt::format("{} places: {} .. {}", n, r.paths.front(), r.paths.back()));
  else if (!r.paths[0].empty()) std::cout << wrapped("  at        ", r.paths[0]);
}

void print_text(const Report& r, const At& at) {
  print_place(r);
  print_states(r);
  print_forms(r, at);
  std::cout << fmt::format("  state     {} a row, whatever the length\n", bytes_text(state_bytes(r, at.dtype)))
            << wrapped("  taken     ", choice(r));
}

// What a part of a fold computes for T tokens.
std::string work_of(const dsl::FoldReport& f, const std::string& op) {
  if (op == "fold_sum") return "fewer than 2 T sums";
  if (op == "fold_read") return "one node for each token and level: T log2 T";
  return f.prefixes ? "fewer than 2 T merges, a batch a level; up to 2 log2 T a token streamed"
                    : "fewer than T merges, a batch a level; up to log2 T a token streamed";
}

void print_text(const dsl::FoldReport& f, const At& at) {
  print_place(f);
  for (const dsl::NodeReport& v : f.values) {
    std::cout << fmt::format("  {} {} = {}: a value of every node\n", v.name, text(v.dims),
                             text(weft::bind(v.dims, {})))
              << wrapped("      token     ", v.leaf);
  }
  const auto print = [](const char* title, const auto& equations) {
    std::cout << title;
    for (const auto& [name, value] : equations) std::cout << wrapped(fmt::format("      {:<8}  ", name), value);
  };
  print("  merge, at every level by the same weights\n", f.merge);
  print("  read, at every token\n", f.read);
  std::vector<std::vector<std::string>> rows = {{"part", "forward", "computes"}};
  for (const dsl::FoldReport::Part& p : f.parts) {
    rows.push_back(
        {p.op, flops_text(p.flops(at.length) / static_cast<double>(at.length)) + " a token", work_of(f, p.op)});
  }
  std::cout << columns(rows, "  ")
            << fmt::format("  kept      {} a row for backward\n", bytes_text(f.kept(at.length, at.dtype)))
            << fmt::format("  state     {} a row, whatever the length: the last node of each of {} levels\n",
                           bytes_text(state_bytes(f, at.dtype)), ops::kTreeLevels);
}

// ---- as JSON --------------------------------------------------------------------------------------------------

Json document(const Report& r, const At& at) {
  Json states = Json::array(), gradients = Json::array(), parts = Json::array(), forms = Json::array();
  for (const dsl::StateReport& s : r.states) {
    states.push_back({{"name", s.name},
                      {"dims", text(s.dims)},
                      {"shape", weft::bind(s.dims, {})},
                      {"class", s.kind},
                      {"equation", s.update},
                      {"why", s.why.text},
                      {"where", line_of(s.why.where)}});
  }
  for (const dsl::GradientReport& g : r.gradients) {
    gradients.push_back({{"written", g.written}, {"derived", g.derived}, {"where", line_of(g.where)}});
  }
  for (const dsl::PartReport& p : r.parts)
    parts.push_back({{"state", p.state}, {"name", p.name}, {"expression", p.text}});
  for (const dsl::FormReport& f : r.forms) {
    Json one = {{"name", f.name}, {"exists", bool(f.cost)}};
    if (f.cost) {
      const dsl::FormCost c = f.cost(at.length, at.dtype);
      one["flops_per_token"] = c.flops / static_cast<double>(at.length);
      one["kept_bytes"] = c.kept;
    } else {
      one["why"] = f.hinder->text;
      one["where"] = line_of(f.hinder->where);
    }
    forms.push_back(one);
  }
  return {{"def", r.def},
          {"where", line_of(r.where)},
          {"places", r.paths},
          {"states", states},
          {"gradients", gradients},
          {"parts", parts},
          {"forms", forms},
          {"state_bytes", state_bytes(r, at.dtype)},
          {"taken", r.taken},
          {"chunk", r.chunk},
          {"ops", r.ops}};
}

Json document(const dsl::FoldReport& f, const At& at) {
  const auto equations = [](const auto& all) {
    Json list = Json::array();
    for (const auto& [name, value] : all) list.push_back({{"name", name}, {"expression", value}});
    return list;
  };
  Json values = Json::array(), parts = Json::array();
  for (const dsl::NodeReport& v : f.values) {
    values.push_back({{"name", v.name}, {"dims", text(v.dims)}, {"shape", weft::bind(v.dims, {})}, {"token", v.leaf}});
  }
  for (const dsl::FoldReport::Part& p : f.parts)
    parts.push_back({{"op", p.op}, {"flops_per_token", p.flops(at.length) / static_cast<double>(at.length)}});
  return {{"def", f.def},
          {"where", line_of(f.where)},
          {"places", f.paths},
          {"values", values},
          {"merge", equations(f.merge)},
          {"read", equations(f.read)},
          {"prefixes", f.prefixes},
          {"parts", parts},
          {"kept_bytes", f.kept(at.length, at.dtype)},
          {"state_bytes", state_bytes(f, at.dtype)}};
}

int explain(const Options& options, const std::string& def) {
  const Work work = prepare(read_description(options), options,
                            {.data = WithData::no, .asked = dsl::Asked{.def = def, .explain = true}});
  const train::TrainOptions o = train::train_options(work.train);
  const At at{o.context, o.dtype};
  const auto& recurrences = work.function->recurrences();
  const auto& folds = work.function->folds();
  const std::string name = def.empty() ? work.description->name() : def;
  if (options.json) {
    Json all = Json::array(), trees = Json::array();
    for (const Report& r : recurrences) all.push_back(document(r, at));
    for (const dsl::FoldReport& f : folds) trees.push_back(document(f, at));
    print_json({{"name", name},
                {"length", at.length},
                {"dtype", weft::name(at.dtype)},
                {"recurrences", all},
                {"folds", trees}});
    return 0;
  }
  print_notes(*work.function);
  std::vector<std::string> found;
  const auto count = [&](std::size_t n, const char* what) {
    if (n > 0) found.push_back(fmt::format("{} {}{}", n, what, n == 1 ? "" : "s"));
  };
  count(recurrences.size(), "recurrence");
  count(folds.size(), "fold");
  if (found.empty()) {
    std::cout << name << " has no recurrence and no fold\n";
    return 0;
  }
  std::cout << fmt::format("{}: {}; numbers for {} tokens in {}\n", name, fmt::join(found, " and "), at.length,
                           weft::name(at.dtype));
  for (const Report& r : recurrences) print_text(r, at);
  for (const dsl::FoldReport& f : folds) print_text(f, at);
  return 0;
}

}  // namespace

Verb explain_verb() {
  return {"explain", "what each recurrence and fold is, its forms with their cost, and why",
          "  ./weft explain std/retnet\n  ./weft explain model.yaml --def retention --json\n", [](CLI::App& app) {
            auto options = std::make_shared<Options>();
            auto def = std::make_shared<std::string>();
            add_options(app, *options, "FILE", "the description; - for standard input");
            app.add_option("--def", *def, "one def alone");
            return [=] { return explain(*options, *def); };
          }};
}

}  // namespace weft::cli
