// Every op is called from a description, by the calls that the reference shows.
#include "tests/models/build.h"

#include <set>

#include "engine/op.h"
#include "ops/table.h"

using namespace weft;

namespace {

const Input& declared(const Op& op, std::size_t i) { return op.inputs[std::min(i, op.inputs.size() - 1)]; }

// The dims that an example has in a model for text: what its sample has for time is T there.
std::optional<std::vector<Dims>> in_time(const Op& op, const ops::Example& e) {
  std::vector<Dims> all;
  std::optional<i64> length;
  for (std::size_t i = 0; i < e.inputs.size(); ++i) {
    const Shape& shape = e.sample.shapes[i];
    if (declared(op, i).is(Input::index)) {
      if (shape.size() != 1) return {};  // tokens are [T]
      length = shape[0];
    }
  }
  const bool streams = op.along == Along::streams && !op.inputs.empty();
  for (std::size_t i = 0; streams && i < e.inputs.size(); ++i) {  // the largest: a decay may be one for all positions
    const Shape& shape = e.sample.shapes[i];
    const bool state =
        std::any_of(op.states.begin(), op.states.end(), [&](const StateInfo& s) { return s.input == i; });
    if (declared(op, i).core == 2 && shape.size() > 1 && !state)
      length = std::max(length.value_or(0), shape[shape.size() - 2]);
  }
  for (std::size_t i = 0; i < e.inputs.size(); ++i) {
    const Shape& shape = e.sample.shapes[i];
    for (const StateInfo& state : op.states) {
      if (state.input == i && shape != Shape{-1}) return {};  // the stream brings it
    }
    Dims dims = to_dims(shape);
    const std::size_t core = static_cast<std::size_t>(declared(op, i).core);
    for (std::size_t d = 0; length && d < dims.size(); ++d) {
      const bool time = streams ? (core == 1 || core == 2) && d + core == dims.size() : d == 0;
      if (time && shape[d] == *length) dims[d] = Dim::symbol("T");
    }
    all.push_back(dims);
  }
  return all;
}

// A model whose layer `f` calls the example and adds all elements of the result to its own.
std::string described(const Op& op, const ops::Example& e, const std::vector<Dims>& inputs) {
  std::string weights = "      E: {shape: [vocab, 8]}\n", let = "      h: embedding(tokens, E)\n";
  Graph graph(Graph::Gradients::no);
  std::vector<Var> vars;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::string& name = e.inputs[i];
    const bool index = declared(op, i).is(Input::index), absent = e.sample.shapes[i] == Shape{-1};
    vars.push_back(absent ? Var() : graph.input(name, inputs[i], index ? Kind::index : Kind::real));
    if (absent) continue;
    Dims dims = inputs[i];
    const auto time = std::find_if(dims.begin(), dims.end(), [](const Dim& d) { return d.is("T"); });
    if (index) {
      if (name != "tokens") let += "      " + name + ": tokens\n";
    } else if (time == dims.end()) {
      weights += fmt::format("      {}: {{shape: {}}}\n", name, text(dims));
    } else {
      const bool last = time + 1 == dims.end();
      *time = 8;
      if (last) dims.push_back(1);
      weights += fmt::format("      W_{}: {{shape: {}}}\n", name, text(dims));
      const std::string made = "h @ W_" + name;
      let += "      " + name + ": " + (last ? "sum(" + made + ", dim=-1)" : made) + "\n";
    }
  }
  const bool of_time = op.inputs.empty() && op.along == Along::streams;  // its length is T
  const Dims y =
      graph.append(op, op.complete(of_time ? decltype(e.sample.attributes){} : e.sample.attributes), vars)[0].dims();
  let += "      y0: " + e.equation + "\n";
  const auto time = std::find_if(y.begin(), y.end(), [](const Dim& d) { return d.is("T"); }) - y.begin();
  int step = 0;
  for (std::ptrdiff_t d = 0; d < std::ssize(y); ++d) {
    if (d == time) continue;
    let += fmt::format("      y{}: sum(y{}, dim={})\n", step + 1, step, d < time && time < std::ssize(y) ? 0 : -1);
    ++step;
  }
  return "schema: 1\ndefs:\n  f:\n    in: {tokens: [T]}\n    weights:\n" + weights + "    let:\n" + let +
         fmt::format("    out: h + y{}\nmodel: [f, logits]\n", step);
}

std::vector<Tensor> weights_between(const dsl::Model& model, double low, double high) {
  std::vector<Tensor> weights;
  for (const dsl::Weight& w : model.weights()) {
    std::vector<double> values(static_cast<std::size_t>(element_count(w.shape)));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = low + (high - low) * uniform(Key{9}.fold(w.name), i);
    weights.push_back(Tensor::from(values, w.shape, DType::f64));
  }
  return weights;
}

// One window of tokens below 2: the smallest table of the samples has two rows.
Tensor tokens(i64 begin, i64 end) {
  std::vector<i32> all;
  for (i64 i = begin; i < end; ++i) all.push_back(static_cast<i32>(bits(Key{5}, static_cast<u64>(i)) % 2));
  return Tensor::of_indices(all, {1, end - begin});
}

// False where the sizes of the sample meet by place alone: in the language they would have names.
bool runs(const Op& op, const ops::Example& e, const std::string& text) {
  dsl::Diagnostics d;
  const auto model = tests::build(text, d);
  if (op.along_with(op.complete(e.sample.attributes)) == Along::whole) {
    CHECK(!model);
    CHECK(d.render(false).find("E0209") != std::string::npos);
    return true;
  }
  if (d.render(false).find("E0204") != std::string::npos) return false;
  INFO(d.render(false));
  REQUIRE(model);
  Runtime runtime;
  const auto weights = weights_between(*model, std::max(e.sample.low, -1.0), std::min(e.sample.high, 1.0));
  std::vector<Tensor> gradients;
  CHECK(std::isfinite(model->gradients(runtime, weights, {tokens(0, 6), tokens(1, 7)}, Key{3}, gradients).nats));
  const Tensor whole = model->stream(runtime, weights)->feed(tokens(0, 6));
  const auto stream = model->stream(runtime, weights);
  stream->feed(tokens(0, 1));
  stream->feed(tokens(1, 4));
  CHECK(tests::distance(stream->feed(tokens(4, 6)), whole) < 1e-10);
  return true;
}

}  // namespace

TEST_CASE("every op runs in a model that calls it, trains, and streams what it gives at once") {
  std::set<std::string> from_cpp_alone;
  for (const Op* op : ops::table()) {
    int tried = 0, callable = 0;
    for (const ops::Example& e : ops::examples(*op)) {
      if (e.equation.empty()) continue;
      ++callable;
      const auto dims = in_time(*op, e);
      // The index of gather has the other dimensions of x; indices as results are for descriptions/learned_positions.
      if (!dims || op->name == "gather" || op->output_kind(0) == Kind::index) continue;
      const std::string text = described(*op, e, *dims);
      CAPTURE(text);
      tried += runs(*op, e, text);
    }
    if (!callable) from_cpp_alone.insert(op->name);
    INFO(op->name);
    CHECK((tried > 0 || callable == 0 || op->name == "gather" || op->output_kind(0) == Kind::index));
  }
  CHECK(from_cpp_alone == std::set<std::string>{"expand", "fold", "fold_read", "fold_sum", "reshape", "scan", "zeros"});
}
