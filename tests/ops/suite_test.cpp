// The suite itself can fail: for every property a mistake is planted in an op, and the property must complain.
#include <doctest/doctest.h>

#include <set>

#include "engine/op_entry.h"
#include "tests/ops/suite/properties.h"

namespace weft::tests {
namespace {

enum class Mistake {
  none,
  // Of the backward.
  sign,
  factor,
  transposed,
  dropped_term,
  row_off_by_one,
  attribute_ignored,
  outputs_swapped,
  sum_forgotten,
  tile_forgotten,
  tiny_factor,
  clipped,
  not_zero,
  needs_all,
  alias,
  // Of the forward.
  f32,
  products,
  threads,
  unwritten,
  read_unwritten,
  one,
  nan,
  infinity,
  overflow,
  future,
  // Of conduct.
  input_written,
  cotangent_written,
  memory_kept,
};

Mistake planted = Mistake::none;  // what the kernels below do wrong; no row could tell them, for the suite copies rows

}  // namespace

// y = scale x w + shift, z = y^2, with x [..., n], w [n, m] and shift [m] or [..., m]
struct Victim : General {
  static constexpr Doc doc{"what mistakes are planted in", "y = scale x w + shift, z = y^2"};
  static constexpr const char* gradient = "dx = scale g w^T, dw = scale x^T g, dshift = g, g = dy + 2 y * dz";
  static constexpr std::array inputs{Input{"x", Input::plain, 1}, Input{"w", Input::plain, 2},
                                     Input{"shift", Input::plain, 1}};
  static constexpr Reads reads{.inputs = 0b011, .outputs = 0b01};
  static std::vector<std::string> outputs() { return {"y", "z"}; }
  struct Attrs {
    double scale = 1;
  };
  static auto attributes() { return std::tuple{attribute("scale", &Attrs::scale, "of the product")}; }

  static std::vector<Dims> infer(const Attrs&, const InputDims& in) {
    in.require(in[1].size() == 2 && same_size(in.at(0, -1), in[1][0]), "w does not fit x");
    Dims y(in[0].begin(), in[0].end() - 1);
    y.push_back(in[1][1]);
    in.require(in[2].size() == 1 ? same_size(in[2][0], y.back()) : same_size(in[2], y), "shift does not fit");
    return {y, y};
  }

