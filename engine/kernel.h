// Kernel: all that an op's forward and backward may touch. Spans of the right type, shapes, parallel ranges, products,
// scratch memory, and the place in the run. An op returns gradients; the engine adds them.
#pragma once
#include <algorithm>

#include "engine/layouts.h"
#include "engine/loops.h"
#include "engine/op.h"
#include "engine/run.h"

namespace weft {

/// Elements that one task takes; below it an elementwise op runs on the calling thread.
inline constexpr i64 kGrain = 16384;

/// One application of an op, without its element type: made once for given shapes, performed in every run.
struct KernelCall {
  const Graph& graph;
  const Node& node;
  const Op& op;
  const std::vector<AttributeValue>* attributes;  // symbols bound
  const std::vector<bool>* read;                  // whether anyone reads a value; null: all are read
  std::vector<const Tensor*> inputs{};            // null: absent, or not read by the backward
  std::vector<const Shape*> input_shapes{};       // null: absent
  std::vector<const Shape*> output_shapes{};      // public, then saved
  std::vector<const Tensor*> outputs{};           // backward: null where not read
  std::vector<const Tensor*> cotangents{};        // backward: null where no gradient arrives
  std::vector<const Shape*> result_shapes{};      // null: unwanted
  std::vector<Tensor> results{};  // forward: outputs and saved; backward: gradients, empty where unwanted
  const Runtime* runtime = nullptr;
  const RunSettings* settings = nullptr;
  std::shared_ptr<void> derived{};  // what the kernel keeps by `Kernel::once`
  std::size_t public_outputs() const { return output_shapes.size() - op.saved; }
};

/// The call that `node` takes on tensors and shapes by value, which must stay where they are.
/// `read`, by value: whether anyone does; null: all are.
KernelCall kernel_call(const Graph& graph, const Node& node, const std::vector<AttributeValue>& attributes,
                       const std::vector<Tensor>& values, const std::vector<Shape>& shapes,
                       const std::vector<bool>* read);
/// Memory for result `i`, uninitialised.
void make_result(KernelCall& call, std::size_t i, DType dtype);
/// Fills `call.results`. A result that is there already, in memory that nobody else holds, is written over.
void perform(KernelCall& call, const Runtime& runtime, DType dtype, const RunSettings& settings);

/// Counter of element `flat` of `shape` that depends only on its logical place (row, time, the rest), so that every
/// form and every cut of a sequence draws the same numbers.
class PlaceCounter {
 public:
  PlaceCounter(const Shape& shape, const Place& place, const RunSettings& settings);
  u64 operator()(i64 flat) const;

