// The sizes of a tensor. Six of them lie within: as vectors they were two thirds of the 550 trips to the heap that a
// generated token took.
#pragma once
#include <algorithm>
#include <compare>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <utility>

#include "engine/error.h"

namespace weft {

/// A concrete shape; row-major, the last dimension is contiguous. Used like a vector.
class Shape {
 public:
  using value_type = i64;
  using iterator = i64*;
  using const_iterator = const i64*;

  Shape() = default;
  Shape(std::initializer_list<i64> sizes) : Shape(sizes.begin(), sizes.end()) {}
  explicit Shape(std::size_t n, i64 size = 0) { resize(n, size); }
  template <std::input_iterator I> Shape(I first, I last) {
    for (; first != last; ++first) push_back(static_cast<i64>(*first));
  }
  Shape(const Shape& s) { assign(s.begin(), s.size_); }
  Shape(Shape&& s) noexcept { take(s); }
  Shape& operator=(const Shape& s) {
    if (this != &s) assign(s.begin(), s.size_);
    return *this;
  }
  Shape& operator=(Shape&& s) noexcept {
    if (this != &s) take(s);
    return *this;
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  i64* data() { return outside_ ? outside_.get() : inside_; }
  const i64* data() const { return outside_ ? outside_.get() : inside_; }
  i64* begin() { return data(); }
  i64* end() { return data() + size_; }
  const i64* begin() const { return data(); }
  const i64* end() const { return data() + size_; }
  auto rbegin() const { return std::reverse_iterator(end()); }
  auto rend() const { return std::reverse_iterator(begin()); }
  i64& operator[](std::size_t d) { return data()[d]; }
  const i64& operator[](std::size_t d) const { return data()[d]; }
  i64& front() { return data()[0]; }
  i64& back() { return data()[size_ - 1]; }
  const i64& front() const { return data()[0]; }
  const i64& back() const { return data()[size_ - 1]; }

  void push_back(i64 size) { insert(end(), size); }
  void pop_back() { --size_; }
  void clear() { size_ = 0; }
  void resize(std::size_t n, i64 size = 0) {
    while (size_ < n) push_back(size);
    size_ = n;
  }
  iterator insert(const_iterator at, i64 size) { return insert(at, &size, &size + 1); }
  iterator insert(const_iterator at, std::initializer_list<i64> sizes) {
    return insert(at, sizes.begin(), sizes.end());
  }
  /// What is inserted must not be of this shape.
  template <std::forward_iterator I> iterator insert(const_iterator at, I first, I last) {
    const auto place = at - begin(), count = std::distance(first, last);
    make_room(size_ + static_cast<std::size_t>(count));
    std::move_backward(begin() + place, end(), end() + count);
    std::copy(first, last, begin() + place);
    size_ += static_cast<std::size_t>(count);
    return begin() + place;
  }
  void erase(const_iterator at) { erase(at, at + 1); }
  void erase(const_iterator first, const_iterator last) {
    std::move(begin() + (last - begin()), end(), begin() + (first - begin()));
    size_ -= static_cast<std::size_t>(last - first);
  }

  friend bool operator==(const Shape& a, const Shape& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }
  friend auto operator<=>(const Shape& a, const Shape& b) {
    return std::lexicographical_compare_three_way(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  void make_room(std::size_t n) {
    if (n <= room_) return;
    auto more = std::make_unique<i64[]>(2 * n);
    std::copy(begin(), end(), more.get());
    outside_ = std::move(more), room_ = 2 * n;
  }
  void assign(const i64* from, std::size_t n) {
    make_room(n);
    std::copy_n(from, n, data());
    size_ = n;
  }
  void take(Shape& s) {
    outside_ = std::move(s.outside_);
    std::copy(s.inside_, s.inside_ + kInside, inside_);
    size_ = std::exchange(s.size_, 0), room_ = std::exchange(s.room_, kInside);
  }

  static constexpr std::size_t kInside = 6;
  std::size_t size_ = 0, room_ = kInside;
  i64 inside_[kInside] = {};
  std::unique_ptr<i64[]> outside_;  // all of them, where they are more
};

}  // namespace weft
