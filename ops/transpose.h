#pragma once
#include "ops/shared/permute.h"

namespace weft::ops {

struct Transpose : General {
  static constexpr Doc doc{"dimensions in another order", "\"abc->acb\": y[a, c, b] = x[a, b, c]"};
  static constexpr const char* gradient = "\"abc->acb\": dx[a, b, c] = dy[a, c, b]";
  static constexpr Reads reads{.inputs = 0};
  struct Attrs {
    std::string order;
  };
  static auto attributes() {
    return std::tuple{attribute("order", &Attrs::order, "a letter a dimension, before and after")};
  }

  // For each dimension of y its place in x.
  static std::vector<std::size_t> places(const Attrs& attrs) {
    std::string from = attrs.order;
    std::erase(from, ' ');
    const auto arrow = from.find("->");
    check(arrow != std::string::npos, "transpose: an order is like \"abc->acb\", not \"{}\"", attrs.order);
    const std::string to = from.substr(arrow + 2);
    from.resize(arrow);
    std::vector<std::size_t> places;
    for (const char c : to) places.push_back(from.find(c));
    bool fits = from.size() == to.size();
    for (std::size_t i = 0; i < from.size(); ++i) {
      fits = fits && std::count(places.begin(), places.end(), i) == 1;
    }
    check(fits, "transpose: \"{}\" and \"{}\" do not have the same letters, each once", from, to);
    return places;
  }

  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    const auto from = places(attrs);
    in.require(from.size() == in[0].size(), fmt::format("\"{}\" does not fit {}", attrs.order, text(in[0])));
    Dims out;
    for (const std::size_t p : from) out.push_back(in[0][p]);
    return {out};
  }

  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    const auto from = row_major(k.shape(0));
    std::vector<i64> steps;
    for (const std::size_t p : places(attrs)) steps.push_back(from[p]);
    permute(k, k.input(0).data(), k.output_shape(), steps, k.result().data());
  }
  // dx is dy in the order of x.
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    const auto from = row_major(k.output_shape());
    const auto place = places(attrs);
    std::vector<i64> steps(place.size());
    for (std::size_t d = 0; d < place.size(); ++d) steps[place[d]] = from[d];
    permute(k, k.cotangent().data(), k.shape(0), steps, k.gradient(0).data());
  }
  static std::vector<Sample> samples() {
    return {{{{2, 3}}, {{"order", std::string("ab->ba")}}},
            {{{2, 3, 4}}, {{"order", std::string("abc->bac")}}},
            {{{2, 3, 4, 5}}, {{"order", std::string("abcd->cadb")}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{2, 3}}, {{"order", std::string("ab->aa")}}}, "do not have the same letters"},
            {{{{2, 3, 4}}, {{"order", std::string("ab->ba")}}}, "does not fit [2, 3, 4]"}};
  }
};

inline Var transpose(const Var& x, const std::string& order) { return apply<Transpose>({x}, {.order = order}); }

}  // namespace weft::ops
