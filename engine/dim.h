// A size that may be symbolic, and that remembers how it was written.
//
// At run time a size is a number. At check time `T` (time) and `B` (batch) are symbols, and a number keeps the named
// dimensions it was written with: `H * dk` divided by `H` is `dk`, also where dk and dv happen to be equal. Shape
// rules are written once, over `Dim`, and serve both.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/shape.h"

namespace weft {

/// The product of the sizes; an error of kind `size` when it is beyond 64 bits.
i64 element_count(const Shape& shape);
std::string text(const Shape& shape);

class Dim;
using Dims = std::vector<Dim>;
/// Values of symbols during one run: {"T": 64, "B": 12}.
using Bindings = std::map<std::string, i64>;

class Dim {
 public:
  Dim(i64 number = 0) : number_(number) {}
  /// A size unknown until a run binds it.
  static Dim symbol(const std::string& name);
  /// A known size that has a name of its own.
  static Dim named(const std::string& name, i64 value);

  bool known() const { return !name_ || name_->unknown.empty(); }
  /// The number; an error when the size is symbolic.
  i64 value() const;
  /// The number under these bindings; an error naming the first symbol that has none.
  i64 value(const Bindings& bindings) const;
  bool has_name() const { return name_ != nullptr; }
  /// Is it exactly the named dimension or symbol `name`?
  bool is(const std::string& name) const;
  /// Is it one symbol, which a run binds? A sum of symbols is computed instead.
  bool is_symbol() const;
  /// Does it change with this symbol?
  bool depends_on(const std::string& symbol) const;
  /// As written: "H * dk", "T", or the digits.
  std::string text() const;
  /// The same size without its name; a symbolic size keeps it.
  Dim unnamed() const { return known() ? Dim(number_) : *this; }

  friend Dim operator*(const Dim& a, const Dim& b);
  friend Dim operator+(const Dim& a, const Dim& b);
  /// a / b when it is certain to be whole: by cancelling names, or by numbers; otherwise nothing.
  static std::optional<Dim> quotient(const Dim& a, const Dim& b);
  /// The same size told in other names, each replaced by its meaning. Where one has no meaning, or they do not come out
  /// evenly, the number alone is left; symbols stay.
  Dim renamed(const std::map<std::string, Dim>& meaning) const;
  /// How many chunks of `chunk` cover a length: length / chunk, rounded up.
  static Dim chunks(const Dim& length, i64 chunk);

  /// Sizes agree: equal numbers, or the same symbols.
  friend bool same_size(const Dim& a, const Dim& b);
  /// Both have names, and those are the same.
  friend bool same_name(const Dim& a, const Dim& b);

 private:
  struct Derived;
  struct Name {
    i64 factor = 1;                      // the number written beside the names: the 2 of 2 * D
    std::vector<std::string> names{};    // product of these, sorted
    std::vector<std::string> unknown{};  // those of `names` that are symbols
    std::map<std::string, std::shared_ptr<const Derived>> derived{};  // how unknown names such as "P + T" are computed
  };
  static Dim make(i64 number, Name name);
  i64 number_;  // the known part of the product
  std::shared_ptr<const Name> name_;
};

/// True for the size 1 that broadcasts.
inline bool is_one(const Dim& d) { return d.known() && d.value() == 1; }
std::string text(const Dims& dims);
Shape bind(const Dims& dims, const Bindings& bindings);
Dims to_dims(const Shape& shape);
bool same_size(const Dims& a, const Dims& b);
/// Numpy's rule, from the right; a size and 1 give the size. `who` begins the error.
Dims broadcast(const Dims& a, const Dims& b, const std::string& who);
/// Axis from the front for one that may count from the back; an error when out of range.
int axis_from_front(i64 axis, std::size_t rank, const std::string& who);

}  // namespace weft
