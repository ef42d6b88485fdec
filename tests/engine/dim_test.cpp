#include "engine/dim.h"

#include <doctest/doctest.h>

#include <limits>

#include "tests/engine/little_ops.h"

using namespace weft;
using namespace weft::tests;

namespace {
constexpr i64 kMost = std::numeric_limits<i64>::max();
const Dim H = Dim::named("H", 4), dk = Dim::named("dk", 8), dv = Dim::named("dv", 8);
}  // namespace

TEST_CASE("a size remembers the names it was written with") {
  CHECK((H * dk).text() == "H * dk");
  CHECK((dk * H).text() == "H * dk");
  CHECK((Dim(2) * H).text() == "2 * H");
  CHECK((Dim(2) * H).value() == 8);
  CHECK(Dim(7).text() == "7");
  CHECK(H.is("H"));
  CHECK_FALSE((Dim(2) * H).is("H"));
  CHECK_FALSE(H.unnamed().has_name());
  CHECK(T.unnamed().is("T"));
}

TEST_CASE("dividing H * dk by H gives dk, also where dk and dv are equal in size") {
  const auto q = Dim::quotient(H * dk, H);
  REQUIRE(q);
  CHECK(q->is("dk"));
  CHECK(same_name(*q, dk));
  CHECK_FALSE(same_name(*q, dv));
  CHECK(same_size(*q, dv));
}

TEST_CASE("a quotient is given only when it is certain to be whole") {
  CHECK(Dim::quotient(12, 5) == std::nullopt);
  CHECK(Dim::quotient(12, 0) == std::nullopt);
  CHECK(Dim::quotient(std::numeric_limits<i64>::min(), -1) == std::nullopt);  // it would overflow
  CHECK(Dim::quotient(T, 2) == std::nullopt);
  CHECK(Dim::quotient(4, T) == std::nullopt);
  CHECK(Dim::quotient(T * H, H)->is("T"));
  CHECK(Dim::quotient(Dim(4) * T, 2)->text() == "2 * T");
  CHECK(Dim::quotient((P + T) * H, P + T)->is("H"));
  // Whole in numbers, uneven in names: the number is left, without a name.
  const auto q = Dim::quotient(H * dk, 2);
  REQUIRE(q);
  CHECK(q->value() == 16);
  CHECK_FALSE(q->has_name());
  CHECK(Dim::quotient(T * H, 3 * dk) == std::nullopt);
}

TEST_CASE("symbols are bound by a run, and one without a value is named") {
  CHECK_FALSE((T * H).known());
  CHECK((T * H).value({{"T", 5}}) == 20);
  CHECK((B * T).text() == "B * T");
  CHECK_THROWS_WITH_AS((B * T).value({{"T", 5}}), "the size B is not bound in this run", Error);
  CHECK_THROWS_WITH_AS(T.value(), "the size T is not known before a run", Error);
  CHECK(bind({B, T, H}, {{"B", 2}, {"T", 3}}) == Shape{2, 3, 4});
}

TEST_CASE("sums of symbols are computed, each by itself in a product of several") {
  const Dim sum = P + T, other = B + 1, product = sum * other;
  const Bindings at{{"P", 3}, {"T", 4}, {"B", 9}};
  CHECK(sum.text() == "P + T");
  CHECK(sum.value(at) == 7);
  CHECK(product.value(at) == 70);
  CHECK((other * sum).value(at) == 70);
  CHECK(product.text() == "(B + 1) * (P + T)");
  CHECK((Dim(2) * sum).text() == "2 * (P + T)");
  CHECK((sum * Dim::chunks(T, 3)).value(at) == 14);
  CHECK((T + 0).is_symbol());
  CHECK(T.is_symbol());
  CHECK_FALSE(sum.is_symbol());  // it is computed: a run cannot bind it
  CHECK_FALSE((Dim(2) * T).is_symbol());
  CHECK_FALSE(H.is_symbol());
}

