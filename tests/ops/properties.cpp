#include "tests/ops/properties.h"

#include <cmath>

#include "engine/gradcheck.h"

namespace weft::tests {
namespace {

const Runtime& runtime() {
  static const Runtime serial({.products = "blas", .parallel = "serial", .threads = 0});
  return serial;
}

Tensor drawn(const Shape& shape, const Sample& s, const Input& input, Key key) {
  if (shape == Shape{-1}) return {};
  const std::size_t n = static_cast<std::size_t>(element_count(shape));
  if (input.is(Input::index)) {
    std::vector<i32> tokens(n);
    for (std::size_t i = 0; i < n; ++i) tokens[i] = static_cast<i32>(bits(key, i) % static_cast<u64>(s.classes));
    return Tensor::of_indices(tokens, shape);
  }
  std::vector<double> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = s.low + (s.high - s.low) * uniform(key, i);
  const bool mask = input.name == std::string("mask") || input.name == std::string("condition");
  for (double& v : values) v = mask ? v > 0 : v;
  return Tensor::from(values, shape, DType::f64);
}

const Input& declared(const Op& op, std::size_t i) { return op.inputs[std::min(i, op.inputs.size() - 1)]; }

Application application(const Op& op, const Sample& s) {
  Application a{&op, op.complete(s.attributes), {}, {}};
  a.settings.key = Key{11};
  a.settings.training = op.random;
  for (std::size_t i = 0; i < s.shapes.size(); ++i) {
    a.inputs.push_back(drawn(s.shapes[i], s, declared(op, i), Key{3}.fold(i)));
  }
  return a;
}

// Every sample of an op; errors of one become a complaint that names it.
template <class F> Complaints each_sample(const Op& op, const F& body) {
  Complaints all;
  const auto samples = op.samples();
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto complain = [&](const std::string& what) { all.push_back(fmt::format("sample {}: {}", i, what)); };
    try {
      body(samples[i], complain);
    } catch (const std::exception& e) {
      complain(e.what());
    }
  }
  return all;
}

struct Values {
  std::vector<Tensor> all;  // outputs, then gradients
};
Values run(const Runtime& r, DType dtype, const Application& a) {
  std::vector<Tensor> gradients;
  const bool differentiable = a.op->backward_f64 || a.op->build;
  Values v{outputs_and_gradients(r, dtype, a, differentiable ? &gradients : nullptr)};
  v.all.insert(v.all.end(), gradients.begin(), gradients.end());
  return v;
}

// Largest difference, relative to the largest element.
double distance(const Tensor& a, const Tensor& b) {
  if (!a || !b) return bool(a) == bool(b) ? 0 : HUGE_VAL;
  if (a.shape() != b.shape()) return HUGE_VAL;
  double worst = 0, size = 1e-30;
  for (i64 i = 0; i < a.size(); ++i) {
    if (std::isnan(a.at(i)) != std::isnan(b.at(i))) return HUGE_VAL;
    if (a.at(i) == b.at(i)) continue;
    worst = std::max(worst, std::abs(a.at(i) - b.at(i)));
    size = std::max({size, std::abs(a.at(i)), std::abs(b.at(i))});
  }
  return worst / size;
}

// The sample with one more leading dimension of `lead` on every input that has room for it; nothing when the op does
// not take it.
std::optional<Sample> widened(const Op& op, const Sample& s, i64 lead) {
  Sample wide = s;
  for (std::size_t i = 0; i < wide.shapes.size(); ++i) {
    Shape& shape = wide.shapes[i];
    const bool own = static_cast<int>(shape.size()) <= declared(op, i).core && i > 0;
    if (shape != Shape{-1} && !own) shape.insert(shape.begin(), lead);
  }
  try {
    std::vector<Dims> dims;
    for (const Shape& shape : wide.shapes) dims.push_back(to_dims(shape));
    std::vector<const Dims*> pointers;
    for (std::size_t i = 0; i < dims.size(); ++i) pointers.push_back(wide.shapes[i] == Shape{-1} ? nullptr : &dims[i]);
    pointers.resize(std::max(pointers.size(), op.inputs.size()), nullptr);
    if (op.infer) op.infer(op, op.complete(s.attributes), InputDims(op, pointers));
    return wide;
  } catch (const Error&) {
    return {};
  }
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

}  // namespace

Complaints has_samples_for_every_attribute(const Op& op) {
  Complaints all;
  const auto samples = op.samples();
  if (samples.empty()) all.push_back("it has no samples");
  for (std::size_t a = 0; a < op.attributes.size(); ++a) {
    bool varied = false;
    for (const Sample& s : samples) {
      const AttributeValue given = op.complete(s.attributes)[a], standard = op.attributes[a].standard;
      varied = varied || op.attributes[a].type == AttributeInfo::Type::graph || text(given) != text(standard);
    }
    if (!varied) all.push_back(fmt::format("no sample gives `{}` another value than its default", op.attributes[a].name));
  }
  return all;
}

Complaints refuses_its_error_samples(const Op& op) {
  Complaints all;
  for (const ErrorSample& e : op.error_samples()) {
    try {
      outputs_and_gradients(runtime(), DType::f64, application(op, e.sample), nullptr);
      all.push_back(fmt::format("accepts what should fail with \"{}\"", e.message));
    } catch (const Error& error) {
      if (std::string(error.what()).find(e.message) == std::string::npos) {
        all.push_back(fmt::format("says \"{}\" and not \"{}\"", error.what(), e.message));
      }
    }
  }
  return all;
}

Complaints gradients_match_differences(const Op& op) {
  if (!op.backward_f64 && !op.build) return {};
  return each_sample(op, [&](const Sample& s, const auto& complain) {
    Application a = application(op, s);
    // Where a choice is hard its gradient is that of the soft one: differences would see none.
    for (std::size_t i = 0; i < op.attributes.size(); ++i) {
      if (op.attributes[i].name == "hard") a.attributes[i] = false;
    }
    const GradientCheck g = check_gradients(runtime(), a);
    if (!(g.worst < 1e-7)) complain(fmt::format("{} (error {:.1e})", g.where, g.worst));
    bool wanted = false;
    for (std::size_t i = 0; i < a.inputs.size(); ++i) {
      const Input& in = declared(op, i);
      wanted = wanted || (a.inputs[i] && a.inputs[i].size() && !in.is(Input::index) && !in.is(Input::fixed));
    }
    if (wanted && g.probes == 0) complain("no element could be probed");
  });
}

Complaints f32_is_close_to_f64(const Op& op) {
  return each_sample(op, [&](const Sample& s, const auto& complain) {
    const Application a = application(op, s);
    const Values exact = run(runtime(), DType::f64, a), single = run(runtime(), DType::f32, a);
    // f32 has 6e-8; the longest chains of the samples lose some hundred of these.
    for (std::size_t i = 0; i < exact.all.size(); ++i) {
      if (const double d = distance(exact.all[i], single.all[i]); !(d < 2e-5)) complain(fmt::format("value {} differs by {:.1e}", i, d));
    }
  });
}

Complaints products_by_loops_and_blas_agree(const Op& op) {
  static const Runtime loops({.products = "loops", .parallel = "serial", .threads = 0});
  return each_sample(op, [&](const Sample& s, const auto& complain) {
    const Application a = application(op, s);
    const Values x = run(runtime(), DType::f64, a), y = run(loops, DType::f64, a);
    for (std::size_t i = 0; i < x.all.size(); ++i) {
      if (const double d = distance(x.all[i], y.all[i]); !(d < 1e-10)) complain(fmt::format("value {} differs by {:.1e}", i, d));
    }
  });
}

Complaints threads_change_no_bit(const Op& op) {
  static const Runtime runtimes[] = {Runtime({.products = "blas", .parallel = "tbb", .threads = 1}),
                                     Runtime({.products = "blas", .parallel = "tbb", .threads = 2}),
                                     Runtime({.products = "blas", .parallel = "tbb", .threads = 3})};
  return each_sample(op, [&](const Sample& s, const auto& complain) {
    const i64 lead = std::max<i64>(2, 60000 / std::max<i64>(1, s.shapes.empty() ? 1 : std::abs(element_count(s.shapes[0]))));
    const Application a = application(op, widened(op, s, lead).value_or(s));  // large enough for several pieces
    const Values expected = run(runtime(), DType::f32, a);
    for (const Runtime& r : runtimes) {
      const Values found = run(r, DType::f32, a);
      for (std::size_t i = 0; i < expected.all.size(); ++i) {
        const bool same = bool(found.all[i]) == bool(expected.all[i]) && (!found.all[i] || same_bits(found.all[i], expected.all[i]));
        if (!same) complain(fmt::format("value {} has other bits on {} threads", i, r.parallel().threads()));
      }
    }
  });
}

Complaints a_size_of_zero_is_fine(const Op& op) {
  return each_sample(op, [&](const Sample& s, const auto&) {
    if (const auto empty = widened(op, s, 0)) run(runtime(), DType::f64, application(op, *empty));
  });
}

Complaints the_same_input_twice_adds_its_gradients(const Op& op) {
  if (!op.backward_f64 && !op.build) return {};
  return each_sample(op, [&](const Sample& s, const auto& complain) {
    Application a = application(op, s);
    std::vector<std::size_t> real;
    for (std::size_t i = 0; i < a.inputs.size(); ++i) {
      const Input& in = declared(op, i);
      if (a.inputs[i] && !in.is(Input::index) && !in.is(Input::fixed)) real.push_back(i);
    }
    if (real.size() < 2 || a.inputs[real[0]].shape() != a.inputs[real[1]].shape()) return;
    a.inputs[real[1]] = a.inputs[real[0]];
    const std::size_t n_out = outputs_and_gradients(runtime(), DType::f64, a, nullptr).size();
    const Values apart = run(runtime(), DType::f64, a);
    // Once more, both inputs being one leaf.
    Tape tape(runtime(), DType::f64, Graph::Gradients::yes, a.settings);
    std::vector<Var> inputs;
    for (std::size_t i = 0; i < a.inputs.size(); ++i) {
      inputs.push_back(i == real[1] ? inputs[real[0]] : a.inputs[i] ? tape.leaf(a.inputs[i]) : Var());
    }
    const auto y = tape.append(op, a.attributes, inputs);
    std::vector<Var> reached, cotangents;
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (!y[i].needs_gradient()) continue;
      reached.push_back(y[i]);
      std::vector<double> c;
      const Key key = Key{7}.fold("cotangent").fold(i);
      for (i64 e = 0; e < tape.value(y[i]).size(); ++e) c.push_back(2 * uniform(key, static_cast<u64>(e)) - 1);
      cotangents.push_back(tape.leaf(Tensor::from(c, tape.value(y[i]).shape(), DType::f64)));
    }
    const auto g = tape.backward(reached, cotangents, std::vector<Var>{inputs[real[0]]});
    const Tensor &first = apart.all[n_out], &second = apart.all[n_out + 1];
    for (i64 e = 0; g[0] && first && second && e < first.size(); ++e) {
      const double sum = first.at(e) + second.at(e), found = tape.value(g[0]).at(e);
      if (std::abs(sum - found) > 1e-12 * std::max(1.0, std::abs(sum))) return complain(fmt::format("element {}: {} and not {}", e, found, sum));
    }
  });
}

