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

TEST_CASE("weft new says what it lacks: the op, a family that exists, the sources, a folder") {
  Desk desk;
  CHECK(contains(desk.run({"new"}).err, "--op is required"));
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
