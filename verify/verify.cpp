#include "verify/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace weft::verify {
namespace {

// A model with more than kWeights is proved at sizes with about kFew: `weft verify` then takes 0.2 to 2.4 s for the
// models of the library.
constexpr i64 kWeights = 100000, kFew = 20000;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// A whole number among the params, as the file or the command line says it.
struct Size {
  std::string name;
  i64 value;
};

// Those that are written as a number: what is computed from others follows them.
std::vector<Size> sizes_of(const Claim& claim) {
  dsl::Diagnostics d;
  const dsl::Description description(claim.source, claim.overrides, claim.surroundings, d);
  std::vector<Size> sizes;
  for (const dsl::Param& p : description.file().params) {
    if (!p.value || p.value->kind != dsl::Expr::Kind::number) continue;
    const auto value = dsl::evaluate_whole(*p.value, {}, d);
    if (value && *value > 2) sizes.push_back({p.name, *value});
  }
  return sizes;
}

Claim with(Claim claim, const std::string& name, i64 value) {
  const std::string path = fmt::format("params.{}=", name);
  std::erase_if(claim.overrides, [&](const std::string& o) { return o.starts_with(path); });
  claim.overrides.push_back(fmt::format("params.{}={}", name, value));
  return claim;
}

// From 2 on: with 1 many a mistake does not show. A vocabulary has some tokens to tell apart.
std::vector<i64> smaller(const Size& size) {
  std::vector<i64> all;
  for (const i64 v : {2, 3, 4, 6, 8, 11, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256}) {
    if (v < size.value && (size.name != "vocab" || v >= 11)) all.push_back(v);
  }
  return all;
}

std::unique_ptr<Subject> stands(const Claim& claim) {
  try {
    return std::make_unique<Subject>(claim);
  } catch (const Subject::NotBuilt&) {
    return nullptr;
  } catch (const Error&) {
    return nullptr;
  }
}

// Sizes that have weights are halved in turn, in the order of the file. Not smaller than needed: with heads of two
// elements a norm in f32 is far from f64 for no fault of the description.
std::unique_ptr<Subject> shrunk(std::unique_ptr<Subject> subject, Report& report) {
  if (subject->weight_count() <= kWeights) return subject;
  std::map<std::string, i64> chosen;
  for (bool smaller_one = true; smaller_one && subject->weight_count() > kFew;) {
    smaller_one = false;
    for (const Size& size : sizes_of(subject->claim())) {
      auto values = smaller({size.name, size.value / 2 + 1});
      for (; !values.empty() && subject->weight_count() > kFew; values.pop_back()) {
        auto small = stands(with(subject->claim(), size.name, values.back()));
        if (!small || small->weight_count() >= subject->weight_count()) continue;
        subject = std::move(small);
        chosen[size.name] = values.back();
        smaller_one = true;
        break;
      }
    }
  }
  report.sizes.assign(chosen.begin(), chosen.end());
  return subject;
}

// The lengths that it can be computed at: a table of positions has an end.
std::vector<i64> within(const std::vector<i64>& lengths, const Report& report) {
  std::vector<i64> some;
  for (const i64 n : lengths) {
    if (n <= report.longest) some.push_back(n);
  }
  if (some.empty()) some.push_back(report.longest);
  return some;
}

void find_longest(const Subject& subject, Report& report) {
  for (const i64 n : {256, 71, 40, 23, 15, 13}) {
    try {
      subject.run({}, n);
      report.longest = n;
      return;
    } catch (const Error& e) {
      if (e.failure != Failure::usage) break;  // that is no end of a table
      report.limit = e.what();
    }
  }
  report.longest = 13;  // then each property says what it meets
}

// A property that throws does not hold either: a form that cannot be run is no form.
Finding prove(const Property& property, const Subject& subject, const std::vector<i64>& lengths) {
  try {
    return property.prove(subject, lengths);
  } catch (const Error& e) {
    return {Finding::Verdict::fails, HUGE_VAL, e.what(), property.about, lengths.back()};
  }
}

// The smallest length, then the smallest sizes, that still fail: for people, who will compute it by hand.
std::string smallest(const Property& property, const Subject& subject, const Finding& failure) {
  constexpr double kSeconds = 10;
  const double end = now() + kSeconds;
  i64 length = failure.length;
  std::string where = failure.where;
  const auto fails = [&](const Subject& s, i64 n) {
    const Finding f = prove(property, s, {n});
    if (f.verdict != Finding::Verdict::fails) return false;
    if (std::isinf(f.worst) && !std::isinf(failure.worst)) return false;  // another trouble: a table that is too short
    length = n, where = f.where;
    return true;
  };
  for (i64 n = 1; n < length && now() < end; ++n) {
    if (fails(subject, n)) break;
  }
  Claim claim = subject.claim();
  std::string sizes;
  for (const Size& size : sizes_of(claim)) {
    for (const i64 value : smaller(size)) {
      if (now() > end) break;
      const Claim less = with(claim, size.name, value);
      const auto small = stands(less);
      if (!small || !fails(*small, length)) continue;
      claim = less;
      sizes += fmt::format(", {} = {}", size.name, value);
      break;
    }
  }
  return fmt::format("T = {}{}: {}", length, sizes, where);
}

}  // namespace

const std::vector<Property>& properties() {
  // Lengths around chunks of 4, and one beyond two chunks of the usual 32 with a remainder.
  static const std::vector<i64> forms = {1, 3, 4, 5, 11, 15, 23, 71};
  static const std::vector<Property> all = {
      {"gradients", "against differences", {5}, prove_gradients},
      {"recurrent", "the same as the loop", forms, prove_recurrent},
      {"chunkwise", "the same as the loop", forms, prove_chunkwise},
      {"parallel", "the same as the loop", forms, prove_parallel},
      {"extremes", "forms agree there, too", {1, 9, 40}, prove_extremes},
      {"cuts", "a stream in parts is the whole", {2, 5, 13, 40}, prove_cuts},
      {"tokens", "one at a time", {9}, prove_token_by_token},
      {"carried", "states fit every form", {2, 11}, prove_carried_states},
      {"rows", "at different positions", {4, 12}, prove_rows_apart},
      {"unseen", "the future, by changing it", {2, 13}, prove_unseen_values},
      {"no gradient", "of the past for the future", {2, 13}, prove_unseen_gradients},
      {"threads", "the same bits", {13, 71}, prove_threads},
      {"draws", "the same random numbers", {2, 13}, prove_draws},
      {"f32", "against f64", {5, 40}, prove_precision},
      {"cost", "as predicted", {256}, prove_cost},
  };
  return all;
}

bool Report::failed() const {
  return std::any_of(lines.begin(), lines.end(),
                     [](const Line& l) { return l.finding.verdict == Finding::Verdict::fails; });
}

Report verify(Claim claim, const std::function<void(const Report&, const Line&)>& told) {
  Report report;
  const auto subject = shrunk(std::make_unique<Subject>(std::move(claim)), report);
  report.weights = subject->weight_count();
  find_longest(*subject, report);
  for (const Property& property : properties()) {
    const double start = now();
    Line line{&property, prove(property, *subject, within(property.lengths, report)), {}};
    if (line.finding.verdict == Finding::Verdict::fails) line.smallest = smallest(property, *subject, line.finding);
    line.seconds = now() - start;
    report.lines.push_back(line);
    if (told) told(report, report.lines.back());
  }
  return report;
}

}  // namespace weft::verify
