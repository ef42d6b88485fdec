#include "engine/runtime.h"

#include <algorithm>
#include <functional>
#include <system_error>
#include <thread>

#include "engine/bf16.h"

namespace weft {
namespace {

class Loops final : public Products {
 public:
  explicit Loops(Precision precision) : rounds_(precision == Precision::bf16) {}
  void multiply(const Product<float>& p) const override {
    run(p, [&](float x) { return rounds_ ? to_bf16(x) : x; });
  }
  void multiply(const Product<double>& p) const override { run(p, std::identity()); }
  std::string name() const override { return rounds_ ? "loops in bf16" : "loops"; }

 private:
  template <class T> static void run(const Product<T>& p, const auto& rounded) {
    for (i64 i = 0; i < p.m; ++i) {
      for (i64 j = 0; j < p.n; ++j) {
        T sum = 0;
        for (i64 l = 0; l < p.k; ++l) {
          sum += rounded(p.transpose_a ? p.a[l * p.lda + i] : p.a[i * p.lda + l]) *
                 rounded(p.transpose_b ? p.b[j * p.ldb + l] : p.b[l * p.ldb + j]);
        }
        T& c = p.c[i * p.ldc + j];
        c = p.alpha * sum + (p.beta == 0 ? T(0) : p.beta * c);
      }
    }
  }
  bool rounds_;
};

class Serial final : public Parallel {
 public:
  void ranges(i64 n, i64 grain, const Range& body) const override {
    for (i64 begin = 0; begin < n; begin += grain) body(begin, std::min(n, begin + grain));
  }
  int threads() const override { return 1; }
  std::string name() const override { return "serial"; }
};

// OpenBLAS has 128 MB of it for each thread that multiplies, and waits for ever where there is less (0.3.21). Another
// thread also has its stack, and for a moment twice the 64 MB that glibc allocates from.
void require_address_space(int threads) {
  constexpr std::size_t kProducts = 130 << 20, kThread = kProducts + (140 << 20);
  const std::size_t needed = kProducts + static_cast<std::size_t>(threads - 1) * kThread;
  const auto left = address_space_left();
  if (left && *left < needed) {
    throw Error(fmt::format("products on {} threads need {} MB of address space, and `ulimit -v` leaves {}; "
                            "take fewer threads (--threads 1) or --products loops",
                            threads, needed >> 20, *left >> 20),
                Failure::size);
  }
}

}  // namespace

std::unique_ptr<Products> make_loops_products(Precision precision) { return std::make_unique<Loops>(precision); }
std::unique_ptr<Parallel> make_serial() { return std::make_unique<Serial>(); }

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

bool has_bf16(const std::string& products) { return products == "loops" || (products != "blas" && has_bf16()); }

Runtime::Runtime(const RuntimeOptions& options) : isa_(best_isa()) {
  const auto& p = options.products;
  check(p == "auto" || p == "packed" || p == "blas" || p == "loops",
        "--products is auto, packed, blas or loops, not {}", p);
  const bool vectors = isa_ != Isa::baseline;
  check(p != "packed" || vectors, "--products packed needs a CPU with AVX2");
  check(options.parallel == "serial" || options.parallel == "tbb", "--parallel is serial or tbb, not {}",
        options.parallel);
  check(options.threads >= 0 && options.threads <= 1024, "--threads is from 1 to 1024, not {}", options.threads);
  const int all = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const int threads = options.parallel == "serial" ? 1 : options.threads ? options.threads : all;
  if (p == "loops") {
    products_ = make_loops_products();
  } else {
    require_address_space(threads);
    products_ = p == "blas" || !vectors ? make_blas_products() : make_packed_products(isa_);
  }
  if (has_bf16(p)) bf16_products_ = p == "loops" ? make_loops_products(Precision::bf16) : make_bf16_products();
  if (options.parallel == "serial") {
    parallel_ = make_serial();
    if (p == "loops") isa_ = Isa::baseline;  // the reference to read: the same bits on every machine
    return;
  }
  // To ask for one thread costs 5 % of a generated token.
  parallel_ = threads == 1 ? make_serial() : make_threads(threads);
}

const Products& Runtime::products(Precision precision) const {
  const auto& products = precision == Precision::bf16 ? bf16_products_ : products_;
  check(products != nullptr,
        "products in bf16 need a CPU with AVX512-BF16 and --products auto or packed; --products "
        "loops computes the same slowly");
  return *products;
}

Runtime Runtime::alone() const {
  Runtime one = *this;
  one.parallel_ = make_serial();
  return one;
}

Runtime Runtime::awake() const {
  Runtime team = *this;
  try {
    if (parallel_->threads() > 1) team.parallel_ = make_team(parallel_->threads());
  } catch (const std::system_error&) {  // no thread can be started any more: those that are there do the same, slower
  }
  return team;
}

std::string Runtime::describe(Precision precision) const {
  return fmt::format("products {}, {} threads ({}), {}", products(precision).name(), parallel_->threads(),
                     parallel_->name(), name(isa_));
}

}  // namespace weft