Complaints cuts_in_time_change_nothing(const Op& op) {
  if (op.along != Along::streams || op.inputs.empty() || op.variadic) return {};
  return each_sample(op, [&](const Sample& s, const auto& complain) {
    Application a = application(op, s);
    const i64 T = a.inputs[0].shape()[a.inputs[0].shape().size() - 2];
    for (std::size_t i = 0; i < op.attributes.size(); ++i) {
      if (op.attributes[i].name == "causal" && !std::get<bool>(a.attributes[i])) return;  // it sees the future: no stream
    }
    const auto whole = outputs_and_gradients(runtime(), DType::f64, a, nullptr);
    const auto part = [&](i64 begin, i64 end) {
      Application p = a;
      p.settings.offsets = {begin};
      for (std::size_t i = 0; i < p.inputs.size(); ++i) {
        bool state = false;
        for (const StateInfo& st : op.states) state = state || st.input == i;
        if (state || !p.inputs[i]) continue;
        const Shape& shape = p.inputs[i].shape();
        for (const std::size_t axis : {2, 1}) {
          if (declared(op, i).core != static_cast<int>(axis) || shape.size() < axis) continue;
          if (shape[shape.size() - axis] == T) p.inputs[i] = cut(p.inputs[i], axis, begin, end);
        }
      }
      return p;
    };
    for (i64 at = 1; at < T; ++at) {
      const auto first = outputs_and_gradients(runtime(), DType::f64, part(0, at), nullptr);
      Application rest = part(at, T);
      rest.inputs.resize(std::max(rest.inputs.size(), op.inputs.size()));
      for (const StateInfo& st : op.states) rest.inputs[st.input] = first[st.output];
      const auto second = outputs_and_gradients(runtime(), DType::f64, rest, nullptr);
      if (const double d = distance(cut(whole[0], 2, 0, at), first[0]); !(d < 1e-12)) complain(fmt::format("cut at {}: the first part differs by {:.1e}", at, d));
      if (const double d = distance(cut(whole[0], 2, at, T), second[0]); !(d < 1e-12)) complain(fmt::format("cut at {}: the second part differs by {:.1e}", at, d));
      for (const StateInfo& st : op.states) {
        if (const double d = distance(whole[st.output], second[st.output]); !(d < 1e-12)) complain(fmt::format("cut at {}: state {} differs by {:.1e}", at, st.output, d));
      }
    }
  });
}

const std::vector<Property>& properties() {
  static const std::vector<Property> all = {
      {"has samples for every attribute", has_samples_for_every_attribute},
      {"refuses its error samples", refuses_its_error_samples},
      {"gradients match differences", gradients_match_differences},
      {"f32 is close to f64", f32_is_close_to_f64},
      {"products by loops and BLAS agree", products_by_loops_and_blas_agree},
      {"threads change no bit", threads_change_no_bit},
      {"a size of zero is fine", a_size_of_zero_is_fine},
      {"the same input twice adds its gradients", the_same_input_twice_adds_its_gradients},
      {"cuts in time change nothing", cuts_in_time_change_nothing}};
  return all;
}

}  // namespace weft::tests
