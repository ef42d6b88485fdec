// `weft expand` through the real program; that it means the same is tests/models/expand_test.cpp.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"
#include "train/checkpoint.h"

using namespace weft;
using namespace weft::cli;

namespace {

const char* const kUsing =
    "schema: 1\n"
    "name: net\n"
    "import: {l: lib.yaml}\n"
    "params: {width: 16}\n"
    "model:\n"
    "  - embed: {width: width}\n"
    "  - l.mix\n"
    "  - {use: stack.yaml, with: {D: width}}\n"
    "  - logits: {tie: embed}\n"
    "data: {text: {path: t.txt}}\n"
    "train: {steps: 3, batch: 2, context: 8}\n";

}  // namespace

TEST_CASE("an expanded description stands in another folder, trains to the same bytes under the same names") {
  Desk desk;
  fs::create_directory(desk / "elsewhere");
  desk.write("lib.yaml", "schema: 1\ndefs: {mix: {in: {x: [T, D]}, weights: {W: [D, D]}, out: rms_norm(x) @ W}}\n");
  desk.write("stack.yaml",
             "schema: 1\nparams: {D: int}\nmodel: [{residual: {norm: rms_norm, body: {linear: {width: D}}}}]\n");
  desk.write("net.yaml", kUsing);
  const Finished f = desk.run({"expand", "net.yaml", "-p", "width=8"});
  CHECK(f.exit == 0);
  CHECK(f.err.empty());
  CHECK_FALSE(contains(f.out, "import"));
  CHECK_FALSE(contains(f.out, "use:"));
  desk.write("elsewhere/alone.yaml", f.out);
  REQUIRE(desk.run({"train", "net.yaml", "-p", "width=8", "--run-dir", "a"}).exit == 0);
  const Finished alone = desk.run({"train", "elsewhere/alone.yaml", "--run-dir", "b"});
  CHECK(alone.exit == 0);
  const train::Safetensors a(train::weight_file(desk / "a")), b(train::weight_file(desk / "b"));
  REQUIRE(a.entries().size() == b.entries().size());
  for (std::size_t i = 0; i < a.entries().size(); ++i) {
    CHECK(a.entries()[i].name == b.entries()[i].name);
    CHECK(a.checksum(a.entries()[i]) == b.checksum(b.entries()[i]));
  }
  CHECK(desk.run({"expand", "net.yaml", "--json"}).out.starts_with("{\n  \"description\": \"schema: 1\\n"));
}

TEST_CASE("expand tells what is wrong with the structure, and of a file that is not there") {
  Desk desk;
  desk.write("bad.yaml", "schema: 1\nimport: {l: lost.yaml}\nmodel: [l.f]\n");
  const Finished lost = desk.run({"expand", "bad.yaml"});
  CHECK(lost.exit == 4);
  CHECK(lost.out.empty());
  CHECK(contains(lost.err, "lost.yaml"));
  desk.write("bad.yaml", "schema: 1\nmodle: [f]\n");
  CHECK(desk.run({"expand", "bad.yaml"}).exit == 2);
  desk.write("user.yaml", "schema: 1\nmodel: [{use: bad.yaml}]\n");
  const Finished broken = desk.run({"expand", "user.yaml"});
  CHECK(broken.exit == 2);
  CHECK(contains(broken.err, "did you mean `model`?"));
  for (const char* wrong :
       {"model: [{residual: {bdy: [f]}}]", "model: [{repeat: {times: 2}}]", "model: [[f]]", "defs: {f: 3}"}) {
    desk.write("bad.yaml", std::string("schema: 1\n") + wrong + "\n");
    CHECK(desk.run({"expand", "user.yaml"}).exit == 2);
    CHECK(desk.run({"expand", "bad.yaml"}).exit == 2);
  }
}

TEST_CASE("files that use each other in a circle, or far too often, are refused") {
  Desk desk;
  desk.write("a.yaml", "schema: 1\nmodel: [{use: b.yaml}]\n");
  desk.write("b.yaml", "schema: 1\nmodel: [{use: a.yaml}]\n");
  const Finished circle = desk.run({"expand", "a.yaml"});
  CHECK(circle.exit == 2);
  CHECK(contains(circle.err, "E0212"));
  for (int i = 0; i < 12; ++i) {
    const std::string next = i == 11 ? "tanh" : fmt::format("{{use: m{}.yaml}}", i + 1);
    desk.write(fmt::format("m{}.yaml", i), fmt::format("schema: 1\nmodel: [{0}, {0}]\n", next));
  }
  const Finished many = desk.run({"expand", "m0.yaml"});
  CHECK(many.exit == 2);
  CHECK(contains(many.err, "E0214"));
}
