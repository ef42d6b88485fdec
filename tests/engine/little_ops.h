// A handful of ops for the tests: the engine itself knows none.
#pragma once
#include "engine/op.h"
#include "engine/runtime.h"

namespace weft {
namespace tests {

inline const Dim T = Dim::symbol("T"), B = Dim::symbol("B"), P = Dim::symbol("P");

struct Square : Pointwise {
  static constexpr Doc doc{"square", "y = x^2"};
  template <class T> static T value(const Attrs&, T x) { return x * x; }
  template <class T> static std::array<T, 1> slopes(const Attrs&, T x, T) { return {2 * x}; }
  static std::vector<Sample> samples() { return {}; }
};

struct Add : PointwiseBinary {
  static constexpr Doc doc{"sum", "y = a + b"};
  static constexpr Reads reads{.inputs = 0};
  static constexpr unsigned passes_cotangent = 0b11;
  template <class T> static T value(const Attrs&, T a, T b) { return a + b; }
  template <class T> static std::array<T, 2> slopes(const Attrs&, T, T, T) { return {1, 1}; }
  static std::vector<Sample> samples() { return {}; }
};

struct Mul : PointwiseBinary {
  static constexpr Doc doc{"product", "y = a b"};
  template <class T> static T value(const Attrs&, T a, T b) { return a * b; }
  template <class T> static std::array<T, 2> slopes(const Attrs&, T a, T b, T) { return {b, a}; }
  static std::vector<Sample> samples() { return {}; }
};

/// Its backward reads the output alone.
struct Exponential : Pointwise {
  static constexpr Doc doc{"exponential", "y = e^x"};
  static constexpr Reads reads{.inputs = 0, .outputs = 1};
  template <class T> static T value(const Attrs&, T x);
  template <class T> static std::array<T, 1> slopes(const Attrs&, T, T y) { return {y}; }
  static std::vector<Sample> samples() { return {}; }
};

/// A square that says of itself that it takes long.
struct Laborious : Square {
  static double flops(const Attrs&, const std::vector<Shape>&, const std::vector<Shape>& outputs) {
    return 100 * static_cast<double>(element_count(outputs[0]));
  }
};

struct Relu : Pointwise {
  static constexpr Doc doc{"positive part", "y = max(x, 0)"};
  template <class T> static T value(const Attrs&, T x) { return x > 0 ? x : T(0); }
  template <class T> static std::array<T, 1> slopes(const Attrs&, T x, T) { return {x > 0 ? T(1) : T(0)}; }
  static int branch(const Attrs&, double x) { return x > 0; }
  static std::vector<Sample> samples() { return {}; }
};

/// y = x + x^2 with a mistake in its gradient.
enum class Mistake { none, factor, sign, dropped_term };
template <Mistake mistake> struct Faulty : Pointwise {
  static constexpr Doc doc{"x and its square", "y = x + x^2"};
  template <class T> static T value(const Attrs&, T x) { return x + x * x; }
  template <class T> static std::array<T, 1> slopes(const Attrs&, T x, T) {
    const T slope = 1 + 2 * x;
    if (mistake == Mistake::factor) return {T(1.0005) * slope};
    if (mistake == Mistake::sign) return {-slope};
    if (mistake == Mistake::dropped_term) return {2 * x};
    return {slope};
  }
  static std::vector<Sample> samples() { return {}; }
};

/// y = 2x, with a saved value and a second output of indices; its backward notes how many bytes are live.
struct Witness : General {
  static constexpr Doc doc{"twice its input", "y = 2 x"};
  static constexpr Reads reads{.inputs = 0};
  static constexpr std::size_t saved = 1;
  static std::vector<std::string> outputs() { return {"y", "sign"}; }
  static Kind output_kind(std::size_t i) { return i == 1 ? Kind::index : Kind::real; }
  static std::vector<Dims> infer(const Attrs&, const InputDims& in) { return {in[0], in[0], in[0]}; }
  template <class T> static void forward(const Attrs&, Kernel<T>& k);
  template <class T> static void backward(const Attrs&, Kernel<T>& k);
  static std::vector<Sample> samples() { return {}; }
  static inline std::size_t live_in_backward = 0;
};

/// Its backward reads an input that it does not declare.
struct Careless : General {
  static constexpr Doc doc{"a square that forgets what it reads", "y = x^2"};
  static constexpr Reads reads{.inputs = 0};
  template <class T> static void forward(const Attrs&, Kernel<T>& k);
  template <class T> static void backward(const Attrs&, Kernel<T>& k);
  static std::vector<Sample> samples() { return {}; }
};

/// The sum of any number of inputs.
struct Total : General {
  static constexpr Doc doc{"total", "y = x1 + x2 + ..."};
  static constexpr bool variadic = true;
  static constexpr Reads reads{.inputs = 0};
  static constexpr unsigned passes_cotangent = 1;
  template <class T> static void forward(const Attrs&, Kernel<T>& k);
  template <class T> static void backward(const Attrs&, Kernel<T>&) {}
  static std::vector<Sample> samples() { return {}; }
};

/// y = the element of x at an index; not differentiable in the index, and an optional bias.
struct Pick : General {
  static constexpr Doc doc{"one element", "y = x_i + b"};
  static constexpr std::array inputs{Input{"x"}, Input{"i", Input::index}, Input{"b", Input::optional}};
  static std::vector<Dims> infer(const Attrs&, const InputDims&) { return {Dims{}}; }
  template <class T> static void forward(const Attrs&, Kernel<T>& k);
  static std::vector<Sample> samples() { return {}; }
};

}  // namespace tests
template <> const Op& row<tests::Square>();
template <> const Op& row<tests::Laborious>();
template <> const Op& row<tests::Add>();
template <> const Op& row<tests::Mul>();
template <> const Op& row<tests::Exponential>();
namespace tests {

inline Var square(const Var& x) { return apply<Square>({x}); }
inline Var add(const Var& a, const Var& b) { return apply<Add>({a, b}); }
inline Var mul(const Var& a, const Var& b) { return apply<Mul>({a, b}); }
inline Var exponential(const Var& x) { return apply<Exponential>({x}); }

/// The readable loops, one thread.
inline const Runtime& runtime() {
  static const Runtime r({.products = "loops", .parallel = "serial"});
  return r;
}

/// Fixed pseudo-random numbers in -1 .. 1.
inline Tensor random(const Shape& shape, u64 seed, DType dtype = DType::f64) {
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 2 * uniform(Key{seed}, i) - 1;
  return Tensor::from(values, shape, dtype);
}

}  // namespace tests
}  // namespace weft
