// `verify` finds what is planted, names it and makes it small, and finds nothing where nothing is.
#include "verify/verify.h"

#include "tests/models/build.h"
#include "tests/verify/planted.h"

using namespace weft;
using tests::Planted;
using verify::Finding;

namespace {

verify::Claim claim(const std::string& text) {
  return {dsl::make_source("test.yaml", text), {}, {}, {}, tests::surroundings(), {}};
}

// Two layers around a mixer with a decay for every token.
const char* const kGated = R"yaml(schema: 1
params: {D: 6, heads: 2}
defs:
  mixer:
    in: {x: [T, D]}
    params: {H: int}
    dims: {dk: D / H}
    weights: {Wq: [D, D], Wk: [D, D], Wv: [D, D], Wa: [D, H], Wo: [D, D]}
    let:
      q: to_heads(x @ Wq, H)
      k: to_heads(x @ Wk, H)
      v: to_heads(x @ Wv, H)
      a: rearrange(sigmoid(x @ Wa), "T H -> H T")
    recurrence:
      over: T
      state: {S: [H, dk, dk]}
      step: {S: "a * S + outer(k, v)"}
      read: {y: q @ S}
    out: merge_heads(y) @ Wo
model:
  - embed: {width: D}
  - residual: {norm: rms_norm, body: [{mixer: {H: heads}}]}
  - residual: {norm: rms_norm, body: [{mixer: {H: heads}}]}
  - logits: {tie: embed}
)yaml";

Finding proved(const std::string& name, const std::string& text = kGated) {
  const verify::Subject subject(claim(text));
  for (const verify::Property& p : verify::properties()) {
    if (p.name == name) return p.prove(subject, p.lengths);
  }
  FAIL("no property is called ", name);
  return {};
}

bool fails(const std::string& name, const std::string& text = kGated) {
  const Finding f = proved(name, text);
  INFO(name, ": ", f.about, " ", f.where);
  return f.verdict == Finding::Verdict::fails;
}

// Element i of the result of a forward, changed by whoever plants a mistake.
template <class F> void change(Tensor& t, const F& f) {
  std::vector<double> values(static_cast<std::size_t>(t.size()));
  for (i64 i = 0; i < t.size(); ++i) values[static_cast<std::size_t>(i)] = f(i, t.at(i));
  t = Tensor::from(values, t.shape(), t.dtype());
}

std::string form_of(const KernelCall& call) { return std::get<std::string>((*call.attributes)[0]); }

}  // namespace

TEST_CASE("every property of a gated mixer holds, and says how exactly") {
  const verify::Report report = verify::verify(claim(kGated));
  for (const verify::Line& line : report.lines) {
    CAPTURE(line.property->name);
    CAPTURE(line.finding.where);
    CHECK(line.finding.verdict != Finding::Verdict::fails);
    if (std::string(line.property->name) != "draws") CHECK(line.finding.verdict == Finding::Verdict::holds);
  }
}

TEST_CASE("a peek one step ahead only at the borders of chunks is seen") {
  const Planted leak("linrec", [](KernelCall& call) {
    tests::true_forward(call);
    const i64 T = call.output_shapes[0]->end()[-2], V = call.output_shapes[0]->back();
    if (form_of(call) != "chunkwise") return;
    const Tensor y = call.results[0];
    change(call.results[0], [&](i64 i, double x) {
      const i64 t = i / V % T;
      return t % 4 == 3 && t + 1 < T ? x + 1e-3 * y.at(i + V) : x;
    });
  });
  const Finding f = proved("unseen");
  CHECK(f.verdict == Finding::Verdict::fails);
  CHECK(f.where.find("`linrec` at test.yaml:18") != std::string::npos);
  CHECK(f.where.find("chunkwise") != std::string::npos);
  CHECK(fails("chunkwise"));
  CHECK(!fails("recurrent"));
}

TEST_CASE("a state that is not carried over a cut is seen") {
  const Planted dropped("linrec", [](KernelCall& call) {
    const i64 T = call.output_shapes[0]->end()[-2];
    if (T > 1) call.inputs[5] = nullptr, call.input_shapes[5] = nullptr;
    tests::true_forward(call);
  });
  CHECK(fails("cuts"));
  CHECK(fails("carried"));
  CHECK(!fails("tokens"));
}

