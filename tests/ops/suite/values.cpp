// Properties of how an op computes: types, products, threads, memory, numbers at the end of the range.
#include <cmath>
#include <limits>

#include "tests/ops/suite/trial.h"

namespace weft::tests {
namespace {

bool any_nan(const std::vector<Tensor>& values) {
  for (const Tensor& t : values) {
    for (i64 i = 0; i < t.size(); ++i) {
      if (std::isnan(t.at(i))) return true;
    }
  }
  return false;
}

Application with(const Application& a, std::size_t input, i64 element, double value) {
  Application b = a;
  b.inputs[input] = a.inputs[input].copy();
  b.inputs[input].mutable_values<double>()[static_cast<std::size_t>(element)] = value;
  return b;
}

std::vector<Tensor> outputs(const Application& a, DType dtype) {
  return evaluate(runtime(), dtype, a, {.gradients = false}).outputs;
}

}  // namespace

Verdict f32_is_close_to_f64(const Op& op) {
  Report report(op);
  return report.each_sample([&](const Sample& s) {
    const Application a = application(op, s);
    // f32 has 6e-8; the longest chains of the samples lose some hundred of these.
    report.close_values(values(runtime(), DType::f64, a), values(runtime(), DType::f32, a), 2e-5, "in f32");
  });
}

Verdict products_by_loops_and_blas_agree(const Op& op) {
  static const Runtime loops({.products = "loops", .parallel = "serial", .threads = 0});
  Report report(op);
  return report.each_sample([&](const Sample& s) {
    for (const Sample& sized : {s, enlarged(op, s).value_or(s)}) {
      const Application a = application(op, sized);
      report.close_values(values(runtime(), DType::f64, a), values(loops, DType::f64, a), 1e-10,
                          "with products by loops");
    }
  });
}

Verdict threads_change_no_bit(const Op& op) {
  static const Runtime runtimes[] = {Runtime({.products = "blas", .parallel = "tbb", .threads = 1}),
                                     Runtime({.products = "blas", .parallel = "tbb", .threads = 2}),
                                     Runtime({.products = "blas", .parallel = "tbb", .threads = 3})};
  Report report(op);
  return report.each_sample([&](const Sample& s) {
    // 60,000 elements are more than three pieces of an elementwise op, and a rest.
    const i64 lead = std::max<i64>(2, 60000 / std::max<i64>(1, elements(s)));
    const Application a = application(op, widened(op, s, lead).value_or(s));
    const auto expected = values(runtime(), DType::f32, a);
    for (const Runtime& r : runtimes) {
      report.same_values(expected, values(r, DType::f32, a), fmt::format("on {} threads", r.parallel().threads()));
    }
  });
}

Verdict nothing_that_it_reads_is_changed(const Op& op) {
  Report report(op);
  return report.each_sample([&](const Sample& s) {
    Application a = application(op, s);
    const Application untouched = mapped(a, [](double x) { return x; });
    const bool gradients = differentiable(op);
    Applied applied(runtime(), DType::f64, a, {.gradients = gradients});
    for (std::size_t i = 0; i < a.inputs.size(); ++i) {
      report.require(same(a.inputs[i], untouched.inputs[i]), "the forward writes to input {}", i);
    }
    if (!gradients) return;
    // Everything that stands on the tape: inputs, outputs, values saved for the backward.
    Tape& tape = applied.tape;
    std::vector<Var> standing, wrt;
    std::vector<Tensor> before, cotangents, given;
    for (i32 id = 0; id < std::ssize(tape.values()); ++id) {
      if (!tape.value(Var(tape, id))) continue;
      standing.emplace_back(tape, id);
      before.push_back(tape.value(standing.back()).copy());
    }
    for (std::size_t i = 0; i < applied.outputs.size(); ++i) {
      cotangents.push_back(random_cotangent(tape.value(applied.outputs[i]).shape(), i));
      given.push_back(cotangents[i].copy());
    }
    for (std::size_t i = 0; i < a.inputs.size(); ++i) {
      if (a.takes_gradient(i)) wrt.push_back(applied.inputs[i]);
    }
    applied.gradients(wrt, given);
    for (std::size_t n = 0; n < standing.size(); ++n) {
      report.require(same(before[n], tape.value(standing[n])), "the backward writes to value {} of its tape", n);
    }
    for (std::size_t i = 0; i < given.size(); ++i) {
      report.require(same(cotangents[i], given[i]), "the backward writes to the cotangent of output {}", i);
    }
  });
}

// Fresh memory full of NaN: an element that is not written, or read before it is, shows.
Verdict every_element_is_written_before_it_is_read(const Op& op) {
  Report report(op);
  return report.each_sample([&](const Sample& s) {
    Runtime poisoned({.products = "blas", .parallel = "serial", .threads = 0});
    poisoned.pool()->poison(true);
    for (const Sample& sized : {s, enlarged(op, s).value_or(s)}) {
      for (const DType dtype : {DType::f32, DType::f64}) {
        const Application a = application(op, sized);
        report.same_values(values(runtime(), dtype, a), values(poisoned, dtype, a), "in memory that holds NaN");
      }
    }
  });
}

Verdict memory_is_given_back(const Op& op) {
  Report report(op);
  return report.each_sample([&](const Sample& s) {
    const Runtime fresh({.products = "blas", .parallel = "serial", .threads = 0});
    values(fresh, DType::f32, application(op, s));
    report.require(fresh.pool()->live_bytes() == 0, "{} bytes stay live when all is gone", fresh.pool()->live_bytes());
  });
}

// An element that the outputs depend on (its gradient is not 0) must show when it is NaN; a mask may hide what it
// hides. Where outputs grow without bound as it grows, infinity must not give a finite one.
Verdict nan_and_infinity_are_not_masked(const Op& op) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();
  Report report(op);
  if (!differentiable(op)) return report.verdict;
  return report.each_sample([&](const Sample& s) {
    const Application a = application(op, s);
    const auto gradients = evaluate(runtime(), DType::f64, a).gradients;
    for (std::size_t i = 0; i < a.inputs.size(); ++i) {
      for (i64 e = 0; gradients[i] && e < gradients[i].size(); e += 1 + gradients[i].size() / 8) {
        if (std::abs(gradients[i].at(e)) < 1e-9) continue;
        for (const DType dtype : {DType::f32, DType::f64}) {
          report.require(any_nan(outputs(with(a, i, e, kNan), dtype)), "NaN in input {}, element {} is masked in {}", i,
                         e, name(dtype));
        }
        for (const double sign : {1.0, -1.0}) {
          const auto small = outputs(with(a, i, e, sign * 1e15), DType::f64),
                     large = outputs(with(a, i, e, sign * 1e30), DType::f64);
          const auto at_infinity = outputs(with(a, i, e, sign * kInfinity), DType::f64);
          for (std::size_t y = 0; y < large.size(); ++y) {
            for (i64 n = 0; n < large[y].size(); ++n) {
              const bool grows = std::abs(large[y].at(n)) > 1e6 * std::max(1.0, std::abs(small[y].at(n)));
              if (grows)
                report.require(!std::isfinite(at_infinity[y].at(n)), "infinity in input {}, element {} is masked", i,
                               e);
            }
          }
        }
      }
    }
  });
}

