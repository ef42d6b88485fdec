// Fast weights by the C++ API (Schlag, Irie and Schmidhuber 2021, arXiv:2102.11174): the twin of fast_weights.yaml with
// its defaults (DPFP features that sum to 1, the delta rule, no dropout), the same weights under the same names and the
// same bits in results and gradients.
#pragma once
#include "models/network.h"
#include "ops/div.h"
#include "ops/dpfp.h"
#include "ops/linrec.h"
#include "ops/merge_heads.h"
#include "ops/rearrange.h"
#include "ops/sigmoid.h"
#include "ops/sum.h"
#include "ops/to_heads.h"
#include "ops/transpose.h"

namespace weft::models {

class FastWeights : public Network {
 public:
  struct Sizes {
    i64 vocab = 256, D = 128, H = 4, layers = 4;
    i64 hidden = 512;  // width of the feed-forward layers
    i64 nu = 1;        // neighbours of dpfp: keys have 2 nu D / H elements
  };

  FastWeights(Graph& graph, const Sizes& s) : Network(graph, {s.vocab, s.D, s.layers, s.hidden}), s_(s) {}

 private:
  Var norm(const Var& x, const std::string& place) override { return rms_norm(x, place + ".rms_norm"); }

  /// The memory S of a head is a matrix that each token writes to; what it holds under the key gives way to the value:
  ///
  ///     S_t = S_{t-1} + k_t^T beta_t (v_t - k_t S_{t-1}),  y_t = q_t S_t
  ///
  /// with q = phi(x Wq), k = phi(x Wk), v = x Wv, beta = sigmoid(x Wb) for each head.
  Var mixer(const Var& x, const std::string& place) override {
    const std::string path = place + ".fast_weights";
    const Var xq = ops::to_heads(linear(x, path + ".Wq", s_.D), s_.H);
    const Var xk = ops::to_heads(linear(x, path + ".Wk", s_.D), s_.H);
    const Var fq = ops::dpfp(xq, s_.nu);
    const Var fk = ops::dpfp(xk, s_.nu);
    const Var q = summing_to_1(fq);
    const Var k = summing_to_1(fk);
    const Var v = ops::to_heads(linear(x, path + ".Wv", s_.D), s_.H);
    const Var beta = ops::transpose(ops::sigmoid(linear(x, path + ".Wb", s_.H)), "bth->bht");
    const Var y = ops::linrec(q, k, v, {.beta = beta})[0];
    return linear(ops::merge_heads(y), path + ".Wo", s_.D);
  }

  /// f / (f_1 + .. + f_m + eps): |k| is at most 1, above which the delta rule would diverge.
  Var summing_to_1(const Var& f) {
    const Var total = ops::rearrange(ops::sum(f, -1), "b h t -> b h t 1");
    return ops::div(f, ops::add(total, number(1e-6)));
  }

  Sizes s_;
};

}  // namespace weft::models
