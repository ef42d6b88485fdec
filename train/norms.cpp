#include "train/norms.h"

#include <cmath>

#include "engine/loops.h"
#include "ops/shared/lanes.h"
#include "train/pieces.h"

namespace weft::train {
namespace {

constexpr i64 kSumBlock = 4096;  // fixed: the norm must not depend on threads

// The root of the sum of squares of the elements; `elements` gives those of a tensor as ops/shared/lanes.h reads them.
template <class Elements> Norm norm_of(const Runtime& runtime, const std::vector<Tensor>& like, Elements elements) {
  const std::vector<Piece> pieces = pieces_of(like, kSumBlock);
  std::vector<double> sums(pieces.size());
  runtime.parallel().ranges(static_cast<i64>(pieces.size()), 16, [&](i64 begin, i64 end) {
    for (i64 p = begin; p < end; ++p) {
      const Piece& piece = pieces[static_cast<std::size_t>(p)];
      with_type(like[piece.tensor].dtype(), [&](auto zero) {
        const auto element = elements(zero, piece.tensor);
        double& sum = sums[static_cast<std::size_t>(p)];
        block(runtime.isa(), [&] {
          sum = ops::lane_sum<double>(piece.end - piece.begin, [=](auto at) {
            const auto x = element(at, piece.begin);
            return x * x;
          });
        });
      });
    }
  });
  Norm result;
  double sum = 0;
  for (std::size_t p = 0; p < pieces.size(); ++p) {
    sum += sums[p];
    if (result.not_finite < 0 && !std::isfinite(sums[p])) result.not_finite = static_cast<i64>(pieces[p].tensor);
  }
  result.norm = std::sqrt(sum);
  return result;
}

}  // namespace

Norm global_norm(const Runtime& runtime, const std::vector<Tensor>& tensors) {
  return norm_of(runtime, tensors, [&](auto zero, std::size_t t) {
    const auto* x = tensors[t].values<decltype(zero)>().data();
    return [=](auto at, i64 begin) { return at(x + begin); };
  });
}

Norm global_distance(const Runtime& runtime, const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  check_alike(a, b, "weights");
  return norm_of(runtime, a, [&](auto zero, std::size_t t) {
    const auto *x = a[t].values<decltype(zero)>().data(), *y = b[t].values<decltype(zero)>().data();
    return [=](auto at, i64 begin) { return at(x + begin) - at(y + begin); };
  });
}

void add_scaled(const Runtime& runtime, std::vector<Tensor>& into, const std::vector<Tensor>& from, double factor) {
  check_alike(into, from, "gradients");
  for (std::size_t t = 0; t < into.size(); ++t) {
    with_type(into[t].dtype(), [&](auto zero) {
      using T = decltype(zero);
      const auto to = into[t].mutable_values<T>();
      const auto values = from[t].values<T>();
      runtime.parallel().ranges(into[t].size(), kPiece, [&](i64 begin, i64 end) {
        loop(runtime.isa(), begin, end, [=](i64 i) { to[i] += static_cast<T>(factor) * values[i]; });
      });
    });
  }
}

}  // namespace weft::train
