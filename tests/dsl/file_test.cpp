#include <nlohmann/json.hpp>

#include "tests/dsl/front.h"

using namespace weft::dsl;

namespace {

const std::string kRetention = R"(schema: 1
name: retnet-char
about: Retentive network (Sun et al. 2023)
params:
  D: {type: int, default: 64, min: 1, about: model width}
  heads: 4
check:
  - D % heads == 0
import: {tf: std/treefold}
defs:
  retention:
    about: multi-scale retention
    params: {heads: int}
    in: {x: [T, D]}
    dims: {H: heads, dk: D / heads, dv: 2 * D / heads}
    weights:
      Wq: [D, H * dk]
      Wb: {shape: [D, H], init: zeros, decay: false}
      P: {shape: [H, 2 * dk], buffer: true, redraw: 1000}
    let:
      gamma: 1 - 2 ^ (-5 - arange(H))
      q: rotate(to_heads(x @ Wq, H)) / sqrt(dk)   -> [H, T, dk]
      k: to_heads(x @ Wb, H) @ P
    recurrence:
      over: T
      state:
        S: [H, dk, dv]
        n: {shape: [H, dk], init: ones, learned: true}
      step:
        n: gamma * n + k
        S: gamma * S + outer(k, k)
      read:
        y: q @ S / dot(q, n)
      forms: [chunkwise, recurrent]
      chunk: 32
    out: merge_heads(y)
  tree:
    in: {x: [T, D]}
    fold:
      over: T
      leaf: {c: x}
      merge:
        u: left(c) + right(c)
        c: tanh(u)
      read:
        y: sum(c, dim=L)
    out: {hidden: y, result: 2 * y}
model:
  - embed: {width: D}
  - repeat:
      times: 2
      as: i
      body:
        - residual: {norm: rms_norm, body: [{retention: {heads: heads, name: mix}}]}
        - parallel: {combine: gate, branches: [linear, [tree, linear]]}
  - cycle: {times: 3, of: [{tf.treefold: {leaf: 2}}, {share: {name: memory, of: {retention: {heads: 1}}}}]}
  - share: {name: memory}
  - use: std/retnet
    with: {D: D}
  - rearrange: {pattern: "T (H k) -> H T k"}
  - logits: {tie: embed}
    name: head
train: {steps: 10}
)";

std::string codes_in(const std::string& text) {
  Diagnostics diagnostics;
  parse_file(text_source("schema: 1\n" + text), diagnostics);
  return codes_of(diagnostics);
}

std::string def_codes(const std::string& body) { return codes_in("defs:\n  f:\n" + body); }

}  // namespace

TEST_CASE("a whole description reads into its tree without a word") {
  Diagnostics diagnostics;
  const File file = parse_file(text_source(kRetention), diagnostics);
  CAPTURE(diagnostics.render(false));
  CHECK(diagnostics.empty());
  CHECK(!file.broken);
  CHECK(file.name == "retnet-char");
  CHECK(file.params.size() == 2);
  CHECK(file.checks.size() == 1);
  CHECK(file.imports[0].path == "std/treefold");
  CHECK(file.train->find("steps")->text == "10");
  CHECK(file.sweep.empty());

  const Def& retention = *file.find_def("retention");
  CHECK(retention.dims[1].name == "dk");
  CHECK(shape_text(retention.weights[0].shape) == "[D, H * dk]");
  CHECK(retention.weights[1].decay == false);
  CHECK(retention.weights[2].buffer);
  CHECK(shape_text(*retention.let[1].claim) == "[H, T, dk]");
  const Recurrence& recurrence = *retention.recurrence;
  CHECK(recurrence.states[1].learned);
  CHECK(recurrence.step[0].name == "n");
  CHECK(recurrence.forms[0].name == "chunkwise");
  CHECK(expr_text(*recurrence.chunk) == "32");
  CHECK(!retention.out_is_map);

  const Def& tree = *file.find_def("tree");
  CHECK(tree.fold->merge[1].name == "c");
  CHECK(tree.out_is_map);
  CHECK(tree.out[1].name == "result");
}

TEST_CASE("a composition keeps its structure, names and arguments") {
  Diagnostics diagnostics;
  const std::vector<Item> model = parse_file(text_source(kRetention), diagnostics).model;
  REQUIRE(model.size() == 7);
  CHECK(model[0].callee == "embed");
  CHECK(model[0].args[0].name == "width");
  CHECK(model[1].kind == Item::Kind::repeat);
  CHECK(model[1].as == "i");
  const Item& residual = model[1].body[0];
  CHECK(residual.norm->callee == "rms_norm");
  CHECK(residual.pre);
  CHECK(residual.body[0].name == "mix");
  CHECK(residual.body[0].args.size() == 1);
  CHECK(model[1].body[1].branches[1].size() == 2);
  CHECK(model[2].branches[0][0].callee == "tf.treefold");
  CHECK(model[2].branches[1][0].kind == Item::Kind::share);
  CHECK(model[3].name == "memory");
  CHECK(model[3].body.empty());
  CHECK(model[4].kind == Item::Kind::use);
  CHECK(model[4].callee == "std/retnet");
  CHECK(model[5].args[0].value->kind == Expr::Kind::text);
  CHECK(model[6].name == "head");
}

