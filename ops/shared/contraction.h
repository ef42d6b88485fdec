// A product of two tensors by an index pattern, as batched matrix products: "zhtd,zhsd->zhts".
//
// A letter in both operands and the result is a batch; one in a and the result a row; in b and the result a column; in
// both operands alone it is summed. Operands and the result are read where they lie as far as a matrix product with
// leading dimensions can; what cannot is copied into [batch, row, column] order.
#pragma once
#include <string>

#include "ops/shared/permute.h"

namespace weft::ops {

struct Pattern {
  std::string a, b, out;

  static Pattern parse(std::string text) {
    std::erase(text, ' ');
    const auto comma = text.find(','), arrow = text.find("->");
    check(comma != std::string::npos && arrow != std::string::npos && comma < arrow,
          "contract: a pattern is like \"td,dk->tk\", not \"{}\"", text);
    Pattern p{text.substr(0, comma), text.substr(comma + 1, arrow - comma - 1), text.substr(arrow + 2)};
    for (const std::string* s : {&p.a, &p.b, &p.out}) {
      for (std::size_t i = 0; i < s->size(); ++i) {
        check(s->find((*s)[i], i + 1) == std::string::npos, "contract: the letter {} stands twice in \"{}\"", (*s)[i],
              *s);
      }
    }
    for (const char c : p.a + p.b) {
      const int places = (p.a.find(c) != std::string::npos) + (p.b.find(c) != std::string::npos) +
                         (p.out.find(c) != std::string::npos);
      check(places > 1, "contract: the letter {} stands in one place alone; `sum` reduces a dimension", c);
    }
    for (const char c : p.out) {
      check((p.a + p.b).find(c) != std::string::npos, "contract: the letter {} of the result is in no operand", c);
    }
    return p;
  }
};

namespace detail_contraction {

// Letters that make one index of a product, with the sizes they have and the steps they take in a tensor.
struct Group {
  std::string letters;
  i64 count = 1;
};

struct Layout {
  const std::string& letters;
  const Shape& shape;
  std::vector<i64> steps;
  Layout(const std::string& l, const Shape& s) : letters(l), shape(s), steps(row_major(s)) {}
  i64 size(char c) const { return shape[letters.find(c)]; }
  i64 step(char c) const { return steps[letters.find(c)]; }
  // The one step of the whole group; -1 when its letters do not lie behind each other.
  i64 step(const Group& g) const {
    i64 step = -1, expected = -1;
    for (std::size_t i = g.letters.size(); i-- > 0;) {
      const i64 n = size(g.letters[i]), s = this->step(g.letters[i]);
      if (n == 1) continue;
      if (step < 0) step = s;
      else if (s != expected) return -1;
      expected = s * n;
    }
    return step < 0 ? 1 : step;
  }
  // Offsets of every index of a group whose letters may lie anywhere.
  std::vector<i64> offsets(const Group& g) const {
    std::vector<i64> all(static_cast<std::size_t>(g.count));
    for (i64 i = 0; i < g.count; ++i) {
      i64 rest = i, at = 0;
      for (std::size_t d = g.letters.size(); d-- > 0;) {
        at += rest % size(g.letters[d]) * step(g.letters[d]);
        rest /= size(g.letters[d]);
      }
      all[static_cast<std::size_t>(i)] = at;
    }
    return all;
  }
};

// Matrices of one tensor, one a batch: element (i, j) at offset(batch) + i * row + j * column, one of the steps being
// 1. Where a tensor has no such steps, they are those of a copy, whose dimensions are `sizes` in steps of the tensor.
struct Matrices {
  i64 row = 0, column = 0, leading = 0;
  bool transposed = false;
  i64 batch_step = 0;  // from matrix to matrix; -1: as `offsets` says
  std::vector<i64> offsets{};
  Shape sizes{};  // empty: the tensor is read where it lies
  std::vector<i64> steps{};

