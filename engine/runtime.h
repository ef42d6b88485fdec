// What a computation runs on: memory, parallel ranges, products. Several may live side by side; nothing is global.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "engine/pool.h"

namespace weft {

/// Instruction sets that the elementwise loops are built for.
enum class Isa { baseline, avx2, avx512 };
Isa best_isa();
std::string_view name(Isa isa);

/// B as a backend likes to read it, laid out once for many products: `begin` is the first column of this product's
/// part.
template <class T> struct Panels {
  const T* data = nullptr;
  i64 begin = 0, columns = 0;  // of the whole
};

/// One matrix product C = alpha A B + beta C, row-major with leading dimensions; A is m x k, B is k x n as used, and
/// `transpose_a`, `transpose_b` say that they are stored the other way round.
template <class T> struct Product {
  bool transpose_a = false, transpose_b = false;
  i64 m = 0, n = 0, k = 0;
  const T* a = nullptr;
  i64 lda = 0;
  const T* b = nullptr;
  i64 ldb = 0;
  T* c = nullptr;
  i64 ldc = 0;
  T alpha = 1, beta = 0;
  Panels<T> panels = {};  // of B, where `lay_out` made them: then b is not read
};

/// Single-threaded products; the caller splits the work into tiles whose geometry depends on shapes alone.
class Products {
 public:
  virtual ~Products() = default;
  virtual void multiply(const Product<float>& p) const = 0;
  virtual void multiply(const Product<double>& p) const = 0;
  /// Numbers that all of `p`'s B takes as panels; 0: this backend has no use for them.
  virtual i64 laid_out(const Product<float>&) const { return 0; }
  virtual i64 laid_out(const Product<double>&) const { return 0; }
  /// Writes columns begin .. end of B, multiples of kPanel, to where they belong behind `to`.
  virtual void lay_out(const Product<float>&, i64, i64, float*) const {}
  virtual void lay_out(const Product<double>&, i64, i64, double*) const {}
  static constexpr i64 kPanel = 32;  // columns: no panel of any backend is wider
  virtual std::string name() const = 0;
};
/// What f32 products round their factors to before they multiply; sums are f32 in either case. f64 stays what it is.
enum class Precision { f32, bf16 };
/// The reference to read: same bits on every machine.
std::unique_ptr<Products> make_loops_products(Precision precision = Precision::f32);
std::unique_ptr<Products> make_blas_products();  // OpenBLAS, its kernels chosen and tried (engine/blas.cpp)
/// Our own kernel for AVX2 and AVX-512 (engine/packed.cpp).
std::unique_ptr<Products> make_packed_products(Isa isa);
/// The same by the instructions of AVX512-BF16 (engine/bf16.cpp), twice as many multiplications a second.
std::unique_ptr<Products> make_bf16_products();
bool has_bf16();
/// Whether the backend of this name (`RuntimeOptions::products`) has them here.
bool has_bf16(const std::string& products);

using Range = std::function<void(i64 begin, i64 end)>;
class Parallel {
 public:
  virtual ~Parallel() = default;
  /// Runs `body` over 0 .. n in pieces of `grain`; pieces may run at the same time. An exception ends it.
  virtual void ranges(i64 n, i64 grain, const Range& body) const = 0;
  virtual int threads() const = 0;
  virtual std::string name() const = 0;
};
std::unique_ptr<Parallel> make_serial();
std::unique_ptr<Parallel> make_threads(int threads);  // engine/threads.cpp
std::unique_ptr<Parallel> make_team(int threads);     // engine/team.cpp

struct RuntimeOptions {
  std::string products = "auto";  // auto | packed | blas | loops
  std::string parallel = "tbb";   // serial | tbb
  int threads = 0;                // 0: all that the machine has
};

class Runtime {
 public:
  explicit Runtime(const RuntimeOptions& options = {});
  /// The same for the calling thread alone, with the same memory: for work that already runs beside other work.
  Runtime alone() const;
  /// The same with threads that stay awake between ranges: for many short ones after each other.
  Runtime awake() const;
  /// An error where this CPU, or the backend that was asked for, has none of that precision.
  const Products& products(Precision precision = Precision::f32) const;
  const Parallel& parallel() const { return *parallel_; }
  const std::shared_ptr<Pool>& pool() const { return pool_; }
  Isa isa() const { return isa_; }
  /// One line for the banner: products and their kernels, threads, instruction set.
  std::string describe(Precision precision = Precision::f32) const;

 private:
  std::shared_ptr<const Products> products_, bf16_products_;  // the latter null where there are none
  std::shared_ptr<const Parallel> parallel_;
  std::shared_ptr<Pool> pool_ = std::make_shared<Pool>();
  Isa isa_;
};

}  // namespace weft
