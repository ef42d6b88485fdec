// Products by a kernel of our own (engine/packed_tile.h). A library serves large matrices; ours are a projection's 192
// rows or the 64 x 32 of a head, where its two copies a call cost as much as they save. Here A is read where it lies.
#include <algorithm>
#include <vector>

#include "engine/packed_row.h"

namespace weft {
namespace {

using namespace packed;

template <class T> using Wide = Tiles<T, 64, 8, 2>;    // 16 of 32 registers hold sums
template <class T> using Narrow = Tiles<T, 32, 6, 2>;  // 12 of 16

// Each kind of tile is compiled for its own instruction set alone: all of them for all sets took 40 s.
#if defined(__x86_64__) && !defined(WEFT_ONE_ISA)
template <class F> void for_tiles(Isa isa, const F& f) {
  if (isa == Isa::avx512) block_avx512([&] { f.template operator()<Wide>(); });
  else block_avx2([&] { f.template operator()<Narrow>(); });
}
#else
template <class F> void for_tiles(Isa isa, const F& f) {
  if (isa == Isa::avx512) f.template operator()<Wide>();
  else f.template operator()<Narrow>();
}
#endif

class Packed final : public Products {
 public:
  explicit Packed(Isa isa) : isa_(isa), library_(make_blas_products()) {}
  void multiply(const Product<float>& p) const override { run(p); }
  void multiply(const Product<double>& p) const override { run(p); }
  i64 laid_out(const Product<float>& p) const override { return size(p); }
  i64 laid_out(const Product<double>& p) const override { return size(p); }
  void lay_out(const Product<float>& p, i64 begin, i64 end, float* to) const override { lay(p, begin, end, to); }
  void lay_out(const Product<double>& p, i64 begin, i64 end, double* to) const override { lay(p, begin, end, to); }
  std::string name() const override { return "packed and " + library_->name(); }

 private:
  template <class T> void run(const Product<T>& p) const {
    if (for_library(p)) return library_->multiply(p);
    static thread_local std::vector<T> own;
    for_tiles(isa_, [&]<template <class> class S>() {
      if (p.m == 1 && !p.panels.data) row_product<S<T>>(p, own);
      else product<S<T>>(p, own);
    });
  }
  // A long sum over A^T, the gradient of a weight, is the library's with AVX2 alone, where it is up to 5 % ahead; with
  // AVX-512 ours is, and a step 4 % faster. Where A's rows lie far apart, as the logits of a large vocabulary do, each
  // step of the sum is on a page of its own, and the library's copy of A is worth it: a step with 16,384 tokens took 8
  // % longer without.
  template <class T> bool for_library(const Product<T>& p) const {
    const bool is_long = p.k >= 512 && isa_ != Isa::avx512, is_wide = p.k >= 64 && p.lda >= 2048;
    return p.k == 0 || (p.m > 1 && p.transpose_a && (is_long || is_wide));
  }
  template <class T> i64 size(const Product<T>& p) const {
    i64 columns = 0;
    for_tiles(isa_, [&]<template <class> class S>() { columns = padded<S<T>>(p.n); });
    return for_library(p) ? 0 : columns * p.k;
  }
  template <class T> void lay(const Product<T>& p, i64 begin, i64 end, T* to) const {
    const Product<T> part = columns_of(p, begin, end);
    for_tiles(isa_, [&]<template <class> class S>() { packed::lay_out<S<T>>(part, begin, p.n, to); });
  }

  Isa isa_;
  std::unique_ptr<Products> library_;
};

}  // namespace

std::unique_ptr<Products> make_packed_products(Isa isa) { return std::make_unique<Packed>(isa); }

}  // namespace weft
