// `verify` and `equal` through the real program.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

using namespace weft;
using namespace weft::cli;

namespace {

using Json = nlohmann::json;

// y = (q k) v of all positions before, in two ways; `wrong` forgets the last of them.
const char* const kMixers = R"yaml(schema: 1
defs:
  state:
    in: {x: [T, D]}
    weights: {W: [D, D]}
    let: {k: x @ W}
    recurrence:
      over: T
      state: {S: [D, D]}
      step: {S: "S + outer(k, x)"}
      read: {y: k @ S}
    out: y
  scores:
    in: {x: [T, D]}
    weights: {W: [D, D]}
    let: {k: x @ W}
    out: (k @ k^T * causal_mask(T, T)) @ x
  wrong:
    in: {x: [T, D]}
    weights: {W: [D, D]}
    let: {k: x @ W}
    recurrence:
      over: T
      state: {S: [D, D]}
      step: {S: "S + outer(k, x)"}
      read: {y: k @ prev(S)}
    out: y
  twice:
    in: {x: [T, D]}
    weights: {U: [D, D]}
    let: {k: 2 * x @ U}
    out: (k @ k^T * causal_mask(T, T)) @ x
)yaml";

}  // namespace

TEST_CASE("verify proves a model and says how exactly, in text and in JSON") {
  Desk desk;
  const Finished f = desk.run({"verify", "std/retnet"});
  CHECK(f.exit == 0);
  CHECK(f.out.find("std/retnet: 6,576 weights; made smaller: D = 16, layers = 2\n") == 0);
  CHECK(f.out.find("  holds chunkwise ") != std::string::npos);
  const Json j = Json::parse(desk.run({"verify", "std/retnet", "--json"}).out);
  REQUIRE(j["verified"].size() == 1);
  CHECK(j["verified"][0]["holds"] == true);
  CHECK(j["verified"][0]["properties"].size() == 15);
  for (const auto& p : j["verified"][0]["properties"]) CHECK(p["verdict"] != "fails");
}

TEST_CASE("verify takes one def, or every def of a file without a model") {
  Desk desk;
  desk.write("mixers.yaml", kMixers);
  const Finished all = desk.run({"verify", "mixers.yaml"});
  CHECK(all.exit == 0);
  CHECK(all.out.find("mixers.yaml, def state: ") != std::string::npos);
  CHECK(all.out.find("mixers.yaml, def wrong: ") != std::string::npos);
  const Finished one = desk.run({"verify", "mixers.yaml", "--def", "state", "-p", "D=3"});
  CHECK(one.exit == 0);
  CHECK(one.out.find("mixers.yaml, def state: 9 weights\n") == 0);
  CHECK(desk.run({"verify", "mixers.yaml", "--def", "stat"}).exit == 2);
}

TEST_CASE("equal tells the same function from another, with the smallest counterexample") {
  Desk desk;
  desk.write("mixers.yaml", kMixers);
  const Words both = {"equal", "mixers.yaml", "mixers.yaml", "--def", "state", "--def"};
  const auto with = [&](const Words& more) {
    Words words = both;
    words.insert(words.end(), more.begin(), more.end());
    return desk.run(words);
  };
  CHECK(with({"scores"}).exit == 0);
  CHECK(with({"scores"}).out.find("the same function of the same weights\n") == 0);
  const Finished wrong = with({"wrong"});
  CHECK(wrong.exit == 3);
  CHECK(wrong.out.find("different functions\n") == 0);
  CHECK(wrong.out.find("smallest counterexample: ") != std::string::npos);
  CHECK(wrong.out.find("(T = 1)") != std::string::npos);
}

TEST_CASE("equal takes weights from a map, and says what the map shows") {
  Desk desk;
  desk.write("mixers.yaml", kMixers);
  const auto under = [&](const std::string& map) {
    desk.write("map.yaml", map);
    return desk.run({"equal", "mixers.yaml", "mixers.yaml", "--def", "state", "--def", "twice", "--map", "map.yaml"});
  };
  CHECK(under("b: {U: half}\nlet: {half: 0.5 * W}\n").out.find("every a is a b (exact)") == 0);
  CHECK(under("a: {W: 2 * U}\n").out.find("every b is an a") == 0);
  CHECK(under("a: {W: 2 * U}\nb: {U: 0.5 * W}\n").out.find("the same family of functions: exact both ways\n") == 0);
  CHECK(under("b: {U: W}\n").exit == 3);
  CHECK(under("b: {V: W}\n").exit == 2);  // no such weight
  CHECK(under("c: {U: W}\n").exit == 2);  // no such side
  const Finished unmatched = desk.run({"equal", "mixers.yaml", "mixers.yaml", "--def", "state", "--def", "twice"});
  CHECK(unmatched.exit == 2);
  CHECK(unmatched.err.find("U [6, 6]") != std::string::npos);
}
