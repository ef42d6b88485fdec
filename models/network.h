// What the C++ twins share: the network around a mixer, and the layers of layers.yaml that they use, with the same
// weights under the same names.
#pragma once
#include "dsl/program.h"
#include "ops/add.h"
#include "ops/contract.h"
#include "ops/embedding.h"
#include "ops/gelu.h"
#include "ops/layer_norm.h"
#include "ops/rms_norm.h"

namespace weft::models {

/// A network as nodes of a graph. Each value has one statement: the order of nodes decides in which order gradients
/// are added, and the order in which C++ evaluates arguments is not fixed.
class Network {
 public:
  struct Sizes {
    i64 vocab, D, layers, hidden;
  };

  Network(Graph& graph, const Sizes& sizes) : graph_(graph), sizes_(sizes) {}
  virtual ~Network() = default;

  /// Logits [B, T, vocab] of tokens [B, T]; appends the network to the graph and its weights to `weights`.
  /// Each layer is x + mixer(norm(x)), then x + ffn(norm(x)); the table of the embedding also makes the logits.
  Var logits(const Var& tokens) {
    const Var table = weight("model.0.embed.table", {sizes_.vocab, sizes_.D}, {Init::Kind::normal, 0.02});
    Var x = ops::embedding(tokens, table);
    for (i64 i = 0; i < sizes_.layers; ++i) {
      const std::string body = fmt::format("model.1.repeat[{}].body.", i);
      const Var a = norm(x, body + "0.residual.norm");
      x = ops::add(x, mixer(a, body + "0.residual.body.0"));
      const Var b = norm(x, body + "1.residual.norm");
      x = ops::add(x, ffn(b, body + "1.residual.body.0.ffn"));
    }
    return ops::contract(norm(x, "model.2"), table, "btd,vd->btv");
  }

  /// In the order of their first use; draw them with `dsl::draw_weights`.
  std::vector<dsl::WeightSlot> weights;

 protected:
  using Init = dsl::Initialiser;

  /// Both of x [B, T, D]; their weights stand under `place` and their own name.
  virtual Var norm(const Var& x, const std::string& place) = 0;
  virtual Var mixer(const Var& x, const std::string& place) = 0;

  Var layer_norm(const Var& x, const std::string& path) {
    const Var gain = weight(path + ".gain", {sizes_.D}, {Init::Kind::constant, 1});
    return ops::layer_norm(x, gain, weight(path + ".bias", {sizes_.D}, Init::standard(1)));
  }
  Var rms_norm(const Var& x, const std::string& path) {
    return ops::rms_norm(x, weight(path + ".gain", {sizes_.D}, {Init::Kind::constant, 1}));
  }
  Var ffn(const Var& x, const std::string& path) {
    const Var up = linear(x, path + ".W1", sizes_.hidden);
    const Var h = ops::gelu(ops::add(up, weight(path + ".b1", {sizes_.hidden}, Init::standard(1))), "tanh");
    const Var down = linear(h, path + ".W2", sizes_.D);
    return ops::add(down, weight(path + ".b2", {sizes_.D}, Init::standard(1)));
  }
  /// x W with a new weight W.
  Var linear(const Var& x, const std::string& name, i64 width, const Init& init = Init::standard(2)) {
    return ops::contract(x, weight(name, {x.dims().back().value(), width}, init), "btd,dk->btk");
  }

  Var weight(const std::string& name, const Shape& shape, const Init& init) {
    const Var var = graph_.input(name, to_dims(shape), Kind::real, true);
    dsl::WeightSlot slot;
    slot.weight.name = name, slot.weight.shape = shape, slot.weight.decays = shape.size() > 1;
    slot.initialiser = init, slot.var = var;
    weights.push_back(std::move(slot));
    return var;
  }
  Var number(double value) { return graph_.constant(Tensor::full({}, value, DType::f64)); }

  Graph& graph_;

 private:
  Sizes sizes_;
};

}  // namespace weft::models
