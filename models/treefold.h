// TreeFold by the C++ API: the twin of treefold.yaml with its defaults, the same weights under the same names and the
// same bits in results and gradients. Also the noise of training is the same: run the graph with
// `RunSettings{.key = .., .training = true}`, a new key a step.
#pragma once
#include "models/network.h"
#include "ops/concat.h"
#include "ops/fold.h"
#include "ops/fold_sum.h"
#include "ops/gumbel_softmax.h"
#include "ops/relu.h"
#include "ops/to_index.h"
#include "ops/weighted_sum.h"
#include "ops/zeros.h"

namespace weft::models {

class TreeFold : public Network {
 public:
  struct Sizes {
    i64 vocab = 256, D = 128, layers = 4;
    double tau = 1;               // temperature of the gate
    std::string eval = "argmax";  // the gate outside training; or "soft", "sample"
    i64 hidden = 512;             // width of the feed-forward layers
  };

  TreeFold(Graph& graph, const Sizes& s) : Network(graph, {s.vocab, s.D, s.layers, s.hidden}), s_(s) {}

 private:
  Var norm(const Var& x, const std::string& place) override { return layer_norm(x, place + ".layer_norm"); }

  /// Adjacent pairs merge level by level, and each token reads the last complete node of every level:
  ///
  ///     c(0, t) = x_t,  c(l, r) = merge(c(l-1, 2r-1), c(l-1, 2r)),  y_t = sum over l >= 1 of c(l, floor(t / 2^l))
  Var mixer(const Var& x, const std::string& place) override {
    const std::string path = place + ".treefold";
    const i64 D = s_.D;
    std::vector<Var> shared;  // by all merges, which see them behind their own inputs
    const auto affine = [&](const char* W, const char* b, i64 from, i64 to) {
      shared.push_back(weight(path + W, {from, to}, Init::standard(2)));
      shared.push_back(weight(path + b, {to}, Init::standard(1)));
    };
    affine(".W1", ".b1", 2 * D, D);
    affine(".W2", ".b2", D, D);
    affine(".Wg", ".bg", 2 * D, 3);

    const Dim B = Dim::symbol("B");
    const Var last = ops::zeros(graph_, {B, ops::kTreeLevels, D});
    const Var count = ops::to_index(ops::zeros(graph_, {B}));  // no tokens before these
    graph_.set_stream(Key{}.fold(path).fold("fold"));
    const Var nodes = ops::fold(count, last, x, merge(path, shared), shared);
    return ops::fold_sum(count, nodes, itself());
  }

  /// Of neighbours l and r, p = gate([l; r] Wg + bg) chooses l, r, or m = relu([l; r] W1 + b1) W2 + b2:
  ///
  ///     merge(l, r) = p_1 l + p_2 m + p_3 r
  ///
  /// in training p = softmax((.. + g) / tau) with Gumbel noise g, which each node draws below the key of this place.
  std::shared_ptr<const Graph> merge(const std::string& path, const std::vector<Var>& shared) const {
    const auto graph = std::make_shared<Graph>();
    const Dims node = {Dim::symbol("B"), s_.D};
    const Var l = input(*graph, "left", node), r = input(*graph, "right", node);
    graph->inputs.push_back(graph->input("level", {}));  // a merge may differ by level; this one does not
    const auto affine = [&](const Var& x, const Var& W, const Var& b) {
      return ops::add(ops::contract(x, W, "bi,ij->bj"), b);
    };
    const auto weight = [&](std::size_t i) { return input(*graph, "weight", shared[i].dims()); };
    const Var W1 = weight(0), b1 = weight(1), W2 = weight(2), b2 = weight(3), Wg = weight(4), bg = weight(5);

    const Var lr = ops::concat({l, r});
    const Var m = affine(ops::relu(affine(lr, W1, b1)), W2, b2);
    graph->set_stream(Key{}.fold(path).fold("p"));
    const Var p = ops::gumbel_softmax(affine(lr, Wg, bg), s_.tau, false, s_.eval);
    graph->results = {ops::weighted_sum(p, {l, m, r})};
    graph->differentiate();
    return graph;
  }
  /// What is summed of a node: its value.
  std::shared_ptr<const Graph> itself() const {
    const auto graph = std::make_shared<Graph>();
    graph->results = {input(*graph, "c", {Dim::symbol("B"), s_.D})};
    graph->differentiate();
    return graph;
  }
  static Var input(Graph& graph, const char* name, const Dims& dims) {
    graph.inputs.push_back(graph.input(name, dims, Kind::real, true));
    return graph.inputs.back();
  }

  Sizes s_;
};

}  // namespace weft::models
