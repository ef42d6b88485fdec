// From tensors with leading dimensions to single heads: which part of each input a head reads, and where its gradients
// go. Heads are independent, so they are what runs in parallel. Where there are few, a head is cut into slices of its
// value columns, which only share what they read; the cut depends on shapes alone, so that threads change no bit.
#pragma once
#include "ops/shared/chunks.h"
#include "ops/shared/leads.h"
#include "ops/shared/recurrent.h"

namespace weft::ops {

/// Inputs of the op, in order.
struct LinrecInput {
  enum Place : std::size_t { q, k, v, decay, beta, initial, erase, count };
  /// Dimensions of each that are the op's own: time and width, time, or the state.
  static constexpr std::array<int, count> core = {2, 2, 2, 2, 1, 2, 2};
};

template <class T> class HeadLayout {
  using In = LinrecInput;

 public:
  HeadLayout(const Kernel<T>& kernel, Reading read, Reading error)
      : kernel_(kernel), leads_(kernel.once([&] { return all_leads(kernel); })) {
    const Shape& y = kernel.output_shape();
    heads_ = leads_[In::q].count();
    like_.length = y[y.size() - 2], like_.stride = y.back(), like_.K = kernel.shape(In::k).back();
    like_.read = read, like_.error = error, like_.delta = kernel.has(In::beta) || kernel.has(In::erase);
    const i64 tasks = like_.length > 1 ? kTasks : 1;  // a single position is too little to share
    slices_ = std::clamp<i64>(tasks / std::max<i64>(1, heads_), 1, std::max<i64>(1, y.back() / kColumns));
    like_.V = (y.back() + slices_ - 1) / slices_;
    slices_ = like_.V ? (y.back() + like_.V - 1) / like_.V : 1;
    set_along(like_.decay, In::decay);
    set_along(like_.beta, In::beta);
  }

  /// Whether the state at the end is read, or has a cotangent.
  void set_ends(bool ends) { like_.ends = ends; }
  i64 count() const { return heads_ * slices_; }
  /// A head without data: what all have in common.
  const Head<T>& like() const { return like_; }

  Head<T> head(i64 n) const {
    Head<T> h = like_;
    const i64 at = n / slices_, column = n % slices_ * like_.V;
    h.V = std::min(like_.V, like_.stride - column);
    const auto data = [&](std::size_t i) {
      return kernel_.has(i) ? kernel_.input(i).data() + leads_[i].offset(at) : nullptr;
    };
    h.q = data(In::q), h.k = data(In::k), h.v = data(In::v) + column, h.erase = data(In::erase);
    h.decay.data = data(In::decay), h.beta.data = data(In::beta);
    if (kernel_.has(In::initial)) h.start = data(In::initial) + column;
    return h;
  }
  /// Where head `n` begins in y or its cotangent, and in the final state.
  i64 y_offset(i64 n) const { return n / slices_ * like_.length * like_.stride + n % slices_ * like_.V; }
  i64 state_offset(i64 n) const { return n / slices_ * like_.K * like_.stride + n % slices_ * like_.V; }

  // ---- gradients: a head writes into the gradient itself, or, where it shares the input, into a part of its own
  // --------

  void open_gradients(Kernel<T>& kernel) {
    for (std::size_t i = 0; i < In::count; ++i) {
      if (!kernel.has(i)) continue;
      apart_[i] = !kernel.wants(i) || leads_[i].own() != written(i) || shares(i);
      if (apart_[i]) parts_[i] = kernel.scratch({count() * written(i)});
      gradient_[i] = (apart_[i] ? parts_[i] : kernel.call().results[i]).template mutable_values<T>().data();
    }
  }
  HeadGradients<T> gradients(i64 n) const {
    const auto at = [&](std::size_t i) {
      return kernel_.has(i) ? gradient_[i] + (apart_[i] ? n * written(i) : leads_[i].offset(n / slices_)) : nullptr;
    };
    HeadGradients<T> g{at(In::q), at(In::k), at(In::v) + column(n), nullptr, nullptr, at(In::erase)};
    if (kernel_.wants(In::decay)) g.decay = at(In::decay);
    if (kernel_.wants(In::beta)) g.beta = at(In::beta);
    g.start = kernel_.wants(In::initial);
    return g;
  }
  T* start_gradient(i64 n) const {
    if (!kernel_.wants(In::initial)) return nullptr;
    return gradient_[In::initial] +
           (apart_[In::initial] ? n * written(In::initial) : leads_[In::initial].offset(n / slices_)) + column(n);
  }
  /// Adds up, in the order of the heads, what they wrote apart.
  void close_gradients(Kernel<T>& kernel) const {
    for (std::size_t i = 0; i < In::count; ++i) {
      if (!kernel.has(i) || !apart_[i] || !kernel.wants(i)) continue;
      const std::span<T> g = kernel.gradient(i);
      std::ranges::fill(g, T(0));
      const i64 width = own_width(i), V = like_.stride;
      for (i64 n = 0; n < count(); ++n) {
        T* to = g.data() + leads_[i].offset(n / slices_);
        const T* from = gradient_[i] + n * written(i);
        const bool sliced = i == In::v || i == In::initial;
        const i64 begin = sliced ? column(n) : 0, end = sliced ? std::min(begin + like_.V, V) : written(i);
        const i64 rows = sliced ? written(i) / std::max<i64>(1, V) : 1;
        for (i64 r = 0; r < rows; ++r) {
          for (i64 j = begin; j < end; ++j)
            to[leads_[i].own() == written(i) ? r * V + j : j % width] += from[r * V + j];
        }
      }
    }
  }

 private:
  static constexpr i64 kTasks = 8;     // fewer heads than this are cut
  static constexpr i64 kColumns = 32;  // but not into less than this: every slice computes the scores again

  using AllLeads = std::array<Leads, In::count>;
  static AllLeads all_leads(const Kernel<T>& kernel) {
    const Shape& y = kernel.output_shape();
    AllLeads all;
    for (std::size_t i = 0; i < In::count; ++i) {
      if (kernel.has(i)) all[i] = Leads(kernel.shape(i), In::core[i], Shape(y.begin(), y.end() - 2));
    }
    return all;
  }
  void set_along(Along1<T>& a, std::size_t i) const {
    if (!kernel_.has(i)) return;
    a.width = i == In::decay ? kernel_.shape(i).back() : 1;
    a.step = leads_[i].own() == a.width ? 0 : a.width;
  }
  i64 column(i64 n) const { return n % slices_ * like_.V; }
  // Elements that a head writes: those of all positions, also where the input has one for all.
  i64 written(std::size_t i) const {
    return i == In::decay || i == In::beta ? like_.length * own_width(i) : leads_[i].own();
  }
  i64 own_width(std::size_t i) const {
    return i == In::decay ? like_.decay.width : i == In::beta ? 1 : leads_[i].own();
  }
  bool shares(std::size_t i) const { return leads_[i].shared() || (slices_ > 1 && i != In::v && i != In::initial); }

  const Kernel<T>& kernel_;
  i64 heads_ = 0, slices_ = 1;
  Head<T> like_;
  const AllLeads& leads_;
  std::array<Tensor, In::count> parts_;
  std::array<T*, In::count> gradient_{};
  std::array<bool, In::count> apart_{};
};

}  // namespace weft::ops
