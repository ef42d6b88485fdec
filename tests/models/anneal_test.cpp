// An attribute that follows the steps of training: in every place of the language it is, in each step, the number that
// it has come to.
#include "engine/anneal.h"
#include "dsl/params.h"
#include "tests/models/build.h"

using namespace weft;

namespace {

constexpr Anneal kFalling{0.9, 0.1, 8};
const std::string kWritten = "anneal(0.9, 0.1, 8)";

struct Annealed {
  const char* name;
  std::string text;  // with BETA where the number stands
};

const std::string kAround = "model: [{embed: {width: 8}}, {residual: {body: [f]}}, {logits: {tie: embed}}]\n";

const std::vector<Annealed> kCases = {
    {"an attribute", tests::around("    out: swish(x, beta=BETA)\n")},
    {"an attribute by position", tests::around("    out: swish(x, BETA)\n")},
    {"a name of an equation", tests::around("    params: {b: BETA}\n    let: {c: b}\n    out: swish(x, beta=c)\n")},
    {"a choice by params", tests::around("    params: {b: true}\n    out: swish(x, beta=BETA if b else 2)\n")},
    {"the default of a param", tests::around("    params: {b: {type: float, min: 0.1, max: 0.9, default: BETA}}\n"
                                             "    out: swish(x, beta=b)\n")},
    {"an argument of a def in a composition",
     "schema: 1\ndefs:\n  f:\n    params: {b: float}\n    in: {x: [T, D]}\n    out: swish(x, beta=b)\n"
     "model: [{embed: {width: 8}}, {residual: {body: [{f: {b: BETA}}]}}, {logits: {tie: embed}}]\n"},
    {"an argument of a def in an equation",
     "schema: 1\ndefs:\n  g: {params: {b: float}, in: {x: [T, D]}, out: 'swish(x, beta=b)'}\n"
     "  f:\n    in: {x: [T, D]}\n    out: g(x, b=BETA)\n" +
         kAround},
    {"a param of the file",
     "schema: 1\nparams: {p: BETA}\ndefs:\n  f: {params: {b: float}, in: {x: [T, D]}, out: 'swish(x, beta=b)'}\n"
     "model: [{embed: {width: 8}}, {residual: {body: [{f: {b: p}}]}}, {logits: {tie: embed}}]\n"},
    {"an op as a layer",
     "schema: 1\nmodel: [{embed: {width: 8}}, {dropout: {p: BETA}}, {swish: {beta: BETA}}, {logits: {tie: embed}}]\n"},
    {"a step that has a chunkwise form", tests::around("    recurrence:\n      over: T\n      state: {S: [D]}\n"
                                                       "      step: {S: '0.5 * S + swish(x, beta=BETA)'}\n"
                                                       "      read: {y: S}\n    out: y\n")},
    {"a step that is a loop", tests::around("    recurrence:\n      over: T\n      state: {S: [D]}\n"
                                            "      step: {S: 'swish(S + x, beta=BETA)'}\n"
                                            "      read: {y: S}\n    out: y\n")},
    {"a merge and a read", tests::around("    fold:\n      over: T\n      leaf: {c: x}\n"
                                         "      merge: {c: 'swish(left(c) + right(c), beta=BETA)'}\n"
                                         "      read: {y: 'sum(swish(c, beta=BETA), dim=L)'}\n    out: y\n")},
    {"another file", "schema: 1\nmodel: {use: std/treefold, with: {D: 8, layers: 1, tau: BETA}}\n"}};

// BETA in quotes where a comma would end it.
std::string with(const std::string& text, const std::string& number) {
  std::string result = text;
  for (std::size_t at = result.find("BETA"); at != std::string::npos; at = result.find("BETA")) {
    const std::size_t line = result.rfind('\n', at) + 1;
    const std::string before = result.substr(line, at - line);
    const bool flow = before.find('{') != std::string::npos && before.find('\'') == std::string::npos;
    result.replace(at, 4, flow ? '"' + number + '"' : number);
  }
  return result;
}

tests::Step in_step(const dsl::Model& model, const std::vector<Tensor>& weights, i64 number) {
  Runtime runtime;
  tests::Step s;
  s.loss = model.gradients(runtime, weights, tests::batch(2, 9), {Key{3}, number}, s.gradients).nats;
  return s;
}

bool same(const tests::Step& a, const tests::Step& b) {
  bool all = a.loss == b.loss;
  for (std::size_t i = 0; i < a.gradients.size(); ++i) {
    for (i64 j = 0; j < a.gradients[i].size(); ++j) all = all && a.gradients[i].at(j) == b.gradients[i].at(j);
  }
  return all;
}

}  // namespace

TEST_CASE("wherever an annealed attribute stands, a step of training has the bits of a model with the number of then") {
  for (const Annealed& one : kCases) {
    const std::string name = one.name;
    CAPTURE(name);
    const auto annealed = tests::built(with(one.text, kWritten));
    const auto weights = tests::random_weights(*annealed);
    for (const i64 step : {1, 2, 5, 8, 9, 1000}) {
      CAPTURE(step);
      const auto still = tests::built(with(one.text, dsl::real_text(kFalling.at(step))));
      CHECK(same(in_step(*annealed, weights, step), in_step(*still, weights, step)));
    }
    CHECK_FALSE(same(in_step(*annealed, weights, 1), in_step(*annealed, weights, 2)));
  }
}

TEST_CASE("outside training an annealed attribute has arrived") {
  for (const Annealed& one : kCases) {
    const std::string name = one.name;
    CAPTURE(name);
    const auto annealed = tests::built(with(one.text, kWritten)), still = tests::built(with(one.text, "0.1")),
               early = tests::built(with(one.text, "0.9"));
    const auto weights = tests::random_weights(*annealed);
    Runtime runtime;
    const dsl::Batch batch = tests::batch(2, 9);
    const auto loss = [&](const dsl::Model& model) { return model.loss(runtime, weights, batch).nats; };
    CHECK(loss(*annealed) == loss(*still));
    if (name != "another file") CHECK(loss(*annealed) != loss(*early));  // argmax knows no tau
    const Tensor a = annealed->stream(runtime, weights)->feed(batch.tokens),
                 b = still->stream(runtime, weights)->feed(batch.tokens);
    for (i64 i = 0; i < a.size(); ++i) CHECK(a.at(i) == b.at(i));
  }
}

TEST_CASE("an annealed number is shown as it is written") {
  const Anneal a{4, 0.5, 2000}, b{4, 0.5, 2000, Anneal::Curve::exponential};
  CHECK(dsl::value_text(a) == "anneal(4.0, 0.5, 2000)");
  CHECK(dsl::value_text(b) == "anneal(4.0, 0.5, 2000, shape=exponential)");
}