  Matrices(const Layout& l, const Group& batch, const Group& rows, const Group& columns)
      : row(l.step(rows)), column(l.step(columns)), batch_step(l.step(batch)) {
    const bool by_row = column == 1 && (row >= columns.count || rows.count == 1);
    const bool by_column = row == 1 && (column >= rows.count || columns.count == 1);
    if (row < 0 || column < 0 || !(by_row || by_column)) {
      for (const char c : batch.letters + rows.letters + columns.letters) {
        sizes.push_back(l.size(c));
        steps.push_back(l.step(c));
      }
      row = columns.count, column = 1;
      batch_step = rows.count * columns.count;
    }
    if (batch_step < 0) offsets = l.offsets(batch);
    transposed = !(column == 1 && (row >= columns.count || rows.count == 1));
    leading = transposed ? std::max(column, rows.count) : std::max(row, columns.count);
  }
  i64 offset(i64 batch) const { return batch_step < 0 ? offsets[static_cast<std::size_t>(batch)] : batch * batch_step; }
  bool copied() const { return !sizes.empty(); }
};

// The part of a product that one task computes: of the shapes alone, so that no result depends on the number of
// threads. A library packs both operands anew in every call, which costs some 10 % at half this size. Where that makes
// fewer than four tiles, which may be all there is to do at the time, they are cut finer as long as each is worth a
// task.
struct Tile {
  i64 rows, columns;
};
// Of a single row, where each number of B is read for one multiplication, so many are worth a task: 64 KB. Parts of a
// sum, which have to be added, are worth it from the second number on.
inline constexpr i64 kRowTask = 1 << 14, kRowSum = 1 << 16;
inline Tile tile_of(i64 batch, i64 M, i64 N, i64 K) {
  const auto parts = [](i64 n, i64 size) { return (n + size - 1) / size; };
  const auto even = [&](i64 n, i64 most) {  // the last tile as large as the others, up to whole vectors
    const i64 size = parts(n, parts(n, most));
    return std::min(n, (size + 31) / 32 * 32);
  };
  const i64 task = M == 1 ? kRowTask : 1 << 20;  // multiplications: the latter take about 20 us
  constexpr i64 kSide = 64;                      // below it packing costs too much
  Tile t{even(M, 192), even(N, 512)};
  while (batch * parts(M, t.rows) * parts(N, t.columns) < 4 && t.rows * t.columns * K > task &&
         std::max(t.rows, t.columns) > kSide) {
    i64& longer = t.rows >= t.columns ? t.rows : t.columns;
    longer = even(longer, (longer + 1) / 2);
  }
  return t;
}

}  // namespace detail_contraction

/// The products that contract two tensors of given shapes: found once, computed in every run.
class Contraction {
 public:
  Contraction(const Pattern& p, const Shape& a, const Shape& b, const Shape& out)
      : Contraction(p, Layout(p.a, a), Layout(p.b, b), Layout(p.out, out)) {}

  /// out = a contracted with b; every element of `out` is written.
  template <class T> void operator()(const Kernel<T>& k, const T* a, const T* b, T* out) const {
    if (M_ == 0 || N_ == 0 || batch_ == 0) return;
    if (K_ == 0) return std::fill(out, out + batch_ * M_ * N_, T(0));
    compute(k, a, b, out, T(0));
  }
  /// out += a contracted with b, where the result is read as it lies.
  template <class T> void add(const Kernel<T>& k, const T* a, const T* b, T* out) const {
    if (out_.copied()) throw Error("contract: a sum cannot be added to where it does not lie", Failure::internal);
    if (K_ > 0 && M_ > 0 && N_ > 0 && batch_ > 0) compute(k, a, b, out, T(1));
  }

 private:
  template <class T> void compute(const Kernel<T>& k, const T* a, const T* b, T* out, T beta) const {
    Tensor copy_a, copy_b, result;
    Operands<T> at{ready(k, a_, a, copy_a), ready(k, b_, b, copy_b), out, beta};
    if (out_.copied()) {
      result = k.scratch({batch_ * M_ * N_});
      at.out = result.template mutable_values<T>().data();
    }
    multiply(k, at);
    if (out_.copied()) permute(k, static_cast<const T*>(at.out), out_shape_, back_, out);
  }
  using Layout = detail_contraction::Layout;
  using Matrices = detail_contraction::Matrices;
  template <class T> struct Operands {
    const T *a, *b;
    T* out;
    T beta;
  };
  // The groups of letters: batch, rows, columns, summed.
  struct Groups {
    detail_contraction::Group batch, rows, columns, summed;
    Groups(const Pattern& p, const Layout& a, const Layout& out) {
      const auto in = [](const std::string& s, char c) { return s.find(c) != std::string::npos; };
      for (const char c : p.out) {
        auto& g = in(p.a, c) ? (in(p.b, c) ? batch : rows) : columns;
        g.letters += c;
        g.count *= out.size(c);
      }
      for (const char c : p.a) {
        if (in(p.out, c)) continue;
        summed.letters += c;
        summed.count *= a.size(c);
      }
    }
  };
  Contraction(const Pattern& p, const Layout& a, const Layout& b, const Layout& out)
      : Contraction(p, a, b, out, Groups(p, a, out)) {}
  Contraction(const Pattern& p, const Layout& a, const Layout& b, const Layout& out, const Groups& g)
      : batch_(g.batch.count),
        M_(g.rows.count),
        N_(g.columns.count),
        K_(g.summed.count),
        a_(a, g.batch, g.rows, g.summed),
        b_(b, g.batch, g.summed, g.columns),
        out_(out, g.batch, g.rows, g.columns),
        tile_(detail_contraction::tile_of(batch_, std::max<i64>(1, M_), std::max<i64>(1, N_), K_)),
        out_shape_(out.shape) {
    // Back from [batch, row, column] into the order of the result.
    const std::string packed = g.batch.letters + g.rows.letters + g.columns.letters;
    const Layout l(packed, out_.sizes);
    for (const char c : out_.copied() ? p.out : std::string()) back_.push_back(l.step(c));
  }

