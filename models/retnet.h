// RetNet by the C++ API (Sun et al. 2023, arXiv:2307.08621): the twin of retnet.yaml, with the same weights under the
// same names and the same bits in results and gradients. The page to read for those who embed the engine.
#pragma once
#include <algorithm>
#include <cmath>

#include "dsl/program.h"
#include "ops/add.h"
#include "ops/arange.h"
#include "ops/contract.h"
#include "ops/div.h"
#include "ops/embedding.h"
#include "ops/gelu.h"
#include "ops/group_norm.h"
#include "ops/layer_norm.h"
#include "ops/linrec.h"
#include "ops/merge_heads.h"
#include "ops/mul.h"
#include "ops/neg.h"
#include "ops/pow.h"
#include "ops/reshape.h"
#include "ops/rotate.h"
#include "ops/sub.h"
#include "ops/swish.h"
#include "ops/to_heads.h"

namespace weft::models {

/// The network as nodes of a graph. Each value has one statement: the order of nodes decides in which order gradients
/// are added, and the order in which C++ evaluates arguments is not fixed.
class RetNet {
 public:
  struct Sizes {
    i64 vocab = 256, D = 128, H = 4, layers = 4;
    i64 value = 2;     // width of the values in multiples of D
    i64 hidden = 256;  // width of the feed-forward layers
  };

  RetNet(Graph& graph, const Sizes& sizes) : graph_(graph), s_(sizes) {}

  /// Logits [B, T, vocab] of tokens [B, T]; appends the network to the graph and its weights to `weights`.
  Var logits(const Var& tokens) {
    const Var table = weight("model.0.embed.table", {s_.vocab, s_.D}, {Init::Kind::normal, 0.02});
    Var x = ops::embedding(tokens, table);
    for (i64 i = 0; i < s_.layers; ++i) {
      const std::string body = fmt::format("model.1.repeat[{}].body.", i);
      const Var a = layer_norm(x, body + "0.residual.norm.layer_norm");
      x = ops::add(x, retention(a, body + "0.residual.body.0.retention"));
      const Var b = layer_norm(x, body + "1.residual.norm.layer_norm");
      x = ops::add(x, ffn(b, body + "1.residual.body.0.ffn"));
    }
    return ops::contract(layer_norm(x, "model.2.layer_norm"), table, "btd,vd->btv");
  }

  /// In the order of their first use; draw them with `dsl::draw_weights`.
  std::vector<dsl::WeightSlot> weights;

 private:
  using Init = dsl::Initialiser;

  /// S_t = gamma S_{t-1} + k_t^T v_t, y_t = q_t S_t, with q and k turned by an angle that grows with the position.
  Var retention(const Var& x, const std::string& path) {
    const i64 D = s_.D, H = s_.H, dk = D / H, dv = s_.value * D / H;
    const Init spread{Init::Kind::xavier, std::pow(2, -2.5)};
    const auto project = [&](const char* name, i64 width) {
      return ops::contract(x, weight(path + name, {D, width}, spread), "btd,dk->btk");
    };
    const Var exponents = ops::sub(number(-5), ops::arange(graph_, H));
    const Var gamma = ops::sub(number(1), ops::pow(number(2), exponents));
    const Var steps = ops::neg(ops::arange(graph_, dk / 2));
    const Var theta =
        ops::pow(number(10000), ops::div(steps, number(static_cast<double>(std::max<i64>(dk / 2 - 1, 1)))));

    const Var q = ops::rotate(ops::to_heads(project(".Wq", H * dk), H), theta);
    const Var turned = ops::rotate(ops::to_heads(project(".Wk", H * dk), H), theta);
    const Var k = ops::div(turned, number(std::sqrt(static_cast<double>(dk))));
    const Var v = ops::to_heads(project(".Wv", H * dv), H);
    const Var y = ops::linrec(q, k, v, {.decay = ops::reshape(gamma, {Dim(H), Dim(1), Dim(1)})})[0];

    const Var gate = ops::swish(project(".Wg", H * dv));
    const Var normed = ops::group_norm(ops::merge_heads(y), H);
    return ops::contract(ops::mul(gate, normed), weight(path + ".Wo", {H * dv, D}, {Init::Kind::xavier, 0.5}),
                         "btd,dk->btk");
  }

  Var ffn(const Var& x, const std::string& path) {
    const Var W1 = weight(path + ".W1", {s_.D, s_.hidden}, Init::standard(2));
    const Var up = ops::contract(x, W1, "btd,dk->btk");
    const Var h = ops::gelu(ops::add(up, weight(path + ".b1", {s_.hidden}, Init::standard(1))), "tanh");
    const Var W2 = weight(path + ".W2", {s_.hidden, s_.D}, Init::standard(2));
    const Var down = ops::contract(h, W2, "btd,dk->btk");
    return ops::add(down, weight(path + ".b2", {s_.D}, Init::standard(1)));
  }

  Var layer_norm(const Var& x, const std::string& path) {
    const Var gain = weight(path + ".gain", {s_.D}, {Init::Kind::constant, 1});
    return ops::layer_norm(x, gain, weight(path + ".bias", {s_.D}, Init::standard(1)));
  }

  Var weight(const std::string& name, const Shape& shape, const Init& init) {
    const Var var = graph_.input(name, to_dims(shape), Kind::real, true);
    weights.push_back({{name, shape, shape.size() > 1}, init, var});
    return var;
  }
  Var number(double value) { return graph_.constant(Tensor::full({}, value, DType::f64)); }

  Graph& graph_;
  Sizes s_;
};

}  // namespace weft::models
