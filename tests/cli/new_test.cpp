#include <doctest/doctest.h>

#include "tests/cli/program.h"

using namespace weft::cli;

TEST_CASE("a new op is written where it is asked for, with its name in place, and says what to do next") {
  Desk desk;
  fs::create_directory(desk / "mine");
  const Finished f = desk.run({"new", "--op", "soft_clip", "--into", "mine"});
  CHECK(f.exit == 0);
  CHECK(contains(f.out, "mine/soft_clip.h is an op that works"));
  CHECK(contains(f.out, "./weft test --op soft_clip"));
  CHECK(contains(f.out, "-DWEFT_EXTRA_OPS=" + (desk / "mine").string()));
  const std::string text = desk.read("mine/soft_clip.h");
  CHECK(contains(text, "struct SoftClip : Pointwise"));
  CHECK(contains(text, "inline Var soft_clip("));
  CHECK_FALSE(contains(text, "new_op"));
  CHECK_FALSE(contains(text, "NewOp"));
}

TEST_CASE("a new op never takes a name that is taken, and never overwrites a file") {
  Desk desk;
  desk.write("mine.h", "precious");
  const auto refused = [&](const std::string& name, const std::string& why) {
    CAPTURE(name);
    const Finished f = desk.run({"new", "--op", name, "--into", "."});
    CHECK(f.exit == 2);
    CHECK(f.out.empty());
    CHECK(contains(f.err, why));
  };
  refused("swish", "there is an op `swish` already");
  refused("mine", "mine.h exists already");
  refused("class", "means something in C++ or in equations");
  refused("tensor", "the engine has a type of the name");
  for (const char* name : {"Swish2", "2d", "a-b", "_a", "a_", "a__b", "../a", "a b", ""})
    refused(name, "is no name for an op");
  CHECK(desk.read("mine.h") == "precious");
}

TEST_CASE("weft new says what it lacks: a file or an op, a family that exists, the sources, a folder") {
  Desk desk;
  CHECK(contains(desk.run({"new"}).err, "needs the FILE to write, or `--op NAME`"));
  CHECK(desk.run({"new", "m.yaml", "--op", "a1"}).exit == 2);
  const Finished family = desk.run({"new", "--op", "a1", "--family", "pointwize"});
  CHECK(family.exit == 2);
  CHECK(contains(family.err, "pointwise"));
  const Finished lost = desk.run({"new", "--op", "a1"});
  CHECK(lost.exit == 2);
  CHECK(contains(lost.err, "--into DIR"));
  const Finished nowhere = desk.run({"new", "--op", "a1", "--into", "none"});
  CHECK(nowhere.exit == 4);
  CHECK(contains(nowhere.err, "there is no folder none"));
}

TEST_CASE("a new description is checked without a word, is like its comments, and trains") {
  Desk desk;
  const Finished made = desk.run({"new", "my-model.yaml"});
  CHECK(made.exit == 0);
  CHECK(contains(made.out, "./weft train my-model.yaml"));
  const std::string text = desk.read("my-model.yaml");
  CHECK(contains(text, "name: my-model\n"));
  for (const char* word : {"FILE", "NAME", "STEPS"}) CHECK_FALSE(contains(text, word));
  // Every command that it names is one; `explain` and `verify` may come later than this test.
  for (std::size_t at = 0; (at = text.find("./weft ", at)) != std::string::npos;) {
    at += 7;
    const std::string verb = text.substr(at, text.find_first_of(" `\n", at) - at);
    CAPTURE(verb);
    CHECK((verb == "explain" || verb == "verify" || desk.run({"help", verb}).exit == 0));
  }
  CHECK(contains(desk.run({"new", "a b.yaml"}).out, "./weft train 'a b.yaml'"));
  const Finished checked = desk.run({"check", "my-model.yaml"});
  CHECK(checked.exit == 0);
  CHECK(checked.err.empty());
  const Words few = {"train",     "my-model.yaml",
                     "--set",     "train.steps=20",
                     "--set",     "train.batch=2",
                     "--set",     "eval.every=0",
                     "--set",     "train.context=16",
                     "-p",        "D=16",
                     "--run-dir", "r"};
  CHECK(desk.run(few).exit == 0);
  // The line that the comments tell one to write.
  std::string delta = text;
  const std::string line = "        S: a * S + outer(k, v)\n";
  REQUIRE(contains(delta, line));
  delta.replace(delta.find(line), line.size(), "        S: a * S + outer(k, v - k @ (a * S))\n");
  desk.write("delta.yaml", delta);
  CHECK(desk.run({"check", "delta.yaml"}).exit == 0);
}

TEST_CASE("a description is started from every architecture of the library, with its params") {
  Desk desk;
  for (const std::string name : {"retnet", "std/transformer", "linear_transformer"}) {
    CAPTURE(name);
    const std::string file = name.substr(name.rfind('/') + 1) + "_mine.yaml";
    CHECK(desk.run({"new", file, "--from", name}).exit == 0);
    const Finished checked = desk.run({"check", file});
    CHECK(checked.exit == 0);
    CHECK(checked.err.empty());
    CHECK(contains(desk.read(file), "    layers: 4"));
  }
  CHECK(contains(desk.read("retnet_mine.yaml"), "    # hidden: 2 * D   # width of the feed-forward layers\n"));
  CHECK(desk.run({"train", "retnet_mine.yaml", "--set", "train.steps=2", "--set", "train.context=8", "--set",
                  "model.with.layers=1", "--set", "data.text={path: t.txt}", "--run-dir", "r"})
            .exit == 0);
}

TEST_CASE("a new description never takes the place of a file, and its start must exist") {
  Desk desk;
  desk.write("mine.yaml", "precious");
  CHECK(desk.run({"new", "mine.yaml"}).exit == 2);
  CHECK(desk.read("mine.yaml") == "precious");
  CHECK(contains(desk.run({"new", "a.yaml", "--from", "retnt"}).err, "did you mean `retnet`?"));
  CHECK(contains(desk.run({"new", "a.yaml", "--from", "layers"}).err, "has no model to start from"));
  CHECK_FALSE(fs::exists(desk / "a.yaml"));
}
