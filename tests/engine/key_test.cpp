#include "engine/key.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>
#include <vector>

using namespace weft;

namespace {

// The inverses of the steps of `bits`: they find the counters whose bits are all zero and all one.
u64 unmixed(u64 z) {
  z = (z ^ (z >> 31) ^ (z >> 62)) * 0x319642b2d24d8ec3ULL;
  z = (z ^ (z >> 27) ^ (z >> 54)) * 0x96de1b173f119089ULL;
  return z ^ (z >> 30) ^ (z >> 60);
}
u64 counter_of(u64 wanted) {  // under Key{0}
  u64 inverse = 1;
  for (int i = 0; i < 6; ++i) inverse *= 2 - 0x9e3779b97f4a7c15ULL * inverse;  // Newton: of the golden ratio
  return unmixed(unmixed(wanted)) * inverse;
}

double correlation(Key a, Key b, u64 shift) {
  constexpr u64 n = 20000;
  double sum = 0;
  for (u64 i = 0; i < n; ++i) sum += (uniform(a, i) - 0.5) * (uniform(b, i + shift) - 0.5);
  return 12 * sum / n;  // the variance of a uniform number is 1/12
}

}  // namespace

TEST_CASE("the same key and place give the same number, on every machine") {
  // Python, whole numbers modulo 2^64.
  CHECK(bits(Key{1}, 2) == 6338727879115692411ULL);
  CHECK(Key{1}.fold("data").value == 7143332339256807238ULL);
  CHECK(Key{1}.fold(2).value == 6422034521767081036ULL);
  CHECK(uniform(Key{1}, 2) == 0.34362312686658336);
}

TEST_CASE("streams of different keys do not resemble each other, nor themselves moved by one") {
  // Of 20,000 pairs: the standard deviation of the correlation is 0.0071; five of them leave one in 1.7 million.
  constexpr double bound = 5 * 0.0071;
  for (u64 k = 0; k < 20; ++k) {
    CHECK(std::abs(correlation(Key{k}, Key{k + 1}, 0)) < bound);
    CHECK(std::abs(correlation(Key{k}, Key{k}, 1)) < bound);
    CHECK(std::abs(correlation(Key{7}.fold(k), Key{7}.fold(k + 1), 0)) < bound);
    CHECK(std::abs(correlation(Key{7}.fold(k), Key{8}.fold(k), 1)) < bound);
  }
  CHECK(std::abs(correlation(Key{7}.fold("dropout"), Key{7}.fold("data"), 0)) < bound);
}

TEST_CASE("derived keys do not meet") {
  std::set<u64> seen;
  for (u64 a = 0; a < 300; ++a) {
    for (u64 b = 0; b < 300; ++b) seen.insert(Key{a}.fold(b).value);
  }
  CHECK(seen.size() == 90000);
  CHECK(Key{1}.fold(2).fold(3) != Key{1}.fold(3).fold(2));
  CHECK(Key{1}.fold("ab") != Key{1}.fold("ba"));
}

TEST_CASE("every bit is a fair coin") {
  constexpr int n = 40000;
  std::vector<int> ones(64);
  for (u64 i = 0; i < n; ++i) {
    for (int b = 0; b < 64; ++b) ones[static_cast<std::size_t>(b)] += static_cast<int>(bits(Key{3}, i) >> b & 1);
  }
  for (const int count : ones) CHECK(std::abs(count - n / 2) < 5 * 100);  // five standard deviations of sqrt(n) / 2
}

TEST_CASE("a uniform number is never 0 and never 1") {
  REQUIRE(bits(Key{0}, counter_of(~u64{0})) == ~u64{0});
  REQUIRE(bits(Key{0}, counter_of(0)) == 0);
  CHECK(uniform(Key{0}, counter_of(~u64{0})) < 1);
  CHECK(uniform(Key{0}, counter_of(0)) > 0);
  // log(-log(u)) of a Gumbel number stays finite at both ends.
  CHECK(std::isfinite(std::log(-std::log(uniform(Key{0}, counter_of(~u64{0}))))));
  CHECK(std::isfinite(std::log(-std::log(uniform(Key{0}, counter_of(0))))));
}

TEST_CASE("uniform numbers fill the interval evenly") {
  constexpr int n = 100000, bins = 100;
  std::vector<int> count(bins);
  for (u64 i = 0; i < n; ++i) ++count[static_cast<std::size_t>(uniform(Key{11}, i) * bins)];
  double chi2 = 0;
  for (const int c : count) chi2 += (c - n / bins) * (c - n / bins) / double(n / bins);
  CHECK(chi2 < 99 + 5 * std::sqrt(2 * 99.0));
  CHECK(chi2 > 99 - 5 * std::sqrt(2 * 99.0));
}

TEST_CASE("normal numbers have the moments and the tails of the normal distribution") {
  constexpr int n = 200000;
  double moment[5] = {};
  int beyond = 0;
  for (u64 i = 0; i < n; ++i) {
    const double z = normal(Key{5}, i);
    REQUIRE(std::isfinite(z));
    for (int p = 1; p < 5; ++p) moment[p] += std::pow(z, p) / n;
    beyond += std::abs(z) > 3;
  }
  // Five standard deviations: of z^p they are 1, sqrt(2), sqrt(15) and sqrt(96), over sqrt(n) = 447.
  CHECK(std::abs(moment[1]) < 5 * 1 / 447.0);
  CHECK(std::abs(moment[2] - 1) < 5 * 1.4143 / 447);
  CHECK(std::abs(moment[3]) < 5 * 3.873 / 447);
  CHECK(std::abs(moment[4] - 3) < 5 * 9.798 / 447);
  CHECK(std::abs(beyond - 0.0026998 * n) < 5 * std::sqrt(0.0027 * n));
}

TEST_CASE("permuted is a permutation for every size") {
  std::vector<u64> sizes{1000, 4095, 4096, 4097, 65536, 100003};
  for (u64 n = 1; n <= 130; ++n) sizes.push_back(n);
  for (const u64 n : sizes) {
    std::vector<bool> seen(n);
    for (u64 i = 0; i < n; ++i) {
      const u64 to = permuted(Key{9}, i, n);
      REQUIRE(to < n);
      REQUIRE_FALSE(seen[to]);
      seen[to] = true;
    }
  }
  CHECK_THROWS_WITH_AS(permuted(Key{1}, 5, 5), "permuted: element 5 of 5", Error);
  CHECK_THROWS_AS(permuted(Key{1}, 0, 0), Error);
  CHECK(permuted(Key{1}, 12345, ~u64{0}) < ~u64{0});
}

TEST_CASE("permutations of different keys differ, and leave few elements in place") {
  int fixed = 0, same = 0;
  for (u64 i = 0; i < 1000; ++i) {
    fixed += permuted(Key{1}, i, 1000) == i;
    same += permuted(Key{1}, i, 1000) == permuted(Key{2}, i, 1000);
  }
  CHECK(fixed < 8);  // one is expected; eight or more have a chance of 1e-5
  CHECK(same < 8);
}
