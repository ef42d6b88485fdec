// A derived form is never trusted on its algebra alone: both forms of a recurrence are built beside the model, with
// inputs of their own in place of what the model computes, and run on the same random numbers.
#include <fmt/format.h>

#include "dsl/lone_recurrence.h"

namespace weft::dsl {

void confirm_linear(Builder& builder, const Recurrence& r, const std::vector<StateForm>& forms) {
  const Program& program = builder.program();
  if (!trains(program.mode) || program.proof) return;
  if (!builder.program().confirmed.insert(identity(builder, r)).second) return;
  const LoneRecurrence derived(builder, r, forms, "auto"), loop(builder, r, forms, "loop");
  constexpr i64 kPositions = 4;  // a start, an end, and one between two others
  // About 100 MB of doubles. What is larger is checked with the rest of the run's memory, not by filling it here; the
  // algebra does not depend on the sizes.
  constexpr double kNumbers = 1 << 23;
  if (loop.numbers(1, kPositions) > kNumbers) return;
  const Runtime runtime({.products = "loops", .parallel = "serial", .threads = 0});
  for (const double low : {-1.0, 0.1}) {  // with signs, and where logarithms and roots have values
    const auto draw = [&](const std::string& name, const Shape& shape, Kind kind) {
      const auto count = static_cast<std::size_t>(element_count(shape));
      if (kind == Kind::index) return Tensor::of_indices(std::vector<i32>(count), shape);
      std::vector<double> values(count);
      for (std::size_t i = 0; i < count; ++i) values[i] = low + (1 - low) * uniform(Key{1}.fold(name), i);
      return Tensor::from(values, shape, DType::f64);
    };
    const auto a = derived.run(runtime, DType::f64, 1, kPositions, draw);
    const auto b = loop.run(runtime, DType::f64, 1, kPositions, draw);
    for (const Equation& e : r.read) {
      // Sums of some thousand terms of 1e-16 each, as everywhere in f64.
      if (const double d = distance(a.at(e.name), b.at(e.name)); !(d < 1e-9)) {
        throw Error(fmt::format("{}: `{}` was derived wrongly: it differs from the loop by {:.1e}",
                                place_text(e.value->span), e.name, d),
                    Failure::internal);
      }
    }
  }
}

}  // namespace weft::dsl
