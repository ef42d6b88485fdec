// An expanded description is the same model: the same weights by name, first value, loss and gradient, bit for bit.
#include "tests/models/build.h"

using namespace weft;
namespace fs = std::filesystem;

namespace {

std::string expanded(const std::string& path, const std::string& text, std::string* notes = nullptr) {
  dsl::Diagnostics d;
  const dsl::Description description(dsl::make_source(path, text), {}, tests::surroundings(), d);
  std::vector<std::string> said;
  const std::string result = description.expanded(said, d);
  INFO(d.render(false));
  CHECK(!d.has_errors());
  for (const std::string& s : said) {
    if (notes) *notes += s + "\n";
    else FAIL_CHECK(s);
  }
  return result;
}

std::shared_ptr<const dsl::Model> model_of(const std::string& path, const std::string& text) {
  dsl::Diagnostics d;
  const dsl::Description description(dsl::make_source(path, text), {}, tests::surroundings(), d);
  auto model = description.model(16, d);
  CAPTURE(text);
  CHECK(d.render(false) == "");
  return model;
}

// `path` is where the text would stand: what it imports is found from there.
void check_same(const std::string& path, const std::string& text, std::string* notes = nullptr) {
  const std::string alone = expanded(path, text, notes);
  CAPTURE(alone);
  for (const char* key : {"import:", "use:"}) CHECK(alone.find(key) == std::string::npos);
  const auto before = model_of(path, text), after = model_of("/nowhere/alone.yaml", alone);
  if (!before || !after) return;
  REQUIRE(before->weights().size() == after->weights().size());
  const auto first = before->initial_weights(3, DType::f32), second = after->initial_weights(3, DType::f32);
  const auto batch = tests::batch(2, 9);
  const tests::Step a = tests::step(*before, first, batch), b = tests::step(*after, second, batch);
  CHECK(a.loss == b.loss);
  for (std::size_t i = 0; i < first.size(); ++i) {
    CHECK(before->weights()[i].name == after->weights()[i].name);
    CHECK(same_bits(first[i], second[i]));
    CHECK(same_bits(a.gradients[i], b.gradients[i]));
  }
  std::string again;
  CHECK(expanded("/nowhere/alone.yaml", alone, &again) == alone);  // there is nothing left to do
}

std::string here(const char* name) { return std::string(WEFT_SOURCE "/tests/models/descriptions/") + name; }

}  // namespace

TEST_CASE("every description that stands means the same when it is expanded") {
  for (const fs::path& path : tests::files_in("descriptions")) {
    CAPTURE(path.filename().string());
    check_same(path.string(), tests::contents(path));
  }
}

TEST_CASE("a used file of the library becomes part of the description, its weights keep their names") {
  for (const char* name : {"retnet", "transformer", "linear_transformer"}) {
    CAPTURE(name);
    const std::string with = "with: {D: width, layers: 2, H: 2, hidden: 3 * width}";
    check_same("m.yaml", fmt::format("schema: 1\nparams: {{width: 16}}\nmodel: {{use: std/{}, {}}}\n", name, with));
    check_same("m.yaml", fmt::format("schema: 1\nparams: {{width: 16}}\nmodel:\n  - {{use: std/{}, {}, name: net}}\n",
                                     name, with));
    check_same("m.yaml", std::string(*tests::surroundings().library(name)));
  }
}

TEST_CASE("defs of imports keep their dotted names, with what they call, in any depth") {
  const std::string text =
      "schema: 1\nimport: {r: std/retnet, l: lib/layers.yaml, t: std/linear_transformer}\n"
      "defs:\n  retention:\n    in: {x: [T, D]}\n    weights: {W: [D, D]}\n"
      "    out: l.block(x @ W, hidden=8) + r.retention(x, H=2)\n"
      "  block: {in: {x: [T, D]}, out: 'swiglu(x, hidden=4) + swiglu(x, hidden=6)'}\n"
      "model:\n  - embed: {width: 8}\n  - retention\n  - r.retention: {H: 4}\n  - block\n"
      "  - residual: {norm: layer_norm, body: {t.linear_attention: {H: 2}}}\n  - use: lib/stack.yaml\n"
      "    with: {width: 8, n: 2}\n  - logits: {tie: embed}\n";
  check_same(here("test.yaml"), text);
}

TEST_CASE("a layer that is called like an op leaves the op of equations alone") {
  const std::string text =
      "schema: 1\ndefs:\n  f: {in: {x: [T, D]}, out: 'rms_norm(x) * 2'}\n"
      "model:\n  - embed: {width: 8}\n  - residual: {norm: rms_norm, body: f}\n  - rms_norm\n"
      "  - repeat: {times: 2, body: [{rms_norm: {eps: 0.1}}, {rms_norm: {}, name: last}]}\n  - logits: {tie: embed}\n";
  check_same("m.yaml", text);
  CHECK(expanded("m.yaml", text).find("rms_norm_layer") != std::string::npos);
}

TEST_CASE("a layer whose op the file defines anew stays in the prelude, and that is said") {
  std::string notes;
  check_same("m.yaml",
             "schema: 1\ndefs:\n  gelu: {in: {x: [T, D]}, out: x * 2}\n"
             "model: [{embed: {width: 8}}, gelu, {ffn: {hidden: 8}}, {logits: {tie: embed}}]\n",
             &notes);
  CHECK(notes == "`ffn` stays a layer of the prelude: it calls `gelu`, which is another def here\n");
}

TEST_CASE("what is shared and tied in a used file is its own, in the expanded one too") {
  const std::string text =
      "schema: 1\nmodel:\n  - embed: {width: 8}\n  - share: {name: s, of: [{linear: {width: 8}}]}\n"
      "  - repeat:\n      times: 2\n      as: i\n      body:\n        - use: lib/shared.yaml\n"
      "          with: {width: 8 * (i + 1) // (i + 1)}\n  - share: {name: s}\n  - logits: {tie: embed}\n";
  check_same(here("test.yaml"), text);
}