// Inputs are scaled up to 1e4 in steps of a tenth. A value that stops being finite, be it infinite or the NaN of a sum
// of infinities, must have come from near the end of the range: e^x steps from at least 1e34 in f32 and 1e270 in f64 (a
// power of both from 1e31 and 1e250); log(1 + e^x) done naively from 88 and 709, e^x / sum e^x from 1.
Verdict it_overflows_only_where_the_function_does(const Op& op) {
  Report report(op);
  return report.each_sample([&](const Sample& s) {
    if (s.high <= 1) return;  // decays and the like: no large inputs
    const Application a = application(op, s);
    for (const DType dtype : {DType::f32, DType::f64}) {
      const double near_end = dtype == DType::f32 ? 1e25 : 1e200;
      auto before = values(runtime(), dtype, a);
      for (double scale = 1.1; scale * s.high < 1e4; scale *= 1.1) {
        // A range that is not even, such as that of log(1 + x), ends below: there it grows upwards alone.
        const auto grown = [&](double x) { return x > 0 || s.low == -s.high ? x * scale : x; };
        const auto now = values(runtime(), dtype, mapped(a, grown));
        for (std::size_t v = 0; v < now.size(); ++v) {
          for (i64 i = 0; now[v] && i < now[v].size(); ++i) {
            const double x = now[v].at(i), last = before[v].at(i);
            const bool right = std::isfinite(x) || !std::isfinite(last) || std::abs(last) > near_end;
            report.require(right, "value {}, element {} goes from {:.3g} to {} in {} (inputs up to {:.3g})", v, i, last,
                           x, name(dtype), scale * s.high);
            if (!right) return;
          }
        }
        before = now;
      }
    }
  });
}

}  // namespace weft::tests
