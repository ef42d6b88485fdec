#include "engine/builtin.h"

#include "engine/op_entry.h"

namespace weft {

struct Accumulate : General {
  static constexpr Doc doc{"the sum of its inputs, in order", "y = x1 + x2 + ..."};
  static constexpr std::array inputs{Input{"x"}};
  static constexpr bool variadic = true;
  static std::vector<Dims> infer(const Attrs&, const InputDims& in) {
    for (std::size_t i = 1; i < in.size(); ++i) in.require(same_size(in[0], in[i]), "shapes differ");
    return {in[0]};
  }
  template <class T> static void forward(const Attrs&, Kernel<T>& k) {
    const std::span<T> y = k.result();
    const std::size_t n = k.input_count();
    std::vector<const T*> x;
    for (std::size_t i = 0; i < n; ++i) x.push_back(k.input(i).data());
    const T *a = x[0], *b = x[n > 1 ? 1 : 0];
    T* out = y.data();
    if (n == 1) return k.each(std::ssize(y), [=](i64 i) { out[i] = a[i]; });
    k.each(std::ssize(y), [=](i64 i) { out[i] = a[i] + b[i]; });
    for (std::size_t j = 2; j < n; ++j) {
      k.each(std::ssize(y), [=, c = x[j]](i64 i) { out[i] += c[i]; });
    }
  }
  static std::vector<Sample> samples() { return {{{{2, 3}, {2, 3}}}}; }
};

struct SumTo : General {
  static constexpr Doc doc{"sums over what was broadcast", "y_i = sum over the copies of element i"};
  struct Attrs {
    Dims shape;
  };
  static auto attributes() { return std::tuple{attribute("shape", &Attrs::shape, "the shape before broadcasting")}; }
  static std::vector<Dims> infer(const Attrs& a, const InputDims&) { return {a.shape}; }

  template <class T> static void forward(const Attrs&, Kernel<T>& k) {
    const Shape& from = k.shape(0);
    Shape to(from.size() - k.output_shape().size(), 1);
    to.insert(to.end(), k.output_shape().begin(), k.output_shape().end());
    // Dimensions of one kind side by side become one: kept or summed, alternating.
    Shape sizes;
    std::vector<bool> kept;
    for (std::size_t d = 0; d < from.size(); ++d) {
      const bool keep = to[d] == from[d];
      if (from[d] == 1) continue;
      if (!sizes.empty() && kept.back() == keep) sizes.back() *= from[d];
      else sizes.push_back(from[d]), kept.push_back(keep);
    }
    if (sizes.size() == 2 && !kept[0]) return sum_rows(k, sizes[0], sizes[1]);
    if (sizes.size() == 2) return sum_columns(k, sizes[0], sizes[1]);
    sum_general(k, sizes, kept);
  }

  // [R, K] -> [K]: blocks of columns in parallel, rows in order, so the sums do not depend on the thread count.
  template <class T> static void sum_rows(Kernel<T>& k, i64 rows, i64 columns) {
    const T* x = k.input(0).data();
    T* y = k.result().data();
    constexpr i64 kColumns = 64;
    k.rows((columns + kColumns - 1) / kColumns, rows * kColumns, [=](i64 b) {
      double sum[kColumns] = {};
      const i64 first = b * kColumns, n = std::min(kColumns, columns - first);
      const auto at = [=](i64 r, i64 c) { return static_cast<double>(x[r * columns + first + c]); };
      i64 r = 0;
      for (; r + 4 <= rows; r += 4) {  // four rows for every time that the sums are read and written
        for (i64 c = 0; c < n; ++c) sum[c] += (at(r, c) + at(r + 1, c)) + (at(r + 2, c) + at(r + 3, c));
      }
      for (; r < rows; ++r) {
        for (i64 c = 0; c < n; ++c) sum[c] += at(r, c);
      }
      for (i64 c = 0; c < n; ++c) y[first + c] = static_cast<T>(sum[c]);
    });
  }

  // [R, K] -> [R], each row in eight sums side by side.
  template <class T> static void sum_columns(Kernel<T>& k, i64 rows, i64 columns) {
    const T* x = k.input(0).data();
    T* y = k.result().data();
    constexpr i64 kSums = 8;
    k.rows(rows, columns, [=](i64 r) {
      const T* row = x + r * columns;
      double sums[kSums] = {}, total = 0;
      i64 c = 0;
      for (; c + kSums <= columns; c += kSums) {
        for (i64 j = 0; j < kSums; ++j) sums[j] += static_cast<double>(row[c + j]);
      }
      for (; c < columns; ++c) total += static_cast<double>(row[c]);
      for (const double s : sums) total += s;
      y[r] = static_cast<T>(total);
    });
  }

  template <class T> static void sum_general(Kernel<T>& k, const Shape& sizes, const std::vector<bool>& kept) {
    const T* x = k.input(0).data();
    const std::span<T> y = k.result();
    const int rank = static_cast<int>(sizes.size());
    std::vector<i64> strides(sizes.size(), 1);
    for (int d = rank - 2; d >= 0; --d) strides[d] = strides[d + 1] * sizes[d + 1];
    i64 copies = 1;
    for (int d = 0; d < rank; ++d) copies *= kept[d] ? 1 : sizes[d];
    const auto offset = [&](i64 index, bool of_kept) {
      i64 at = 0;
      for (int d = rank - 1; d >= 0; --d) {
        if (kept[d] != of_kept) continue;
        at += index % sizes[d] * strides[d];
        index /= sizes[d];
      }
      return at;
    };
    k.rows(std::ssize(y), copies, [&](i64 i) {
      const i64 base = offset(i, true);
      double sum = 0;
      for (i64 c = 0; c < copies; ++c) sum += static_cast<double>(x[base + offset(c, false)]);
      y[i] = static_cast<T>(sum);
    });
  }
  static std::vector<Sample> samples() { return {{{{2, 3}}, {{"shape", Dims{3}}}}}; }
};

const Op& accumulate_row() { return make_row<Accumulate>("engine.accumulate"); }
const Op& sum_to_row() { return make_row<SumTo>("engine.sum_to"); }

}  // namespace weft