  template <class T> static void forward(const Attrs& a, Kernel<T>& k) {
    const Mistake m = planted;
    const i64 n = k.shape(1)[0], width = k.shape(1)[1], size = element_count(k.output_shape());
    const T *x = k.input(0).data(), *w = k.input(1).data(), *shift = k.input(2).data();
    const i64 period = std::max<i64>(1, std::ssize(k.input(2)));
    T *y = k.result(0).data(), *z = k.result(1).data();
    if (m == Mistake::input_written && size) const_cast<T*>(x)[0] += 1;
    if (m == Mistake::memory_kept) {
      static std::vector<Tensor> kept;
      kept.push_back(k.scratch({1}));
    }
    for (i64 e = 0; e < size - (m == Mistake::unwritten); ++e) {
      T sum = m == Mistake::read_unwritten ? y[e] * 0 : 0;
      for (i64 i = 0; i < n; ++i) sum += x[e / width * n + i] * w[i * width + e % width];
      y[e] = T(a.scale) * sum + shift[e % period];
      if (m == Mistake::f32 && sizeof(T) == 4) y[e] *= T(1.001);
      if (m == Mistake::products && k.runtime().products().name() == "loops") y[e] *= T(1 + 1e-6);
      if (m == Mistake::threads) y[e] += T(1e-5) * static_cast<T>(k.runtime().parallel().threads());
      if (m == Mistake::one && n == 1) y[e] = 0;
      if (m == Mistake::nan && y[e] != y[e]) y[e] = 0;
      if (m == Mistake::infinity && y[e] - y[e] != 0) y[e] = T(1e30);
      if (m == Mistake::overflow) y[e] = y[e] * std::exp(std::abs(y[e])) / std::exp(std::abs(y[e]));
    }
    for (i64 e = 0; e < size; ++e) z[e] = y[e] * y[e];
  }
  // g = dy + 2 y dz, dx = scale g w^T, dw = scale x^T g, dshift = g, summed over the rows that share it
  template <class T> static void backward(const Attrs& a, Kernel<T>& k) {
    const Mistake m = planted;
    const i64 n = k.shape(1)[0], width = k.shape(1)[1], size = element_count(k.output_shape()),
              rows = size / std::max<i64>(1, width);
    const T *x = k.input(0).data(), *w = k.input(1).data(), *y = k.output(0).data();
    const std::size_t first = m == Mistake::outputs_swapped;
    const T* dy = k.has_cotangent(first) ? k.cotangent(first).data() : nullptr;
    const T* dz = k.has_cotangent(1 - first) ? k.cotangent(1 - first).data() : nullptr;
    const T scale = m == Mistake::attribute_ignored ? T(1) : T(a.scale);
    std::vector<T> g(static_cast<std::size_t>(size));
    for (i64 e = 0; e < size; ++e) {
      g[e] = (dy ? dy[e] : T(0)) + (dz && m != Mistake::dropped_term ? 2 * y[e] * dz[e] : T(0));
      if (m == Mistake::clipped) g[e] = std::clamp(g[e], T(-0.9), T(0.9));
    }
    if (m == Mistake::cotangent_written && size && dy) const_cast<T*>(dy)[0] = 0;
    const auto dx = k.gradient(0), dw = k.gradient(1), dshift = k.gradient(2);
    std::fill(dw.begin(), dw.end(), T(0));
    std::fill(dshift.begin(), dshift.end(), T(0));
    for (i64 e = 0; e < std::ssize(dx); ++e) {
      const i64 r = e / n, i = e % n;
      T sum = 0;
      for (i64 j = 0; j < width - (m == Mistake::tile_forgotten && width > 16); ++j) {
        sum += g[r * width + j] * (m == Mistake::transposed ? w[j * n + i] : w[i * width + j]);
      }
      dx[e] = scale * sum;
      if (m == Mistake::sign) dx[e] = -dx[e];
      if (m == Mistake::factor) dx[e] *= T(1.0005);
      if (m == Mistake::not_zero) dx[e] += T(1e-9);
    }
    const bool skip = (m == Mistake::needs_all && dx.empty()) || (m == Mistake::alias && x == w);
    for (i64 r = 0; r < rows && !skip && !dw.empty(); ++r) {
      const T* from = x + (m == Mistake::row_off_by_one ? (r + 1) % rows : r) * n;
      for (i64 i = 0; i < n; ++i) {
        for (i64 j = 0; j < width; ++j) dw[i * width + j] += scale * from[i] * g[r * width + j];
      }
    }
    for (i64 e = 0; e < size && !dshift.empty(); ++e) {
      T& to = dshift[e % std::ssize(dshift)];
      to = m == Mistake::sum_forgotten ? g[e] : to + g[e];
    }
  }
  static std::vector<Sample> samples() {
    return {{{{2, 3}, {3, 4}, {4}}}, {{{2, 2, 3}, {3, 2}, {2, 2, 2}}, {{"scale", 0.7}}}, {{{3, 3}, {3, 3}, {3}}}};
  }
  static std::vector<ErrorSample> error_samples() { return {{{{{2, 4}, {3, 2}, {2}}}, "w does not fit x"}}; }
};
// h[t] = h[t-1] / 2 + x[t], y = h: a stream.
struct Stream : General {
  static constexpr Doc doc{"a stream that mistakes are planted in", "y[t] = y[t-1] / 2 + x[t]"};
  static constexpr const char* gradient =
      "dx[t] = g[t], dpast = g[0], g[t-1] = g[t] / 2 + dy[t-1], g[T] = dlast + dy[T]";
  static constexpr Along along = Along::streams;
  static constexpr std::array inputs{Input{"x", Input::plain, 2}, Input{"past", Input::optional, 1}};
  static constexpr Reads reads{.inputs = 0};
  static std::vector<std::string> outputs() { return {"y", "last"}; }
  static std::vector<StateInfo> states() { return {{1, 1}}; }
  static std::vector<Dims> infer(const Attrs&, const InputDims& in) {
    in.at(0, -2);
    in.require(in[0].size() == 2 && (!in.has(1) || (in[1].size() == 1 && same_size(in[1][0], in[0][1]))),
               "past does not fit");
    return {in[0], {in[0][1]}};
  }
  template <class T> static void forward(const Attrs&, Kernel<T>& k) {
    const i64 steps = k.shape(0)[0], width = k.shape(0)[1];
    const T* x = k.input(0).data();
    T *y = k.result(0).data(), *last = k.result(1).data();
    for (i64 d = 0; d < width; ++d) {
      T h = k.has(1) ? k.input(1)[d] : T(0);
      for (i64 t = 0; t < steps; ++t) {
        h = h / 2 + x[t * width + d];
        y[t * width + d] = h;
        if (planted == Mistake::future && t + 1 < steps) y[t * width + d] += x[(t + 1) * width + d];
      }
      last[d] = h;
    }
  }
  template <class T> static void backward(const Attrs&, Kernel<T>& k) {
    const i64 steps = k.shape(0)[0], width = k.shape(0)[1];
    for (i64 d = 0; d < width; ++d) {
      T g = k.has_cotangent(1) ? k.cotangent(1)[d] : T(0);
      for (i64 t = steps - 1; t >= 0; --t) {
        g += k.has_cotangent(0) ? k.cotangent(0)[t * width + d] : T(0);
        if (k.wants(0)) k.gradient(0)[t * width + d] = planted == Mistake::tiny_factor ? g * T(1 + 1e-9) : g;
        g /= 2;
      }
      if (k.wants(1)) k.gradient(1)[d] = g;
    }
  }
  static std::vector<Sample> samples() { return {{{{5, 3}, {-1}}}, {{{4, 2}, {2}}}}; }
  static std::vector<ErrorSample> error_samples() { return {{{{{5, 3}, {2}}}, "past does not fit"}}; }
};
}  // namespace weft::tests
template <> const weft::Op& weft::row<weft::tests::Victim>() { return make_row<tests::Victim>("victim"); }
template <> const weft::Op& weft::row<weft::tests::Stream>() { return make_row<tests::Stream>("stream"); }

