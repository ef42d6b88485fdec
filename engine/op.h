// The row of an op: everything the rest of the house may know of it. Rows are made from `ops/<name>.h` by
// engine/op_entry.h; this header is what the files in ops/ include.
#pragma once
#include <array>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/graph.h"

namespace weft {

struct KernelCall;
template <class T> class Kernel;

/// What stands above the code of an op: one line, the equation, and where it comes from.
struct Doc {
  const char* about;
  const char* equation;
  const char* source = "";
};

/// How an op acts along time.
enum class Along {
  pointwise,  // each position by itself
  streams,    // takes and returns its state, or carries the position: any number of tokens at a time
  whole,      // needs the whole sequence
};

struct Input {
  enum Flags { plain = 0, optional = 1, index = 2, fixed = 4 };  // fixed: no gradient flows into it
  const char* name;
  int flags = plain;
  int core = 0;  // trailing dimensions that are the op's own; those before are aligned by name and broadcast
  bool is(Flags flag) const { return (flags & flag) != 0; }
};

/// Bit `i` of a mask; the last stands for all that follow.
inline bool bit(unsigned mask, std::size_t i) { return mask >> (i < 31 ? i : 31) & 1; }

/// Which inputs and public outputs the backward reads, as bits; saved outputs are always read. All else is freed.
struct Reads {
  unsigned inputs = ~0u;
  unsigned outputs = 0;
};

/// Work of one application: floating point operations, and bytes that must move at least.
struct Cost {
  double flops = 0, bytes = 0;
};
/// All values read and written once in f32, and no operations.
Cost cost_of_moving(const std::vector<Shape>& inputs, const std::vector<Shape>& outputs);

/// An axis attribute: from the front, or from the back when negative.
struct Axis {
  i64 index = -1;
};

struct AttributeInfo {
  enum class Type { boolean, whole, real, word, axis, size, sizes, graph };
  std::string name;
  Type type;
  AttributeValue standard;  // the default
  std::string about;
  std::vector<std::string> choices;  // of a word; empty: any text
  bool required = false;             // the language asks for it though there is a default: which dimension to sum over
  AttributeInfo(std::string name, Type type, AttributeValue standard, std::string about,
                std::vector<std::string> choices, bool required);
  AttributeInfo(const AttributeInfo&);
  ~AttributeInfo();
};
std::string_view name(AttributeInfo::Type type);
std::string text(const AttributeValue& value);

/// Binds the name of an attribute to a field of the op's `Attrs`.
template <class A, class F> struct Attribute {
  const char* name;
  F A::*field;
  const char* about;
  std::vector<std::string> choices;
  bool must_be_given = false;
  Attribute required() const {
    Attribute a = *this;
    a.must_be_given = true;
    return a;
  }
};
template <class A, class F>
Attribute<A, F> attribute(const char* name, F A::*field, const char* about, std::vector<std::string> choices = {}) {
  return {name, field, about, std::move(choices)};
}

/// The inputs a shape rule sees.
class InputDims {
 public:
  InputDims(const Op& op, std::vector<const Dims*> dims) : op_(op), dims_(std::move(dims)) {}
  std::size_t size() const { return dims_.size(); }
  bool has(std::size_t i) const { return i < dims_.size() && dims_[i]; }
  const Dims& operator[](std::size_t i) const { return *dims_[i]; }
  /// Dimension `axis` of input `i`, from the back when negative; an error when the rank is too small.
  const Dim& at(std::size_t i, int axis) const;
  /// Throws "<op>: <message>" unless ok.
  void require(bool ok, const std::string& message) const;

