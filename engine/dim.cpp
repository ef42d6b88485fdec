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

i64 checked_sum(i64 a, i64 b) {
  i64 result = 0;
  check(!__builtin_add_overflow(a, b, &result), "a size overflows: {} + {}", a, b);
  return result;
}

i64 rounded_up(i64 length, i64 chunk) { return length / chunk + (length % chunk > 0); }

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
    if (chunk) return rounded_up(left.value(bindings), chunk);
    return checked_sum(left.value(bindings), right.value(bindings));
  }
};

i64 element_count(const Shape& shape) {
  i64 n = 1;
  for (const i64 d : shape) {
    if (!__builtin_mul_overflow(n, d, &n)) continue;
    throw Error("the elements of a tensor of the shape " + text(shape) + " cannot be counted", Failure::size);
  }
  return n;
}

std::string text(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

Dim Dim::make(i64 number, Name name) {
  Dim d(number);
  if (!name.names.empty()) d.name_ = std::make_shared<const Name>(std::move(name));
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
    } else if (const auto derived = name_->derived.find(symbol); derived != name_->derived.end()) {
      product = checked_product(product, derived->second->value(bindings));
    } else {
      throw Error("the size " + symbol + " is not bound in this run", Failure::internal);
    }
  }
  return product;
}

bool Dim::is(const std::string& name) const {
  return name_ && name_->factor == 1 && name_->names.size() == 1 && name_->names[0] == name;
}

bool Dim::is_symbol() const { return !known() && is(name_->names[0]) && name_->derived.empty(); }

bool Dim::depends_on(const std::string& symbol) const {
  if (known()) return false;
  const auto& derived = name_->derived;
  return std::binary_search(name_->unknown.begin(), name_->unknown.end(), symbol) ||
         std::any_of(derived.begin(), derived.end(), [&](const auto& d) {
           return d.second->left.depends_on(symbol) || d.second->right.depends_on(symbol);
         });
}

std::string Dim::text() const {
  if (!name_) return std::to_string(number_);
  const bool alone = name_->factor == 1 && name_->names.size() == 1;
  std::string s = name_->factor == 1 ? "" : std::to_string(name_->factor);
  for (const auto& n : name_->names) {
    const bool sum = !alone && n.find(" + ") != std::string::npos && name_->derived.contains(n);
    s += (s.empty() ? "" : " * ") + (sum ? "(" + n + ")" : n);
  }
  return s;
}

Dim operator*(const Dim& a, const Dim& b) {
  const i64 number = checked_product(a.number_, b.number_);
  if (!a.name_ && !b.name_) return number;
  Dim::Name n = a.name_ ? *a.name_ : Dim::Name{.factor = a.number_};
  const Dim::Name m = b.name_ ? *b.name_ : Dim::Name{.factor = b.number_};
  n.factor = checked_product(n.factor, m.factor);
  n.names = joined(n.names, m.names);
  n.unknown = joined(n.unknown, m.unknown);
  n.derived.insert(m.derived.begin(), m.derived.end());
  return Dim::make(number, std::move(n));
}

Dim operator+(const Dim& a, const Dim& b) {
  if (a.known() && b.known()) return checked_sum(a.number_, b.number_);
  if (a.known() && a.number_ == 0) return b;
  if (b.known() && b.number_ == 0) return a;
  Dim::Name n;
  n.names = n.unknown = {a.text() + " + " + b.text()};
  n.derived[n.names[0]] = std::make_shared<const Dim::Derived>(Dim::Derived{a, b});
  return Dim::make(1, std::move(n));
}

Dim Dim::chunks(const Dim& length, i64 chunk) {
  check(chunk > 0, "a chunk has at least one position, not {}", chunk);
  if (length.known()) return rounded_up(length.number_, chunk);
  Name n;
  n.names = n.unknown = {fmt::format("ceil({} / {})", length.text(), chunk)};
  n.derived[n.names[0]] = std::make_shared<const Derived>(Derived{length, 0, chunk});
  return make(1, std::move(n));
}

std::optional<Dim> Dim::quotient(const Dim& a, const Dim& b) {
  Name n = a.name_ ? *a.name_ : Name{.factor = a.number_};
  Name m = b.name_ ? *b.name_ : Name{.factor = b.number_};
  if (b.number_ <= 0 || a.number_ % b.number_ != 0) return {};
  const i64 number = a.number_ / b.number_;
  cancel(n.unknown, m.unknown);
  if (!m.unknown.empty()) return {};
  cancel(n.names, m.names);
  // A quotient that does not come out evenly in its names is a number that has lost them.
  if (n.factor % m.factor != 0 || !m.names.empty()) {
    if (!n.unknown.empty()) return {};
    return Dim(number);
  }
  n.factor /= m.factor;
  return make(number, std::move(n));
}

Dim Dim::renamed(const std::map<std::string, Dim>& meaning) const {
  if (!name_ || name_->unknown == name_->names) return *this;
  const Dim nameless = known() ? Dim(number_) : *this;
  Dim all(name_->factor);
  for (const auto& name : name_->names) {
    if (name_->derived.contains(name)) return *this;
    if (std::binary_search(name_->unknown.begin(), name_->unknown.end(), name)) {
      all = all * Dim::symbol(name);
    } else if (const auto found = meaning.find(name); found != meaning.end()) {
      all = all * found->second;
    } else {
      return nameless;
    }
  }
  return all.number_ == number_ ? all : nameless;
}

bool same_size(const Dim& a, const Dim& b) {
  if (a.number_ != b.number_) return false;
  static const std::vector<std::string> none;
  return (a.name_ ? a.name_->unknown : none) == (b.name_ ? b.name_->unknown : none);
}

bool same_name(const Dim& a, const Dim& b) {
  if (!a.name_ || !b.name_) return false;
  if (a.name_ == b.name_) return true;
  return a.name_->factor == b.name_->factor && a.name_->names == b.name_->names;
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
