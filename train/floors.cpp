#include "train/floors.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <unordered_map>
#include <utility>
#include <vector>

#include "train/terminal.h"

namespace weft::train {
namespace {

constexpr double kSmoothing = 0.05;  // added to every count, so that what was never seen has a probability

// How often each token follows each other: a table where it is small, as for bytes, which may be many.
class PairCounts {
 public:
  explicit PairCounts(i64 vocab) : vocab_(static_cast<u64>(vocab)) {
    constexpr u64 kTable = 1 << 20;  // 8 MB
    if (vocab_ * vocab_ <= kTable) table_.resize(vocab_ * vocab_);
  }
  double& operator()(i32 a, i32 b) {
    const u64 at = static_cast<u64>(a) * vocab_ + static_cast<u64>(b);
    return table_.empty() ? sparse_[at] : table_[at];
  }

 private:
  u64 vocab_;
  std::vector<double> table_;
  std::unordered_map<u64, double> sparse_;
};

// `take(token, the one before it in its file or -1)` for all tokens.
template <class Take> void each_after(const Tokens& tokens, Take take) {
  i32 before = -1;
  tokens.each([&](std::span<const i32> some, bool begins) {
    if (begins) before = -1;
    for (const i32 token : some) take(token, std::exchange(before, token));
  });
}

}  // namespace

Floors measure_floors(const Tokens& train, const Tokens& valid, i64 vocab) {
  check(train.size() > 1 && valid.size() > 1, "floors: two tokens at least ({} and {})", train.size(), valid.size());
  std::vector<double> count(static_cast<std::size_t>(vocab));   // of every token
  std::vector<double> before(static_cast<std::size_t>(vocab));  // of every token that another follows
  PairCounts pairs(vocab);
  const auto at = [](std::vector<double>& counts, i32 token) -> double& {
    return counts[static_cast<std::size_t>(token)];
  };
  each_after(train, [&](i32 token, i32 last) {
    at(count, token) += 1;
    if (last < 0) return;
    at(before, last) += 1;
    pairs(last, token) += 1;
  });
  const double all = kSmoothing * static_cast<double>(vocab), n = static_cast<double>(train.size());
  double unigram = 0, bigram = 0;
  each_after(valid, [&](i32 token, i32 last) {
    if (last < 0) return;
    unigram -= std::log((at(count, token) + kSmoothing) / (n + all));
    bigram -= std::log((pairs(last, token) + kSmoothing) / (at(before, last) + all));
  });
  const double targets = static_cast<double>(valid.size()) - static_cast<double>(valid.pieces());
  return {std::log(static_cast<double>(vocab)), unigram / targets, bigram / targets};
}

double bytes_a_target(const Tokens& valid, const Tokenizer& tokenizer) {
  if (tokenizer.kind() == Tokenizer::Kind::bytes) return 1;
  std::vector<i64> length;
  for (i64 t = 0; t < tokenizer.vocab(); ++t) length.push_back(std::ssize(tokenizer.piece(static_cast<i32>(t))));
  i64 bytes = 0;
  each_after(valid, [&](i32 token, i32 last) { bytes += last < 0 ? 0 : length[static_cast<std::size_t>(token)]; });
  return static_cast<double>(bytes) /
         static_cast<double>(std::max<i64>(1, valid.size() - static_cast<i64>(valid.pieces())));
}

std::vector<Floor> listed(const Floors& f) {
  return {{"uniform", f.uniform, {}}, {"1-gram", f.unigram, {}}, {"2-gram", f.bigram, {}}};
}

std::string meaning(double loss, i64 tokens, const Floors& floors, const std::string& unit,
                    std::optional<double> bytes) {
  const bool each[] = {loss < floors.uniform, loss < floors.unigram, loss < floors.bigram};
  std::string verdict = "below all three";
  if (!each[2]) verdict = "not yet below the third";
  if (!each[1]) verdict = each[2] ? "below the third, not the second" : "only below the first";
  if (!each[0]) verdict = "below none of them";
  const std::string by_byte =
      bytes.value_or(1) == 1 ? "" : fmt::format(" = {:.4f} bits per byte", loss / std::numbers::ln2 / *bytes);
  return fmt::format(
      "validation loss {:.4f} nats per {} = {:.4f} bits{}, over {} {}s\n"
      "guessing without a network: {:.3f} uniform, {:.3f} by frequency (1-gram), {:.3f} by the {} "
      "before (2-gram); "
      "the model is {}\n",
      loss, unit, loss / std::numbers::ln2, by_byte, grouped(tokens), unit, floors.uniform, floors.unigram,
      floors.bigram, unit, verdict);
}

}  // namespace weft::train
