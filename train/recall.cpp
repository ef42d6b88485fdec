// Associative recall: what was written beside a key is asked for.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "train/make_option.h"
#include "train/sequences.h"

namespace weft::train {
namespace {

// n different numbers below `limit`, in the order of their drawing.
std::vector<i32> distinct(Key key, i64 n, i64 limit) {
  std::vector<i32> all;
  for (i64 i = 0; i < n; ++i)
    all.push_back(static_cast<i32>(permuted(key, static_cast<u64>(i), static_cast<u64>(limit))));
  return all;
}

i32 below(Key key, i64 i, i64 limit) {
  return static_cast<i32>(bits(key, static_cast<u64>(i)) % static_cast<u64>(limit));
}

// Schlag, Irie and Schmidhuber 2021 (arXiv:2102.11174), section 6.1: S pairs with all keys and values different, or 2 S
// pairs drawn with replacement, where the value that a key had last counts. A token is a pair, key * S + value, and at
// the end the question, S * S + key * S; `digit` takes it apart. The class is the value.
class Recall final : public Task {
 public:
  Recall(i64 pairs, bool repeats, i64 valid)
      : Task(fmt::format("recall of {} pairs{}", pairs, repeats ? " that are overwritten" : ""),
             {2 * pairs * pairs, pairs}, (repeats ? 2 : 1) * pairs + 1, valid, 1 / static_cast<double>(pairs)),
        pairs_(pairs),
        repeats_(repeats) {}

 private:
  Example make(Key key) const override {
    const i64 S = pairs_, n = repeats_ ? 2 * S : S;
    std::vector<i32> keys, values;
    if (repeats_) {
      for (i64 i = 0; i < n; ++i) keys.push_back(below(key.fold("keys"), i, S));
      for (i64 i = 0; i < n; ++i) values.push_back(below(key.fold("values"), i, S));
    } else {
      keys = distinct(key.fold("keys"), n, S), values = distinct(key.fold("values"), n, S);
    }
    Example e;
    for (std::size_t i = 0; i < keys.size(); ++i) e.tokens.push_back(static_cast<i32>(keys[i] * S + values[i]));
    const i32 asked = keys[static_cast<std::size_t>(below(key.fold("question"), 0, n))];
    e.tokens.push_back(static_cast<i32>(S * S + asked * S));
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (keys[i] == asked) e.targets = {values[i]};
    }
    return e;
  }
  i64 pairs_;
  bool repeats_;
};

// Arora et al. 2023 (arXiv:2312.04927): pairs in front, then each key again at a place drawn with a chance that falls
// as i^(a - 1); the model is to tell its value there.
class Mqar final : public Task {
 public:
  struct Options {
    i64 pairs, length, vocab;
    double alpha;
    bool noise;
  };
  Mqar(const Options& o, i64 valid)
      : Task(fmt::format("mqar of {} pairs in {} tokens of {}, alpha {}{}", o.pairs, o.length, o.vocab, o.alpha,
                         o.noise ? ", other tokens between" : ""),
             {o.vocab}, o.length, valid, 1 / static_cast<double>(o.vocab - o.vocab / 2)),
        o_(o) {}

 private:
  Example make(Key key) const override {
    const i64 half = o_.vocab / 2, first = 2 * o_.pairs;
    const auto n = static_cast<std::size_t>(o_.length);
    std::vector<i32> keys = distinct(key.fold("keys"), o_.pairs, half - 1);
    const std::vector<i32> values = distinct(key.fold("values"), o_.pairs, o_.vocab - half);
    Example e{std::vector<i32>(n, 0), std::vector<i32>(n, -1)};
    for (std::size_t t = 0; o_.noise && t < n; ++t)
      e.tokens[t] = below(key.fold("noise"), static_cast<i64>(t), o_.vocab);
    std::vector<double> chances;
    for (i64 i = 1; i <= (o_.length - first) / 2; ++i)
      chances.push_back(std::pow(static_cast<double>(i), o_.alpha - 1));
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto k = static_cast<i32>(keys[i] + 1), v = static_cast<i32>(values[i] + half);  // token 0 is no key
      e.tokens[2 * i] = k, e.tokens[2 * i + 1] = v;
      const std::size_t at = static_cast<std::size_t>(first) + 2 * drawn(chances, uniform(key.fold("places"), i));
      e.tokens[at] = k, e.targets[at] = v;
    }
    return e;
  }
  // A place by its chance; it is taken then.
  static std::size_t drawn(std::vector<double>& chances, double u) {
    double left = u * std::accumulate(chances.begin(), chances.end(), 0.0);
    std::size_t place = 0, last = 0;
    for (; place < chances.size(); ++place) {
      if (chances[place] == 0) continue;
      last = place;
      if ((left -= chances[place]) < 0) break;
    }
    chances[last] = 0;
    return last;
  }
  Options o_;
};

Mqar::Options mqar_options(const Settings& data) {
  const Mqar::Options o{data.whole("mqar.pairs"), data.whole("mqar.length"), data.whole("mqar.vocab"),
                        data.real("mqar.alpha"), data.boolean("mqar.noise")};
  check(o.length % 2 == 0 && o.length >= 4 * o.pairs, "{}: `length` is even and at least 4 * pairs = {}, not {}",
        dsl::place_text(data.span("mqar.length")), 4 * o.pairs, o.length);
  check(o.vocab / 2 - 1 >= o.pairs, "{}: `vocab` is at least 2 * pairs + 2 = {}, not {}",
        dsl::place_text(data.span("mqar.vocab")), 2 * o.pairs + 2, o.vocab);
  return o;
}

}  // namespace

DataKind recall_kind() {
  return {section("recall",
                  "Tokens are pairs of key and value (`digit(tokens, base=classes)`), the last one asks for a key: its "
                  "value is the class (Schlag et al. 2021).",
                  {whole("pairs", "20", 2, "Keys, and values: the S of the paper.", 20000),  // tokens stay below 2^31
                   flag("repeats", "false",
                        "false: all keys and values differ; true: twice as many pairs, drawn with replacement, and the "
                        "last value of a key counts."),
                   valid_option()}),
          [](const Settings& data) {
            const i64 S = data.whole("recall.pairs");
            return dsl::DataSizes(2 * S * S, S);
          },
          [](const Settings&) {},
          [](const Settings& data, const DataGiven&) {
            return std::make_shared<const Recall>(data.whole("recall.pairs"), data.boolean("recall.repeats"),
                                                  data.whole("recall.valid"));
          }};
}

DataKind mqar_kind() {
  return {
      section("mqar",
              "Keys and values in turn, then each key once more: its value is to be told there (Arora et al. 2023).",
              {whole("pairs", "8", 1, "Pairs of key and value.", kMost),
               whole("length", "64", 4, "Tokens of a sequence.", kMost),
               whole("vocab", "128", 4, "Tokens there are: 0, keys, and values from half on.", kMost),
               real("alpha", "0.01", 0, 10, "Small: a key is asked for soon after the pairs."),
               flag("noise", "false", "Other tokens between the questions instead of 0."), valid_option()}),
      [](const Settings& data) { return dsl::DataSizes(data.whole("mqar.vocab")); },
      [](const Settings& data) { mqar_options(data); },
      [](const Settings& data, const DataGiven&) {
        return std::make_shared<const Mqar>(mqar_options(data), data.whole("mqar.valid"));
      }};
}

}  // namespace weft::train
