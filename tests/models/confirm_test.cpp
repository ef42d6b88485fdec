// A derived form that is not the loop is caught before a model is used.
#include "dsl/recurrence.h"
#include "tests/models/build.h"

using namespace weft;
using namespace weft::dsl;

namespace {

// A recurrence over k, v [T, 3] and a [T], with a builder that stands where a def would.
struct Site {
  Diagnostics diagnostics;
  Module module;
  Program program{Mode::train, diagnostics};
  Room room;
  Builder builder{program, program.graph, room};
  std::vector<StateForm> forms;

  explicit Site(const std::string& recurrence) {
    module.file = parse_file(
        make_source("test.yaml",
                    "schema: 1\ndefs:\n  f:\n    in: {k: [T, n], v: [T, n], a: [T]}\n    recurrence:\n      over: T\n" +
                        recurrence + "    out: y\n"),
        diagnostics);
    REQUIRE(module.file.defs.size() == 1);
    room.module = &module;
    room.path = "f";
    room.add_size("n", 3);
    const Dims rows = {Dim::symbol("B"), Dim::symbol("T"), room.sizes.at("n")};
    for (const char* name : {"k", "v"}) room.tensors[name] = program.graph.input(name, rows, Kind::real, true);
    room.tensors["a"] = program.graph.input("a", {Dim::symbol("B"), Dim::symbol("T")}, Kind::real, true);
    forms = classify(this->recurrence());
  }
  const Recurrence& recurrence() const { return *module.file.defs[0].recurrence; }
  std::string trouble() {
    try {
      confirm_linear(builder, recurrence(), forms);
      return diagnostics.render(false);
    } catch (const Error& e) {
      return e.failure == Failure::internal ? e.what() : "another error";
    }
  }
};

const char* const kDelta =
    "      state: {S: [n, n]}\n      step: {S: \"a * S + outer(k, v - k @ S)\"}\n      read: {y: k @ S}\n";

}  // namespace

TEST_CASE("a form that was derived rightly is confirmed") { CHECK(Site(kDelta).trouble() == ""); }

TEST_CASE("a derived form that is not the loop is an error inside the program, with its place") {
  const auto planted = [](const std::function<void(StateForm&)>& mistake) {
    Site p(kDelta);
    mistake(p.forms.at(0));
    return p.trouble();
  };
  const auto caught = [](const std::string& trouble) {
    CAPTURE(trouble);
    CHECK(trouble.find("test.yaml:9:") == 0);
    CHECK(trouble.find("`y` was derived wrongly: it differs from the loop by ") != std::string::npos);
  };
  caught(planted([](StateForm& f) { f.terms[0].factors.clear(); }));              // S without its decay
  caught(planted([](StateForm& f) { f.terms[1].sign = -1; }));                    // v subtracted
  caught(planted([](StateForm& f) { f.terms.pop_back(); }));                      // no correction
  caught(planted([](StateForm& f) { f.terms[2].inside = f.terms[0].factors; }));  // the error of a * S
}
