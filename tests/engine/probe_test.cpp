#include "engine/probe.h"

#include <doctest/doctest.h>

using namespace weft;

TEST_SUITE_BEGIN("slow");  // a sanitizer makes all loops alike

TEST_CASE("the probes give speeds that a machine can have, the wider instructions the higher") {
  const Runtime runtime({.products = "loops", .parallel = "serial"});
  double plain = 0, best = 0;
  // Twice as wide and fused, four times in theory; a busy machine may stop either at any time, but not ten times.
  for (int i = 0; i < 10 && best <= plain; ++i) {
    plain = peak_flops(runtime, Isa::baseline), best = peak_flops(runtime, best_isa());
    if (best_isa() == Isa::baseline) break;
  }
  CHECK(plain > 1e9);
  CHECK(best < 1e12);  // of one thread
  if (best_isa() != Isa::baseline) CHECK(best > plain);
  const double read = read_bandwidth(runtime, std::size_t{8} << 20);
  CHECK(read > 1e8);
  CHECK(read < 1e13);
}

TEST_SUITE_END();
