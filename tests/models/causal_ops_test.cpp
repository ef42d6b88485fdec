// What an op may do along T: masks that mask, calls that would see the future, and streams that go on counting.
#include "tests/models/build.h"

using namespace weft;

namespace {

std::string problem(const std::string& out) {
  dsl::Diagnostics d;
  const auto model = tests::build(tests::around("    out: " + out + "\n"), d);
  return model ? "" : d.render(false);
}
bool sees_future(const std::string& out) { return problem(out).find("E0209") != std::string::npos; }

// Logits after all of 12 tokens, in one piece and in several.
double stream_difference(const std::string& out) {
  const auto model = tests::built(tests::around("    out: " + out + "\n"));
  Runtime runtime;
  const auto weights = tests::random_weights(*model);
  const auto all = tests::batch(1, 12).tokens;
  const auto part = [&](i64 begin, i64 end) {
    return Tensor::of_indices(
        all.values<i32>().subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)),
        {1, end - begin});
  };
  const auto whole = model->stream(runtime, weights)->feed(part(0, 12));
  const auto stream = model->stream(runtime, weights);
  stream->feed(part(0, 5));
  stream->feed(part(5, 6));
  return tests::distance(stream->feed(part(6, 12)), whole);
}

}  // namespace

TEST_CASE("what looks like a mask and lets the future through is none") {
  CHECK(problem("softmax(x @ x^T, mask=causal_mask(T, T)) @ x") == "");
  CHECK(problem("tril(x @ x^T) @ x") == "");
  CHECK(problem("tril(x @ x^T, -1) @ x") == "");
  CHECK(problem("(x @ x^T * decay_mask(0.9, T, T, -1)) @ x") == "");
  CHECK(sees_future("tril(x @ x^T, 1) @ x"));
  CHECK(sees_future("triu(x @ x^T) @ x"));
  CHECK(sees_future("(x @ x^T * causal_mask(1, T)) @ x"));
  CHECK(sees_future("(x @ x^T * decay_mask(0.9, T, T, 1)) @ x"));
  CHECK(sees_future("(x @ x^T * (1 - causal_mask(T, T))) @ x"));
  // A softmax over the queries sums over what comes later, whatever its mask.
  CHECK(sees_future("softmax(x @ x^T, dim=-2, mask=causal_mask(T, T)) @ x"));
}

TEST_CASE("ops that take all of T are refused") {
  CHECK(sees_future("attention(x, x, x, causal=false)"));
  CHECK(problem("attention(x, x, x)") == "");
  CHECK(sees_future("dct(x, dim=T)"));
  CHECK(sees_future("dft(x, dim=T)"));
  CHECK(problem("slice(x, 0, 1, dim=T)").find("1 of T: what is not known before a run cannot be cut") !=
        std::string::npos);
  CHECK(sees_future("pad(x, 0, 1, dim=T)"));
  CHECK(sees_future("repeat_along(x, 2, dim=T)"));
  CHECK(sees_future("concat(x, x, dim=T)"));
  CHECK(sees_future("rearrange(x, \"T D -> (T D)\")"));
  CHECK(sees_future("contract(x, x, \"td,te->de\")"));
  CHECK(sees_future("contract(x @ x^T, x, \"ts,sd->td\")"));
  CHECK(problem("contract(x @ x^T * causal_mask(T, T), x, \"ts, sd -> td\")") == "");
  CHECK(problem("contract(x, x, \"td,td->td\")") == "");
}

TEST_CASE("a stream gives what the whole gives where an op counts positions") {
  for (const char* out :
       {"x * position()", "x * arange(T)", "x * sqrt(arange(T) + 1) / T", "x + tril(x @ x^T) @ x / 9",
        "rotate(x, arange(D / 2) / 9)", "rotate(x, arange(D / 2) / 9, scale=0.9 + arange(D / 2) / 99)", "dct(x, dim=D)",
        "rearrange(rotate(rearrange(x, \"T (h=2 k) -> h T k\"), 1 + arange(2)), \"h T k -> T (h k)\")"}) {
    CAPTURE(out);
    CHECK(stream_difference(out) < 1e-10);
  }
}

TEST_CASE("rearrange knows the sizes that have names, and names what it makes") {
  const auto def = [](const std::string& let) {
    return tests::around("    dims: {H: 2, k: D / H}\n    let: {y: " + let + "}\n    out: merge_heads(y)\n");
  };
  tests::built(def("\"rearrange(x, 'T (H k) -> H T k') -> [H, T, k]\""));
  dsl::Diagnostics d;
  tests::build(def("\"rearrange(x, 'T (H j) -> j T H') -> [H, T, k]\""), d);
  CHECK(d.render(false).find("`y` is claimed to be [H, T, k]") != std::string::npos);
  for (const auto& [pattern, message] : std::initializer_list<std::pair<const char*, const char*>>{
           {"T (H k) -> H T", "k stands on one side alone"},
           {"T H k -> H T k", "the pattern has 4 dimensions and x has 3 (it is [B, T, D])"},
           {"T (a b) -> a T b", "the sizes of a and b are not known"},
           {"T (H H) -> H T", "H stands twice"},
           {"T (H k -> H T k", "parentheses do not match"}}) {
    dsl::Diagnostics wrong;
    CHECK(!tests::build(def(fmt::format("\"rearrange(x, '{}')\"", pattern)), wrong));
    CAPTURE(wrong.render(false));
    CHECK(wrong.render(false).find(message) != std::string::npos);
    CHECK(wrong.render(false).find("E0208") != std::string::npos);
  }
}

TEST_CASE("which dimension must be said where there is no usual one") {
  for (const char* call :
       {"sum(x)", "cumsum(x)", "dct(x)", "slice(x, 0, 1)", "max(x)", "pad(x, 1)", "repeat_along(x, 2)"}) {
    CAPTURE(call);
    CHECK(problem(call).find("must be told the dimension") != std::string::npos);
  }
}
