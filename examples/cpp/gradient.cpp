// A tensor and its gradient: y = swish(x) is computed at once, and the tape knows how.
//
// Prints:
//   y     -0.238406  0.000000  0.731059  1.761594
//   dy/dx -0.090784  0.500000  0.927671  1.090784
#include <fmt/format.h>

#include "engine/tape.h"
#include "ops/swish.h"

using namespace weft;

void print(const char* what, const Tensor& t) {
  fmt::print("{:<5}", what);
  for (i64 i = 0; i < t.size(); ++i) fmt::print("{} {:.6f}", i ? " " : "", t.at(i));
  fmt::print("\n");
}

int main() {
  Runtime runtime;  // memory, threads, matrix products
  Tape tape(runtime, DType::f64);
  const Var x = tape.leaf(Tensor::from({-2, 0, 1, 2}, {4}));  // gradients can be taken of a leaf
  const Var y = ops::swish(x);                                // x * sigmoid(x)
  print("y", tape.value(y));
  print("dy/dx", tape.gradient(y, {x})[0]);  // of the sum of y
}
