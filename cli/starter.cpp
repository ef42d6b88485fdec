#include "cli/starter.h"

#include <filesystem>

#include "cli/output.h"
#include "cli/work.h"
#include "train/session.h"

namespace weft::cli {
namespace {

// What stands above every starter: the commands, in the order in which one needs them.
constexpr const char* kHead = R"(# It works as it stands. Change something and ask again:
#
#   ./weft check FILE       every error at its place; then weights, memory and cost of a step
#   ./weft explain FILE     what its recurrences are, and the forms they can be computed in
#   ./weft verify FILE      proof on a small instance: gradients, equal forms, no look ahead, streaming
#   ./weft train FILE       prints the folder of the run as it starts
#   ./weft generate RUN --prompt "the " --tokens 400
#
# `./weft ops` lists what equations may call, docs/language.md tells everything else.
)";

constexpr const char* kMixer = R"(schema: 1
name: NAME
about: A mixer of my own.

# Numbers to try from the command line: ./weft train FILE -p D=128
params: {D: 64, H: 4, layers: 2}

defs:
  mixer:
    # The batch is never written. T is time; other names of dimensions are free, and sizes follow from them.
    params: {H: int}
    in: {x: [T, D]}
    dims: {d: D / H}
    weights:
      Wq: [D, H * d]
      Wk: [D, H * d]
      Wv: [D, H * d]
      Wa: [D, H]
      ba: {shape: [H], init: 3}               # sigmoid(3) = 0.95: at first most is kept
      Wo: [H * d, D]
    let:
      # What every position computes from itself alone. `-> [...]` is a claim: it is checked.
      q: to_heads(x @ Wq, H) / sqrt(d) -> [H, T, d]    # what it looks for
      k: to_heads(x @ Wk, H) -> [H, T, d]              # where it writes
      v: to_heads(x @ Wv, H) -> [H, T, d]              # what it writes
      a: sigmoid(x @ Wa + ba) -> [T, H]                # how much of the memory it keeps
    recurrence:
      over: T
      # What one position hands to the next: a matrix for each head, zeros at first.
      state: {S: [H, d, d]}
      # One step. On the right, S is the memory before it; q k v a are their values at this position, without T.
      # Change this line. For the delta rule, which takes out what it had stored under k before it writes (bound k first,
      # as in `k: l2_norm(...)` above):   S: a * S + outer(k, v - k @ (a * S))
      step:
        S: a * S + outer(k, v)
      # What the position sees, after the step. It becomes a sequence again: y is [H, T, d].
      read:
        y: q @ S
    out: group_norm(merge_heads(y), H) @ Wo

# From tokens [T] to a score for every token [T, vocab].
model:
  - embed: {width: D}
  - repeat:
      times: layers
      body:
        - residual: {norm: rms_norm, body: [{mixer: {H: H}}]}
        - residual: {norm: rms_norm, body: [{swiglu: {hidden: 2 * D}}]}
  - rms_norm
  - logits: {tie: embed}

# The text inside the program. For one of yours: data: {text: {path: mine.txt}}
data: {text: {builtin: weft}}
train: {steps: STEPS, batch: 16, context: 64, optimizer: {adamw: {lr: 5e-3}}}
)";

constexpr const char* kTraining = R"(
data: {text: {builtin: weft}}
train: {steps: 500, batch: 8, context: 128}
)";

// A word that YAML takes for a text and a folder can be called after.
std::string plain_name(const std::string& file) {
  std::string name;
  for (const char c : std::filesystem::path(file).stem().string())
    name += std::isalnum(static_cast<unsigned char>(c)) || c == '_' ? c : '-';
  return name.find_first_not_of("0123456789-") == std::string::npos ? "model" : name;
}

bool reads(const dsl::Param& param, const std::vector<dsl::Param>& others) {
  const std::vector<std::string> names = dsl::names_in(*param.value);
  return std::any_of(others.begin(), others.end(), [&](const dsl::Param& other) {
    return std::find(names.begin(), names.end(), other.name) != names.end();
  });
}

}  // namespace

std::string starter(const std::string& file) {
  const std::string text = std::string("# A sequence model of your own.\n#\n") + kHead + kMixer;
  return replaced(replaced(replaced(text, "FILE", train::shell_word(file)), "NAME", plain_name(file)), "STEPS", "1200");
}

std::string starter_from(const std::string& file, const std::string& library_name) {
  dsl::Diagnostics d;
  const std::string path = "std/" + library_name;
  const dsl::File used = dsl::parse_file(dsl::make_source(path, std::string(library_text(library_name))), d);
  check(!used.model.empty(), "{} has no model to start from; `weft std list` says what there is", path);
  std::string text =
      fmt::format("# {}\n#\n{}schema: 1\nname: {}\n\nmodel:\n  use: {}     # its text: ./weft std show {}\n  with:\n",
                  used.about.substr(0, used.about.find('\n')), replaced(kHead, "FILE", train::shell_word(file)),
                  plain_name(file), path, library_name);
  for (const dsl::Param& p : used.params) {
    const bool comment = p.value && reads(p, used.params);  // its names are not known here
    const std::string value = p.value ? dsl::expr_text(*p.value) : "";
    text +=
        fmt::format("    {}{}: {}{}\n", comment ? "# " : "", p.name, value, p.about.empty() ? "" : "   # " + p.about);
  }
  return text + kTraining;
}

}  // namespace weft::cli
