#include "engine/tensor.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace weft {
namespace {

// Tensors made outside a run (weights, data, tests) come from plain pools of their own, one a tensor.
Tensor plain(Shape shape, DType dtype) {
  return Tensor::uninitialised(std::move(shape), dtype, std::make_shared<Pool>());
}

template <class To, class From> To cast(From x) {
  if constexpr (std::is_same_v<To, i32> && !std::is_same_v<From, i32>) {
    check(x >= -0x1p31 && x < 0x1p31 && x == std::trunc(x), "tensor: {} is not a whole number of 32 bits", x);
  }
  return static_cast<To>(x);
}

template <class F> auto visit(DType dtype, F f) {
  switch (dtype) {
    case DType::f32: return f(float());
    case DType::f64: return f(double());
    default: return f(i32());
  }
}

// A shape is text in an error alone: every value of a step passes here, and writing its shape took 2 % of it.
template <class X>
[[noreturn]] void fail(fmt::format_string<const X&, std::string> message, const X& x, const Shape& s) {
  throw Error("tensor: " + fmt::format(message, x, text(s)));
}

}  // namespace

std::string_view name(DType dtype) {
  switch (dtype) {
    case DType::f32: return "f32";
    case DType::f64: return "f64";
    default: return "i32";
  }
}

std::size_t byte_size(DType dtype) { return dtype == DType::f64 ? 8 : 4; }

std::size_t byte_count(const Shape& shape, DType dtype) {
  for (const i64 d : shape) {
    if (d < 0) fail("a size cannot be {} (the shape is {})", d, shape);
  }
  const i64 n = element_count(shape);
  if (n > static_cast<i64>(Pool::kMostBytes / byte_size(dtype))) {
    throw Error("a tensor of the shape " + text(shape) + " is larger than memory can be", Failure::size);
  }
  return static_cast<std::size_t>(n) * byte_size(dtype);
}

Tensor Tensor::uninitialised(Shape shape, DType dtype, const std::shared_ptr<Pool>& pool) {
  Tensor t;
  const std::size_t bytes = byte_count(shape, dtype);
  t.size_ = static_cast<i64>(bytes / byte_size(dtype));
  t.shape_ = std::move(shape);
  t.dtype_ = dtype;
  t.data_ = Pool::allocate(pool, bytes);
  return t;
}

Tensor Tensor::zeros(Shape shape, DType dtype) {
  Tensor t = plain(std::move(shape), dtype);
  std::memset(t.mutable_raw(), 0, t.bytes());
  return t;
}

Tensor Tensor::full(Shape shape, double value, DType dtype) {
  Tensor t = plain(std::move(shape), dtype);
  visit(dtype, [&](auto zero) {
    using T = decltype(zero);
    for (T& x : t.mutable_values<T>()) x = cast<T>(value);
  });
  return t;
}

Tensor Tensor::from(std::span<const double> values, Shape shape, DType dtype) {
  check(element_count(shape) == static_cast<i64>(values.size()), "tensor: {} values do not fill the shape {}",
        values.size(), text(shape));
  Tensor t = plain(std::move(shape), dtype);
  visit(dtype, [&](auto zero) {
    using T = decltype(zero);
    std::transform(values.begin(), values.end(), t.mutable_values<T>().begin(), [](double x) { return cast<T>(x); });
  });
  return t;
}

Tensor Tensor::from(std::initializer_list<double> values, Shape shape, DType dtype) {
  return from(std::span(values.begin(), values.size()), std::move(shape), dtype);
}

Tensor Tensor::of_indices(std::span<const i32> values, Shape shape) {
  check(element_count(shape) == static_cast<i64>(values.size()), "tensor: {} indices do not fill the shape {}",
        values.size(), text(shape));
  Tensor t = plain(std::move(shape), DType::i32);
  std::copy(values.begin(), values.end(), t.mutable_values<i32>().begin());
  return t;
}

double Tensor::at(i64 i) const {
  check(i >= 0 && i < size_, "tensor: element {} of {} does not exist", i, size_);
  return visit(dtype_, [&](auto zero) { return static_cast<double>(values<decltype(zero)>()[i]); });
}

Tensor Tensor::reshaped(Shape shape) const {
  if (element_count(shape) != size_) fail("{} cannot take the shape {}", text(shape_), shape);
  Tensor t = *this;
  t.shape_ = std::move(shape);
  return t;
}

Tensor Tensor::entry(i64 i) const {
  if (shape_.empty() || i < 0 || i >= shape_[0]) fail("there is no entry {} in {}", i, shape_);
  return rows(i, i + 1).reshaped(Shape(shape_.begin() + 1, shape_.end()));
}

Tensor Tensor::rows(i64 begin, i64 end) const {
  if (shape_.empty() || begin < 0 || begin > end || end > shape_[0]) {
    fail("there are no entries {} in {}", fmt::format("{} to {}", begin, end), shape_);
  }
  Tensor t = *this;
  t.shape_[0] = end - begin;
  t.size_ = element_count(t.shape_);
  const std::size_t before =
      shape_[0] ? bytes() / static_cast<std::size_t>(shape_[0]) * static_cast<std::size_t>(begin) : 0;
  t.data_ = {data_, data_.get() + before};
  return t;
}

Tensor Tensor::converted(DType dtype) const {
  if (dtype == dtype_ || !data_) return *this;
  Tensor t = plain(shape_, dtype);
  visit(dtype, [&](auto to) {
    visit(dtype_, [&](auto source) {
      const auto from = values<decltype(source)>();
      std::transform(from.begin(), from.end(), t.mutable_values<decltype(to)>().begin(),
                     [](auto x) { return cast<decltype(to)>(x); });
    });
  });
  return t;
}

Tensor Tensor::copy() const {
  if (!data_) return {};
  Tensor t = plain(shape_, dtype_);
  std::memcpy(t.mutable_raw(), raw(), bytes());
  return t;
}

Tensor Tensor::extended(Shape shape, const std::shared_ptr<Pool>& pool, std::byte*& fresh) const {
  Tensor t = *this;
  const std::size_t all = byte_count(shape, dtype_);
  if (all < bytes()) fail("{} is more than {}", text(shape_), shape);
  t.size_ = static_cast<i64>(all / byte_size(dtype_));
  t.shape_ = std::move(shape);
  if (!Pool::claim(data_, bytes(), all)) {
    t.data_ = Pool::allocate(pool, all, all / 2);
    std::memcpy(t.data_.get(), data_.get(), bytes());
  }
  fresh = t.data_.get() + bytes();
  return t;
}

void Tensor::require(DType dtype) const {
  check(dtype == dtype_, "tensor: it holds {}, not {}", name(dtype_), name(dtype));
}

void Tensor::require_sole_owner() const {
  check(data_ != nullptr, "tensor: an empty one cannot be written");
  check(data_.use_count() == 1, "tensor: it is shared, so it can no longer be written");
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (!a || !b) return !a && !b;
  return a.dtype() == b.dtype() && a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

}  // namespace weft