 private:
  const Op& op_;
  std::vector<const Dims*> dims_;
};

/// The usual shape rules: all inputs broadcast against each other; the first without one of its dimensions.
Dims broadcast(const Op& op, const InputDims& in);
Dims without_axis(const Op& op, const InputDims& in, i64 axis);

/// Inputs and attributes with which the suite proves an op. Each attribute needs a sample with another value than its
/// default. Real inputs are drawn from `low .. high`, indices from 0 .. `classes` - 1.
struct Sample {
  using Sizes = std::initializer_list<i64>;
  using Given = std::pair<std::string, AttributeValue>;
  // Vectors whose members are not inline, as those of AttributeInfo and Op: each op has a few, and they were half of
  // its time to compile.
  struct Shapes : std::vector<Shape> {
    Shapes(std::initializer_list<Sizes> shapes);
    Shapes(const Shapes&);
    Shapes& operator=(const Shapes&);
    ~Shapes();
  };
  struct Attributes : std::vector<Given> {
    Attributes(std::initializer_list<Given> attributes);
    Attributes(const Attributes&);
    Attributes& operator=(const Attributes&);
    ~Attributes();
  };
  Shapes shapes;  // {-1} stands for an absent optional input
  Attributes attributes = {};
  double low = -2, high = 2;
  i32 classes = 3;
};
/// A sample that must be refused with an error that contains `message`.
struct ErrorSample {
  Sample sample;
  const char* message;
};

/// A state that a streaming op takes as an optional input and returns as an output.
struct StateInfo {
  std::size_t input, output;
};

struct Op {
  enum class Family { pointwise, reduce, composite, general };
  std::string name;
  Doc doc;
  const char* gradient = "";  // its formula; empty for a composite and for an op without one
  Family family = Family::general;
  Along along = Along::pointwise;  // with its attributes as they are by default
  bool causal_axis = false;        // along its axis each element sees those before it alone
  bool random = false;             // draws numbers: its samples run under a fixed key
  bool straight_through = false;   // its gradient is that of the first saved value, also where the result is another
  std::vector<Input> inputs;
  bool variadic = false;             // the last input may be repeated
  std::vector<std::string> outputs;  // an op with a `graph` attribute may have more: as many as its shape rule says
  std::size_t saved = 0;             // values after the public ones, kept for backward
  std::vector<AttributeInfo> attributes;
  Reads reads;
  unsigned passes_cotangent = 0;  // bit i: the gradient of input i is the cotangent itself (add)
  unsigned shares = 0;            // bit i: output i may be the memory of an input; else the kernel makes it
  double backward_work = 2;       // of the backward, in forwards
  std::vector<StateInfo> states;

  /// Shapes of all outputs and saved values.
  std::vector<Dims> (*infer)(const Op&, const std::vector<AttributeValue>&, const InputDims&) = nullptr;
  /// Shape of the state that enters through `input`, from the other inputs; `past` is the number of positions already
  /// seen.
  Dims (*state_dims)(const Op&, const std::vector<AttributeValue>&, const InputDims&, std::size_t input,
                     const Dim& past) = nullptr;
  /// How it acts along time with these attributes: attention that is not causal needs the whole sequence.
  Along (*along_with)(const std::vector<AttributeValue>&) = nullptr;
  /// Its last two dimensions are times, and what lies in the future of the first is zero.
  bool (*masks_future)(const Op&, const std::vector<AttributeValue>&, const InputDims&) = nullptr;
  Kind (*output_kind)(std::size_t output) = nullptr;
  void (*forward_f32)(KernelCall&) = nullptr;
  void (*forward_f64)(KernelCall&) = nullptr;
  void (*backward_f32)(KernelCall&) = nullptr;  // null: not differentiable
  void (*backward_f64)(KernelCall&) = nullptr;
  std::vector<Var> (*build)(Graph&, const std::vector<AttributeValue>&, std::span<const Var>) = nullptr;  // composite
  Cost (*cost)(const std::vector<AttributeValue>&, const std::vector<Shape>& inputs,
               const std::vector<Shape>& outputs) = nullptr;
  /// Numbers that it holds besides its results while it computes, where they are many: those of a graph of its own.
  double (*scratch)(const std::vector<AttributeValue>&, const std::vector<Shape>& inputs,
                    const std::vector<Shape>& outputs, bool backward) = nullptr;
  std::vector<Sample> (*samples)() = nullptr;
  std::vector<ErrorSample> (*error_samples)() = nullptr;
  /// For ops with kinks: the branch that each element takes, so that a difference across a kink is not trusted.
  int (*branch)(const std::vector<AttributeValue>&, std::span<const double> inputs) = nullptr;

