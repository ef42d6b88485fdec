// std/treefold against the algorithm as it was first given: pairs of rows merge, an odd last row is carried up, and
// each position gathers one row of every level behind a row of zeros.
#include "tests/models/build.h"

using namespace weft;

namespace {

constexpr i64 D = 4;
using Rows = std::vector<std::vector<double>>;

struct Layer {
  std::map<std::string, Tensor> weights;

  // W [in, out], behind it b [out].
  std::vector<double> linear(const std::vector<double>& x, const std::string& W, const std::string& b) const {
    const Tensor &w = weights.at(W), &bias = weights.at(b);
    std::vector<double> y;
    for (i64 j = 0; j < bias.size(); ++j) {
      y.push_back(bias.at(j));
      for (std::size_t i = 0; i < x.size(); ++i) y.back() += x[i] * w.at(static_cast<i64>(i) * bias.size() + j);
    }
    return y;
  }

  std::vector<double> merge(const std::vector<double>& a, const std::vector<double>& b) const {
    std::vector<double> both = a;
    both.insert(both.end(), b.begin(), b.end());
    std::vector<double> h = linear(both, "W1", "b1"), gate = linear(both, "Wg", "bg");
    for (double& x : h) x = std::max(x, 0.0);
    const std::vector<double> m = linear(h, "W2", "b2");
    double total = 0;
    for (double& g : gate) total += g = std::exp(g);
    std::vector<double> y(D);
    for (std::size_t d = 0; d < D; ++d) y[d] = (gate[0] * a[d] + gate[1] * m[d] + gate[2] * b[d]) / total;
    return y;
  }

  Rows operator()(const Rows& x) const {
    const std::size_t length = x.size();
    Rows y(length, std::vector<double>(D, 0)), current = x;
    for (std::size_t block = 2; current.size() > 1; block *= 2) {
      Rows next;
      for (std::size_t r = 0; r + 1 < current.size(); r += 2) next.push_back(merge(current[r], current[r + 1]));
      if (current.size() % 2) next.push_back(current.back());
      current = next;
      for (std::size_t i = 0; i < length; ++i) {
        const std::size_t reference = (i + 1) / block;
        for (std::size_t d = 0; reference > 0 && d < D; ++d) y[i][d] += current[reference - 1][d];
      }
    }
    return y;
  }
};

Tensor drawn(const Shape& shape, u64 seed) {
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.7 * normal(Key{seed}, i);
  return Tensor::from(values, shape, DType::f64);
}

struct Answer {
  std::map<std::string, Tensor> tensors;
  Layer layer;
};

// The def alone, with a soft gate.
Answer compute(const dsl::Function::Tensors& inputs, bool gradients) {
  dsl::Diagnostics d;
  const dsl::Description description(dsl::make_source("treefold.yaml", tests::std_file("treefold")), {},
                                     tests::surroundings(), d);
  dsl::Asked asked{
      .def = "treefold", .params = {"eval=soft"}, .given = {}, .with_tensors = true, .gradients = gradients};
  for (const auto& [name, tensor] : inputs) asked.given[name] = tensor.shape();
  const auto function = description.function(asked, 16, d);
  INFO(d.render(false));
  REQUIRE(function != nullptr);
  Answer c;
  std::vector<Tensor> weights;
  for (const auto& slot : function->slots()) {
    weights.push_back(drawn(slot.weight.shape, 50 + weights.size()));
    c.layer.weights[slot.weight.name] = weights.back();
  }
  const Runtime runtime;
  for (auto& [name, tensor] : (*function)(runtime, DType::f64, weights, inputs)) c.tensors[name] = tensor;
  return c;
}

}  // namespace

TEST_CASE("std/treefold is the algorithm as it was first given, for lengths around powers of two") {
  for (const i64 length : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 70}) {
    CAPTURE(length);
    const Tensor x = drawn({1, length, D}, 3);
    Rows rows(static_cast<std::size_t>(length));
    for (i64 i = 0; i < x.size(); ++i) rows[static_cast<std::size_t>(i / D)].push_back(x.at(i));
    const Answer c = compute({{"x", x}}, false);
    const Rows y = c.layer(rows);
    for (i64 i = 0; i < x.size(); ++i) {
      CHECK(c.tensors.at("out").at(i) ==
            doctest::Approx(y[static_cast<std::size_t>(i / D)][static_cast<std::size_t>(i % D)]).epsilon(1e-12));
    }
  }
}

TEST_CASE(
    "in std/treefold position i depends on the tokens 0 to 2 floor((i + 1) / 2) - 1, each of them, and no other") {
  const i64 length = 19;
  for (i64 i = 0; i < length; ++i) {
    CAPTURE(i);
    std::vector<double> one(static_cast<std::size_t>(length * D));
    for (i64 d = 0; d < D; ++d) one[static_cast<std::size_t>(i * D + d)] = 1 + static_cast<double>(d);
    const Answer c =
        compute({{"x", drawn({1, length, D}, 3)}, {"cotangent", Tensor::from(one, {1, length, D}, DType::f64)}}, true);
    const Tensor& dx = c.tensors.at("grad.x");
    for (i64 j = 0; j < length; ++j) {
      CAPTURE(j);
      double size = 0;
      for (i64 d = 0; d < D; ++d) size += std::abs(dx.at(j * D + d));
      CHECK((size > 0) == (j < (i + 1) / 2 * 2));
    }
  }
}

TEST_CASE("std/treefold has 3 d^2 + 8 d + 3 weights a layer, and any gate outside training") {
  for (const char* gate : {"argmax", "soft", "sample"}) {
    const auto model = tests::built(tests::std_file("treefold"),
                                    {"params.D=12", "params.layers=1", std::string("params.eval=") + gate});
    i64 count = 0;
    for (const dsl::Weight& w : model->weights()) {
      if (w.name.find(".treefold.") != std::string::npos) count += element_count(w.shape);
    }
    CHECK(count == 3 * 144 + 8 * 12 + 3);
    CHECK(model->streams());
  }
}