TEST_CASE("single items are taken for lists") {
  Diagnostics diagnostics;
  const File file =
      parse_file(text_source("schema: 1\nmodel: {repeat: {times: 2, body: {residual: {pre: false, body: linear}}}}\n"),
                 diagnostics);
  CHECK(diagnostics.empty());
  CHECK(file.model[0].body[0].body[0].callee == "linear");
  CHECK(!file.model[0].body[0].pre);
}

TEST_CASE("every error of a description is found in one pass") {
  Diagnostics diagnostics;
  parse_file(text_source("schema: 1\nparms: {a: 1}\nparams: {b: 2 +}\ndefs:\n  f:\n    in: {x: [T]}\n    "
                         "let:\n      y: x[1]\n    uot: y\nmodel:\n  - repeat: {body: []}\n"),
             diagnostics);
  // `out` is misspelt, not missing too.
  CHECK(codes_of(diagnostics) == "E0301 E0120 E0124 E0301 E0302 E0312");
}

TEST_CASE("unknown keys are answered with the legal ones") {
  const std::vector<Option> tables = test_tables();
  Diagnostics diagnostics;
  parse_file(text_source("schema: 1\nmodle: [linear]\nsteps: 100\n"), diagnostics, tables);
  const std::string text = diagnostics.render(false);
  CHECK(text.find("did you mean `model`?") != std::string::npos);
  CHECK(text.find("`steps` belongs under `train`") != std::string::npos);
  CHECK(codes_in("model: [{residual: {normm: x, body: y}}]") == "E0301");
  CHECK(def_codes("    outt: x\n    out: x\n") == "E0301");
}

TEST_CASE("the schema must be there and known") {
  Diagnostics diagnostics;
  parse_file(text_source("\nname: x\n"), diagnostics);
  CHECK(codes_of(diagnostics) == "E0302");
  CHECK(first_place(diagnostics) == "1:1");
  Diagnostics newer;
  parse_file(text_source("schema: 2\n"), newer);
  CHECK(codes_of(newer) == "E0314");
  CHECK(newer.render(false).find("schema 2 is not known; this program reads schema 1") != std::string::npos);
}

TEST_CASE("missing keys are reported at the key of the map that lacks them") {
  Diagnostics diagnostics;
  parse_file(text_source("schema: 1\ndefs:\n  f:\n    in: {x: [T]}\n    recurrence:\n      over: "
                         "T\n      step: {s: x}\n    out: x\n"),
             diagnostics);
  CHECK(codes_of(diagnostics) == "E0302 E0302");
  CHECK(first_place(diagnostics) == "5:5");
}

TEST_CASE("a def follows its structural rules") {
  const std::string in = "    in: {x: [T, D]}\n";
  const std::string recurrence = "    recurrence: {over: T, state: {S: [D]}, step: {S: S + x}, read: {y: S}}\n";
  const std::string fold = "    fold: {over: T, leaf: {c: x}, merge: {c: left(c)}, read: {z: prefix(c)}}\n";
  CHECK(def_codes(in + recurrence + "    out: y\n").empty());
  CHECK(def_codes(in + recurrence + fold + "    out: y + z\n") == "E0305");
  CHECK(def_codes(in + "    recurrence: {over: T, state: {S: [T, D]}, step: {S: S + x}, read: {y: "
                       "S}}\n    out: y\n") == "E0304");
  CHECK(def_codes(in + "    recurrence: {over: n, state: {S: [D]}, step: {S: S + x}, read: {y: "
                       "S}}\n    out: y\n") == "E0308");
  CHECK(def_codes(in + "    recurrence: {over: T, state: {S: [D], R: [D]}, step: {S: S + x}, read: "
                       "{y: S + R}}\n    out: y\n") == "E0310");
  CHECK(def_codes(in + "    recurrence: {over: T, state: {S: [D]}, step: {S: S + x}, read: {y: S}, "
                       "forms: [chunk]}\n    out: y\n") == "E0309");
  CHECK(def_codes(in + "    weights: {W: [T, D]}\n    out: x @ W\n") == "E0304");
  CHECK(def_codes(in + "    weights: {W: {shape: [D], redraw: 10}}\n    out: x * W\n") == "E0307");
  CHECK(def_codes(in + "    weights: {W: {init: zeros}}\n    out: x * W\n") == "E0302");
  CHECK(def_codes(in + "    let: {x: 2}\n    out: x\n") == "E0306");
  CHECK(def_codes(in + "    let: {T: 2}\n    out: x\n") == "E0304");
  CHECK(def_codes(in + "    let: {if: 2}\n    out: x\n") == "E0106");
  CHECK(def_codes(in + "    out: {}\n") == "E0302");
  CHECK(def_codes(in + "    recurrence: {over: T, state: {}, step: {S: x}, read: {y: S}}\n    out: y\n") == "E0302");
  CHECK(codes_in("defs: {f: 3}") == "E0303");
}

