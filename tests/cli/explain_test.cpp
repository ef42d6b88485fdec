// `explain` through the real program.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/cli/program.h"

using namespace weft::cli;

namespace {

using Json = nlohmann::json;

std::string file(const std::string& name) { return std::string(WEFT_SOURCE) + "/tests/models/descriptions/" + name; }

// The widest line of a text without the folder, which is longer on another machine.
std::size_t widest(const std::string& text) {
  std::size_t most = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!contains(line, WEFT_SOURCE)) most = std::max(most, line.size());
  }
  return most;
}

}  // namespace

TEST_CASE("explain says of RetNet what its state is, which parts were found and what each form takes") {
  Desk desk;
  const Finished f = desk.run({"explain", "std/retnet"});
  CHECK(f.exit == 0);
  CHECK(f.err.empty());
  CHECK(f.out.starts_with("retnet: 1 recurrence; numbers for 128 tokens in f32\n\nretention  std/retnet:"));
  for (const char* part : {"  at        4 places: model.1.repeat[0].body.0.residual.body.0.retention ..\n",
                           "  S [H, dk, dv] = [4, 32, 64]: decay\n", "      equation  gamma * S + outer(k, v)\n",
                           "      because   `S` comes back times `gamma`\n", "      decay     gamma\n", "  scan       ",
                           "  recurrent  32.8 kFLOP a token  262 kB a row\n", "  parallel   81.9 kFLOP a token  262 kB",
                           "  state     32.8 kB a row, whatever the length\n",
                           "  taken     chunkwise, 32 positions a chunk (`linrec`), in training"}) {
    CAPTURE(part);
    CHECK(contains(f.out, part));
  }
  CHECK(widest(f.out) <= 100);
  CHECK(contains(weft::train::read_file(WEFT_SOURCE "/docs/language.md"), "```\n" + f.out + "```\n"));
}

TEST_CASE("the numbers of explain are those of the formulas") {
  Desk desk;
  const auto json = Json::parse(
      desk.run({"explain", "std/retnet", "--set", "train.context=64", "--set", "train.dtype=f64", "--json"}).out);
  CHECK(json["length"] == 64);
  REQUIRE(json["recurrences"].size() == 1);
  const auto& r = json["recurrences"][0];
  CHECK(r["places"].size() == 4);
  CHECK(r["states"][0]["class"] == "decay");
  CHECK(r["states"][0]["shape"] == Json{4, 32, 64});
  CHECK(r["parts"][3] == Json{{"state", "S"}, {"name", "decay"}, {"expression", "gamma"}});
  CHECK(r["state_bytes"] == 4 * 32 * 64 * 8);
  CHECK(r["taken"] == "auto");
  CHECK(r["chunk"] == 32);
  // A multiply-add is two operations: (K + V) C / 2 + 2 K V of them a token and head, as half of a chunk is the past.
  const auto forms = r["forms"];
  const double heads = 4, K = 32, V = 64;
  for (const auto& [at, chunk] : {std::pair(1, 0.0), std::pair(2, 32.0), std::pair(3, 64.0)}) {
    CAPTURE(forms[at]["name"]);
    // the numbers of gamma under another name count too: 8 in 64 tokens
    CHECK(forms[at]["flops_per_token"].get<double>() ==
          doctest::Approx(2 * heads * (chunk * (K + V) / 2 + 2 * K * V)).epsilon(1e-5));
    CHECK(forms[at]["kept_bytes"] == 64 * heads * (K + K + V) * 8);  // q, k and v
  }
  // The loop: decay, product and sum of an element of S, and its share of q @ S. It keeps the state of every 16th step.
  CHECK(forms[0]["flops_per_token"] >= heads * 5 * K * V);
  CHECK(forms[0]["kept_bytes"] >= (64 * (K + K + V) + 64 / 16 * K * V) * heads * 8);
}

TEST_CASE("explain tells why a form is missing, with its place") {
  Desk desk;
  const Finished gru = desk.run({"explain", file("gru.yaml")});
  CHECK(gru.exit == 0);
  CHECK(contains(gru.out, "  h [D] = [16]: nonlinear\n"));
  CHECK(contains(gru.out, "  not chunkwise, parallel: `(1 - z) * n` is not linear in `h` (nonlinear)"));
  CHECK(contains(gru.out, "gru.yaml:20)\n"));
  CHECK(contains(gru.out, "  taken     the loop, in training and in a stream: there is no other form\n"));
  const auto gla = Json::parse(desk.run({"explain", file("gla.yaml"), "--json"}).out)["recurrences"][0];
  CHECK(gla["forms"][2]["exists"] == true);
  CHECK(gla["forms"][3]["exists"] == false);
  CHECK(contains(gla["forms"][3]["why"].get<std::string>(), "decays as a whole; `S` is not so"));
  CHECK(contains(gla["forms"][3]["where"].get<std::string>(), "gla.yaml:24"));
  CHECK(gla["chunk"] == 16);
  CHECK(contains(desk.run({"explain", file("multi_head_decay_data.yaml")}).out,
                 "  taken     chunkwise, 8 positions a chunk (`linrec`), in training: as the file says;"));
}

