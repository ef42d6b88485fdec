#include "tests/ops/suite/mutants.h"

#include <cstring>

#include "engine/kernel.h"
#include "tests/ops/suite/trial.h"

namespace weft::tests {
namespace {

using Mistake = Mutant::Mistake;
using Call = void (*)(KernelCall&);

template <class T> void spoil(Mistake mistake, std::span<T> x) {
  if (mistake == Mistake::gradient_dropped) std::fill(x.begin(), x.end(), T(0));
  else if (mistake == Mistake::gradient_late) std::rotate(x.begin(), x.begin() + 1, x.end());
  else if (mistake == Mistake::gradient_scaled)
    for (T& v : x) v *= T(1.0005);
  else
    for (T& v : x) v += T(0.001) + T(0.001) * v;
}

template <class T, Call Op::*kernel, bool backward> void spoiled(KernelCall& call) {
  const auto& m = static_cast<const Mutant&>(call.op);
  const std::size_t which = backward ? m.input : 0;
  const bool any =
      call.results[which] && call.results[which].size() > 0 && call.results[which].dtype() == dtype_of<T>();
  // Looked at before the memory is written; the result may share another's afterwards, so a copy is spoiled.
  T old{};
  const auto last = [&](std::byte* data) { return data + (call.results[which].bytes() - sizeof(T)); };
  if (any && m.mistake == Mistake::unwritten) std::memcpy(&old, last(call.results[which].mutable_raw()), sizeof(T));
  (m.original.*kernel)(call);
  if (!any) return;
  Tensor t = call.results[which].copy();
  if (m.mistake == Mistake::unwritten) std::memcpy(last(t.mutable_raw()), &old, sizeof(T));
  else spoil(m.mistake, t.mutable_values<T>());
  call.results[which] = t;
}

}  // namespace

Mutant::Mutant(const Op& o, Mistake m, std::size_t i) : Op(o), original(o), mistake(m), input(i) {
  if (m == Mistake::f32_off || m == Mistake::unwritten) {
    shares = 0;  // its memory is looked at before it is written
    forward_f32 = &spoiled<float, &Op::forward_f32, false>;
    if (m == Mistake::unwritten) forward_f64 = &spoiled<double, &Op::forward_f64, false>;
    return;
  }
  passes_cotangent = 0;  // else its backward would not be asked
  backward_f32 = &spoiled<float, &Op::backward_f32, true>;
  backward_f64 = &spoiled<double, &Op::backward_f64, true>;
}

std::string Mutant::text() const {
  const char* what = mistake == Mistake::gradient_scaled    ? "times 1.0005"
                     : mistake == Mistake::gradient_dropped ? "dropped"
                                                            : "one element late";
  if (mistake == Mistake::f32_off) return "its values in f32 off by a thousandth";
  if (mistake == Mistake::unwritten) return "its last element not written";
  return fmt::format("its gradient of `{}` {}", original.inputs[input].name, what);
}

namespace {

// As `gradients_match_differences` does, up to the first sample that shows it.
bool gradients_complain(const Op& op) {
  for (const Sample& s : op.samples()) {
    if (!(check_gradients(runtime(), softened(application(op, s))).worst < 1e-7)) return true;
  }
  return false;
}
bool f32_complains(const Op& op) { return !f32_is_close_to_f64(op).complaints.empty(); }
bool poison_complains(const Op& op) { return !every_element_is_written_before_it_is_read(op).complaints.empty(); }

}  // namespace

Verdict planted_mistakes_are_caught(const Op& op) {
  Report report(op);
  if (op.build) return report.verdict;  // it has no numbers of its own
  const auto plant = [&](const Mutant& mutant, bool (*noticed)(const Op&)) {
    report.require(noticed(mutant), "{}: the suite does not notice; its samples are too weak", mutant.text());
  };
  const bool real = op.output_kind(0) == Kind::real;
  if (real) plant(Mutant(op, Mistake::f32_off), f32_complains);
  if (real) plant(Mutant(op, Mistake::unwritten), poison_complains);
  for (std::size_t i = 0; op.backward_f64 && i < op.inputs.size(); ++i) {
    if (op.inputs[i].is(Input::index) || op.inputs[i].is(Input::fixed)) continue;
    for (const Mistake m : {Mistake::gradient_scaled, Mistake::gradient_dropped, Mistake::gradient_late}) {
      plant(Mutant(op, m, i), gradients_complain);
    }
  }
  return report.verdict;
}

}  // namespace weft::tests