TEST_CASE("chunks cover a length, rounded up") {
  for (const auto& [length, count] : {std::pair{0, 0}, {1, 1}, {7, 1}, {8, 2}, {14, 2}}) {
    CHECK(Dim::chunks(length, 7).value() == count);
    CHECK(Dim::chunks(T, 7).value({{"T", length}}) == count);
  }
  CHECK(Dim::chunks(T, 7).text() == "ceil(T / 7)");
  CHECK(Dim::chunks(9, kMost).value() == 1);
  CHECK_THROWS_WITH_AS(Dim::chunks(T, 0), "a chunk has at least one position, not 0", Error);
}

TEST_CASE("names are told in the names outside") {
  const Dim D = Dim::named("D", 32), heads = Dim::named("heads", 4);
  const std::map<std::string, Dim> meaning{{"H", heads}, {"dk", *Dim::quotient(D, 4)}, {"dv", D}};
  CHECK(H.renamed(meaning).is("heads"));
  CHECK((T * H).renamed(meaning).text() == "T * heads");
  CHECK_FALSE(Dim::named("x", 3).renamed(meaning).has_name());
  CHECK(Dim::named("x", 3).renamed(meaning).value() == 3);
  CHECK(dv.renamed(meaning).value() == 8);  // the meaning has another size: the number is kept
  CHECK_FALSE(dv.renamed(meaning).has_name());
  CHECK((P + T).renamed(meaning).text() == "P + T");
}

TEST_CASE("a size beyond 64 bits is an error, whatever it is made by") {
  const Dim half = Dim(kMost / 2 + 1), zero = Dim::named("zero", 0);
  CHECK_THROWS_WITH_AS(half * 2, "a size overflows: 4611686018427387904 * 2", Error);
  CHECK_THROWS_WITH_AS(half + half, "a size overflows: 4611686018427387904 + 4611686018427387904", Error);
  CHECK_THROWS_AS((half * T).value({{"T", 2}}), Error);
  CHECK_THROWS_AS((half + T).value({{"T", kMost}}), Error);
  CHECK_THROWS_AS((half * zero) * half, Error);  // the size is 0, the number beside the name is not
  CHECK((half + Dim(kMost / 2)).value() == kMost);
}

TEST_CASE("elements that cannot be counted are an error of kind size") {
  CHECK(element_count({}) == 1);
  CHECK(element_count({3, 0, 5}) == 0);
  CHECK(element_count({kMost}) == kMost);
  try {
    element_count({i64{1} << 40, i64{1} << 40});
    FAIL("2^80 elements were counted");
  } catch (const Error& e) {
    CHECK(e.failure == Failure::size);
    CHECK(std::string(e.what()) ==
          "the elements of a tensor of the shape [1099511627776, 1099511627776] cannot be counted");
  }
}

TEST_CASE("shapes broadcast from the right, and a size keeps its name") {
  CHECK(text(broadcast({T, 1}, {dk}, "f")) == "[T, dk]");
  CHECK(text(broadcast({B, T, dk}, {T, 1}, "f")) == "[B, T, dk]");
  CHECK(text(broadcast({8}, {dk}, "f")) == "[dk]");
  CHECK(text(broadcast({}, {2, 3}, "f")) == "[2, 3]");
  CHECK(text(broadcast({0}, {1}, "f")) == "[0]");
  CHECK_THROWS_WITH_AS(broadcast({T, 3}, {B, 3}, "f"), "f: shapes do not broadcast ([T, 3] and [B, 3])", Error);
}

TEST_CASE("axes count from both ends and not beyond") {
  CHECK(axis_from_front(-1, 3, "f") == 2);
  CHECK(axis_from_front(0, 3, "f") == 0);
  CHECK_THROWS_WITH_AS(axis_from_front(3, 3, "f"), "f: there is no axis 3 in a tensor of rank 3", Error);
  CHECK_THROWS_AS(axis_from_front(0, 0, "f"), Error);
}
