// Activations y = x g(x) with a gate g that is 1/2 at 0.
#pragma once
#include <cmath>

namespace weft::ops {

/// The gate, of x and y alone: a quotient takes a third of what an exponential does. Beside zero y has lost its digits.
template <class T> T gate_of(T x, T y) { return std::abs(x) < T(1e-30) ? T(0.5) : y / x; }

}  // namespace weft::ops
