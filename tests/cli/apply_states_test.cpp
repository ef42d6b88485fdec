// States that `apply` takes and gives: of every form, and of defs within defs.
#include "tests/cli/applied.h"

using namespace weft;
using namespace weft::cli;

TEST_CASE("a sequence may be cut: the final states of a part start the next, in any form") {
  struct Row {
    std::string def;
    std::vector<std::string> forms;
  };
  // `turning` is computed in a turning frame, `columns` with keys and values exchanged, `last` keeps nothing.
  const std::vector<Row> rows = {{"memory", {"recurrent", "chunkwise"}},
                                 {"gru", {"recurrent"}},
                                 {"twice", {"recurrent"}},
                                 {"turning", {"recurrent", "chunkwise", "parallel"}},
                                 {"delta", {"recurrent", "chunkwise"}},
                                 {"columns", {"recurrent", "chunkwise", "parallel"}},
                                 {"last", {"recurrent", "chunkwise"}}};
  Desk desk;
  desk.write("defs.yaml", std::string(kDefs) + kMoreDefs);
  const Tensor x = drawn({2, 9, 4}, 1), scale = drawn({2, 4}, 2);
  for (const auto& [def, forms] : rows) {
    CAPTURE(def);
    const auto run = [&](Tensors in, const std::string& form) {
      if (def == "memory") in["scale"] = scale;
      return applied(desk, "defs.yaml", in, {"--def", def, "--form", form});
    };
    const Tensors whole = run({{"x", x}}, "auto");
    const Tensors first = run({{"x", positions(x, 0, 4)}}, "recurrent");
    Tensors rest = {{"x", positions(x, 4, 9)}};
    for (const auto& [name, tensor] : first) {
      if (name.starts_with("final.")) rest["initial." + name.substr(6)] = tensor;
    }
    REQUIRE(rest.size() > 1);
    for (const std::string& form : forms) {
      CAPTURE(form);
      const Tensors second = run(rest, form);
      // f64: nine positions, sums of a few terms.
      CHECK(distance(positions(whole.at("out"), 4, 9), second.at("out")) < 1e-12);
      for (const auto& [name, tensor] : first) {
        if (name.starts_with("final.")) CHECK(distance(whole.at(name), second.at(name)) < 1e-12);
      }
    }
  }
}

TEST_CASE("states of every class are those of the loop, whose gradients agree, too") {
  Desk desk;
  desk.write("defs.yaml", std::string(kDefs) + kMoreDefs);
  const Tensor x = drawn({2, 5, 4}, 1);
  for (const auto& [def, state] : std::map<std::string, Shape>{
           {"turning", {2, 4, 4}}, {"delta", {2, 4, 4}}, {"columns", {2, 4, 4}}, {"last", {2, 4}}}) {
    CAPTURE(def);
    // 0 * tanh(S) is nonlinear to the classifier and changes nothing: it sends the recurrence to the loop.
    std::string text = desk.read("defs.yaml");
    const auto step = text.find("step: {S: \"", text.find("  " + def + ":\n"));
    REQUIRE(step != std::string::npos);
    desk.write("loop.yaml", text.insert(step + 11, "0 * tanh(S) + "));
    const Tensors in = {{"x", x},
                        {"initial.S", drawn(state, 3)},
                        {"cotangent.final.S", drawn(state, 4)},
                        {"cotangent", drawn({2, 5, 4}, 5)}};
    const Tensors a = applied(desk, "defs.yaml", in, {"--def", def, "--grad"}),
                  b = applied(desk, "loop.yaml", in, {"--def", def, "--grad"});
    REQUIRE(a.size() == b.size());
    for (const auto& [name, tensor] : a) {
      CAPTURE(name);
      CHECK(distance(tensor, b.at(name)) < 1e-12);
    }
  }
}

TEST_CASE("states of defs that are called have a path, two calls two of them") {
  Desk desk;
  desk.write("defs.yaml", kDefs);
  const Tensors out = applied(desk, "defs.yaml", {{"x", drawn({1, 3, 4}, 1)}}, {"--def", "twice", "--grad"});
  for (const char* name :
       {"final.a.gru.h", "final.out.gru.h", "grad.a.gru.U", "grad.out.gru.U", "grad.initial.a.gru.h"}) {
    CAPTURE(name);
    CHECK(out.contains(name));
  }
}