namespace weft::tests {
namespace {

struct Case {
  std::string name;
  Verdict (*property)(const Op&);
  Mistake mistake = Mistake::none;
  void (*edit)(Op&) = nullptr;  // of the row
  const Op& (*op)() = &row<Victim>;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"a sign in the backward", gradients_match_differences, Mistake::sign},
      {"a factor of 1.0005", gradients_match_differences, Mistake::factor},
      {"a matrix transposed", gradients_match_differences, Mistake::transposed},
      {"a term dropped", gradients_match_differences, Mistake::dropped_term},
      {"the row next to the right one", gradients_match_differences, Mistake::row_off_by_one},
      {"an attribute ignored in the backward", gradients_match_differences, Mistake::attribute_ignored},
      {"two outputs exchanged in the backward", gradients_match_differences, Mistake::outputs_swapped},
      {"a sum over rows forgotten", gradients_match_differences, Mistake::sum_forgotten},
      {"a read that is not declared", gradients_match_differences, Mistake::none, [](Op& o) { o.reads.inputs = 0b01; }},
      {"the rest of a tile forgotten", gradients_hold_at_larger_sizes, Mistake::tile_forgotten},
      {"a factor of 1 + 1e-9", a_linear_input_has_the_exact_adjoint, Mistake::tiny_factor, nullptr, &row<Stream>},
      {"a clipped cotangent", backward_is_linear_in_the_cotangent, Mistake::clipped},
      {"a gradient of 1e-9 for a cotangent of zeros", backward_is_linear_in_the_cotangent, Mistake::not_zero},
      {"a gradient that needs another to be wanted", a_gradient_does_not_depend_on_the_others, Mistake::needs_all},
      {"two inputs that may not be one", the_same_input_twice_adds_its_gradients, Mistake::alias},
      {"a sum over broadcast rows forgotten", broadcasting_is_expand_and_sum, Mistake::sum_forgotten},
      {"f32 computed otherwise", f32_is_close_to_f64, Mistake::f32},
      {"products by loops computed otherwise", products_by_loops_and_blas_agree, Mistake::products},
      {"a result that knows the number of threads", threads_change_no_bit, Mistake::threads},
      {"an input written", nothing_that_it_reads_is_changed, Mistake::input_written},
      {"a cotangent written", nothing_that_it_reads_is_changed, Mistake::cotangent_written},
      {"an element not written", every_element_is_written_before_it_is_read, Mistake::unwritten},
      {"an element read before it is written", every_element_is_written_before_it_is_read, Mistake::read_unwritten},
      {"memory kept", memory_is_given_back, Mistake::memory_kept},
      {"NaN replaced by zero", nan_and_infinity_are_not_masked, Mistake::nan},
      {"infinity replaced by a large number", nan_and_infinity_are_not_masked, Mistake::infinity},
      {"e^y / e^y", it_overflows_only_where_the_function_does, Mistake::overflow},
      {"a size of one done wrong", other_sizes_are_right_or_refused, Mistake::one},
      {"a look at the next position", cuts_in_time_change_nothing, Mistake::future, nullptr, &row<Stream>},
      {"a state that does not come out", cuts_in_time_change_nothing, Mistake::none, [](Op& o) { o.states = {}; },
       &row<Stream>},
      {"a false claim to be causal", its_claims_about_time_hold, Mistake::none,
       [](Op& o) { o.causal_axis = true, o.attributes[0].type = AttributeInfo::Type::axis; }},
      {"a false claim to mask the future", its_claims_about_time_hold, Mistake::none,
       [](Op& o) { o.masks_future = [](const Op&, const auto&, const InputDims&) { return true; }; }},
      {"a shape rule that gives another size for a symbol", its_shape_rule_takes_symbols, Mistake::none,
       [](Op& o) {
         o.infer = [](const Op& op, const std::vector<AttributeValue>& v, const InputDims& in) {
           auto shapes = detail::infer<Victim>(op, v, in);
           if (!shapes[0].front().known()) shapes[0].front() = shapes[0].front() * Dim(2);
           return shapes;
         };
       }},
      {"a shape that should be refused", refuses_its_error_samples, Mistake::none,
       [](Op& o) {
         o.error_samples = [] { return std::vector<ErrorSample>{{{{{2, 3}, {3, 2}, {2}}}, "something else"}}; };
       }},
      {"a message about something else", refuses_its_error_samples, Mistake::none,
       [](Op& o) {
         o.error_samples = [] { return std::vector<ErrorSample>{{{{{2, 4}, {3, 2}, {2}}}, "something else"}}; };
       }},
      {"no sample of an attribute", has_samples_for_all, Mistake::none,
       [](Op& o) { o.samples = [] {
                     return std::vector<Sample>{{{{2, 3}, {3, 4}, {4}}}};
                   }; }},
      {"no word about itself", documents_itself, Mistake::none, [](Op& o) { o.doc.about = ""; }},
      {"no word about its gradient", documents_itself, Mistake::none, [](Op& o) { o.gradient = ""; }},
      {"a gradient to one input alone", documents_itself, Mistake::none,
       [](Op& o) { o.gradient = "dx = scale g w^T"; }},
      {"an attribute without a word", documents_itself, Mistake::none, [](Op& o) { o.attributes[0].about = ""; }},
      {"a cost of nothing", documents_itself, Mistake::none,
       [](Op& o) { o.cost = [](const auto&, const auto&, const auto&) { return Cost{}; }; }},
      {"samples in which a wrong gradient does not show", planted_mistakes_are_caught, Mistake::none,
       [](Op& o) { o.samples = [] {
                     return std::vector<Sample>{{{{0, 3}, {3, 4}, {4}}}};
                   }; }},
  };
  return all;
}

}  // namespace

TEST_CASE("each planted mistake is caught by the property that is there for it") {
  for (const Case& c : cases()) {
    CAPTURE(c.name);
    Op op = c.op();
    if (c.edit) c.edit(op);
    planted = c.mistake;
    CHECK_FALSE(c.property(op).complaints.empty());
    planted = Mistake::none;
  }
}

TEST_CASE("the op without a mistake has every property") {
  for (const Op* op : {&row<Victim>(), &row<Stream>()}) {
    for (const Property& p : properties()) {
      const auto complaints = p.check(*op).complaints;
      CHECK_MESSAGE(complaints.empty(), op->name, ": ", p.name, ": ", complaints.empty() ? "" : complaints[0]);
    }
  }
}

TEST_CASE("every property has a mistake that it catches") {
  std::set<Verdict (*)(const Op&)> reached;
  for (const Case& c : cases()) reached.insert(c.property);
  for (const Property& p : properties()) CHECK_MESSAGE(reached.count(p.check) == 1, p.name);
}

}  // namespace weft::tests
