// What passes over all weights at once have in common: tensors cut into pieces, and their two types.
#pragma once
#include <algorithm>
#include <vector>

#include "engine/tensor.h"

namespace weft::train {

constexpr i64 kPiece = 16384;  // elements of one piece of work; bits of elementwise passes do not depend on it

/// Part of one tensor.
struct Piece {
  std::size_t tensor;
  i64 begin, end;
};

/// All tensors cut into pieces, so that one parallel pass serves hundreds of small weights.
inline std::vector<Piece> pieces_of(const std::vector<Tensor>& tensors, i64 length) {
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    for (i64 begin = 0; begin < tensors[i].size(); begin += length) {
      pieces.push_back({i, begin, std::min(begin + length, tensors[i].size())});
    }
  }
  return pieces;
}

/// f(float()) or f(double()).
template <class F> void with_type(DType dtype, F f) {
  check(dtype != DType::i32, "optimizer: weights are f32 or f64");
  if (dtype == DType::f32) return f(float());
  f(double());
}

/// An error where the lists differ in number, shapes or types; `what` names those of `b`.
inline void check_alike(const std::vector<Tensor>& a, const std::vector<Tensor>& b, const char* what) {
  check(a.size() == b.size(), "optimizer: {} {} for {} weights", b.size(), what, a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    check(a[i].shape() == b[i].shape() && a[i].dtype() == b[i].dtype(),
          "optimizer: {} {} are {} {}, the weight is {} {}", what, i, name(b[i].dtype()), text(b[i].shape()),
          name(a[i].dtype()), text(a[i].shape()));
  }
}

}  // namespace weft::train
