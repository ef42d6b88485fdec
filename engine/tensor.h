// Tensor: shared, immutable once made, contiguous and row-major. Data, and nothing else.
#pragma once
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "engine/dim.h"
#include "engine/pool.h"

namespace weft {

enum class DType { f32, f64, i32 };
std::string_view name(DType dtype);
std::size_t byte_size(DType dtype);
/// Bytes of a tensor; an error of kind `size` when they are more than can be addressed.
std::size_t byte_count(const Shape& shape, DType dtype);

template <class T> constexpr DType dtype_of();
template <> constexpr DType dtype_of<float>() { return DType::f32; }
template <> constexpr DType dtype_of<double>() { return DType::f64; }
template <> constexpr DType dtype_of<i32>() { return DType::i32; }

class Tensor {
 public:
  Tensor() = default;  // empty: no shape, no data; `if (tensor)` tells
  /// Memory that the maker must fill through `mutable_values` before anyone else sees it.
  static Tensor uninitialised(Shape shape, DType dtype, const std::shared_ptr<Pool>& pool);
  static Tensor zeros(Shape shape, DType dtype);
  static Tensor full(Shape shape, double value, DType dtype);
  static Tensor from(std::span<const double> values, Shape shape, DType dtype);
  static Tensor from(std::initializer_list<double> values, Shape shape, DType dtype = DType::f64);
  static Tensor of_indices(std::span<const i32> values, Shape shape);

  explicit operator bool() const { return data_ != nullptr; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  i64 size() const { return size_; }
  std::size_t bytes() const { return static_cast<std::size_t>(size_) * byte_size(dtype_); }
  const std::byte* raw() const { return data_.get(); }
  bool is_sole_owner() const { return data_.use_count() == 1; }

  template <class T> std::span<const T> values() const {
    require(dtype_of<T>());
    return {reinterpret_cast<const T*>(data_.get()), static_cast<std::size_t>(size_)};
  }
  /// For the maker alone: an error when the data are already shared.
  template <class T> std::span<T> mutable_values() {
    require(dtype_of<T>());
    require_sole_owner();
    return {reinterpret_cast<T*>(data_.get()), static_cast<std::size_t>(size_)};
  }
  std::byte* mutable_raw() {
    require_sole_owner();
    return data_.get();
  }
  /// Element `i` as a number, whatever the type.
  double at(i64 i) const;
  Tensor reshaped(Shape shape) const;
  /// Entry `i` of the first dimension; shares the memory.
  Tensor entry(i64 i) const;
  /// Entries `begin` .. `end` - 1 of the first dimension; shares the memory.
  Tensor rows(i64 begin, i64 end) const;
  /// Beyond the range of f32 a number becomes infinite; one that is no whole number of 32 bits is an error in i32.
  Tensor converted(DType dtype) const;
  Tensor copy() const;
  /// These numbers and, behind them, more of the same, as many as `shape` asks for: the caller writes them at `fresh`
  /// before anyone else sees the tensor. In the same memory where nothing stands behind these yet and there is room;
  /// else they are copied to where there is room for half as many again, so that a cache that grows is seldom moved.
  Tensor extended(Shape shape, const std::shared_ptr<Pool>& pool, std::byte*& fresh) const;

 private:
  void require(DType dtype) const;
  void require_sole_owner() const;
  Shape shape_;
  DType dtype_ = DType::f32;
  i64 size_ = 0;
  std::shared_ptr<std::byte> data_;
};

/// Same type, same shape, same bits; two empty tensors are the same.
bool same_bits(const Tensor& a, const Tensor& b);

}  // namespace weft
