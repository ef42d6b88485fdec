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

template <> const char* op_name<tests::Square>() { return "square"; }
template <> const char* op_name<tests::Add>() { return "add"; }
template <> const char* op_name<tests::Mul>() { return "mul"; }
template <> const char* op_name<tests::Exponential>() { return "exponential"; }
template <> const char* op_name<tests::Relu>() { return "relu"; }
template <> const char* op_name<tests::Witness>() { return "witness"; }
template <> const char* op_name<tests::Careless>() { return "careless"; }
template <> const char* op_name<tests::Total>() { return "total"; }
template <> const char* op_name<tests::Pick>() { return "pick"; }
template <> const char* op_name<tests::Faulty<tests::Mistake::none>>() { return "faulty.none"; }
template <> const char* op_name<tests::Faulty<tests::Mistake::factor>>() { return "faulty.factor"; }
template <> const char* op_name<tests::Faulty<tests::Mistake::sign>>() { return "faulty.sign"; }
template <> const char* op_name<tests::Faulty<tests::Mistake::dropped_term>>() { return "faulty.dropped_term"; }

template const Op& row<tests::Square>();
template const Op& row<tests::Add>();
template const Op& row<tests::Mul>();
template const Op& row<tests::Exponential>();
template const Op& row<tests::Relu>();
template const Op& row<tests::Witness>();
template const Op& row<tests::Careless>();
template const Op& row<tests::Total>();
template const Op& row<tests::Pick>();
template const Op& row<tests::Faulty<tests::Mistake::none>>();
template const Op& row<tests::Faulty<tests::Mistake::factor>>();
template const Op& row<tests::Faulty<tests::Mistake::sign>>();
template const Op& row<tests::Faulty<tests::Mistake::dropped_term>>();

}  // namespace weft
