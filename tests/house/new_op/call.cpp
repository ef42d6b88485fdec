#include <cstdio>

#include "engine/tape.h"
#include "ops/thrice.h"

int main() {
  weft::Runtime runtime;
  weft::Tape tape(runtime, weft::DType::f64);
  const weft::Var x = tape.leaf(weft::Tensor::from({1, 2}, {2}));
  std::printf("%g %g\n", tape.value(weft::ops::thrice(x)).at(1), tape.gradient(weft::ops::thrice(x), {x})[0].at(0));
}
