#include "engine/runtime.h"

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <optional>
#include <thread>

namespace weft {
namespace {

class Loops final : public Products {
 public:
  void multiply(const Product<float>& p) const override { run(p); }
  void multiply(const Product<double>& p) const override { run(p); }
  std::string name() const override { return "loops"; }

 private:
  template <class T> static void run(const Product<T>& p) {
    for (i64 i = 0; i < p.m; ++i) {
      for (i64 j = 0; j < p.n; ++j) {
        T sum = 0;
        for (i64 l = 0; l < p.k; ++l) {
          sum += (p.transpose_a ? p.a[l * p.lda + i] : p.a[i * p.lda + l]) *
                 (p.transpose_b ? p.b[j * p.ldb + l] : p.b[l * p.ldb + j]);
        }
        T& c = p.c[i * p.ldc + j];
        c = p.alpha * sum + (p.beta == 0 ? T(0) : p.beta * c);
      }
    }
  }
};

class Serial final : public Parallel {
 public:
  void ranges(i64 n, i64 grain, const Range& body) const override {
    for (i64 begin = 0; begin < n; begin += grain) body(begin, std::min(n, begin + grain));
  }
  int threads() const override { return 1; }
  std::string name() const override { return "serial"; }
};

// TBB owns the threads. Pieces have the size of the grain whatever the number of threads, and no result depends on
// which thread computes a piece. A thread that waits for the others helps with this range alone: it might else begin
// something long that is waiting, too.
class Tbb final : public Parallel {
 public:
  explicit Tbb(int threads) : arena_(threads) {
    // TBB gives no more threads than the machine has cores unless it is told to.
    if (threads > static_cast<int>(std::thread::hardware_concurrency())) {
      more_.emplace(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads));
    }
  }
  void ranges(i64 n, i64 grain, const Range& body) const override {
    const i64 pieces = (n + grain - 1) / grain;
    const auto all = [&] {
      tbb::parallel_for(i64{0}, pieces, [&](i64 p) { body(p * grain, std::min(n, (p + 1) * grain)); });
    };
    arena_.execute([&] { tbb::this_task_arena::isolate(all); });
  }
  int threads() const override { return arena_.max_concurrency(); }
  std::string name() const override { return "tbb"; }

 private:
  std::optional<tbb::global_control> more_;
  mutable tbb::task_arena arena_;
};

}  // namespace

std::unique_ptr<Products> make_loops_products() { return std::make_unique<Loops>(); }
std::unique_ptr<Parallel> make_serial() { return std::make_unique<Serial>(); }
std::unique_ptr<Parallel> make_tbb(int threads) { return std::make_unique<Tbb>(threads); }

Isa best_isa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl")) {
    return Isa::avx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::avx2;
#endif
  return Isa::baseline;
}

std::string_view name(Isa isa) {
  switch (isa) {
    case Isa::avx512: return "AVX-512";
    case Isa::avx2: return "AVX2";
    default: return "baseline";
  }
}

Runtime::Runtime(const RuntimeOptions& options) : isa_(best_isa()) {
  const auto& p = options.products;
  check(p == "auto" || p == "packed" || p == "blas" || p == "loops",
        "--products is auto, packed, blas or loops, not {}", p);
  const bool vectors = isa_ != Isa::baseline;
  check(p != "packed" || vectors, "--products packed needs a CPU with AVX2");
  check(options.parallel == "serial" || options.parallel == "tbb", "--parallel is serial or tbb, not {}",
        options.parallel);
  check(options.threads >= 0 && options.threads <= 1024, "--threads is from 1 to 1024, not {}", options.threads);
  if (p == "loops") products_ = make_loops_products();
  else products_ = p == "blas" || !vectors ? make_blas_products() : make_packed_products(isa_);
  if (options.parallel == "serial") {
    parallel_ = make_serial();
    if (p == "loops") isa_ = Isa::baseline;  // the reference to read: the same bits on every machine
    return;
  }
  const int all = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const int threads = options.threads ? options.threads : all;
  parallel_ = threads == 1 ? make_serial() : make_tbb(threads);  // to ask for one thread costs 5 % of a generated token
}

Runtime Runtime::alone() const {
  Runtime one = *this;
  one.parallel_ = make_serial();
  return one;
}

std::string Runtime::describe() const {
  return fmt::format("products {}, {} threads ({}), {}", products_->name(), parallel_->threads(), parallel_->name(),
                     name(isa_));
}

}  // namespace weft
