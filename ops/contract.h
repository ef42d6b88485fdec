#pragma once
#include "ops/shared/contraction.h"

namespace weft::ops {

struct Contract : General {
  static constexpr Doc doc{"the product of two tensors, summed over the letters that the result leaves out",
                           "\"td,dk->tk\": y[t, k] = sum over d of a[t, d] b[d, k]"};
  static constexpr const char* gradient =
      "\"td,dk->tk\": da[t, d] = sum over k of dy[t, k] b[d, k], db[d, k] = sum over t of a[t, d] dy[t, k]";
  static constexpr std::array inputs{Input{"a"}, Input{"b"}};
  struct Attrs {
    std::string pattern;
  };
  static auto attributes() {
    return std::tuple{
        attribute("pattern", &Attrs::pattern, "a letter a dimension: those of a, of b, and of the result")};
  }

  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    const Pattern p = Pattern::parse(attrs.pattern);
    const std::string* letters[] = {&p.a, &p.b};
    for (std::size_t i = 0; i < 2; ++i) {
      in.require(letters[i]->size() == in[i].size(),
                 fmt::format("\"{}\" has {} letters for {}", *letters[i], letters[i]->size(), text(in[i])));
    }
    Dims out;
    for (const char c : p.a) {
      const auto j = p.b.find(c);
      in.require(j == std::string::npos || same_size(in[0][p.a.find(c)], in[1][j]),
                 fmt::format("sizes of {} differ ({} and {})", c, text(in[0]), text(in[1])));
    }
    for (const char c : p.out) {
      const auto i = p.a.find(c);
      out.push_back(i != std::string::npos ? in[0][i] : in[1][p.b.find(c)]);
    }
    return {out};
  }

  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    const Contraction& product =
        k.once([&] { return Contraction(Pattern::parse(attrs.pattern), k.shape(0), k.shape(1), k.output_shape()); });
    product(k, k.input(0).data(), k.input(1).data(), k.result().data());
  }
  // da = contract(dy, b), db = contract(a, dy): the pattern with the result and one operand exchanged.
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    const auto& [da, db] = k.once([&] {
      const Pattern p = Pattern::parse(attrs.pattern);
      return std::pair(Contraction({p.out, p.b, p.a}, k.output_shape(), k.shape(1), k.shape(0)),
                       Contraction({p.a, p.out, p.b}, k.shape(0), k.output_shape(), k.shape(1)));
    });
    const T* dy = k.cotangent().data();
    if (k.wants(0)) da(k, dy, k.input(1).data(), k.gradient(0).data());
    if (k.wants(1)) db(k, k.input(0).data(), dy, k.gradient(1).data());
  }
  static double flops(const Attrs& attrs, const std::vector<Shape>& inputs, const std::vector<Shape>& outputs) {
    const Pattern p = Pattern::parse(attrs.pattern);
    double n = 2 * static_cast<double>(element_count(outputs[0]));
    for (std::size_t i = 0; i < p.a.size(); ++i) {
      if (p.out.find(p.a[i]) == std::string::npos) n *= static_cast<double>(inputs[0][i]);
    }
    return n;
  }
  static std::vector<Sample> samples() {
    const auto sample = [](const char* pattern, Sample::Sizes a, Sample::Sizes b) {
      return Sample{{a, b}, {{"pattern", std::string(pattern)}}};
    };
    return {sample("td,dk->tk", {3, 4}, {4, 5}),
            sample("ztd,dk->ztk", {2, 3, 4}, {4, 5}),
            sample("zhtd,zhsd->zhts", {2, 3, 4, 5}, {2, 3, 6, 5}),
            sample("zthd,zshd->zhts", {2, 4, 3, 5}, {2, 6, 3, 5}),
            sample("ab,ca->bc", {3, 4}, {5, 3}),
            sample("abc,bd->cda", {2, 3, 4}, {3, 5}),
            sample("a,a->", {5}, {5}),
            sample("a,b->ba", {3}, {4}),
            sample("zab,zb->za", {2, 3, 4}, {2, 4}),
            sample("xyz,zwy->wx", {2, 3, 4}, {4, 5, 3})};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{3, 4}, {5, 6}}, {{"pattern", std::string("td,dk->tk")}}}, "sizes of d differ"},
            {{{{3, 4}, {4}}, {{"pattern", std::string("td,dk->tk")}}}, "has 2 letters"},
            {{{{3, 4}, {4, 5}}, {{"pattern", std::string("td,dk->t")}}}, "stands in one place alone"},
            {{{{3}, {4}}, {{"pattern", std::string("a,b")}}}, "a pattern is like"}};
  }
};

inline Var contract(const Var& a, const Var& b, const std::string& pattern) {
  return apply<Contract>({a, b}, {.pattern = pattern});
}

}  // namespace weft::ops