TEST_CASE("items follow their structural rules") {
  CHECK(codes_in("model: [{linear: {}, dropout: {p: 0.1}}]") == "E0311");
  CHECK(codes_in("model: [[linear]]") == "E0311");
  CHECK(codes_in("model: [~]") == "E0311");
  CHECK(codes_in("model: [{dropout: 0.1}]") == "E0303");
  CHECK(codes_in("model: [residual]") == "E0302");
  CHECK(codes_in("model: [{residual: [linear]}]") == "E0303");
  CHECK(codes_in("model: [{cycle: {times: 2, of: []}}]") == "E0312");
  CHECK(codes_in("model: [{share: {of: linear}}]") == "E0302");
  CHECK(codes_in("model: [{parallel: {branches: [a, b, c], combine: gate}}]") == "E0313");
  CHECK(codes_in("model: [{parallel: {branches: [a, b], combine: summ}}]") == "E0313");
  CHECK(codes_in("model: [{name: x}]") == "E0311");
  CHECK(codes_in("model: [\"a b\"]") == "E0106");
  CHECK(codes_in("model: {use: std/retnet, wiht: {}}") == "E0301");
  CHECK(codes_in("model:\n  - rms_norm:\n").empty());
}

TEST_CASE("names that nothing reads are warned of, unless a part is missing") {
  Diagnostics diagnostics;
  parse_file(text_source("schema: 1\ndefs:\n  f:\n    in: {x: [T, D], z: [D]}\n    weights: {W: "
                         "[D]}\n    let:\n      r: 2 * x\n    out: x\n"),
             diagnostics);
  CHECK(codes_of(diagnostics) == "W0101 W0101 W0101");
  CHECK(!diagnostics.has_errors());
  CHECK(def_codes("    in: {x: [T]}\n    let:\n      r: 2 *\n    out: 3\n") == "E0120");
}

TEST_CASE("texts that are no description are refused whatever they hold") {
  for (const char* text : {"", "x", "- a\n- b\n", "3", "~", "[]"}) {
    CAPTURE(text);
    Diagnostics diagnostics;
    CHECK(parse_file(text_source(text), diagnostics).broken);
    CHECK(diagnostics.has_errors());
  }
}

TEST_CASE("a description with a character missing anywhere reads without a crash") {
  for (size_t i = 0; i < kRetention.size(); i += 3) {
    std::string text = kRetention;
    text.erase(i, 1);
    Diagnostics diagnostics;
    const File file = parse_file(text_source(text), diagnostics);
    evaluate_params(file.params, {}, {}, {}, {file.source, 0, 1}, "the description", diagnostics);
    CHECK(!diagnostics.json().dump().empty());
    diagnostics.render(true);
  }
}

TEST_CASE("params that nothing reads and defs that nothing calls are warned of") {
  const auto warnings = [](const std::string& text) {
    Diagnostics diagnostics;
    parse_file(text_source("schema: 1\n" + text), diagnostics);
    std::string all;
    for (const Diagnostic* d : diagnostics.sorted()) {
      all += (all.empty() ? "" : ", ") + d->code +
             d->message.substr(d->message.find('`'), d->message.rfind('`') + 1 - d->message.find('`'));
    }
    return all;
  };
  const std::string f = "  f: {in: {x: [T]}, out: x}\n", g = "  g: {in: {x: [T]}, out: f(x)}\n";
  CHECK(warnings("params: {a: 1, b: 2}\nmodel: [{linear: {width: a}}]\n") == "W0101`b`");
  CHECK(warnings("params: {a: 1, b: 2 * a}\nmodel: [linear]\ntrain: {steps: b}\n") == "");
  CHECK(warnings("params: {a: 1}\ncheck: [a > 0]\nmodel: [linear]\n") == "");
  CHECK(warnings("defs:\n" + f + g + "model: [g]\n") == "");
  CHECK(warnings("defs:\n" + f + g + "model: [f]\n") == "W0102`g`");
  CHECK(warnings("defs:\n" + f + g + "model: [{residual: {norm: f, body: linear}}]\n") == "W0102`g`");
  CHECK(warnings("defs:\n" + f + "params: {a: 1}\n") == "");  // a library: others call and set
}
