// How named dimensions meet, sentence by sentence. A claim proves sizes; a weight of one named dimension proves names,
// because broadcasting goes by name.
#include "tests/models/build.h"

using namespace weft;

namespace {

struct Shaped {
  std::string rule;
  std::string def;    // the parts of a def over x [T, D], D = 8, with H = 2 heads and dk = dv = 4
  std::string codes;  // expected, "" for a def that stands
};

std::string dims() { return "    dims: {H: 2, dk: D / H, dv: D / H}\n"; }

std::string let(const std::string& equations, const std::string& weights = "") {
  std::string text = dims();
  text += "    weights: {Wk: [D, H * dk], Wv: [D, H * dv], gk: [dk], gv: [dv], gh: [H], gd: [D], four: [4], two: [2]" +
          weights + "}\n    let:\n";
  for (std::size_t begin = 0; begin < equations.size();) {
    const std::size_t end = std::min(equations.size(), equations.find('\n', begin));
    text += "      " + equations.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  return text + "    out: x\n";
}

std::string codes_of(const Shaped& c, std::string& shown) {
  dsl::Diagnostics d;
  tests::build(tests::around(c.def), d);
  d.forget(0, [](const dsl::Diagnostic& one) { return one.severity == dsl::Severity::warning; });
  shown = d.render(false);
  std::string all;
  for (const dsl::Diagnostic* one : d.sorted()) {
    all += (all.empty() ? "" : " ") + one->code;
  }
  return all;
}

void check_all(const std::vector<Shaped>& cases) {
  for (const Shaped& c : cases) {
    CAPTURE(c.rule);
    CAPTURE(c.def);
    std::string shown;
    const std::string found = codes_of(c, shown);
    CAPTURE(shown);
    CHECK(found == c.codes);
  }
}

Shaped with(const char* rule, const std::string& equations, const std::string& codes = "",
            const std::string& weights = "") {
  return {rule, let(equations, weights), codes};
}

}  // namespace

TEST_CASE("a size keeps the named dimensions it was written with") {
  check_all({
      with("x @ Wk has the last dimension H * dk", "k: x @ Wk -> [T, H * dk]\nk2: to_heads(k, H) * gk"),
      with("to_heads gives dk, also where dk and dv are equal", "v: to_heads(x @ Wv, H) * gv"),
      with("so that k does not meet gv", "k: to_heads(x @ Wk, H) * gv", "E0204"),
      with("to_heads(x, H) is [H, T, D / H], and dk is D / H",
           "h: to_heads(x, H) * gk\ng: to_heads(x, H) * gv\nn: to_heads(x, H) * four"),
      with("outer(k, v) is [H, T, dk, dv]",
           "o: outer(to_heads(x @ Wk, H), to_heads(x @ Wv, H)) -> [H, T, dk, dv]\np: o * gk * gv"),
      with("merge_heads undoes to_heads", "m: merge_heads(to_heads(x, H)) * gd"),
      with("D / H * H is D", "m: merge_heads(to_heads(x @ Wk, H)) * gd"),
      with("a claim also names dimensions", "h: to_heads(x, H) -> [H, T, dk]\nm: h * gk"),
      with("a claim renames", "k: to_heads(x @ Wk, H) -> [H, T, dv]\nm: k * gv"),
      with("a claim of another size is an error", "h: to_heads(x, H) -> [H, T, D]", "E0205"),
      with("a claim of another rank is an error", "h: x -> [T]", "E0205"),
      with("[..., n] leaves the front open", "h: to_heads(x, H) -> [..., dv]\nm: h * gv * gh"),
      with("an open claim longer than the value is an error", "h: x -> [..., H, T, D]", "E0205"),
      with("a claim of T where a size stands is an error", "h: x -> [D, T]", "E0205"),
      with("sums of sizes are sizes", "c: concat(x, x @ Wk, dim=-1) -> [T, D + H * dk]\nd: c @ A", "",
           ", A: [2 * D, 3]"),
  });
}

TEST_CASE("contraction goes by size, broadcasting by name") {
  check_all({
      with("a @ b sums dk with dv, which are equal", "y: to_heads(x @ Wk, H) @ A", "", ", A: [dv, 3]"),
      with("unequal sizes do not contract", "y: x @ A", "E0203", ", A: [H, D]"),
      with("dimensions of b before the last two are matched by name: a product per head",
           "y: to_heads(x, H) @ A -> [H, T, 3]", "", ", A: [H, 4, 3]"),
      with("or stand in front where a has none", "y: x @ A -> [H, T, 3]", "", ", A: [H, D, 3]"),
      with("a vector on the right has one dimension, which is summed", "y: x @ gd -> [T]"),
      with("a scalar has none", "s: sum(gd, dim=D)\ny: x @ s", "E0203"),
      with("q * v over dk and dv is an error", "y: to_heads(x @ Wk, H) * to_heads(x @ Wv, H)", "E0204"),
      with("x [H, T, dk] * g [H] needs no reshaping", "y: to_heads(x, H) * gh"),
      with("[T] meets [T, D] in front", "y: x * position()"),
      with("a size without a name meets one of equal size", "y: to_heads(x, H) * four"),
      with("where that is unambiguous", "y: outer(gk, gv) * four", "E0204"),
      with("no dimension of that size", "y: x * two", "E0204"),
      with("names that stand in the other order are brought into order", "y: outer(gh, gk) * to_heads(x, H)"),
      with("the same names in another order at equal rank are an error", "y: x + x^T", "E0204"),
      with("an explicit 1 broadcasts by place", "y: x * A", "", ", A: [1, D]"),
      with("also in front", "y: to_heads(x, H) + A", "", ", A: [H, 1, dk]"),
      with("repeated names combine by place", "y: decay_mask(gh, T) * decay_mask(gh, T)"),
      with("[T, T] meets [H, T, T]", "y: decay_mask(gh, T) * causal_mask(T, T)"),
      with("broadcasting across a repeated name is an error", "y: causal_mask(T, T) * position()", "E0204"),
      with("definitions are looked through: H * dk is D", "y: (x @ Wk) * gd"),
      with("numbers meet everything", "y: 2 * x ^ 2 - x / 3 + sqrt(dk)"),
      with("^T swaps the last two", "y: A^T @ gd", "", ", A: [D, H]"),
      with("^T needs two", "y: gd^T", "E0206"),
      with("dot contracts the last of both and joins the others by name",
           "y: dot(to_heads(x @ Wk, H), gk) -> [H, T]\nz: dot(x, x) -> [T]"),
  });
}

TEST_CASE("reductions drop the dimension they name") {
  check_all({
      with("sum(x, dim=n) drops n", "y: sum(x, dim=D) -> [T]\nz: mean(to_heads(x, H), dim=H) -> [T, 4]"),
      with("a number counts from the back", "y: max(x, dim=-1) -> [T]"),
      with("sum must be told", "y: sum(x)", "E0206"),
      with("mean, max, min and cumsum too", "a: mean(x)\nb: max(x)\nc: min(x)\nd: cumsum(x)",
           "E0206 E0206 E0206 E0206"),
      with("softmax and norms take the last", "y: softmax(x) + rms_norm(x) + layer_norm(x) + l2_norm(x) -> [T, D]"),
      with("the dimension must be there", "y: sum(x, dim=dk)", "E0207"),
      with("and be one", "y: sum(outer(gd, gd), dim=D)", "E0207"),
      with("arange and dims are numbers", "y: x * (1 + arange(D)) + dk + H + T"),
      with("rotate takes its position from T", "y: rotate(to_heads(x, H), gv / 2)", "E0208"),
  });
}

TEST_CASE("division is real in equations and exact in sizes") {
  check_all({
      with("7 / 2 is 3.5 in an equation", "y: x * (7 / 2)"),
      {"a dim must come out whole", "    dims: {n: D / 3}\n    out: x * n\n", "E0408"},
      {"// rounds down", "    dims: {n: D // 3}\n    weights: {w: [n]}\n    out: x + sum(w, dim=n)\n", ""},
      {"a size is not negative", "    weights: {w: [3 - D]}\n    out: x + sum(w, dim=-1)\n", "E0403"},
      {"a size that overflows is no size", "    dims: {n: 3000000000 * 3000000000}\n    out: x * n\n", "E0403"},
      {"T minus something is no size", "    let:\n      y: x -> [T - 1, D]\n    out: y\n", "E0304"},
  });
}
