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

// A matrix a batch: element (i, j) at offset[batch] + i * row + j * column, one of the steps being 1.
template <class P> struct Matrices {
  P data;
  i64 row = 0, column = 0;
  std::vector<i64> offsets;
  bool ready(i64 rows, i64 columns) const {
    if (row < 0 || column < 0) return false;
    return (column == 1 && (row >= columns || rows == 1)) || (row == 1 && (column >= rows || columns == 1));
  }
  bool transposed(i64 rows, i64 columns) const { return !(column == 1 && (row >= columns || rows == 1)); }
  i64 leading(i64 rows, i64 columns) const {
    return transposed(rows, columns) ? std::max(column, rows) : std::max(row, columns);
  }
};

template <class P>
Matrices<P> matrices(P data, const Layout& l, const Group& batch, const Group& rows, const Group& columns) {
  return {data, l.step(rows), l.step(columns), l.offsets(batch)};
}

inline std::vector<i64> packed_offsets(const Group& batch, i64 size) {
  std::vector<i64> all(static_cast<std::size_t>(batch.count));
  for (i64 i = 0; i < batch.count; ++i) all[static_cast<std::size_t>(i)] = i * size;
  return all;
}

// The part of a product that one task computes: of the shapes alone, so that no result depends on the number of
// threads. A library packs both operands anew in every call, which costs some 10 % at half this size. Where that makes
// fewer than four tiles, which may be all there is to do at the time, they are cut finer as long as each is worth a
// task.
struct Tile {
  i64 rows, columns;
};
inline Tile tile_of(i64 batch, i64 M, i64 N, i64 K) {
  const auto parts = [](i64 n, i64 size) { return (n + size - 1) / size; };
  const auto even = [&](i64 n, i64 most) {  // the last tile as large as the others, up to whole vectors
    const i64 size = parts(n, parts(n, most));
    return std::min(n, (size + 31) / 32 * 32);
  };
  constexpr i64 kTask = 1 << 20, kSide = 64;  // multiplications, about 20 us; below 64 a side packing costs too much
  Tile t{even(M, 192), even(N, 512)};
  while (batch * parts(M, t.rows) * parts(N, t.columns) < 4 && t.rows * t.columns * K > kTask &&
         std::max(t.rows, t.columns) > kSide) {
    i64& longer = t.rows >= t.columns ? t.rows : t.columns;
    longer = even(longer, (longer + 1) / 2);
  }
  return t;
}

}  // namespace detail_contraction

/// out = a contracted with b; every element of `out` is written.
template <class T> void contraction(const Kernel<T>& k, const Pattern& p, const T* a, const Shape& a_shape, const T* b,
                                    const Shape& b_shape, T* out, const Shape& out_shape) {
  using namespace detail_contraction;
  const auto in = [](const std::string& s, char c) { return s.find(c) != std::string::npos; };
  const Layout la(p.a, a_shape), lb(p.b, b_shape), lo(p.out, out_shape);
  Group batch, rows, columns, summed;
  for (const char c : p.out) {
    Group& g = in(p.a, c) ? (in(p.b, c) ? batch : rows) : columns;
    g.letters += c;
    g.count *= lo.size(c);
  }
  for (const char c : p.a) {
    if (in(p.out, c)) continue;
    summed.letters += c;
    summed.count *= la.size(c);
  }
  if (batch.count == 0 || rows.count == 0 || columns.count == 0) return;
  if (summed.count == 0) return std::fill(out, out + element_count(out_shape), T(0));

  std::vector<Tensor> kept;  // packed copies
  const auto pack = [&](const T* data, const Layout& l, const Group& r, const Group& c) {
    auto m = matrices(data, l, batch, r, c);
    if (m.ready(r.count, c.count)) return m;
    Shape sizes;
    std::vector<i64> steps;
    for (const char x : batch.letters + r.letters + c.letters) sizes.push_back(l.size(x)), steps.push_back(l.step(x));
    Tensor copy = k.scratch({batch.count * r.count * c.count});
    T* to = copy.template mutable_values<T>().data();
    permute(k, data, sizes, steps, to);
    kept.push_back(std::move(copy));
    return Matrices<const T*>{to, c.count, 1, packed_offsets(batch, r.count * c.count)};
  };
  const auto ma = pack(a, la, rows, summed);
  const auto mb = pack(b, lb, summed, columns);
  auto mo = matrices(out, lo, batch, rows, columns);
  Tensor result;
  const bool direct = mo.ready(rows.count, columns.count);
  if (!direct) {
    result = k.scratch({batch.count * rows.count * columns.count});
    mo = {result.template mutable_values<T>().data(), columns.count, 1,
          packed_offsets(batch, rows.count * columns.count)};
  }

  const i64 M = rows.count, N = columns.count, K = summed.count;
  const Tile tile = tile_of(batch.count, M, N, K);
  const bool flip = mo.transposed(M, N);  // C^T = B^T A^T
  const i64 row_tiles = (M + tile.rows - 1) / tile.rows, column_tiles = (N + tile.columns - 1) / tile.columns;
  const i64 tiles = row_tiles * column_tiles;
  const i64 work = tile.rows * tile.columns * K;
  const auto part = [&](std::size_t at, i64 i, i64 j, i64 m, i64 n) {
    Product<T> g;
    const T* x = ma.data + ma.offsets[at] + i * ma.row;
    const T* y = mb.data + mb.offsets[at] + j * mb.column;
    g.c = mo.data + mo.offsets[at] + i * mo.row + j * mo.column;
    g.k = K;
    g.ldc = mo.leading(M, N);
    const bool ta = ma.transposed(M, K), tb = mb.transposed(K, N);
    if (flip) {
      g.m = n, g.n = m;
      g.a = y, g.lda = mb.leading(K, N), g.transpose_a = !tb;
      g.b = x, g.ldb = ma.leading(M, K), g.transpose_b = !ta;
    } else {
      g.m = m, g.n = n;
      g.a = x, g.lda = ma.leading(M, K), g.transpose_a = ta;
      g.b = y, g.ldb = mb.leading(K, N), g.transpose_b = tb;
    }
    return g;
  };
  // What several tiles read is laid out once; each would else make its own copy.
  constexpr i64 kReaders = 2;
  Tensor panels;
  const i64 readers = flip ? column_tiles : row_tiles;
  if (batch.count == 1 && (readers >= kReaders || k.is_shared(part(0, 0, 0, M, N).b)))
    panels = k.lay_out(part(0, 0, 0, M, N));
  k.ranges(batch.count * tiles, std::max<i64>(1, (1 << 17) / std::max<i64>(1, work)), [&](i64 begin, i64 end) {
    for (i64 t = begin; t < end; ++t) {
      const i64 i = t % tiles / column_tiles * tile.rows, j = t % column_tiles * tile.columns;
      Product<T> g =
          part(static_cast<std::size_t>(t / tiles), i, j, std::min(tile.rows, M - i), std::min(tile.columns, N - j));
      if (panels) g.panels = {panels.template values<T>().data(), flip ? i : j, panels.size() / K};
      k.multiply(g);
    }
  });
  if (direct) return;
  // Back from [batch, row, column] into the order of the result.
  const std::string packed = batch.letters + rows.letters + columns.letters;
  Shape packed_shape;
  for (const char c : packed) packed_shape.push_back(lo.size(c));
  const Layout lp(packed, packed_shape);
  std::vector<i64> steps;
  for (const char c : p.out) steps.push_back(lp.step(c));
  permute(k, static_cast<const T*>(mo.data), out_shape, steps, out);
}

}  // namespace weft::ops
