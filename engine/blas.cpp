// OpenBLAS as a backend of products: the right kernels chosen, the wrong package refused, a small product verified.
#include <cblas.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <string_view>

#include "engine/runtime.h"

// Not in every BLAS, and not in its headers: kernel selection can be done again after the environment is set.
extern "C" {
[[gnu::weak]] char* openblas_get_corename(void);
[[gnu::weak]] int openblas_get_parallel(void);
[[gnu::weak]] void openblas_set_num_threads(int);
[[gnu::weak]] void gotoblas_dynamic_init(void);
[[gnu::weak]] void gotoblas_dynamic_quit(void);
}

namespace weft {
namespace {

// Debian's OpenBLAS 0.3.21 does not know Intel CPUs newer than itself and takes SSE3 kernels for them, five times
// slower. Only names known to be lower are raised; an unknown name may come from an OpenBLAS that knows better.
bool lower_than(std::string_view core, Isa isa) {
  constexpr std::array kBelowAvx2 = {"Prescott",    "Core2",  "Penryn",     "Dunnington", "Atom",   "Nehalem",
                                     "Sandybridge", "Katmai", "Coppermine", "Northwood",  "Banias", "Generic"};
  for (const std::string_view name : kBelowAvx2) {
    if (core == name) return isa != Isa::baseline;
  }
  return core == "Haswell" && isa == Isa::avx512;
}

std::string choose_kernels() {
  if (!openblas_get_corename) return "an unknown BLAS";
  const std::string before = openblas_get_corename();
  if (std::getenv("OPENBLAS_CORETYPE")) return before + " kernels (chosen by OPENBLAS_CORETYPE)";
  const Isa isa = best_isa();
  if (!gotoblas_dynamic_init || !gotoblas_dynamic_quit || !lower_than(before, isa)) return before + " kernels";
  // Select again: quit only forgets the kernel table, init chooses it anew. Safe before the first product.
  setenv("OPENBLAS_CORETYPE", isa == Isa::avx512 ? "SkylakeX" : "Haswell", 1);
  gotoblas_dynamic_quit();
  gotoblas_dynamic_init();
  unsetenv("OPENBLAS_CORETYPE");
  return fmt::format("{} kernels (raised from {})", openblas_get_corename(), before);
}

// A product with an odd edge, compared with plain loops: some kernels give wrong results on CPUs newer than they are.
void verify() {
  constexpr i64 m = 37, n = 29, k = 53;
  std::array<float, m * k> a;
  std::array<float, k * n> b;
  std::array<float, m * n> c;
  for (i64 i = 0; i < m * k; ++i) a[i] = static_cast<float>(i % 11 - 5);
  for (i64 i = 0; i < k * n; ++i) b[i] = static_cast<float>(i % 7 - 3);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a.data(), k, b.data(), n, 0, c.data(), n);
  for (i64 i = 0; i < m; ++i) {
    for (i64 j = 0; j < n; ++j) {
      float sum = 0;  // small whole numbers: exact in any order
      for (i64 l = 0; l < k; ++l) sum += a[i * k + l] * b[l * n + j];
      if (sum != c[i * n + j]) {
        throw Error("OpenBLAS gives wrong products on this CPU; set OPENBLAS_CORETYPE=Haswell or use --products loops",
                    Failure::internal);
      }
    }
  }
}

// OpenBLAS takes 128 MB of address space for each thread that multiplies, one of them before main, and where it does
// not get them it asks again for ever. This runs before it does: a hang is no answer.
#if defined(__linux__) && !defined(WEFT_ONE_ISA)  // sanitizers want to be first themselves
void before_libraries() {
  struct rlimit limit {};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur >= 350 << 20) return;
  constexpr std::string_view kRefused = "error: `ulimit -v` leaves less than the 350 MB that OpenBLAS needs to start\n";
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kRefused.data(), kRefused.size());
  _exit(static_cast<int>(Failure::size));
}
[[gnu::section(".preinit_array"), gnu::used]] void (*const kBeforeLibraries)() = before_libraries;
#endif

class Blas final : public Products {
 public:
  explicit Blas(std::string kernels) : kernels_(std::move(kernels)) {}
  void multiply(const Product<float>& p) const override { run(p, cblas_sgemm, cblas_sgemv); }
  void multiply(const Product<double>& p) const override { run(p, cblas_dgemm, cblas_dgemv); }
  std::string name() const override { return "OpenBLAS, " + kernels_; }

 private:
  template <class T> static void run(const Product<T>& p, auto gemm, auto gemv) {
    if (!p.m || !p.n) return;
    const blasint m = size(p.m), n = size(p.n), k = size(p.k);
    if (m > 1 || !k) {
      return gemm(CblasRowMajor, flag(p.transpose_a), flag(p.transpose_b), m, n, k, p.alpha, p.a, stride(p.lda), p.b,
                  stride(p.ldb), p.beta, p.c, stride(p.ldc));
    }
    // One row, as when a single token is generated: c^T = B^T a^T. gemm would pack all of B for it, several times the
    // cost of reading it. Fresh memory may hold NaN, which some versions keep in spite of beta = 0.
    if (p.beta == T(0)) std::fill_n(p.c, p.n, T(0));
    gemv(CblasRowMajor, flag(!p.transpose_b), p.transpose_b ? n : k, p.transpose_b ? k : n, p.alpha, p.b, stride(p.ldb),
         p.a, p.transpose_a ? stride(p.lda) : 1, p.beta, p.c, 1);
  }
  static CBLAS_TRANSPOSE flag(bool transpose) { return transpose ? CblasTrans : CblasNoTrans; }
  static blasint size(i64 n) {
    check(n <= std::numeric_limits<blasint>::max(),
          "a product with a side of {} is beyond OpenBLAS; use --products loops", n);
    return static_cast<blasint>(n);
  }
  // Where k = 0 the rows of A are empty; OpenBLAS refuses a stride of 0, prints so, and leaves C as it was.
  static blasint stride(i64 n) { return size(std::max<i64>(1, n)); }
  std::string kernels_;
};

}  // namespace

std::unique_ptr<Products> make_blas_products() {
  // Once a process: the kernel table of OpenBLAS belongs to the process, not to a runtime.
  static std::once_flag once;
  static std::string kernels;
  std::call_once(once, [] {
    // Debian's serial package is not safe to call from several threads: wrong results, 42 of 6,000 measured.
    if (openblas_get_parallel && openblas_get_parallel() == 0) {
      throw Error(
          "the serial OpenBLAS gives wrong results under threads; install libopenblas0-pthread, or use "
          "--products loops",
          Failure::internal);
    }
    kernels = choose_kernels();
    if (openblas_set_num_threads) openblas_set_num_threads(1);  // TBB owns the threads
    verify();
  });
  return std::make_unique<Blas>(kernels);
}

}  // namespace weft
