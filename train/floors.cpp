#include "train/floors.h"

#include <cmath>
#include <numbers>
#include <unordered_map>
#include <vector>

#include "train/terminal.h"

namespace weft::train {
namespace {

constexpr double kSmoothing = 0.05;  // added to every count, so that what was never seen has a probability

}  // namespace

Floors measure_floors(std::span<const i32> train, std::span<const i32> valid, i64 vocab) {
  check(train.size() > 1 && valid.size() > 1, "floors: two tokens at least ({} and {})", train.size(), valid.size());
  std::vector<double> count(static_cast<std::size_t>(vocab));   // of every token
  std::vector<double> before(static_cast<std::size_t>(vocab));  // of every token that another follows
  std::unordered_map<u64, double> pairs;
  const auto pair = [&](i32 a, i32 b) { return static_cast<u64>(a) * static_cast<u64>(vocab) + static_cast<u64>(b); };
  const auto at = [](std::vector<double>& counts, i32 token) -> double& {
    return counts[static_cast<std::size_t>(token)];
  };
  for (std::size_t i = 0; i < train.size(); ++i) {
    at(count, train[i]) += 1;
    if (i + 1 == train.size()) break;
    at(before, train[i]) += 1;
    pairs[pair(train[i], train[i + 1])] += 1;
  }
  const double all = kSmoothing * static_cast<double>(vocab), n = static_cast<double>(train.size());
  double unigram = 0, bigram = 0;
  for (std::size_t i = 1; i < valid.size(); ++i) {
    const auto found = pairs.find(pair(valid[i - 1], valid[i]));
    const double together = found == pairs.end() ? 0 : found->second;
    unigram -= std::log((at(count, valid[i]) + kSmoothing) / (n + all));
    bigram -= std::log((together + kSmoothing) / (at(before, valid[i - 1]) + all));
  }
  const double targets = static_cast<double>(valid.size() - 1);
  return {std::log(static_cast<double>(vocab)), unigram / targets, bigram / targets};
}

std::vector<Floor> listed(const Floors& f) {
  return {{"uniform", f.uniform, {}}, {"1-gram", f.unigram, {}}, {"2-gram", f.bigram, {}}};
}

std::string meaning(double loss, i64 tokens, const Floors& floors, const std::string& unit) {
  const bool each[] = {loss < floors.uniform, loss < floors.unigram, loss < floors.bigram};
  std::string verdict = "below all three";
  if (!each[2]) verdict = "not yet below the third";
  if (!each[1]) verdict = each[2] ? "below the third, not the second" : "only below the first";
  if (!each[0]) verdict = "below none of them";
  return fmt::format(
      "validation loss {:.4f} nats per {} = {:.4f} bits, over {} {}s\n"
      "guessing without a network: {:.3f} uniform, {:.3f} by frequency (1-gram), {:.3f} by the {} "
      "before (2-gram); "
      "the model is {}\n",
      loss, unit, loss / std::numbers::ln2, grouped(tokens), unit, floors.uniform, floors.unigram, floors.bigram, unit,
      verdict);
}

}  // namespace weft::train
