// What `apply` refuses.
#include "tests/cli/applied.h"

using namespace weft;
using namespace weft::cli;

TEST_CASE("tensors that do not fit are listed all at once, with exit 4") {
  Desk desk;
  desk.write("defs.yaml", kDefs);
  desk.write("plain.yaml", "schema: 1\nparams: {vocab: 5}\nmodel: [{embed: {width: 3}}, {logits: {tie: embed}}]\n");
  const Tensor x = drawn({2, 3, 4}, 1), scale = drawn({2, 4}, 1);
  struct Row {
    std::string file, def;
    Tensors in;
    std::vector<std::string> parts;
  };
  const std::vector<Row> rows = {
      {"defs.yaml", "memory", {{"y", x}}, {"missing: x, [T, D] behind a batch", "missing: scale", "unknown: y"}},
      {"defs.yaml",
       "memory",
       {{"x", x}, {"scale", scale}, {"initial.s", x}, {"cotangnt", x}},
       {"unknown: initial.s; did you mean `initial.S`?", "unknown: cotangnt; did you mean `cotangent`?"}},
      {"defs.yaml",
       "memory",
       {{"x", x}, {"scale", drawn({3, 4}, 1)}},
       {"scale is [3, 4], and [B, 4] is taken (B = 2, T = 3)"}},
      {"defs.yaml",
       "memory",
       {{"x", x}, {"scale", drawn({2, 5}, 1)}},
       {"the input `scale` is [2, 5]", "D is 4, not 5"}},
      {"defs.yaml", "memory", {{"x", scale}, {"scale", scale}}, {"the input `x` is [2, 4]", "that are 3 dimensions"}},
      {"defs.yaml", "gru", {{"x", tokens({2, 3, 4}, 1, 5)}}, {"x holds whole numbers, and real ones are taken"}},
      {"defs.yaml", "gru", {{"x", x}, {"initial.h", x}}, {"initial.h is [2, 3, 4], and [B, D] is taken"}},
      {"plain.yaml", "", {{"targets", tokens({2, 3}, 1, 5)}}, {"missing: tokens [B, T]"}},
      {"plain.yaml", "", {{"tokens", tokens({2, 3}, 1, 9)}}, {"tokens holds ", "the vocabulary has 5 tokens"}},
      {"plain.yaml",
       "",
       {{"tokens", tokens({2, 3}, 1, 5)}, {"targets", tokens({2, 4}, 1, 5)}},
       {"targets is [2, 4], and [B, T] is taken (B = 2, T = 3)"}},
      {"plain.yaml", "", {{"tokens", x}}, {"tokens holds real numbers"}},
  };
  for (const Row& row : rows) {
    put(desk, "in.safetensors", row.in);
    Words words = {"apply", row.file, "--in", "in.safetensors", "--out", "o.safetensors"};
    if (!row.def.empty()) words.insert(words.end(), {"--def", row.def});
    const Finished f = desk.run(words);
    CAPTURE(f.err);
    CHECK(f.exit == 4);
    for (const std::string& part : row.parts) {
      CAPTURE(part);
      CHECK(contains(f.err, part));
    }
    CHECK_FALSE(fs::exists(desk / "o.safetensors"));
  }
  put(desk, "in.safetensors", {{"x", x}});
  put(desk, "w.safetensors", {{"V", drawn({4, 4}, 1)}});
  const Finished f = desk.run(
      {"apply", "defs.yaml", "--def", "gru", "--weights", "w.safetensors", "--in", "in.safetensors", "--out", "o"});
  CHECK(f.exit == 4);
  CHECK(contains(f.err, "missing: U\n  not in the model: \"V\""));
}

TEST_CASE("what apply cannot be asked is exit 2") {
  Desk desk;
  desk.write("defs.yaml", kDefs);
  put(desk, "in.safetensors", {{"x", drawn({1, 3, 4}, 1)}});
  const std::vector<std::pair<Words, std::string>> rows = {
      {{"--def", "gruu"}, "the description has no def `gruu`; did you mean `gru`?"},
      {{"--def", "gru", "--form", "parallel"}, "the parallel (`train.form`) form cannot be derived here"},
      {{"--def", "gru", "-p", "width=4"}, "the description has no param `width`"},
      {{"--def", "memory", "-p", "H=x"}, "`x`"},
      {{}, "there is no `model`"},
  };
  for (const auto& [more, part] : rows) {
    Words words = {"apply", "defs.yaml", "--in", "in.safetensors", "--out", "o.safetensors"};
    words.insert(words.end(), more.begin(), more.end());
    if (part == "`x`") put(desk, "in.safetensors", {{"x", drawn({1, 3, 4}, 1)}, {"scale", drawn({1, 4}, 1)}});
    const Finished f = desk.run(words);
    CAPTURE(f.err);
    CHECK(f.exit == 2);
    CHECK(contains(f.err, part));
  }
  desk.write("broken.yaml", "schema: 1\nmodle: []\n");
  const Finished broken = desk.run({"apply", "broken.yaml", "--in", "missing.safetensors", "--out", "o"});
  CHECK(broken.exit == 2);  // the description before the data
  CHECK(desk.run({"apply", "defs.yaml", "--in", "missing.safetensors", "--out", "o"}).exit == 4);
  const Finished init = desk.run({"init", "defs.yaml", "--def", "gru", "--out", "w.safetensors"});
  CHECK(init.exit == 2);
  CHECK(contains(init.err, "the size `D` of the input `x` is not known"));
  CHECK(contains(init.err, "give it by `-p D=64`"));
}