  template <class T> static const T* ready(const Kernel<T>& k, const Matrices& m, const T* data, Tensor& copy) {
    if (!m.copied()) return data;
    copy = k.scratch({element_count(m.sizes)});
    T* to = copy.template mutable_values<T>().data();
    permute(k, data, m.sizes, m.steps, to);
    return to;
  }

  // Rows i .. i + m and columns j .. j + n of the product of one batch.
  template <class T> Product<T> part(const Operands<T>& at, i64 batch, i64 i, i64 j, i64 m, i64 n) const {
    Product<T> g;
    const T* x = at.a + a_.offset(batch) + i * a_.row;
    const T* y = at.b + b_.offset(batch) + j * b_.column;
    g.c = at.out + out_.offset(batch) + i * out_.row + j * out_.column;
    g.k = K_;
    g.ldc = out_.leading;
    g.beta = at.beta;
    if (out_.transposed) {  // C^T = B^T A^T
      g.m = n, g.n = m;
      g.a = y, g.lda = b_.leading, g.transpose_a = !b_.transposed;
      g.b = x, g.ldb = a_.leading, g.transpose_b = !a_.transposed;
    } else {
      g.m = m, g.n = n;
      g.a = x, g.lda = a_.leading, g.transpose_a = a_.transposed;
      g.b = y, g.ldb = b_.leading, g.transpose_b = b_.transposed;
    }
    return g;
  }

  // A single row: each task reads rows of B that lie behind each other, as fast as memory gives them. Parts of the sum
  // are added in their order.
  template <class T> void multiply_row(const Kernel<T>& k, const Operands<T>& at, i64 parts) const {
    Tensor memory = k.scratch({parts, N_});
    T* sums = memory.template mutable_values<T>().data();
    Product<T> whole = part(at, 0, 0, 0, 1, N_);
    whole.beta = 0;
    k.ranges(parts, 1, [&](i64 begin, i64 end) {
      for (i64 i = begin; i < end; ++i) {
        Product<T> g = whole;
        const i64 first = i * K_ / parts;
        g.k = (i + 1) * K_ / parts - first;
        g.a += first * a_.column;
        g.b += first * b_.row;
        g.c = sums + i * N_;
        k.multiply(g);
      }
    });
    if (at.beta == T(0)) std::fill_n(whole.c, N_, T(0));
    for (i64 i = 0; i < parts; ++i) {
      for (i64 j = 0; j < N_; ++j) whole.c[j] += sums[i * N_ + j];
    }
  }

  template <class T> void multiply(const Kernel<T>& k, const Operands<T>& at) const {
    constexpr i64 kParts = 8;
    const i64 row_parts = std::min({kParts, K_, K_ * N_ / detail_contraction::kRowSum});
    const bool flip = out_.transposed;
    const auto parts = [](i64 n, i64 size) { return (n + size - 1) / size; };
    const i64 row_tiles = parts(M_, tile_.rows), column_tiles = parts(N_, tile_.columns);
    const i64 tiles = row_tiles * column_tiles;
    // What several tiles read is laid out once; each would else make its own copy.
    constexpr i64 kReaders = 2;
    Tensor own;
    const T* panels = nullptr;
    if (batch_ == 1) {
      const Product<T> whole = part(at, 0, 0, 0, M_, N_);
      panels = k.shared_layout(whole, last_);
      if (!panels && (flip ? column_tiles : row_tiles) >= kReaders) own = k.lay_out(whole);
      if (own) panels = own.template values<T>().data();
    }
    if (!panels && batch_ == 1 && M_ == 1 && !b_.transposed && row_parts > 1) return multiply_row(k, at, row_parts);
    const i64 work = std::max<i64>(1, tile_.rows * tile_.columns * K_),
              task = M_ == 1 ? detail_contraction::kRowTask : 1 << 17;
    k.ranges(batch_ * tiles, std::max<i64>(1, task / work), [&](i64 begin, i64 end) {
      for (i64 t = begin; t < end; ++t) {
        const i64 i = t % tiles / column_tiles * tile_.rows, j = t % column_tiles * tile_.columns;
        Product<T> g = part(at, t / tiles, i, j, std::min(tile_.rows, M_ - i), std::min(tile_.columns, N_ - j));
        if (panels) g.panels = {panels, flip ? i : j, flip ? M_ : N_};
        k.multiply(g);
      }
    });
  }

  i64 batch_, M_, N_, K_;
  Matrices a_, b_, out_;
  detail_contraction::Tile tile_;
  Shape out_shape_;
  std::vector<i64> back_;
  mutable LastLayout last_;
};

}  // namespace weft::ops
