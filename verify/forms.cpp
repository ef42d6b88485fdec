// Every form against the sequential loop: each recurrence by itself, then the whole description.
#include <fmt/format.h>

#include "verify/property.h"
#include "verify/recurrence.h"

namespace weft::verify {
namespace {

using Draw = dsl::LoneRecurrence::Draw;

// Half a standard deviation: keys of a delta rule that are much longer than 1 make its state grow with the length.
Tensor random_numbers(const std::string& name, const Shape& shape, Kind kind) {
  const Key key = Key{5}.fold(name);
  const auto count = static_cast<std::size_t>(element_count(shape));
  if (kind == Kind::index) return Tensor::of_indices(std::vector<i32>(count), shape);
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = 0.5 * normal(key, i);
  return Tensor::from(values, shape, DType::f64);
}

// Which run it was.
std::string context(const Subject::Alone& r, const Subject::Alone::Derived& d, i64 length, const std::string& more) {
  return fmt::format("the recurrence at {}, {}{}, T = {}{}", r.place, d.form,
                     d.chunk ? fmt::format(" in chunks of {}", d.chunk) : "", length, more);
}

// Without the tensors that the loop itself takes out of the numbers: an exponential of what was pushed, say.
Subject::Results finite(Subject::Results all) {
  std::erase_if(all, [](const auto& named) {
    for (i64 i = 0; i < named.second.size(); ++i) {
      if (!std::isfinite(named.second.at(i))) return true;
    }
    return false;
  });
  return all;
}

// The results under their names with the line of the equation that makes them.
Subject::Results placed(const Subject::Alone& r, const Subject::Results& results) {
  Subject::Results all;
  for (const auto& [name, t] : results) {
    const auto place = r.places.find(name.starts_with("final.") ? name.substr(6) : name);
    all[place == r.places.end() ? name : fmt::format("{} ({})", name, place->second)] = t;
  }
  return all;
}

void compare_alone(const Subject& s, const Subject::Alone& r, const Subject::Alone::Derived& d, i64 length,
                   const Draw& draw, const std::string& more, Worst& worst) {
  const auto wanted = r.loop->run(s.runtime(), DType::f64, Subject::kRows, length, draw);
  const auto found = d.function->run(s.runtime(), DType::f64, Subject::kRows, length, draw);
  worst.compare(placed(r, finite(wanted)), placed(r, found), length, context(r, d, length, more));
}

// Its own chunk is tried beyond two of the usual 32 positions, chunks of 4 and 7 at the short lengths around them.
bool fits(i64 chunk, i64 length) { return chunk == 0 ? length > 23 || length == 5 : length <= 23; }

Finding prove_form(const Subject& s, const std::string& form, const std::vector<i64>& lengths) {
  if (s.recurrences().empty()) return Finding::absent("there is no recurrence");
  const auto forms = forms_of(s);
  if (std::find(forms.begin(), forms.end(), form) == forms.end())
    return Finding::absent((form == "recurrent" ? "the loop itself: " : "not derived: ") + underived(s, form));
  Worst worst(kEqual);
  const bool one = lengths.size() == 1;  // when a failure is shrunk
  for (const auto& r : s.recurrences()) {
    for (const auto& d : r->derived) {
      if (d.form != form) continue;
      for (const i64 n : lengths) {
        if (one || form == "parallel" || fits(d.chunk, n)) compare_alone(s, *r, d, n, random_numbers, "", worst);
      }
    }
  }
  for (const i64 chunk : {4, 0}) {
    if (form == "parallel" && chunk) continue;
    for (const i64 n : lengths) {
      const bool wanted = one || (chunk ? n == 5 || n == 15 : n == 1 || n > 23);
      if (!wanted) continue;
      const How loop{.form = "loop", .gradients = true}, derived{.form = form, .chunk = chunk, .gradients = true};
      worst.compare(s.run(loop, n), s.run(derived, n), n,
                    fmt::format("{}{}, T = {}", form, chunk ? fmt::format(" in chunks of {}", chunk) : "", n));
    }
  }
  std::string but = underived(s, form);
  if (!but.empty()) but = ", where it exists; " + but;
  return worst.finding("outputs, final states, all gradients" + but);
}

// Every element one of these.
Tensor one_of(const std::vector<double>& choices, const std::string& name, const Shape& shape) {
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = choices[bits(Key{9}.fold(name), i) % choices.size()];
  return Tensor::from(values, shape, DType::f64);
}

}  // namespace

Finding prove_recurrent(const Subject& s, const std::vector<i64>& lengths) {
  return prove_form(s, "recurrent", lengths);
}
Finding prove_chunkwise(const Subject& s, const std::vector<i64>& lengths) {
  return prove_form(s, "chunkwise", lengths);
}
Finding prove_parallel(const Subject& s, const std::vector<i64>& lengths) { return prove_form(s, "parallel", lengths); }

Finding prove_extremes(const Subject& s, const std::vector<i64>& lengths) {
  // What a factor is made of may be a logarithm or the argument of a sigmoid: 30 and -30 push those.
  const std::vector<std::pair<std::string, std::vector<double>>> pushes = {{"0", {0}},
                                                                           {"1", {1}},
                                                                           {"1e-6", {1e-6}},
                                                                           {"1e-30", {1e-30}},
                                                                           {"0, 1e-6, 0.5 and 1", {0, 1e-6, 0.5, 1}},
                                                                           {"-30, 0 and 30", {-30, 0, 30}}};
  Worst worst(kEqual);
  std::set<std::string> pushed;
  for (const auto& r : s.recurrences()) {
    for (const auto& [words, values] : pushes) {
      for (const auto* names : {&r->decays, &r->betas}) {
        if (names->empty()) continue;
        pushed.insert(names->begin(), names->end());
        const Draw draw = [&](const std::string& name, const Shape& shape, Kind kind) {
          if (kind == Kind::real && names->contains(name)) return one_of(values, name, shape);
          return random_numbers(name, shape, kind);
        };
        for (const i64 n : lengths) {
          for (const auto& d : r->derived)
            compare_alone(s, *r, d, n, draw, fmt::format(", {} at {}", *names->begin(), words), worst);
        }
      }
    }
  }
  if (pushed.empty()) return Finding::absent("no recurrence has a decay or beta");
  return worst.finding(fmt::format("{} pushed to 0, 1 and tiny", fmt::join(pushed, ", ")));
}

}  // namespace weft::verify
