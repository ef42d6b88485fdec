// A first look at a text: which characters it has that nobody means to teach a model.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace weft::train {

class Survey {
 public:
  /// The next bytes of the file `name`; a character may be cut by their end.
  void add(std::string_view bytes, const std::string& name);
  /// The file is over.
  void end();

  /// "unusual in the text: 12 carriage returns (the first at notes.txt, byte 80), ..", a line; empty where nothing is.
  std::string text() const;

 private:
  enum Kind { usual, mark, carriage, control, replacement, invisible, broken, kinds };
  struct Found {
    i64 count = 0;
    std::string file;
    u64 byte = 0;  // the first
  };
  void look(std::string_view text, bool last);
  Kind kind_of(std::string_view character) const;
  void found(Kind kind, u64 byte);

  std::array<Found, kinds> found_;
  std::string name_, rest_;  // the bytes of a character that is not complete
  u64 at_ = 0;               // bytes of the file before `rest_`
};

}  // namespace weft::train
