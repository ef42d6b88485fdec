// Did-you-mean: what a person may have meant by a name that is not legal here.

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "dsl/diagnostic.h"

namespace weft::dsl {
namespace {

struct Synonym {
  std::string_view other;
  std::string_view ours;
};

/// Usual spellings elsewhere, compared without case and underscores. They are answered, not
/// accepted: one name per thing.
constexpr std::array kSynonyms = {
    Synonym{"silu", "swish"},
    Synonym{"rmsnorm", "rms_norm"},
    Synonym{"layernorm", "layer_norm"},
    Synonym{"groupnorm", "group_norm"},
    Synonym{"l2norm", "l2_norm"},
    Synonym{"normalize", "l2_norm"},
    Synonym{"detach", "stop_gradient"},
    Synonym{"stopgrad", "stop_gradient"},
    Synonym{"stopgradient", "stop_gradient"},
    Synonym{"nograd", "stop_gradient"},
    Synonym{"matmul", "@"},
    Synonym{"bmm", "@"},
    Synonym{"mm", "@"},
    Synonym{"einsum", "@"},
    Synonym{"pow", "^"},
    Synonym{"power", "^"},
    Synonym{"transpose", "^T"},
    Synonym{"mul", "*"},
    Synonym{"multiply", "*"},
    Synonym{"div", "/"},
    Synonym{"add", "+"},
    Synonym{"sub", "-"},
    Synonym{"neg", "-"},
    Synonym{"logistic", "sigmoid"},
    Synonym{"conv", "causal_conv"},
    Synonym{"conv1d", "causal_conv"},
    Synonym{"shortconv", "causal_conv"},
    Synonym{"rope", "rotate"},
    Synonym{"rotary", "rotate"},
    Synonym{"xpos", "rotate"},
    Synonym{"sdpa", "attention"},
    Synonym{"scaleddotproductattention", "attention"},
    Synonym{"softmaxattention", "attention"},
    Synonym{"selfattention", "attention"},
    Synonym{"splitheads", "to_heads"},
    Synonym{"heads", "to_heads"},
    Synonym{"joinheads", "merge_heads"},
    Synonym{"combineheads", "merge_heads"},
    Synonym{"decay", "decay_mask"},
    Synonym{"permute", "rearrange"},
    Synonym{"einops", "rearrange"},
    Synonym{"narrow", "slice"},
    Synonym{"take", "gather"},
    Synonym{"takealongaxis", "gather"},
    Synonym{"repeat", "repeat_along"},
    Synonym{"repeatinterleave", "repeat_along"},
    Synonym{"tile", "repeat_along"},
    Synonym{"idct", "dct"},
    Synonym{"mseloss", "mse"},
    Synonym{"solvetriangular", "triangular_solve"},
    Synonym{"gt", "greater"},
    Synonym{"ge", "greater_equal"},
    Synonym{"lt", "less"},
    Synonym{"le", "less_equal"},
    Synonym{"eq", "equal"},
    Synonym{"gumbel", "gumbel_softmax"},
    Synonym{"nllloss", "cross_entropy"},
    Synonym{"xent", "cross_entropy"},
    Synonym{"embeddings", "embed"},
    Synonym{"lmhead", "logits"},
    Synonym{"unembed", "logits"},
    Synonym{"dense", "linear"},
    Synonym{"fc", "linear"},
    Synonym{"mlp", "ffn"},
    Synonym{"feedforward", "ffn"},
    Synonym{"fft", "dft"},
    Synonym{"iota", "arange"},
    Synonym{"max", "maximum"},
    Synonym{"min", "minimum"},
    Synonym{"amax", "max"},
    Synonym{"reducesum", "sum"},
    Synonym{"average", "mean"},
    Synonym{"positions", "position"},
    Synonym{"kron", "outer"},
    Synonym{"inner", "dot"},
    Synonym{"chunk", "chunkwise"},
    Synonym{"rnn", "recurrent"},
    Synonym{"clip", "clamp"},
    Synonym{"axis", "dim"},
    Synonym{"hiddensize", "hidden"},
    Synonym{"dropoutrate", "p"},
    Synonym{"states", "state"},
    Synonym{"inputs", "in"},
    Synonym{"input", "in"},
    Synonym{"output", "out"},
    Synonym{"outputs", "out"},
    Synonym{"equations", "let"},
    Synonym{"imports", "import"},
    Synonym{"param", "params"},
    Synonym{"parameters", "params"},
    Synonym{"layers", "model"},
    Synonym{"definitions", "defs"},
    Synonym{"checks", "check"},
    Synonym{"description", "about"},
    Synonym{"doc", "about"},
    Synonym{"version", "schema"},
    Synonym{"integer", "int"},
    Synonym{"double", "float"},
    Synonym{"real", "float"},
    Synonym{"boolean", "bool"},
    Synonym{"string", "enum"},
    Synonym{"n", "times"},
    Synonym{"count", "times"},
};

std::string folded(std::string_view name) {
  std::string result;
  for (const char c : name) {
    if (c != '_' && c != '-') result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return result;
}

bool is_operator(std::string_view name) { return !name.empty() && !std::isalpha(static_cast<unsigned char>(name[0])); }

}  // namespace

// d[i][j] = least cost of turning the first i bytes of a into the first j bytes of b.
int edit_distance(std::string_view a, std::string_view b) {
  const size_t n = a.size(), m = b.size();
  std::vector<std::vector<int>> d(n + 1, std::vector<int>(m + 1));
  for (size_t i = 0; i <= n; ++i) {
    for (size_t j = 0; j <= m; ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = static_cast<int>(i + j);
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[n][m];
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates) {
  constexpr size_t kLongest = 64;  // names are short: a page of text is nobody's typing mistake
  if (name.empty() || name.size() > kLongest) return {};
  const std::string plain = folded(name);
  for (const Synonym& s : kSynonyms) {
    if (s.other != plain) continue;
    const auto found = std::find(candidates.begin(), candidates.end(), s.ours);
    if (found != candidates.end()) return *found;
  }
  const int limit = std::min(3, std::max(1, static_cast<int>(name.size()) / 3));
  std::string best;
  int least = limit + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongest || candidate == name) continue;
    // Another case or another underscore is one mistake; a guess that replaces every letter is no
    // guess.
    int distance = folded(candidate) == plain ? 1 : edit_distance(name, candidate);
    if (distance >= static_cast<int>(name.size()) && folded(candidate) != plain) distance = limit + 1;
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  if (!best.empty()) return best;
  for (const Synonym& s : kSynonyms) {
    if (s.other == plain && is_operator(s.ours)) return std::string(s.ours);
  }
  return {};
}

std::string guess_text(std::string_view name, const std::vector<std::string>& candidates) {
  const std::string guess = did_you_mean(name, candidates);
  if (guess.empty()) return {};
  return is_operator(guess) ? fmt::format("write it with the operator `{}`", guess)
                            : fmt::format("did you mean `{}`?", guess);
}

std::string listed(const std::vector<std::string>& names, std::string_view last_word) {
  constexpr size_t kListed = 40;
  std::string result;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i == kListed) return result + fmt::format(" and {} more", names.size() - i);
    if (i > 0) result += i + 1 == names.size() ? fmt::format(" {} ", last_word) : ", ";
    result += fmt::format("`{}`", names[i]);
  }
  return result;
}

}  // namespace weft::dsl
