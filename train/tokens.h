// The tokens of a text: of one file, or of several, each a piece of its own. In memory they take one, two or four bytes
// each; where bytes are the tokens they may stay in their file, which can then be larger than memory.
#pragma once
#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "train/file.h"

namespace weft::train {

class Tokens {
 public:
  Tokens() = default;
  Tokens(const std::vector<i32>& one);  // not explicit: tokens that are there are tokens

  /// Adds a piece, as small as a vocabulary of `vocab` allows.
  void add(std::span<const i32> tokens, i64 vocab);
  /// The same of `size` bytes of a file from `first` on. They are read when they are asked for, by `pread`: as a
  /// mapping would, this leaves it to the system what stays in memory, but a file that was cut short in the meantime is
  /// an error there, not a signal.
  void add(std::shared_ptr<const InputFile> bytes, u64 first, u64 size);

  i64 size() const { return pieces_.empty() ? 0 : pieces_.back().end; }
  std::size_t pieces() const { return pieces_.size(); }
  i64 begin(std::size_t piece) const { return piece == 0 ? 0 : pieces_[piece - 1].end; }
  i64 end(std::size_t piece) const { return pieces_[piece].end; }
  /// The tokens from `first` on.
  void read(i64 first, std::span<i32> to) const;
  /// Those from `first` to before `last`, with the same storage.
  Tokens part(i64 first, i64 last) const;

  /// `take(tokens, begins)` for all of them in turn, piece by piece, some thousands at a time; `begins` is true for the
  /// first ones of a piece.
  template <class Take> void each(Take take) const {
    constexpr i64 kChunk = 1 << 16;
    std::vector<i32> chunk;
    for (std::size_t p = 0; p < pieces(); ++p) {
      for (i64 at = begin(p); at < end(p); at += kChunk) {
        chunk.resize(static_cast<std::size_t>(std::min(kChunk, end(p) - at)));
        read(at, chunk);
        take(std::span<const i32>(chunk), at == begin(p));
      }
    }
  }

  /// Where tokens are kept.
  struct Store {
    virtual ~Store() = default;
    virtual void read(i64 first, std::span<i32> to) const = 0;
    Store() = default;
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;
  };

 private:
  void add(std::shared_ptr<const Store> store, i64 first, i64 size);
  struct Piece {
    i64 end;  // among all tokens
    std::shared_ptr<const Store> store;
    i64 first;  // in the store
  };
  std::vector<Piece> pieces_;
};

}  // namespace weft::train
