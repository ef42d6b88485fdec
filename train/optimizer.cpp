#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/loops.h"
#include "ops/shared/lanes.h"

namespace weft::train {
namespace {

constexpr i64 kSumBlock = 4096;  // fixed: the norm must not depend on threads
constexpr i64 kPiece = 16384;    // elements of one piece of work; bits do not depend on it

/// Part of one tensor.
struct Piece {
  std::size_t tensor;
  i64 begin, end;
};

// All tensors cut into pieces, so that one parallel pass serves hundreds of small weights.
std::vector<Piece> pieces_of(const std::vector<Tensor>& tensors, i64 length) {
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    for (i64 begin = 0; begin < tensors[i].size(); begin += length) {
      pieces.push_back({i, begin, std::min(begin + length, tensors[i].size())});
    }
  }
  return pieces;
}

template <class F> void with_type(DType dtype, F f) {
  check(dtype != DType::i32, "optimizer: weights are f32 or f64");
  if (dtype == DType::f32) return f(float());
  f(double());
}

// In lanes, so that the loop is vector code although the compiler may not reorder a sum.
template <class T> double sum_of_squares(std::span<const T> values) {
  return ops::lane_sum<double>(std::ssize(values), [=](i64 i) {
    const double x = static_cast<double>(values[static_cast<std::size_t>(i)]);
    return x * x;
  });
}

/// The numbers of one update that all elements share.
struct Update {
  double scale, beta1, beta2, eps;
  double rate;    // lr / (1 - beta1^t)
  double second;  // 1 / (1 - beta2^t)
  double keep;    // 1 - lr * weight_decay, or 1
};

// A number of a wild recipe beyond the range of f32 is infinite there, and the run is stopped for it; a plain cast
// would leave it undefined.
template <class T> T narrowed(double x) {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  if (std::abs(x) > static_cast<double>(std::numeric_limits<T>::max())) return x > 0 ? infinity : -infinity;
  return static_cast<T>(x);
}

// m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  w' = w (1 - lr wd) - lr m^ / (sqrt(v^) + eps)
// with m^ = m / (1 - b1^t) and v^ = v / (1 - b2^t).
template <class T>
void update(Isa isa, const Update& u, i64 begin, i64 end, const T* gradient, const T* weight, T* m, T* v, T* to) {
  const T scale = narrowed<T>(u.scale), b1 = static_cast<T>(u.beta1), b2 = static_cast<T>(u.beta2);
  const T c1 = static_cast<T>(1 - u.beta1), c2 = static_cast<T>(1 - u.beta2), eps = static_cast<T>(u.eps);
  const T rate = narrowed<T>(u.rate), second = narrowed<T>(u.second), keep = narrowed<T>(u.keep);
  loop(isa, begin, end, [=](i64 i) {
    const T g = gradient[i] * scale;
    m[i] = b1 * m[i] + c1 * g;
    v[i] = b2 * v[i] + c2 * g * g;
    to[i] = weight[i] * keep - rate * m[i] / (std::sqrt(v[i] * second) + eps);
  });
}

void check_alike(const std::vector<Tensor>& a, const std::vector<Tensor>& b, const char* what) {
  check(a.size() == b.size(), "optimizer: {} {} for {} weights", b.size(), what, a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    check(a[i].shape() == b[i].shape() && a[i].dtype() == b[i].dtype(),
          "optimizer: {} {} are {} {}, the weight is {} {}", what, i, name(b[i].dtype()), text(b[i].shape()),
          name(a[i].dtype()), text(a[i].shape()));
  }
}

}  // namespace

Norm global_norm(const Parallel& parallel, const std::vector<Tensor>& tensors) {
  const std::vector<Piece> pieces = pieces_of(tensors, kSumBlock);
  std::vector<double> sums(pieces.size());
  parallel.ranges(static_cast<i64>(pieces.size()), 16, [&](i64 begin, i64 end) {
    for (i64 p = begin; p < end; ++p) {
      const Piece& piece = pieces[static_cast<std::size_t>(p)];
      const Tensor& tensor = tensors[piece.tensor];
      with_type(tensor.dtype(), [&](auto zero) {
        const auto values = tensor.values<decltype(zero)>();
        sums[static_cast<std::size_t>(p)] = sum_of_squares(
            values.subspan(static_cast<std::size_t>(piece.begin), static_cast<std::size_t>(piece.end - piece.begin)));
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

void add_scaled(const Parallel& parallel, std::vector<Tensor>& into, const std::vector<Tensor>& from, double factor) {
  check_alike(into, from, "gradients");
  for (std::size_t t = 0; t < into.size(); ++t) {
    with_type(into[t].dtype(), [&](auto zero) {
      using T = decltype(zero);
      const auto to = into[t].mutable_values<T>();
      const auto values = from[t].values<T>();
      parallel.ranges(into[t].size(), kPiece, [&](i64 begin, i64 end) {
        for (i64 i = begin; i < end; ++i) to[i] += static_cast<T>(factor) * values[i];
      });
    });
  }
}

AdamW::AdamW(const AdamWOptions& options, const std::vector<Tensor>& weights, std::vector<bool> decays)
    : options_(options), decays_(std::move(decays)) {
  check(decays_.size() == weights.size(), "AdamW: {} answers on decay for {} weights", decays_.size(), weights.size());
  for (const Tensor& weight : weights) {
    first_.push_back(Tensor::zeros(weight.shape(), weight.dtype()));
    second_.push_back(Tensor::zeros(weight.shape(), weight.dtype()));
  }
}

void AdamW::step(const Runtime& runtime, std::vector<Tensor>& weights, const std::vector<Tensor>& gradients,
                 double scale, double factor) {
  check_alike(first_, weights, "weights");
  check_alike(first_, gradients, "gradients");
  ++steps_;
  const double t = static_cast<double>(steps_), lr = options_.lr * factor;
  const Update common{scale,
                      options_.beta1,
                      options_.beta2,
                      options_.eps,
                      lr / (1 - std::pow(options_.beta1, t)),
                      1 / (1 - std::pow(options_.beta2, t)),
                      1 - lr * options_.weight_decay};
  std::vector<Tensor> next;
  for (const Tensor& weight : weights) {
    next.push_back(Tensor::uninitialised(weight.shape(), weight.dtype(), runtime.pool()));
  }
  const std::vector<Piece> pieces = pieces_of(weights, kPiece);
  runtime.parallel().ranges(static_cast<i64>(pieces.size()), 1, [&](i64 begin, i64 end) {
    for (i64 p = begin; p < end; ++p) {
      const Piece& piece = pieces[static_cast<std::size_t>(p)];
      const std::size_t i = piece.tensor;
      Update u = common;
      if (!decays_[i]) u.keep = 1;
      with_type(weights[i].dtype(), [&](auto zero) {
        using T = decltype(zero);
        update(runtime.isa(), u, piece.begin, piece.end, gradients[i].values<T>().data(), weights[i].values<T>().data(),
               first_[i].mutable_values<T>().data(), second_[i].mutable_values<T>().data(),
               next[i].mutable_values<T>().data());
      });
    }
  });
  weights = std::move(next);
}

void AdamW::restore(i64 steps, std::vector<Tensor> first, std::vector<Tensor> second) {
  check_alike(first_, first, "first moments");
  check_alike(first_, second, "second moments");
  steps_ = steps;
  first_ = std::move(first);
  second_ = std::move(second);
}

}  // namespace weft::train
