#include "engine/tensor.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace weft;

namespace {
constexpr double kInf64 = std::numeric_limits<double>::infinity(), kNan64 = std::numeric_limits<double>::quiet_NaN();
}

TEST_CASE("a tensor can be written by its sole owner alone") {
  Tensor t = Tensor::from({1, 2, 3, 4}, {2, 2});
  t.mutable_values<double>()[3] = 5;
  CHECK(t.at(3) == 5);
  {
    const Tensor shared = t;
    CHECK(shared.raw() == t.raw());
    CHECK_THROWS_WITH_AS(t.mutable_values<double>(), "tensor: it is shared, so it can no longer be written", Error);
  }
  CHECK_NOTHROW(t.mutable_values<double>());
  const Tensor row = t.entry(1), flat = t.reshaped({4});
  CHECK_THROWS_AS(t.mutable_raw(), Error);
}

TEST_CASE("a copy has memory of its own and the same bits") {
  const Tensor t = Tensor::from({kNan64, -0.0, kInf64}, {3}), c = t.copy();
  CHECK(c.raw() != t.raw());
  CHECK(same_bits(t, c));
  CHECK_FALSE(same_bits(t, Tensor::from({kNan64, 0.0, kInf64}, {3})));  // -0 and 0 differ in bits
  CHECK_FALSE(same_bits(t, t.reshaped({1, 3})));
  CHECK_FALSE(same_bits(Tensor::zeros({2}, DType::f32), Tensor::zeros({2}, DType::i32)));
}

TEST_CASE("values are seen as what they are, and in no other type") {
  const Tensor t = Tensor::from({1, 2}, {2}, DType::f32);
  CHECK(t.values<float>()[1] == 2);
  CHECK_THROWS_WITH_AS(t.values<double>(), "tensor: it holds f32, not f64", Error);
  CHECK_THROWS_WITH_AS(Tensor::of_indices(std::vector<i32>{1}, {1}).values<float>(), "tensor: it holds i32, not f32",
                       Error);
  CHECK_THROWS_WITH_AS(t.at(2), "tensor: element 2 of 2 does not exist", Error);
  CHECK_THROWS_AS(t.at(-1), Error);
}

TEST_CASE("conversion to f32 rounds, and what is out of range becomes infinite") {
  const Tensor wide = Tensor::from({0.1, 1e300, -1e300, kInf64, kNan64, 1e-46, 3.4028235677973366e38, -0.0}, {8});
  const Tensor t = wide.converted(DType::f32);
  CHECK(t.at(0) == static_cast<double>(0.1f));
  CHECK(t.at(1) == kInf64);
  CHECK(t.at(2) == -kInf64);
  CHECK(t.at(3) == kInf64);
  CHECK(std::isnan(t.at(4)));
  CHECK(t.at(5) == 0);       // below half of the smallest denormal
  CHECK(t.at(6) == kInf64);  // halfway between the largest f32 and 2^128
  CHECK(std::signbit(t.at(7)));
  CHECK(same_bits(t.converted(DType::f64).converted(DType::f32), t));
  CHECK(wide.converted(DType::f64).raw() == wide.raw());  // nothing to do, nothing copied
}

TEST_CASE("only whole numbers of 32 bits become indices") {
  CHECK(Tensor::from({-2147483648.0, 2147483647.0}, {2}).converted(DType::i32).at(0) == -2147483648.0);
  for (const double x : {2147483648.0, -2147483649.0, 0.5, kNan64, kInf64, -kInf64}) {
    CHECK_THROWS_AS(Tensor::from({x}, {1}).converted(DType::i32), Error);
    CHECK_THROWS_AS(Tensor::full({1}, x, DType::i32), Error);
    CHECK_THROWS_AS(Tensor::from({x}, {1}, DType::i32), Error);
  }
  CHECK_THROWS_WITH_AS(Tensor::full({1}, 0.5, DType::i32), "tensor: 0.5 is not a whole number of 32 bits", Error);
  CHECK(Tensor::of_indices(std::vector<i32>{2147483647}, {1}).converted(DType::f32).at(0) == 2147483648.0);
}

