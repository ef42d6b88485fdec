#include "tests/engine/little_ops.h"

#include "engine/op_entry.h"

namespace weft {
namespace tests {

template <class T> T Exponential::value(const Attrs&, T x) { return weft::exp(x); }

template <class T> void Witness::forward(const Attrs&, Kernel<T>& k) {
  const auto x = k.input(0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    k.result()[i] = 2 * x[i];
    k.index_result(1)[i] = x[i] < 0 ? -1 : 1;
    k.save(0)[i] = 2;
  }
}
template <class T> void Witness::backward(const Attrs&, Kernel<T>& k) {
  live_in_backward = k.runtime().pool()->live_bytes();
  for (std::size_t i = 0; i < k.gradient(0).size(); ++i) k.gradient(0)[i] = k.saved(0)[i] * k.cotangent()[i];
}

template <class T> void Careless::forward(const Attrs&, Kernel<T>& k) {
  for (std::size_t i = 0; i < k.result().size(); ++i) k.result()[i] = k.input(0)[i] * k.input(0)[i];
}
template <class T> void Careless::backward(const Attrs&, Kernel<T>& k) {
  for (std::size_t i = 0; i < k.gradient(0).size(); ++i) k.gradient(0)[i] = 2 * k.input(0)[i] * k.cotangent()[i];
}

template <class T> void Total::forward(const Attrs&, Kernel<T>& k) {
  for (std::size_t i = 0; i < k.result().size(); ++i) {
    k.result()[i] = 0;
    for (std::size_t n = 0; n < k.input_count(); ++n) k.result()[i] += k.input(n)[i];
  }
}

template <class T> void Pick::forward(const Attrs&, Kernel<T>& k) {
  k.result()[0] = k.input(0)[static_cast<std::size_t>(k.indices(1)[0])] + (k.has(2) ? k.input(2)[0] : T(0));
}

}  // namespace tests

template <> const Op& row<tests::Square>() { return make_row<tests::Square>("square"); }
template <> const Op& row<tests::Laborious>() { return make_row<tests::Laborious>("laborious"); }
template <> const Op& row<tests::Add>() { return make_row<tests::Add>("add"); }
template <> const Op& row<tests::Mul>() { return make_row<tests::Mul>("mul"); }
template <> const Op& row<tests::Exponential>() { return make_row<tests::Exponential>("exponential"); }
template <> const Op& row<tests::Relu>() { return make_row<tests::Relu>("relu"); }
template <> const Op& row<tests::Witness>() { return make_row<tests::Witness>("witness"); }
template <> const Op& row<tests::Careless>() { return make_row<tests::Careless>("careless"); }
template <> const Op& row<tests::Total>() { return make_row<tests::Total>("total"); }
template <> const Op& row<tests::Pick>() { return make_row<tests::Pick>("pick"); }
template <> const Op& row<tests::Faulty<tests::Mistake::none>>() {
  return make_row<tests::Faulty<tests::Mistake::none>>("faulty.none");
}
template <> const Op& row<tests::Faulty<tests::Mistake::factor>>() {
  return make_row<tests::Faulty<tests::Mistake::factor>>("faulty.factor");
}
template <> const Op& row<tests::Faulty<tests::Mistake::sign>>() {
  return make_row<tests::Faulty<tests::Mistake::sign>>("faulty.sign");
}
template <> const Op& row<tests::Faulty<tests::Mistake::dropped_term>>() {
  return make_row<tests::Faulty<tests::Mistake::dropped_term>>("faulty.dropped_term");
}

}  // namespace weft