 private:
  const Shape& shape_;
  const Place& place_;
  const RunSettings& settings_;
};

/// Where a product found its B laid out the last time. To search again takes a dozen lines of memory, which are in no
/// cache any more when the next token comes.
struct LastLayout {
  u64 layouts = 0;
  const void *b = nullptr, *panels = nullptr;
};

template <class T> class Kernel {
 public:
  explicit Kernel(KernelCall& call) : call_(call) {}

  // Shapes, in both directions.
  std::size_t input_count() const { return call_.inputs.size(); }
  bool has(std::size_t i) const { return i < call_.input_shapes.size() && call_.input_shapes[i]; }
  const Shape& shape(std::size_t i) const { return *call_.input_shapes[i]; }
  const Shape& output_shape(std::size_t i = 0) const { return *call_.output_shapes[i]; }

  // Data. A span is empty when the tensor is absent.
  std::span<const T> input(std::size_t i) const {
    if (!has(i)) return {};
    require_read(call_.inputs[i], "input", i);
    return view(call_.inputs, i);
  }
  std::span<const i32> indices(std::size_t i) const {
    require_read(call_.inputs[i], "input", i);
    return call_.inputs[i]->template values<i32>();
  }
  /// Forward: output `i` to be written; every element.
  std::span<T> result(std::size_t i = 0) {
    if (!call_.results[i]) make_result(call_, i, dtype_of<T>());
    return call_.results[i].template mutable_values<T>();
  }
  std::span<i32> index_result(std::size_t i = 0) { return call_.results[i].template mutable_values<i32>(); }
  /// Whether anyone reads output `i`: an op that saves work by it writes zeros.
  bool is_read(std::size_t i) const {
    return !call_.read || (*call_.read)[static_cast<std::size_t>(call_.node.outputs[i])];
  }
  /// Forward: saved value `i` to be written.
  std::span<T> save(std::size_t i) { return result(call_.public_outputs() + i); }
  // Backward.
  std::span<const T> output(std::size_t i = 0) const {
    require_read(call_.outputs[i], "output", i);
    return view(call_.outputs, i);
  }
  std::span<const T> saved(std::size_t i) const { return view(call_.outputs, call_.public_outputs() + i); }
  bool has_cotangent(std::size_t i = 0) const { return call_.cotangents[i] != nullptr; }
  std::span<const T> cotangent(std::size_t i = 0) const { return view(call_.cotangents, i); }
  bool wants(std::size_t i) const { return i < call_.results.size() && call_.result_shapes[i]; }
  /// Backward: gradient of input `i` to be written, every element; empty when it is not wanted.
  std::span<T> gradient(std::size_t i) { return wants(i) ? result(i) : std::span<T>{}; }

  /// Result `i` is the memory of `tensor` under the result's shape: nothing is copied.
  void share(std::size_t i, const Tensor& tensor) { call_.results[i] = tensor.reshaped(*call_.result_shapes[i]); }

  /// Forward: result `i` begins with the numbers of `tensor`; the others, behind them, are to be written.
  std::span<T> extend(std::size_t i, const Tensor& tensor) {
    std::byte* fresh = nullptr;
    call_.results[i] = tensor.extended(*call_.result_shapes[i], call_.runtime->pool(), fresh);
    return {reinterpret_cast<T*>(fresh), static_cast<std::size_t>(call_.results[i].size() - tensor.size())};
  }

  // Work.
  /// body(i) for 0 <= i < n: vectorised, in parallel, independent iterations.
  template <class F> void each(i64 n, const F& body) const {
    const Isa isa = call_.runtime->isa();
    ranges(n, kGrain, [&](i64 begin, i64 end) { loop(isa, begin, end, body); });
  }
  /// body(row) for 0 <= row < rows, in parallel and compiled for the instruction set; `width` elements of work a row.
  template <class F> void rows(i64 rows, i64 width, const F& body) const {
    const Isa isa = call_.runtime->isa();
    const i64 grain = std::max<i64>(1, kGrain / std::max<i64>(1, width));
    ranges(rows, grain, [&](i64 begin, i64 end) {
      block(isa, [&] {
        for (i64 r = begin; r < end; ++r) body(r);
      });
    });
  }
  template <class F> void ranges(i64 n, i64 grain, const F& body) const {
    if (n <= grain) {
      if (n > 0) body(i64{0}, n);
      return;
    }
    call_.runtime->parallel().ranges(n, grain, body);
  }
  /// In the precision of the run, whose bf16 rounds factors (`train.precision`); `multiply_exactly` for a system that
  /// is solved, where such an error would be multiplied again and again.
  void multiply(const Product<T>& product) const { products().multiply(product); }
  void multiply_exactly(const Product<T>& product) const { call_.runtime->products().multiply(product); }
  /// B of a product that is computed in parts, laid out once for all of them; empty where the backend does without.
  Tensor lay_out(const Product<T>& product) const {
    const i64 size = products().laid_out(product);
    return size ? laid_out(product, size) : Tensor();
  }
  /// The same once for all that read this weight, and there as long as `settings().layouts`; null of all else.
  const T* shared_layout(const Product<T>& product, LastLayout& last) const {
    const Layouts* known = call_.settings->layouts;
    if (!known) return nullptr;
    if (last.layouts == known->number() && last.b == product.b) return static_cast<const T*>(last.panels);
    const i64 size = known->knows(product.b) ? products().laid_out(product) : 0;
    if (!size) return nullptr;
    const Tensor& panels = known->get({product.b, product.transpose_b, product.k, product.n, product.ldb},
                                      [&] { return laid_out(product, size); });
    last = {known->number(), product.b, panels.raw()};
    return static_cast<const T*>(last.panels);
  }
  /// Memory for the length of this call, uninitialised.
  Tensor scratch(Shape shape) const {
    return Tensor::uninitialised(std::move(shape), dtype_of<T>(), call_.runtime->pool());
  }
  Isa isa() const { return call_.runtime->isa(); }
  const Runtime& runtime() const { return *call_.runtime; }
  /// What `make` works out from shapes and fixed attributes alone, and works with in every run of this node: made in
  /// the first. Once a kernel.
  template <class F> auto& once(const F& make) const {
    using Kept = std::remove_cvref_t<decltype(make())>;
    if (!call_.derived) call_.derived = std::make_shared<Kept>(make());
    return *static_cast<Kept*>(call_.derived.get());
  }
  const Op& op() const { return call_.op; }
  /// The call itself, for an op that runs a graph of its own.
  KernelCall& call() { return call_; }

  // Place in the run.
  bool training() const { return call_.settings->training; }
  Key key() const { return call_.settings->key.fold(call_.node.place.stream); }
  PlaceCounter counter(const Shape& shape) const { return {shape, call_.node.place, *call_.settings}; }
  const RunSettings& settings() const { return *call_.settings; }
  const Place& place() const { return call_.node.place; }
  /// Position of the first token of batch row `row` of this call.
  i64 offset(i64 row) const {
    const auto& o = call_.settings->offsets;
    return o.empty() ? 0 : o[o.size() == 1 ? 0 : static_cast<std::size_t>(row)];
  }
  /// The same where a value has no batch: an error when the rows stand at different positions.
  i64 common_offset() const {
    const auto& o = call_.settings->offsets;
    const bool same = std::adjacent_find(o.begin(), o.end(), std::not_equal_to<>()) == o.end();
    if (!same)
      throw Error(call_.op.name +
                  ": the rows of this batch stand at different positions, and it has no row of its own for each");
    return offset(0);
  }

 private:
  const Products& products() const { return call_.runtime->products(call_.settings->precision); }
  Tensor laid_out(const Product<T>& product, i64 size) const {
    const Products& all = products();
    Tensor panels = scratch({size});
    T* to = panels.template mutable_values<T>().data();
    const i64 n = product.n, step = Products::kPanel;
    const i64 grain = std::max<i64>(1, kGrain / std::max<i64>(1, product.k * step));
    ranges((n + step - 1) / step, grain,
           [&](i64 begin, i64 end) { all.lay_out(product, begin * step, std::min(n, end * step), to); });
    return panels;
  }
  // What a backward does not declare to read is freed before it runs.
  void require_read(const Tensor* tensor, const char* what, std::size_t i) const {
    if (!tensor)
      throw Error(fmt::format("{}: its backward reads {} {}, and `reads` does not say so", call_.op.name, what, i),
                  Failure::internal);
  }
  static std::span<const T> view(const std::vector<const Tensor*>& tensors, std::size_t i) {
    if (i >= tensors.size() || !tensors[i]) return {};
    return tensors[i]->values<T>();
  }
  KernelCall& call_;
};

/// Strides of the dimensions of `from`, seen as `to` by broadcasting: 0 where repeated.
std::vector<i64> broadcast_strides(const Shape& from, const Shape& to);

/// Elements `begin .. begin + count` of `from` broadcast to `to`, copied to `out`.
template <class T>
void expand_block(const Shape& to, const std::vector<i64>& strides, const T* from, i64 begin, i64 count, T* out);

}  // namespace weft
