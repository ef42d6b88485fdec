// Makes an op's row from its struct. Included by the one translation unit that is generated per op, and by no other:
// the kernels are compiled here.
#pragma once
#include "engine/kernel.h"
#include "engine/math.h"

namespace weft {
namespace detail {

template <class F> constexpr AttributeInfo::Type type_of() {
  using Type = AttributeInfo::Type;
  if constexpr (std::is_same_v<F, bool>) return Type::boolean;
  else if constexpr (std::is_same_v<F, i64>) return Type::whole;
  else if constexpr (std::is_same_v<F, double>) return Type::real;
  else if constexpr (std::is_same_v<F, std::string>) return Type::word;
  else if constexpr (std::is_same_v<F, Axis>) return Type::axis;
  else if constexpr (std::is_same_v<F, Dim>) return Type::size;
  else if constexpr (std::is_same_v<F, Dims>) return Type::sizes;
  else {
    static_assert(std::is_same_v<F, std::shared_ptr<const Graph>>, "an attribute of a type that has no row");
    return Type::graph;
  }
}

template <class F> void from_value(const AttributeValue& value, F& field) {
  if constexpr (std::is_same_v<F, Axis>) field.index = std::get<i64>(value);
  else field = std::get<F>(value);
}

template <class D> typename D::Attrs attrs_of(const std::vector<AttributeValue>& values) {
  static const auto fields = D::attributes();  // once: making those of linrec takes 2 us, half of its step
  typename D::Attrs attrs;
  std::size_t i = 0;
  std::apply([&](const auto&... a) { (from_value(values[i++], attrs.*(a.field)), ...); }, fields);
  return attrs;
}

template <class D> std::vector<AttributeInfo> describe_attributes() {
  const typename D::Attrs standard;
  std::vector<AttributeInfo> infos;
  const auto add = [&]<class A, class F>(const Attribute<A, F>& a) {
    infos.push_back({a.name, type_of<F>(), to_value(standard.*(a.field)), a.about, a.choices, a.must_be_given});
  };
  std::apply([&](const auto&... a) { (add(a), ...); }, D::attributes());
  return infos;
}

// ---- pointwise ------------------------------------------------------------------------------------------------

inline constexpr i64 kBlock = 1024;  // floats: four kilobytes, so that a few inputs stay in the first-level cache

// One input of a pointwise op, seen in the shape of its output.
template <class T> struct BlockSource {
  const T* data = nullptr;
  const Shape& to;
  std::vector<i64> steps = {};  // empty: nothing is repeated

  BlockSource(const Tensor* tensor, const Shape& from, const Shape& to_shape) : to(to_shape) {
    if (!tensor) return;
    data = tensor->values<T>().data();
    if (element_count(from) != element_count(to)) steps = broadcast_strides(from, to);
  }
  // Elements begin .. begin + count: in place, or expanded into `buffer`.
  const T* block(i64 begin, i64 count, T* buffer) const {
    if (data && steps.empty()) return data + begin;
    if (data) expand_block(to, steps, data, begin, count, buffer);
    else std::fill(buffer, buffer + count, T(0));  // not read: any value will do
    return buffer;
  }
};

// What value and slopes are given: the attributes or, where an op has several formulas, the alternative that its
// `prepare` chooses. The loop is compiled for each: with the choice inside it would be no vector code.
template <class D> auto prepared(const std::vector<AttributeValue>& values) {
  if constexpr (requires(typename D::Attrs a) { D::prepare(a); }) return D::prepare(attrs_of<D>(values));
  else return std::variant<typename D::Attrs>(attrs_of<D>(values));
}

template <class D, class T, std::size_t... I>
void pointwise_forward(KernelCall& call, const auto& attrs, std::index_sequence<I...>) {
  Kernel<T> k(call);
  const std::span<T> y = k.result();
  const BlockSource<T> in[] = {BlockSource<T>(call.inputs[I], k.shape(I), k.output_shape())...};
  k.ranges(std::ssize(y), kGrain, [&](i64 begin, i64 end) {
    T buffer[sizeof...(I)][kBlock];
    for (i64 b = begin; b < end; b += kBlock) {
      const i64 n = std::min(kBlock, end - b);
      const T* x[] = {in[I].block(b, n, buffer[I])...};
      T* out = y.data() + b;
      loop(k.isa(), 0, n, [=](i64 i) { out[i] = D::template value<T>(attrs, x[I][i]...); });
    }
  });
}

// Gradients at the shape of the output; the engine sums them over what was broadcast.
template <class D, class T, std::size_t... I>
void pointwise_backward(KernelCall& call, const auto& attrs, std::index_sequence<I...>) {
  Kernel<T> k(call);
  const std::span<const T> dy = k.cotangent();
  const Shape& shape = k.output_shape();
  const BlockSource<T> in[] = {BlockSource<T>(call.inputs[I], k.shape(I), shape)...};
  const BlockSource<T> result(call.outputs[0], shape, shape);
  k.ranges(std::ssize(dy), kGrain, [&](i64 begin, i64 end) {
    T buffer[sizeof...(I) + 1][kBlock];
    for (i64 b = begin; b < end; b += kBlock) {
      const i64 n = std::min(kBlock, end - b);
      const T* x[] = {in[I].block(b, n, buffer[I])...};
      const T* y = result.block(b, n, buffer[sizeof...(I)]);
      const T* g = dy.data() + b;
      const auto one = [&](std::size_t which, auto pick) {
        if (!k.wants(which)) return;
        T* out = k.gradient(which).data() + b;
        loop(k.isa(), 0, n, [=](i64 i) { out[i] = g[i] * pick(D::template slopes<T>(attrs, x[I][i]..., y[i])); });
      };
      (one(I, [](const auto& slopes) { return slopes[I]; }), ...);
    }
  });
}

template <class D, std::size_t... I>
int branch_of(const std::vector<AttributeValue>& values, std::span<const double> x, std::index_sequence<I...>) {
  return std::visit([&](const auto& attrs) { return D::branch(attrs, x[I]...); }, prepared<D>(values));
}

// ---- reduce ---------------------------------------------------------------------------------------------------

struct Line {  // a dimension as outer x length x inner
  i64 outer = 1, length = 1, inner = 1;
};
inline Line line_of(const Shape& shape, i64 axis, const std::string& who) {
  const int a = axis_from_front(axis, shape.size(), who);
  Line line;
  for (int d = 0; d < static_cast<int>(shape.size()); ++d) {
    (d < a ? line.outer : d == a ? line.length : line.inner) *= shape[d];
  }
  return line;
}

template <class D, class T> void reduce_forward(KernelCall& call) {
  const auto attrs = attrs_of<D>(*call.attributes);
  Kernel<T> k(call);
  const Line l = line_of(k.shape(0), attrs.dim.index, call.op.name);
  const T* x = k.input(0).data();
  T* y = k.result().data();
  k.rows(l.outer * l.inner, l.length, [&](i64 r) {
    y[r] = D::template fold<T>(attrs, x + r / l.inner * l.length * l.inner + r % l.inner, l.length, l.inner);
  });
}

template <class D, class T> void reduce_backward(KernelCall& call) {
  const auto attrs = attrs_of<D>(*call.attributes);
  Kernel<T> k(call);
  const Line l = line_of(k.shape(0), attrs.dim.index, call.op.name);
  const T* x = call.inputs[0] ? k.input(0).data() : nullptr;  // read only when declared
  const T* y = call.outputs[0] ? k.output().data() : nullptr;
  const T* dy = k.cotangent().data();
  T* dx = k.gradient(0).data();
  const auto slope = [&](i64 at, i64 r) {
    return dy[r] * D::template slope<T>(attrs, x ? x[at] : T(0), y ? y[r] : T(0), l.length);
  };
  if (l.inner == 1) {  // numbers side by side have one place in y: vector code
    return k.rows(l.outer, l.length, [&](i64 r) {
#pragma GCC ivdep
      for (i64 at = r * l.length; at < (r + 1) * l.length; ++at) dx[at] = slope(at, r);
    });
  }
  k.rows(l.outer, l.length * l.inner, [&](i64 o) {
    for (i64 j = 0; j < l.length; ++j) {
      for (i64 i = 0; i < l.inner; ++i) {
        const i64 at = (o * l.length + j) * l.inner + i, r = o * l.inner + i;
        dx[at] = slope(at, r);
      }
    }
  });
}

// ---- the row --------------------------------------------------------------------------------------------------

template <class D, class T> void forward(KernelCall& call) {
  constexpr auto each = std::make_index_sequence<std::size(D::inputs)>{};
  if constexpr (D::family == Op::Family::pointwise) {
    std::visit([&](const auto& attrs) { pointwise_forward<D, T>(call, attrs, each); }, prepared<D>(*call.attributes));
  } else if constexpr (D::family == Op::Family::reduce) reduce_forward<D, T>(call);
  else {
    Kernel<T> k(call);
    D::template forward<T>(attrs_of<D>(*call.attributes), k);
  }
}

template <class D, class T> void backward(KernelCall& call) {
  constexpr auto each = std::make_index_sequence<std::size(D::inputs)>{};
  if constexpr (D::family == Op::Family::pointwise) {
    std::visit([&](const auto& attrs) { pointwise_backward<D, T>(call, attrs, each); }, prepared<D>(*call.attributes));
  } else if constexpr (D::family == Op::Family::reduce) reduce_backward<D, T>(call);
  else {
    Kernel<T> k(call);
    D::template backward<T>(attrs_of<D>(*call.attributes), k);
  }
}

template <class D>
std::vector<Dims> infer(const Op& op, const std::vector<AttributeValue>& values, const InputDims& in) {
  if constexpr (requires(typename D::Attrs a) { D::infer(a, in); }) return D::infer(attrs_of<D>(values), in);
  else if constexpr (D::family == Op::Family::pointwise) return {broadcast(op, in)};
  else if constexpr (D::family == Op::Family::reduce) return {without_axis(op, in, attrs_of<D>(values).dim.index)};
  else return {in[0]};
}

template <class D> Cost cost(const std::vector<AttributeValue>& values, const std::vector<Shape>& inputs,
                             const std::vector<Shape>& outputs) {
  Cost c = cost_of_moving(inputs, outputs);
  if constexpr (requires(typename D::Attrs a) { D::flops(a, inputs, outputs); }) {
    c.flops = D::flops(attrs_of<D>(values), inputs, outputs);
  } else {
    const auto& counted = D::family == Op::Family::reduce ? inputs : outputs;
    for (const auto& s : counted) c.flops += static_cast<double>(element_count(s));
  }
  return c;
}

template <class D> double scratch(const std::vector<AttributeValue>& values, const std::vector<Shape>& inputs,
                                  const std::vector<Shape>& outputs, bool backward) {
  return D::scratch(attrs_of<D>(values), inputs, outputs, backward);
}

/// An op without gradient (a comparison, a mask of positions) has neither slopes, slope, nor backward.
template <class D> constexpr bool differentiable() {
  constexpr auto has = []<class T>(T) {
    return requires(typename D::Attrs a, Kernel<T> k) { D::template backward<T>(a, k); };
  };
  if constexpr (D::family == Op::Family::pointwise) {
    using Prepared = std::variant_alternative_t<0, decltype(prepared<D>({}))>;
    return requires(Prepared a) { D::template slopes<double>(a, 0.0, 0.0); }
    || requires(Prepared a) { D::template slopes<double>(a, 0.0, 0.0, 0.0); }
    || requires(Prepared a) { D::template slopes<double>(a, 0.0, 0.0, 0.0, 0.0); };
  } else if constexpr (D::family == Op::Family::reduce) {
    return requires(typename D::Attrs a) { D::template slope<double>(a, 0.0, 0.0, i64{1}); };
  } else {
    return has(double{});
  }
}

template <class D> Dims state_dims(const Op&, const std::vector<AttributeValue>& values, const InputDims& in,
                                   std::size_t state, const Dim& past) {
  if constexpr (requires(typename D::Attrs a) { D::state_dims(a, in, state, past); }) {
    return D::state_dims(attrs_of<D>(values), in, state, past);
  } else {
    return {};
  }
}

template <class D> Along along_with(const std::vector<AttributeValue>& values) {
  if constexpr (requires(typename D::Attrs a) { D::along_with(a); }) return D::along_with(attrs_of<D>(values));
  else return D::along;
}

template <class D> bool masks_future(const Op&, const std::vector<AttributeValue>& values, const InputDims& in) {
  if constexpr (requires(typename D::Attrs a) { D::masks_future(a, in); })
    return D::masks_future(attrs_of<D>(values), in);
  else return false;
}

template <class D>
std::vector<Var> build(Graph& graph, const std::vector<AttributeValue>& values, std::span<const Var> inputs) {
  return {D::build(graph, attrs_of<D>(values), inputs)};
}

}  // namespace detail

template <class D> Op make_op(const char* name) {
  Op op;
  op.name = name;
  op.doc = D::doc;
  op.gradient = D::gradient;
  op.family = D::family;
  op.along = D::along;
  op.along_with = &detail::along_with<D>;
  op.causal_axis = D::causal_axis;
  op.random = D::random;
  op.straight_through = D::straight_through;
  op.inputs.assign(D::inputs.begin(), D::inputs.end());
  op.variadic = D::variadic;
  op.outputs = D::outputs();
  op.saved = D::saved;
  op.attributes = detail::describe_attributes<D>();
  op.reads = D::reads;
  op.passes_cotangent = D::passes_cotangent;
  op.shares = D::shares;
  op.backward_work = D::backward_work;
  op.states = D::states();
  op.output_kind = &D::output_kind;
  op.samples = &D::samples;
  op.error_samples = &D::error_samples;
  if constexpr (D::family == Op::Family::composite) {
    op.build = &detail::build<D>;
    return op;
  } else {
    op.infer = &detail::infer<D>;
    op.masks_future = &detail::masks_future<D>;
    op.state_dims = &detail::state_dims<D>;
    op.cost = &detail::cost<D>;
    if constexpr (requires(typename D::Attrs a) { D::scratch(a, {}, {}, false); }) op.scratch = &detail::scratch<D>;
    op.forward_f32 = &detail::forward<D, float>;
    op.forward_f64 = &detail::forward<D, double>;
    if constexpr (detail::differentiable<D>()) {
      op.backward_f32 = &detail::backward<D, float>;
      op.backward_f64 = &detail::backward<D, double>;
    }
    if constexpr (D::family == Op::Family::pointwise && requires { &D::branch; }) {
      op.branch = [](const std::vector<AttributeValue>& values, std::span<const double> x) {
        return detail::branch_of<D>(values, x, std::make_index_sequence<std::size(D::inputs)>{});
      };
    }
    return op;
  }
}

/// What the specialisation of `row<D>` returns; the name is that of the op's file.
template <class D> const Op& make_row(const char* name) {
  static const Op op = make_op<D>(name);
  return op;
}

}  // namespace weft