TEST_CASE("a shape may change while the elements stay") {
  const Tensor t = Tensor::from({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(t.reshaped({3, 2}).raw() == t.raw());
  CHECK(t.reshaped({6}).at(5) == 6);
  CHECK(Tensor::from({7}, {}).reshaped({1, 1}).at(0) == 7);
  CHECK_THROWS_WITH_AS(t.reshaped({4}), "tensor: [2, 3] cannot take the shape [4]", Error);
}

TEST_CASE("an entry of the first dimension shares the memory and keeps it alive") {
  Tensor entry;
  {
    const Tensor t = Tensor::from({1, 2, 3, 4, 5, 6}, {3, 2});
    entry = t.entry(2).entry(1);
    CHECK_THROWS_WITH_AS(t.entry(3), "tensor: there is no entry 3 in [3, 2]", Error);
  }
  CHECK(entry.shape().empty());
  CHECK(entry.at(0) == 6);
  CHECK_THROWS_AS(entry.entry(0), Error);
}

TEST_CASE("what is put behind a tensor leaves it as it was, and two who extend it do not meet") {
  const auto pool = std::make_shared<Pool>();
  const auto longer = [&](const Tensor& t, double next) {
    std::byte* fresh = nullptr;
    Tensor all = t.extended({t.size() + 1}, pool, fresh);
    *reinterpret_cast<double*>(fresh) = next;
    return all;
  };
  Tensor t = Tensor::from({1}, {1});
  int moved = 0;
  for (int i = 2; i <= 1000; ++i) {
    const Tensor next = longer(t, i);
    moved += next.raw() != t.raw();
    t = next;
  }
  for (int i = 0; i < 1000; ++i) CHECK(t.at(i) == i + 1);
  CHECK(moved < 20);  // each time there is room for half as many again
  const Tensor a = longer(t, -1), b = longer(t, -2), c = longer(a, -3);
  CHECK(a.raw() == t.raw());
  CHECK(b.raw() != t.raw());
  CHECK(a.at(1000) == -1);
  CHECK(b.at(1000) == -2);
  CHECK(c.at(1000) == -1);
  CHECK(c.at(1001) == -3);
  CHECK(t.size() == 1000);
  const Tensor tail = longer(t.rows(999, 1000), 5);  // does not begin where its memory does
  CHECK(tail.raw() != t.entry(999).raw());
  CHECK(tail.at(0) == 1000);
  CHECK_THROWS_AS(t.extended({3}, pool, *std::make_unique<std::byte*>()), Error);
}

TEST_CASE("a size of zero is a tensor like others") {
  const Tensor t = Tensor::zeros({2, 0, 3}, DType::f32);
  CHECK(bool(t));
  CHECK(t.size() == 0);
  CHECK(t.values<float>().empty());
  CHECK(t.entry(1).shape() == Shape{0, 3});
  CHECK(same_bits(t, t.copy()));
  CHECK(t.converted(DType::f64).shape() == t.shape());
  CHECK(t.reshaped({0}).size() == 0);
  CHECK_THROWS_AS(t.reshaped({0}).entry(0), Error);
}

TEST_CASE("an empty tensor stays empty, and only another empty one is the same") {
  Tensor none;
  CHECK_FALSE(bool(none.copy()));
  CHECK_FALSE(bool(none.converted(DType::f64)));
  CHECK(same_bits(none, Tensor()));
  CHECK_FALSE(same_bits(none, Tensor::zeros({}, DType::f32)));
  CHECK_FALSE(same_bits(Tensor::zeros({}, DType::f32), none));
  CHECK_THROWS_WITH_AS(none.mutable_values<float>(), "tensor: an empty one cannot be written", Error);
  CHECK_THROWS_AS(none.at(0), Error);
}

TEST_CASE("values must fill the shape") {
  CHECK_THROWS_WITH_AS(Tensor::from({1, 2, 3}, {2, 2}), "tensor: 3 values do not fill the shape [2, 2]", Error);
  CHECK_THROWS_AS(Tensor::of_indices(std::vector<i32>{1}, {}).reshaped({2}), Error);
}

TEST_CASE("a shape that no memory holds is refused before anything is allocated") {
  const auto pool = std::make_shared<Pool>();
  // 2^61 elements of f64 are 2^64 bytes: 0 when counted in 64 bits.
  for (const Shape& shape : {Shape{i64{1} << 61}, Shape{i64{1} << 40, i64{1} << 40}, Shape{i64{1} << 45}}) {
    try {
      Tensor::uninitialised(shape, DType::f64, pool);
      FAIL("a tensor of " << text(shape) << " was made");
    } catch (const Error& e) {
      CHECK(e.failure == Failure::size);
      CHECK(std::string(e.what()).find(text(shape)) != std::string::npos);
    }
  }
  CHECK(pool->peak_bytes() == 0);
  CHECK_THROWS_WITH_AS(Tensor::zeros({-2, -3}, DType::f32), "tensor: a size cannot be -2 (the shape is [-2, -3])",
                       Error);
}