TEST_CASE("explain takes a def alone, counts a recurrence once a size, and says where there is none") {
  Desk desk;
  CHECK(contains(desk.run({"explain", "std/retnet", "--def", "retention", "-p", "H=2", "-p", "D=8"}).out,
                 "  S [H, dk, dv] = [2, 4, 8]: decay\n"));
  CHECK(desk.run({"explain", "std/retnet", "--def", "ffn"}).out == "ffn has no recurrence and no fold\n");
  CHECK(desk.run({"explain", "tiny.yaml"}).out == "tiny has no recurrence and no fold\n");
  CHECK(desk.run({"explain", "std/retnet", "--def", "retentoin"}).exit == 2);
  desk.write("two.yaml",
             "schema: 1\ndefs:\n  f:\n    params: {n: int}\n    in: {x: [T, D]}\n    weights: {W: [D, n]}\n"
             "    let: {k: x @ W}\n    recurrence:\n      over: T\n      state: {S: [n, D]}\n"
             "      step: {S: \"0.5 * S + outer(k, x)\"}\n      read: {y: k @ S}\n    out: y\n"
             "model: [{embed: {width: 8}}, {f: {n: 2}}, {f: {n: 3}}, {f: {n: 2}}, {logits: {tie: embed}}]\n");
  const auto json = Json::parse(desk.run({"explain", "two.yaml", "--json"}).out)["recurrences"];
  REQUIRE(json.size() == 2);
  CHECK(json[0]["states"][0]["shape"] == Json{2, 8});
  CHECK(json[0]["places"] == Json{"model.1.f", "model.3.f"});
  CHECK(json[1]["places"] == Json{"model.2.f"});
}

TEST_CASE("explain says of a fold what a node is, how two make one, and what that takes") {
  Desk desk;
  const Finished f = desk.run({"explain", "std/treefold"});
  CHECK(f.exit == 0);
  CHECK(f.out.starts_with("treefold: 1 fold; numbers for 128 tokens in f32\n\ntreefold  std/treefold:"));
  CHECK(widest(f.out) <= 100);
  CHECK(contains(weft::train::read_file(WEFT_SOURCE "/docs/language.md"), "```\n" + f.out + "```\n"));

  // Choices are made; equal folds are one, and their order is that of the file.
  const auto folds =
      Json::parse(desk.run({"explain", "std/treefold", "-p", "readout=prefix", "-p", "D=16", "--json"}).out)["folds"];
  REQUIRE(folds.size() == 1);
  const auto& fold = folds[0];
  CHECK(fold["places"].size() == 4);
  CHECK(fold["values"] == Json{{{"name", "c"}, {"dims", "[D]"}, {"shape", {16}}, {"token", "x"}}});
  CHECK(fold["merge"][3] == Json{{"name", "c"}, {"expression", "weighted_sum(p, left(c), m, right(c))"}});
  CHECK(fold["read"] == Json{{{"name", "y"}, {"expression", "prefix(c)"}}});
  CHECK(fold["prefixes"] == true);
  CHECK(fold["state_bytes"] == 4 * (25 * 16 + 1));
  // Three products a merge, and nearly all of its work: a tree has a merge a token, prefixes another.
  REQUIRE(fold["parts"].size() == 1);
  CHECK(fold["parts"][0]["flops_per_token"].get<double>() ==
        doctest::Approx(2 * 2.0 * (32 * 16 + 16 * 16 + 32 * 3)).epsilon(0.15));
}

TEST_CASE("a fold that reads its levels, prefixes and sums has a line for each") {
  Desk desk;
  desk.write(
      "tree.yaml",
      "schema: 1\ndefs:\n  f:\n    in: {x: [T, D]}\n    fold:\n      over: T\n      leaf: {c: x, n: 1}\n"
      "      merge: {c: left(c) * right(c), n: left(n) + right(n)}\n      read:\n"
      "        score: dot(c, x)\n        y: softmax(score, dim=L, mask=present) @ c\n"
      "        z: sum(c, dim=L) + prefix(c) / prefix(n)\n    out: y + z\n"
      "  g:\n    in: {x: [T, D]}\n    recurrence: {over: T, state: {s: [D]}, step: {s: 0.5 * s + x}, read: {y: s}}\n"
      "    out: y\nmodel: [{embed: {width: 8}}, f, g, f, {logits: {tie: embed}}]\n");
  const std::string out = desk.run({"explain", "tree.yaml"}).out;
  CHECK(out.starts_with("tree: 1 recurrence and 1 fold; numbers"));
  for (const char* part : {"\nf  tree.yaml:5\n  at        2 places: model.1.f .. model.3.f\n",
                           "  n [] = []: a value of every node\n      token     1\n", "\n  fold       ",
                           "\n  fold_sum   ", "\n  fold_read  ", "  state     904 bytes a row"}) {
    CAPTURE(part);
    CHECK(contains(out, part));
  }
}

TEST_CASE("a demanded form is what explain says is taken") {
  Desk desk;
  CHECK(contains(desk.run({"explain", "std/retnet", "--set", "train.form=parallel"}).out,
                 "  taken     parallel (`linrec`), demanded\n"));
  const Finished no = desk.run({"explain", file("gla.yaml"), "--set", "train.form=parallel"});
  CHECK(no.exit == 2);
  CHECK(contains(no.err, "error[E0316]"));
}

TEST_CASE("explain shows what a gradient is") {
  Desk desk;
  const Finished f = desk.run({"explain", file("objective.yaml")});
  CHECK(contains(f.out, "  grad(loss + 0.05 * sum(S ^ 2), S)\n      is        0.1 * S + outer(k, k @ S - v)\n"));
  CHECK(contains(f.out, ": gated delta\n      equation  S - beta * (0.1 * S + outer(k, k @ S - v))\n"));
  CHECK(contains(f.out, "      decay     1 - 0.1 * beta\n"));
  const auto json = Json::parse(desk.run({"explain", file("objective.yaml"), "--json"}).out);
  CHECK(json["recurrences"][0]["gradients"][0]["derived"] == "0.1 * S + outer(k, k @ S - v)");
  CHECK(contains(desk.run({"show", file("objective.yaml"), "--equations"}).out,
                 "  the classes are those of the derived gradients: `weft explain` tells\n"));
}
