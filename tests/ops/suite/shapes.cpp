// Properties of what an op says of itself: words, samples, errors, shapes, time.
#include <cctype>
#include <cmath>
#include <set>

#include "tests/ops/suite/trial.h"

namespace weft::tests {
namespace {

std::vector<Dims> input_dims(const Sample& s) {
  std::vector<Dims> all;
  for (const Shape& shape : s.shapes) all.push_back(shape == Shape{-1} ? Dims{} : to_dims(shape));
  return all;
}

// Positions begin .. end of dimension `axis` (from the back).
Tensor cut(const Tensor& t, std::size_t axis, i64 begin, i64 end) {
  Shape s = t.shape();
  const std::size_t d = s.size() - axis;
  const i64 length = s[d], inner = element_count(Shape(s.begin() + static_cast<std::ptrdiff_t>(d) + 1, s.end()));
  s[d] = end - begin;
  std::vector<double> values;
  for (i64 i = 0; i < t.size(); ++i) {
    const i64 at = i / inner % length;
    if (at >= begin && at < end) values.push_back(t.at(i));
  }
  return Tensor::from(values, s, DType::f64);
}

// What the op makes of an unusual size must be right to the first derivative, or refused with a message of its own.
void try_sample(Report& report, const Sample& s, const std::string& what) {
  const Op& op = report.op;
  try {
    const Application a = softened(application(op, s));
    const GradientCheck g = differentiable(op) ? check_directions(runtime(), a) : GradientCheck{};
    if (!differentiable(op)) values(runtime(), DType::f64, a);
    report.require(g.worst < 1e-7, "{}: {}", what, g.where);
  } catch (const Error& e) {
    const bool names = op.build || std::string(e.what()).find(op.name) != std::string::npos;
    report.require(names && e.failure != Failure::internal, "{}: a refusal that does not name the op: {}", what,
                   e.what());
  } catch (const std::exception& e) {
    report.require(false, "{}: {}", what, e.what());
  }
}

Sample with_every(const Sample& s, i64 from, i64 to) {
  Sample other = s;
  for (Shape& shape : other.shapes) {
    for (i64& n : shape) n = n == from ? to : n;
  }
  return other;
}

// `causal_axis`: an element sees those before it alone, so the last may change without them.
void sees_only_before(Report& report, const Application& a) {
  i64 axis = -1;
  for (std::size_t n = 0; n < a.op->attributes.size(); ++n) {
    if (a.op->attributes[n].type == AttributeInfo::Type::axis) axis = std::get<i64>(a.attributes[n]);
  }
  const Shape& shape = a.inputs[0].shape();
  const std::size_t back = shape.size() - static_cast<std::size_t>(axis_from_front(axis, shape.size(), a.op->name));
  const i64 length = shape[shape.size() - back];
  const i64 inner = element_count(Shape(shape.end() - static_cast<std::ptrdiff_t>(back) + 1, shape.end()));
  Application changed = a;
  changed.inputs[0] = a.inputs[0].copy();
  const auto x = changed.inputs[0].mutable_values<double>();
  for (i64 i = 0; i < std::ssize(x); ++i) x[static_cast<std::size_t>(i)] += i / inner % length == length - 1 ? 1 : 0;
  const auto before = [&](const Application& b) {
    return cut(evaluate(runtime(), DType::f64, b, {.gradients = false}).outputs[0], back, 0, length - 1);
  };
  report.require(same(before(a), before(changed)), "an element sees what comes after it");
}

// `masks_future`: the last two dimensions are times, and a column behind its row is zero.
void hides_the_future(Report& report, const Application& a) {
  const Tensor y = evaluate(runtime(), DType::f64, a, {.gradients = false}).outputs[0];
  const i64 columns = y.shape().back(), rows = y.shape()[y.shape().size() - 2];
  for (i64 i = 0; i < y.size(); ++i) {
    const i64 column = i % columns, r = i / columns % rows;
    if (column > r) report.require(y.at(i) == 0, "row {} sees column {} of its future", r, column);
  }
}

}  // namespace

Verdict documents_itself(const Op& op) {
  Report report(op);
  const auto word = [](const std::string& text) {
    if (text.empty() || !std::islower(static_cast<unsigned char>(text[0]))) return false;
    return text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
  };
  const std::string about = op.doc.about;
  report.require(word(op.name), "`{}` is no name that equations can call", op.name);
  report.require(
      about.size() > 2 && (about.back() != '.' || about.ends_with("...")) && about.find('\n') == std::string::npos,
      "`about` is one line without a full stop, not \"{}\"", about);
  report.require(*op.doc.equation != 0, "it has no equation");
  std::set<std::string> names;
  for (const Input& i : op.inputs)
    report.require(word(i.name) && names.insert(i.name).second, "the input `{}` needs a name of its own", i.name);
  for (const AttributeInfo& a : op.attributes) {
    report.require(word(a.name) && names.insert(a.name).second, "the attribute `{}` needs a name of its own", a.name);
    report.require(!a.about.empty(), "the attribute `{}` does not say what it is", a.name);
  }
  const std::string gradient = op.gradient;
  report.require(!op.backward_f32 || !gradient.empty(), "it has a backward and does not say its gradient");
  for (const Input& i : op.inputs) {
    if (!op.backward_f32 || gradient.empty() || i.is(Input::index) || i.is(Input::fixed)) continue;
    report.require(gradient.find(std::string("d") + i.name) != std::string::npos, "its gradient does not say d{}",
                   i.name);
  }
  if (!op.cost) return report.verdict;
  return report.each_sample([&](const Sample& s) {
    std::vector<Shape> inputs, outputs;
    for (const Shape& shape : s.shapes) inputs.push_back(shape == Shape{-1} ? Shape{0} : shape);
    const Applied applied(runtime(), DType::f64, application(op, s), {.gradients = false});
    for (const i32 id : applied.tape.nodes().back().outputs)
      outputs.push_back(bind(applied.tape.Graph::value(id).dims, {}));
    const Cost c = op.cost(op.complete(s.attributes), inputs, outputs);
    const auto none = [](const Shape& shape) { return shape != Shape{0} && element_count(shape) == 0; };
    if (none(outputs[0]) || std::any_of(inputs.begin(), inputs.end(), none)) return;
    report.require(c.flops > 0 && std::isfinite(c.flops) && c.bytes > 0, "it costs {} operations and {} bytes", c.flops,
                   c.bytes);
  });
}

Verdict has_samples_for_all(const Op& op) {
  Report report(op);
  const auto samples = op.samples();
  report.require(!samples.empty(), "it has no samples");
  for (std::size_t a = 0; a < op.attributes.size(); ++a) {
    bool varied = op.attributes[a].type == AttributeInfo::Type::graph;
    for (const Sample& s : samples)
      varied = varied || text(op.complete(s.attributes)[a]) != text(op.attributes[a].standard);
    report.require(varied, "no sample gives `{}` another value than its default", op.attributes[a].name);
  }
  for (std::size_t i = 0; i < op.inputs.size(); ++i) {
    bool with = false, without = !op.inputs[i].is(Input::optional);
    for (const Sample& s : samples) {
      const bool present = i < s.shapes.size() && s.shapes[i] != Shape{-1};
      with = with || present;
      without = without || !present;
    }
    report.require(with && without, "no sample {} the input `{}`", with ? "leaves out" : "gives", op.inputs[i].name);
  }
  return report.verdict;
}

Verdict refuses_its_error_samples(const Op& op) {
  Report report(op);
  for (const ErrorSample& e : op.error_samples()) {
    try {
      evaluate(runtime(), DType::f64, application(op, e.sample), {.gradients = false});
      report.require(false, "accepts what should fail with \"{}\"", e.message);
    } catch (const Error& error) {
      const std::string said = error.what();
      report.require(said.find(e.message) != std::string::npos, "says \"{}\" and not \"{}\"", said, e.message);
      report.require(op.build || said.find(op.name) != std::string::npos, "says \"{}\" and does not name the op", said);
    }
  }
  return report.verdict;
}

// The rule is asked with a symbol in place of each size, one after the other, and with a symbolic leading dimension. It
// may refuse a symbol for a size that must be known, but not every one where it takes other numbers.
Verdict its_shape_rule_takes_symbols(const Op& op) {
  Report report(op);
  int offered = 0;
  report.each_sample([&](const Sample& s) {
    const auto compare = [&](const Sample& numbers, i64 size) {
      ++offered;
      std::vector<Dims> dims = input_dims(numbers);
      for (Dims& d : dims) {
        for (Dim& n : d) n = n.value() == size ? Dim::symbol("N") : n;
      }
      std::vector<Dims> symbolic;
      try {
        symbolic = shapes_of(op, numbers, dims);
      } catch (const Error&) {
        return;  // this one must be known
      }
      const auto made = evaluate(runtime(), DType::f64, application(op, numbers), {.gradients = false}).outputs;
      for (std::size_t y = 0; y < made.size(); ++y) {
        const Shape said = bind(symbolic[y], {{"N", size}});
        report.require(said == made[y].shape(), "with {} as a symbol, output {} is {}, and {} is made", size, y,
                       text(said), text(made[y].shape()));
      }
    };
    constexpr i64 kLead = 11;  // a size that no sample has
    if (const auto wide = widened(op, s, kLead)) compare(*wide, kLead);
    for (const i64 size : sizes_of(s)) {
      if (!accepted(op, with_every(s, size, 7 * size))) continue;  // not free: it belongs to another size
      compare(s, size);
    }
  });
  if (offered && !report.verdict.tried) report.require(false, "no size may be a symbol");
  return report.verdict;
}

Verdict other_sizes_are_right_or_refused(const Op& op) {
  Report report(op);
  return report.each_sample([&](const Sample& s) {
    if (s.shapes.empty()) return;
    for (const i64 size : sizes_of(s)) {
      for (const i64 other : {i64{0}, i64{1}, size + 1}) {
        const auto fits = resized(op, s, [&](i64 n) { return n == size ? other : n; });
        try_sample(report, fits.value_or(with_every(s, size, other)), fmt::format("{} in place of {}", other, size));
      }
    }
    for (const i64 lead : {0, 1, 2}) {
      if (const auto wide = widened(op, s, lead))
        try_sample(report, *wide, fmt::format("a leading dimension of {}", lead));
    }
    for (std::size_t i = 0; i < s.shapes.size(); ++i) {
      if (s.shapes[i] == Shape{-1}) continue;
      for (std::size_t d = 0; d < s.shapes[i].size(); ++d) {
        Sample other = s;
        ++other.shapes[i][d];
        try_sample(report, other, fmt::format("input {} with one more in dimension {}", i, d));
        other = s;
        other.shapes[i].erase(other.shapes[i].begin() + static_cast<std::ptrdiff_t>(d));
        try_sample(report, other, fmt::format("input {} without its dimension {}", i, d));
      }
      Sample other = s;
      other.shapes[i].insert(other.shapes[i].begin(), 2);
      try_sample(report, other, fmt::format("input {} with a dimension more", i));
    }
  });
}

Verdict its_claims_about_time_hold(const Op& op) {
  Report report(op);
  return report.each_sample([&](const Sample& s) {
    const Application a = application(op, s);
    if (op.causal_axis) sees_only_before(report, a);
    const auto dims = input_dims(s);
    std::vector<const Dims*> given;
    for (std::size_t i = 0; i < std::max(dims.size(), op.inputs.size()); ++i) {
      given.push_back(i < dims.size() && s.shapes[i] != Shape{-1} ? &dims[i] : nullptr);
    }
    if (op.masks_future && op.masks_future(op, a.attributes, InputDims(op, given))) hides_the_future(report, a);
  });
}

Verdict cuts_in_time_change_nothing(const Op& op) {
  Report report(op);
  if (op.along != Along::streams || op.inputs.empty() || op.variadic) return report.verdict;
  return report.each_sample([&](const Sample& s) {
    const Application a = application(op, s);
    const i64 T = a.inputs[0].shape()[a.inputs[0].shape().size() - 2];
    if (op.along_with && op.along_with(a.attributes) != Along::streams) return;
    const auto outputs = [](const Application& p) {
      return evaluate(runtime(), DType::f64, p, {.gradients = false}).outputs;
    };
    const auto part = [&](i64 begin, i64 end) {
      Application p = a;
      p.settings.offsets = {begin};
      p.inputs.resize(op.inputs.size());
      for (std::size_t i = 0; i < p.inputs.size(); ++i) {
        bool state = false;
        for (const StateInfo& st : op.states) state = state || st.input == i;
        if (state || !p.inputs[i]) continue;
        const Shape& shape = p.inputs[i].shape();
        for (const std::size_t axis : {2, 1}) {
          if (a.declared(i).core != static_cast<int>(axis) || shape.size() < axis) continue;
          if (shape[shape.size() - axis] == T) p.inputs[i] = cut(p.inputs[i], axis, begin, end);
        }
      }
      return p;
    };
    const auto whole = outputs(a);
    for (i64 at = 1; at < T; at += 1 + T / 8) {
      const auto first = outputs(part(0, at));
      Application rest = part(at, T);
      for (const StateInfo& st : op.states) rest.inputs[st.input] = first[st.output];
      const auto second = outputs(rest);
      report.measure(distance(cut(whole[0], 2, 0, at), first[0]), 1e-12, fmt::format("before a cut at {}", at));
      report.measure(distance(cut(whole[0], 2, at, T), second[0]), 1e-12, fmt::format("behind a cut at {}", at));
      for (const StateInfo& st : op.states) {
        report.measure(distance(whole[st.output], second[st.output]), 1e-12,
                       fmt::format("state {} after a cut at {}", st.output, at));
      }
    }
  });
}

}  // namespace weft::tests
