// Products of numbers that are rounded to bf16: two neighbours of a sum lie in the 32 bits of one float, and the CPU
// multiplies both and adds them to an f32 in the time of one multiply-add. So A and B become matrices of such pairs,
// half as deep, and all else is the kernel of f32 (engine/packed_tile.h): a pair is loaded, copied and turned as a
// float is.
#include "engine/bf16.h"

#include <vector>

#include "engine/packed_tile.h"

namespace weft {
namespace {

#if defined(__x86_64__) && !defined(WEFT_ONE_ISA)
constexpr bool kInstructions = true;
#else
constexpr bool kInstructions = false;  // the same by others, for sanitizers
#endif

using Vector = packed::Lanes<float, 64>::Vector;
typedef u32 Bits __attribute__((vector_size(64)));
typedef std::uint16_t Halves __attribute__((vector_size(64)));
constexpr i64 W = 16;

struct Pairs : packed::Tiles<float, 64, 8, 2> {
  [[gnu::always_inline]] static void add(Vector& sum, float x, Vector y) {
    const Vector all{x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
    if constexpr (kInstructions) {
      asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(all), "v"(y));
    } else {
      const auto half = [](Bits bits) { return std::bit_cast<Vector>(bits); };
      const Bits a = std::bit_cast<Bits>(all), b = std::bit_cast<Bits>(y);
      sum += half(a << 16) * half(b << 16) + half(a & 0xffff0000) * half(b & 0xffff0000);
    }
  }
};

// 32 numbers rounded: those of `low`, then those of `high`.
[[gnu::always_inline]] inline Halves rounded(Vector low, Vector high) {
  Halves all;
  if constexpr (kInstructions) {
    asm("vcvtne2ps2bf16 %2, %1, %0" : "=v"(all) : "v"(high), "v"(low));
  } else {
    for (int i = 0; i < 2 * W; ++i)
      all[i] = static_cast<std::uint16_t>(std::bit_cast<u32>(to_bf16(i < W ? low[i] : high[i - W])) >> 16);
  }
  return all;
}

// A matrix of numbers over whose columns or rows a sum runs: `depth` of them, and `count` of the others.
struct Numbers {
  const float* data;
  i64 stride, depth, count;
  bool along_rows;
  i64 half() const { return (depth + 1) / 2; }
};

// Pairs of columns: [count, half].
[[gnu::always_inline]] inline void pair_columns(const Numbers& x, float* to) {
  for (i64 i = 0; i < x.count; ++i, to += x.half()) {
    const float* from = x.data + i * x.stride;
    i64 l = 0;
    for (; l + 2 * W <= x.depth; l += 2 * W) {
      const auto at = [&](i64 j) { return *reinterpret_cast<const Vector*>(from + j); };
      *reinterpret_cast<Vector*>(to + l / 2) = std::bit_cast<Vector>(rounded(at(l), at(l + W)));
    }
    for (; l < x.depth; l += 2) to[l / 2] = bf16_pair(from[l], l + 1 < x.depth ? from[l + 1] : 0);
  }
}

// Pairs of rows: [half, count].
[[gnu::always_inline]] inline void pair_rows(const Numbers& x, float* to) {
  for (i64 l = 0; l < x.depth; l += 2, to += x.count) {
    const float* low = x.data + l * x.stride;
    const float* high = l + 1 < x.depth ? low + x.stride : nullptr;
    i64 j = 0;
    for (; high && j + W <= x.count; j += W) {
      const Halves both =
          rounded(*reinterpret_cast<const Vector*>(low + j), *reinterpret_cast<const Vector*>(high + j));
      constexpr Halves kInTurn{0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                               8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
      *reinterpret_cast<Vector*>(to + j) = std::bit_cast<Vector>(__builtin_shuffle(both, kInTurn));
    }
    for (; j < x.count; ++j) to[j] = bf16_pair(low[j], high ? high[j] : 0);
  }
}

// The pairs of `x`, in `own`.
[[gnu::always_inline]] inline const float* pairs(const Numbers& x, std::vector<float>& own) {
  float* const to = packed::room(own, x.half() * x.count);
  x.along_rows ? pair_columns(x, to) : pair_rows(x, to);
  return to;
}

template <class F> void for_pairs(const F& f) {
#if defined(__x86_64__) && !defined(WEFT_ONE_ISA)
  block_avx512(f);
#else
  f();
#endif
}

// The same product of A and B as pairs; both may lie in `a` and `b`.
[[gnu::always_inline]] inline Product<float> halved(Product<float> p, std::vector<float>& a, std::vector<float>& b) {
  const Numbers x{p.a, p.lda, p.k, p.m, !p.transpose_a}, y{p.b, p.ldb, p.k, p.n, p.transpose_b};
  p.k = x.half();
  p.a = pairs(x, a), p.lda = p.transpose_a ? p.m : p.k;
  if (!p.panels.data) p.b = pairs(y, b), p.ldb = p.transpose_b ? p.k : p.n;
  return p;
}

class Bf16 final : public Products {
 public:
  void multiply(const Product<float>& p) const override {
    static thread_local std::vector<float> a, b, panels;
    if (p.k == 0) return exact_->multiply(p);
    for_pairs([&] { packed::product<Pairs>(halved(p, a, b), panels); });
  }
  void multiply(const Product<double>& p) const override { exact_->multiply(p); }
  i64 laid_out(const Product<float>& p) const override { return packed::padded<Pairs>(p.n) * ((p.k + 1) / 2); }
  void lay_out(const Product<float>& p, i64 begin, i64 end, float* to) const override {
    static thread_local std::vector<float> a, b;
    Product<float> part = packed::columns_of(p, begin, end);
    part.m = 0;  // of B alone
    for_pairs([&] { packed::lay_out<Pairs>(halved(part, a, b), begin, p.n, to); });
  }
  std::string name() const override { return "AVX512-BF16"; }

 private:
  std::unique_ptr<Products> exact_ = make_packed_products(Isa::avx512);
};

}  // namespace

bool has_bf16() {
#if defined(WEFT_ONE_ISA)
  return true;  // by other instructions
#elif defined(__x86_64__)
  return best_isa() == Isa::avx512 && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

std::unique_ptr<Products> make_bf16_products() { return std::make_unique<Bf16>(); }

}  // namespace weft
