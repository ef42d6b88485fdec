#include "engine/loops.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "engine/key.h"
#include "engine/math.h"

using namespace weft;

namespace {

std::vector<Isa> available() {
  std::vector<Isa> sets{Isa::baseline};
  if (best_isa() != Isa::baseline) sets.push_back(Isa::avx2);
  if (best_isa() == Isa::avx512) sets.push_back(Isa::avx512);
  return sets;
}

// A row like those of the ops: products, sums, exp, a quotient. Odd in length, so that every loop has a remainder.
template <class T> std::vector<T> results(Isa isa, bool as_block) {
  constexpr i64 n = 10007;
  std::vector<T> x(n), y(n);
  for (i64 i = 0; i < n; ++i)
    x[static_cast<std::size_t>(i)] = static_cast<T>(20 * uniform(Key{1}, static_cast<u64>(i)) - 10);
  const T* in = x.data();
  T* out = y.data();
  const auto body = [=](i64 i) {
    out[i] = weft::tanh(in[i]) * weft::sigmoid(in[i]) + in[i] * in[i] / (1 + weft::exp(in[i]));
  };
  if (as_block) {
    block(isa, [&] {
      for (i64 i = 0; i < n; ++i) body(i);
    });
  } else {
    loop(isa, 0, n, body);
  }
  return y;
}

}  // namespace

TEST_CASE("every instruction set gives the same bits") {
  // -ffp-contract=off holds for them all: a product and a sum are rounded twice everywhere.
  for (const Isa isa : available()) {
    CAPTURE(name(isa));
    for (const bool as_block : {false, true}) {
      CHECK(results<float>(isa, as_block) == results<float>(Isa::baseline, false));
      CHECK(results<double>(isa, as_block) == results<double>(Isa::baseline, false));
    }
  }
}

TEST_CASE("a loop visits each index of its range once") {
  for (const Isa isa : available()) {
    for (const auto& [begin, end] : {std::pair<i64, i64>{0, 0}, {3, 4}, {5, 70}, {9, 9}, {7, 3}}) {
      std::vector<int> visits(80);
      int* v = visits.data();
      loop(isa, begin, end, [=](i64 i) { ++v[i]; });
      for (i64 i = 0; i < 80; ++i) CHECK(visits[static_cast<std::size_t>(i)] == (i >= begin && i < end));
    }
  }
}

TEST_CASE("NaN and infinity go through every instruction set") {
  for (const Isa isa : available()) {
    std::vector<float> x(19, std::nanf("")), y(19);
    x[3] = INFINITY, x[4] = -INFINITY;
    const float* in = x.data();
    float* out = y.data();
    loop(isa, 0, 19, [=](i64 i) { out[i] = weft::exp(in[i]); });
    for (std::size_t i = 0; i < 19; ++i) {
      if (i == 3) CHECK(y[i] == INFINITY);
      else if (i == 4) CHECK(y[i] == 0);
      else CHECK(std::isnan(y[i]));
    }
  }
}