  Op();
  Op(const Op&);
  ~Op();
  const AttributeInfo* find_attribute(const std::string& attribute) const;
  /// Defaults, replaced by the given ones; an unknown name or a wrong type is an error naming the op.
  std::vector<AttributeValue> complete(const std::vector<std::pair<std::string, AttributeValue>>& given) const;
};

/// The row of an op's struct. There is no general definition: the op's own generated unit specialises it, so that no
/// other unit compiles the op's kernels.
template <class D> const Op& row();

/// Defaults of the families. An op derives from one and overrides by declaring the same name.
struct OpDefaults {
  struct Attrs {};
  static constexpr const char* gradient = "";
  static auto attributes() { return std::tuple{}; }
  static std::vector<std::string> outputs() { return {"y"}; }
  static constexpr std::size_t saved = 0;
  static constexpr Reads reads{};
  static constexpr unsigned passes_cotangent = 0;
  static constexpr unsigned shares = 0;
  static constexpr double backward_work = 2;
  static constexpr bool causal_axis = false;
  static constexpr bool random = false;
  static constexpr bool straight_through = false;
  static constexpr bool variadic = false;
  static std::vector<StateInfo> states() { return {}; }
  static Kind output_kind(std::size_t) { return Kind::real; }
  static std::vector<ErrorSample> error_samples() { return {}; }
};
/// value(attrs, x...) and slopes(attrs, x..., y): the partial derivatives. The engine owns loops and broadcasting.
/// An op with several formulas declares `prepare(attrs)`, which gives a std::variant of them: value and slopes are then
/// given the alternative instead of attrs, and the loop is compiled for each (see gelu).
struct Pointwise : OpDefaults {
  static constexpr Op::Family family = Op::Family::pointwise;
  static constexpr Along along = Along::pointwise;
  static constexpr std::array inputs{Input{"x"}};
};
struct PointwiseBinary : Pointwise {
  static constexpr std::array inputs{Input{"a"}, Input{"b"}};
};
/// Over one dimension `dim`: fold(attrs, x, n, stride) and slope(attrs, x, y, n).
struct Reduce : OpDefaults {
  static constexpr Op::Family family = Op::Family::reduce;
  static constexpr Along along = Along::pointwise;
  static constexpr std::array inputs{Input{"x"}};
  struct Attrs {
    Axis dim;
  };
  static auto attributes() {
    return std::tuple{attribute("dim", &Attrs::dim, "the dimension that is reduced").required()};
  }
};
/// build(graph, attrs, inputs) writes it with other ops; it needs no backward.
struct Composite : OpDefaults {
  static constexpr Op::Family family = Op::Family::composite;
  static constexpr Along along = Along::pointwise;
  static constexpr std::array inputs{Input{"x"}};
};
/// infer, forward and backward are the op's own.
struct General : OpDefaults {
  static constexpr Op::Family family = Op::Family::general;
  static constexpr Along along = Along::pointwise;
  static constexpr std::array inputs{Input{"x"}};
};

namespace detail {
inline AttributeValue to_value(bool x) { return x; }
inline AttributeValue to_value(i64 x) { return x; }
inline AttributeValue to_value(double x) { return x; }
inline AttributeValue to_value(const std::string& x) { return x; }
inline AttributeValue to_value(const Axis& x) { return x.index; }
inline AttributeValue to_value(const Dim& x) { return x; }
inline AttributeValue to_value(const Dims& x) { return x; }
inline AttributeValue to_value(const std::shared_ptr<const Graph>& x) { return x; }
}  // namespace detail

template <class D> std::vector<AttributeValue> to_values(const typename D::Attrs& attrs) {
  return std::apply(
      [&](const auto&... a) { return std::vector<AttributeValue>{detail::to_value(attrs.*(a.field))...}; },
      D::attributes());
}

/// All public outputs of op D on these inputs; empty handles stand for absent optional inputs.
template <class D> std::vector<Var> apply_all(std::vector<Var> inputs, const typename D::Attrs& attrs = {}) {
  for (const Var& v : inputs) {
    if (v) return v.graph().append(row<D>(), to_values<D>(attrs), inputs);
  }
  throw Error(row<D>().name + ": it needs at least one input");
}
template <class D> Var apply(std::vector<Var> inputs, const typename D::Attrs& attrs = {}) {
  return apply_all<D>(std::move(inputs), attrs)[0];
}

}  // namespace weft
