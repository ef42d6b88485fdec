#include "engine/dim.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

namespace weft {
namespace {

i64 checked_product(i64 a, i64 b) {
  i64 result = 0;
  check(!__builtin_mul_overflow(a, b, &result), "a size overflows: {} * {}", a, b);
  return result;
}

// Removes from both sorted lists what they share.
void cancel(std::vector<std::string>& a, std::vector<std::string>& b) {
  std::vector<std::string> left, right;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(left));
  std::set_difference(b.begin(), b.end(), a.begin(), a.end(), std::back_inserter(right));
  a = std::move(left);
  b = std::move(right);
}

std::vector<std::string> joined(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::vector<std::string> all;
  std::merge(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(all));
  return all;
}

}  // namespace

// left + right, or left / chunk rounded up.
struct Dim::Derived {
  Dim left, right;
  i64 chunk = 0;
  i64 value(const Bindings& bindings) const {
    if (chunk) return (left.value(bindings) + chunk - 1) / chunk;
    return left.value(bindings) + right.value(bindings);
  }
};

i64 element_count(const Shape& shape) {
  i64 n = 1;
  for (const i64 d : shape) n = checked_product(n, d);
  return n;
}

std::string text(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

Dim Dim::make(i64 number, Name name) {
  Dim d(number);
  if (!name.names.empty() || !name.divisors.empty()) d.name_ = std::make_shared<const Name>(std::move(name));
  return d;
}

Dim Dim::symbol(const std::string& name) {
  Name n;
  n.names = n.unknown = {name};
  return make(1, std::move(n));
}

Dim Dim::named(const std::string& name, i64 value) {
  Name n;
  n.names = {name};
  return make(value, std::move(n));
}

i64 Dim::value() const {
  if (!known()) throw Error("the size " + text() + " is not known before a run", Failure::internal);
  return number_;
}

i64 Dim::value(const Bindings& bindings) const {
  i64 product = number_;
  if (known()) return product;
  for (const auto& symbol : name_->unknown) {
    const auto found = bindings.find(symbol);
    if (found != bindings.end()) {
      product = checked_product(product, found->second);
    } else if (name_->derived) {
      product = checked_product(product, name_->derived->value(bindings));
    } else {
      throw Error("the size " + symbol + " is not bound in this run", Failure::internal);
    }
  }
  return product;
}

bool Dim::is(const std::string& name) const {
  return name_ && name_->factor == 1 && name_->divisors.empty() && name_->names.size() == 1 && name_->names[0] == name;
}

std::string Dim::text() const {
  if (!name_) return std::to_string(number_);
  std::string s = name_->factor == 1 && !name_->names.empty() ? "" : std::to_string(name_->factor);
  for (const auto& n : name_->names) s += (s.empty() ? "" : " * ") + n;
  for (const auto& n : name_->divisors) s += " / " + n;
  return s;
}

Dim operator*(const Dim& a, const Dim& b) {
  const i64 number = checked_product(a.number_, b.number_);
  if (!a.name_ && !b.name_) return number;
  Dim::Name n = a.name_ ? *a.name_ : Dim::Name{.factor = a.number_};
  const Dim::Name m = b.name_ ? *b.name_ : Dim::Name{.factor = b.number_};
  n.factor *= m.factor;
  n.names = joined(n.names, m.names);
  n.divisors = joined(n.divisors, m.divisors);
  n.unknown = joined(n.unknown, m.unknown);
  if (m.derived) n.derived = m.derived;
  cancel(n.names, n.divisors);
  return Dim::make(number, std::move(n));
}

Dim operator+(const Dim& a, const Dim& b) {
  if (a.known() && b.known()) return a.number_ + b.number_;
  if (a.known() && a.number_ == 0) return b;
  if (b.known() && b.number_ == 0) return a;
  Dim::Name n;
  n.names = n.unknown = {a.text() + " + " + b.text()};
  n.derived = std::make_shared<const Dim::Derived>(Dim::Derived{a, b});
  return Dim::make(1, std::move(n));
}

Dim Dim::chunks(const Dim& length, i64 chunk) {
  check(chunk > 0, "a chunk has at least one position, not {}", chunk);
  if (length.known()) return (length.number_ + chunk - 1) / chunk;
  Name n;
  n.names = n.unknown = {fmt::format("ceil({} / {})", length.text(), chunk)};
  n.derived = std::make_shared<const Derived>(Derived{length, 0, chunk});
  return make(1, std::move(n));
}

std::optional<Dim> Dim::quotient(const Dim& a, const Dim& b) {
  Name n = a.name_ ? *a.name_ : Name{.factor = a.number_};
  Name m = b.name_ ? *b.name_ : Name{.factor = b.number_};
  if (b.number_ == 0 || a.number_ % b.number_ != 0) return {};
  const i64 number = a.number_ / b.number_;
  std::vector<std::string> missing;
  std::set_difference(m.unknown.begin(), m.unknown.end(), n.unknown.begin(), n.unknown.end(),
                      std::back_inserter(missing));
  if (!missing.empty()) return {};
  cancel(n.unknown, m.unknown);
  n.names = joined(n.names, m.divisors);
  n.divisors = joined(n.divisors, m.names);
  cancel(n.names, n.divisors);
  if (!n.unknown.empty() && (n.factor % m.factor != 0 || !n.divisors.empty())) return {};
  if (n.factor % m.factor != 0) return Dim(number);  // D / 2 has no name: a number that has lost it
  n.factor /= m.factor;
  return make(number, std::move(n));
}

Dim Dim::renamed(const std::map<std::string, Dim>& meaning) const {
  if (!name_) return *this;
  if (name_->unknown == name_->names && name_->divisors.empty()) return *this;
  bool complete = true;
  const auto replace = [&](const std::string& name) {
    if (const auto found = meaning.find(name); found != meaning.end()) return found->second;
    complete = false;
    return Dim(1);
  };
  Dim top(name_->factor), bottom(1);
  for (const auto& name : name_->names) {
    const bool symbol = std::binary_search(name_->unknown.begin(), name_->unknown.end(), name);
    if (symbol && name_->derived) return *this;
    top = top * (symbol ? Dim::symbol(name) : replace(name));
  }
  for (const auto& name : name_->divisors) bottom = bottom * replace(name);
  if (complete) {
    if (const auto whole = quotient(top, bottom); whole && whole->number_ == number_) return *whole;
  }
  return known() ? Dim(number_) : *this;
}

bool same_size(const Dim& a, const Dim& b) {
  if (a.number_ != b.number_) return false;
  static const std::vector<std::string> none;
  return (a.name_ ? a.name_->unknown : none) == (b.name_ ? b.name_->unknown : none);
}

bool same_name(const Dim& a, const Dim& b) {
  if (!a.name_ || !b.name_) return false;
  if (a.name_ == b.name_) return true;
  return a.name_->factor == b.name_->factor && a.name_->names == b.name_->names &&
         a.name_->divisors == b.name_->divisors;
}

std::string text(const Dims& dims) {
  std::string s = "[";
  for (const auto& d : dims) {
    if (s.size() > 1) s += ", ";
    s += d.text();
  }
  return s + "]";
}

Shape bind(const Dims& dims, const Bindings& bindings) {
  Shape shape;
  shape.reserve(dims.size());
  for (const auto& d : dims) shape.push_back(d.value(bindings));
  return shape;
}

Dims to_dims(const Shape& shape) { return Dims(shape.begin(), shape.end()); }

bool same_size(const Dims& a, const Dims& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Dim& x, const Dim& y) { return same_size(x, y); });
}

Dims broadcast(const Dims& a, const Dims& b, const std::string& who) {
  Dims out(std::max(a.size(), b.size()));
  for (std::size_t i = 1; i <= out.size(); ++i) {
    const Dim* x = i <= a.size() ? &a[a.size() - i] : nullptr;
    const Dim* y = i <= b.size() ? &b[b.size() - i] : nullptr;
    Dim& d = out[out.size() - i];
    if (!x || !y) {
      d = x ? *x : *y;
    } else if (is_one(*x) && !is_one(*y)) {
      d = *y;
    } else {
      check(is_one(*y) || same_size(*x, *y), "{}: shapes do not broadcast ({} and {})", who, text(a), text(b));
      d = x->has_name() || !same_size(*x, *y) ? *x : *y;
    }
  }
  return out;
}

int axis_from_front(i64 axis, std::size_t rank, const std::string& who) {
  const i64 r = static_cast<i64>(rank);
  check(axis >= -r && axis < r, "{}: there is no axis {} in a tensor of rank {}", who, axis, r);
  return static_cast<int>(axis < 0 ? axis + r : axis);
}

}  // namespace weft
