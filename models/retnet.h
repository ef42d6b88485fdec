// RetNet by the C++ API (Sun et al. 2023, arXiv:2307.08621): the twin of retnet.yaml, with the same weights under the
// same names and the same bits in results and gradients. The page to read for those who embed the engine.
#pragma once
#include <algorithm>
#include <cmath>

#include "models/network.h"
#include "ops/arange.h"
#include "ops/div.h"
#include "ops/group_norm.h"
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

class RetNet : public Network {
 public:
  struct Sizes {
    i64 vocab = 256, D = 128, H = 4, layers = 4;
    i64 value = 2;     // width of the values in multiples of D
    i64 hidden = 256;  // width of the feed-forward layers
  };

  RetNet(Graph& graph, const Sizes& s) : Network(graph, {s.vocab, s.D, s.layers, s.hidden}), s_(s) {}

 private:
  Var norm(const Var& x, const std::string& place) override { return layer_norm(x, place + ".layer_norm"); }

  /// Retention: S_t = gamma S_{t-1} + k_t^T v_t, y_t = q_t S_t, with q and k turned by an angle that grows with the
  /// position.
  Var mixer(const Var& x, const std::string& place) override {
    const std::string path = place + ".retention";
    const i64 D = s_.D, H = s_.H, dk = D / H, dv = s_.value * D / H;
    const auto project = [&](const char* name, i64 width) {
      return linear(x, path + name, width, {Init::Kind::xavier, std::pow(2, -2.5)});
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
    return linear(ops::mul(gate, normed), path + ".Wo", D, {Init::Kind::xavier, 0.5});
  }

  Sizes s_;
};

}  // namespace weft::models
