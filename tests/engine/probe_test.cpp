#include "engine/probe.h"

#include <doctest/doctest.h>

using namespace weft;

TEST_CASE("the probes give speeds that a machine can have, the wider instructions the higher") {
  const Runtime runtime({.products = "loops", .parallel = "serial"});
  const double plain = peak_flops(runtime, Isa::baseline), best = peak_flops(runtime, best_isa());
  CHECK(plain > 1e9);
  CHECK(best < 1e12);  // of one thread
  // Twice as wide and fused, four times in theory; a busy machine may halve either.
  if (best_isa() != Isa::baseline) CHECK(best > plain);
  const double read = read_bandwidth(runtime, std::size_t{8} << 20);
  CHECK(read > 1e8);
  CHECK(read < 1e13);
}