TEST_CASE("a gate from the wrong position is seen") {
  const Planted late("linrec", [](KernelCall& call) {
    const Tensor a = *call.inputs[3];
    const i64 T = a.shape().end()[-2];
    std::vector<double> values(static_cast<std::size_t>(a.size()));
    for (i64 i = 0; i < a.size(); ++i) values[static_cast<std::size_t>(i)] = a.at(i % T == 0 ? i : i - 1);
    const Tensor shifted = Tensor::from(values, a.shape(), a.dtype());
    const Tensor* given = call.inputs[3];
    call.inputs[3] = &shifted;
    tests::true_forward(call);
    call.inputs[3] = given;
  });
  CHECK(fails("chunkwise"));
  CHECK(fails("cuts"));
  CHECK(fails("extremes"));
}

TEST_CASE("a gradient that is 0.05 % wrong is seen, with the weight that has it") {
  const Planted wrong("sigmoid", nullptr, [](KernelCall& call) {
    tests::true_backward(call);
    change(call.results[0], [](i64, double x) { return 1.0005 * x; });
  });
  const Finding f = proved("gradients");
  CHECK(f.verdict == Finding::Verdict::fails);
  CHECK(f.where.find("mixer.Wa") != std::string::npos);
}

TEST_CASE("f32 may miss what a rounding of the weights makes, and no more") {
  const auto with_out = [](const std::string& out) {
    std::string text = kGated;
    return text.replace(text.find("merge_heads(y) @ Wo"), 19, out);
  };
  const Finding steep = proved("f32", with_out("sin(3000 * (merge_heads(y) @ Wo))"));
  CHECK(steep.verdict == Finding::Verdict::holds);
  CHECK(steep.about.find("rounding the weights alone makes") != std::string::npos);
  // The function is merge_heads(y) @ Wo, and harmless: what cancels is of the equation's own making.
  CHECK(fails("f32", with_out("merge_heads(y) @ Wo + 3e4 * (x @ Wo) - 3e4 * (x @ Wo)")));
}

TEST_CASE("a normaliser that mixes over time is seen") {
  const Planted mixes("rms_norm", [](KernelCall& call) {
    tests::true_forward(call);
    double sum = 0;
    for (i64 i = 0; i < call.results[0].size(); ++i) sum += std::abs(call.results[0].at(i));
    const double mean = sum / static_cast<double>(std::max<i64>(1, call.results[0].size()));
    change(call.results[0], [&](i64, double x) { return x / mean; });
  });
  const Finding f = proved("unseen");
  CHECK(f.verdict == Finding::Verdict::fails);
  CHECK(f.where.find("first `rms_norm` at ") != std::string::npos);
  CHECK(fails("tokens"));
}

TEST_CASE("a random draw that depends on the cut is seen") {
  std::string text = kGated;
  text.replace(text.find("merge_heads(y) @ Wo"), 19, "dropout(merge_heads(y), 0.5) @ Wo");
  CHECK(!fails("draws", text));
  const Planted cut("dropout", [](KernelCall& call) {
    const RunSettings* const own = call.settings;
    RunSettings settings = *own;
    settings.offsets = {0};
    call.settings = &settings;
    tests::true_forward(call);
    call.settings = own;
  });
  CHECK(fails("draws", text));
}

TEST_CASE("a failure is shrunk to the smallest length and sizes that still fail") {
  const Planted dropped("linrec", [](KernelCall& call) {
    const i64 T = call.output_shapes[0]->end()[-2];
    if (T > 2) call.inputs[5] = nullptr, call.input_shapes[5] = nullptr;
    tests::true_forward(call);
  });
  const verify::Report report = verify::verify(claim(kGated));
  CHECK(report.failed());
  for (const verify::Line& line : report.lines) {
    if (std::string(line.property->name) != "cuts") continue;
    CHECK(line.finding.verdict == Finding::Verdict::fails);
    CHECK(line.smallest.find("T = 4, D = 2: logits[") == 0);
    const std::string page = tests::contents(WEFT_SOURCE "/docs/proofs.md");  // shows these two lines
    CHECK(page.find("worst: " + line.finding.where + "\n") != std::string::npos);
    CHECK(page.find("smallest: " + line.smallest + "\n") != std::string::npos);
  }
}
