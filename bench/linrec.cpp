// Forward and backward of `linrec`, by class, form and chunk: the median of the processor time of all threads, and its
// ratio to the best of the class. All candidates take turns, and waiting does not count, so that a machine that is busy
// with something else is unfair to none.
//
//     cmake --build build --target linrec_bench && build/bench/linrec_bench [turns]
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>

#include "engine/tape.h"
#include "ops/affine_scan.h"
#include "ops/linrec.h"

using namespace weft;

namespace {

struct Size {
  i64 B, H, T, K, V;
};
struct Candidate {
  std::string form;
  i64 chunk;
  std::vector<double> forward, both;
};

Tensor drawn(const Shape& shape, u64 seed, double low, double high) {
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = low + (high - low) * uniform(Key{seed}, i);
  return Tensor::from(values, shape, DType::f32);
}

std::vector<Tensor> inputs_of(const Size& s, const std::string& kind) {
  const double unit = 1 / std::sqrt(static_cast<double>(s.K));
  std::vector<Tensor> in = {drawn({s.B, s.H, s.T, s.K}, 1, -unit, unit),
                            drawn({s.B, s.H, s.T, s.K}, 2, -unit, unit),
                            drawn({s.B, s.H, s.T, s.V}, 3, -1, 1),
                            {},
                            {}};
  if (kind == "constant decay") in[3] = drawn({s.H, 1, 1}, 4, 0.9, 1);
  if (kind == "scalar decay" || kind == "gated delta") in[3] = drawn({s.B, s.H, s.T, 1}, 4, 0.9, 1);
  if (kind == "channel decay") in[3] = drawn({s.B, s.H, s.T, s.K}, 4, 0.9, 1);
  if (kind == "delta" || kind == "gated delta") in[4] = drawn({s.B, s.H, s.T}, 5, 0, 1);
  return in;
}

// Milliseconds of processor time.
double now() { return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

void turn(const Runtime& runtime, const std::vector<Tensor>& in, const std::string& kind, Candidate& c) {
  Tape tape(runtime, DType::f32);
  std::vector<Var> x, wanted;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const bool fixed = i == 3 && kind == "constant decay";
    x.push_back(!in[i] ? Var() : fixed ? tape.constant(in[i]) : tape.leaf(in[i]));
    if (in[i] && !fixed) wanted.push_back(x.back());
  }
  const double start = now();
  const Var y = ops::linrec(x[0], x[1], x[2], {.decay = x[3], .beta = x[4], .form = c.form, .chunk = c.chunk})[0];
  c.forward.push_back(now() - start);
  const Tensor dy = Tensor::full(tape.value(y).shape(), 1, DType::f32);
  const double before = now();
  tape.gradient(y, wanted, dy);
  c.both.push_back(c.forward.back() + now() - before);
}

double median(std::vector<double> x) {
  std::ranges::sort(x);
  return x[x.size() / 2];
}

// Bytes that must move per second: forward reads a and b and writes h; backward reads a, h and dh and writes da and db.
void elementwise(const Runtime& runtime, int turns) {
  const Shape shape = {16, 256, 384};
  const Tensor a = drawn(shape, 1, 0.5, 1), b = drawn(shape, 2, -1, 1), dy = Tensor::full(shape, 1, DType::f32);
  std::vector<double> forward, backward;
  for (int i = 0; i < turns; ++i) {
    Tape tape(runtime, DType::f32);
    const Var x = tape.leaf(a), y = tape.leaf(b);
    const double start = now();
    const Var h = ops::affine_scan(y, x)[0];
    forward.push_back(now() - start);
    const double before = now();
    tape.gradient(h, {x, y}, dy);
    backward.push_back(now() - before);
  }
  const double gigabytes = static_cast<double>(a.bytes()) * 1e-9;
  fmt::print("\naffine_scan [16, 256, 384]: forward {:.2f} ms, {:.1f} GB/s a thread; backward {:.2f} ms, {:.1f} GB/s\n",
             median(forward), 3e3 * gigabytes / median(forward), median(backward), 5e3 * gigabytes / median(backward));
}

}  // namespace

int main(int argc, char** argv) {
  const int turns = argc > 1 ? std::atoi(argv[1]) : 15;
  const Runtime runtime;
  fmt::print("{}; median of {} turns, ms of processor time\n", runtime.describe(), turns);
  elementwise(runtime, turns);
  for (const Size s : {Size{8, 4, 256, 32, 32}, Size{8, 4, 256, 64, 128}}) {
    fmt::print("\nB {} H {} T {} K {} V {}\n", s.B, s.H, s.T, s.K, s.V);
    for (const std::string kind : {"sum", "constant decay", "scalar decay", "channel decay", "delta", "gated delta"}) {
      const std::vector<Tensor> in = inputs_of(s, kind);
      std::vector<Candidate> all = {{"recurrent", 0, {}, {}}};
      for (const i64 chunk : {8, 16, 32, 64, 128}) all.push_back({"chunkwise", chunk, {}, {}});
      if (kind == "sum" || kind == "constant decay" || kind == "scalar decay") all.push_back({"parallel", 0, {}, {}});
      for (int i = 0; i < turns + 2; ++i) {
        for (Candidate& c : all) {
          turn(runtime, in, kind, c);
          if (i < 2) c.forward.clear(), c.both.clear();  // warm-up
        }
      }
      double best = HUGE_VAL;
      for (const Candidate& c : all) best = std::min(best, median(c.both));
      for (const Candidate& c : all) {
        fmt::print("  {:15} {:10} {:>4}  forward {:7.2f}  with backward {:7.2f}  x{:.2f}\n", kind, c.form,
                   c.chunk ? std::to_string(c.chunk) : "", median(c.forward), median(c.both), median(c.both) / best);
      }
    }
  }
}
