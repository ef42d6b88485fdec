// The files of a text, in their order, and what a first pass over their bytes tells.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "train/file.h"

namespace weft::train {

struct TextFile {
  std::string name;
  u64 size = 0;
  std::shared_ptr<const InputFile> open = {};  // of a large one; others are opened when they are read, or
  std::string_view text = {};                  // a text of the program

  /// The bytes from `first` on, up to its end unless told.
  std::string read(u64 first = 0) const { return read(first, size - first); }
  std::string read(u64 first, u64 bytes) const;
};

class TextFiles {
 public:
  /// Bytes from which on a file stays open and, where its bytes are tokens, on the disk: there are too many small ones
  /// to have all of them open (1,024 is a usual limit).
  static constexpr u64 kLarge = 16 << 20;

  /// Files as they are given, folders with all regular files in and below them, ordered by their names; names that
  /// begin with a dot are left out. What is neither, a link that leads to a folder and a text of no bytes are errors.
  explicit TextFiles(const std::vector<std::filesystem::path>& paths);
  /// A text of the program; it outlives this.
  TextFiles(std::string_view text, std::string name);

  const std::vector<TextFile>& files() const { return files_; }
  u64 bytes() const { return bytes_; }
  /// "notes.txt"; "12 files of books".
  const std::string& source() const { return source_; }

  struct Look {
    std::string hash;     // of one file that of its bytes; of several, of theirs in turn
    std::string unusual;  // characters, in a line; mostly empty
  };
  /// Reads all files, a megabyte at a time.
  Look look() const;

 private:
  void count();
  std::vector<TextFile> files_;
  u64 bytes_ = 0;
  std::string source_;
};

/// A file of which examples are made, read as a whole: an error before that where the memory does not hold 16 times its
/// size, for the text, its examples, and their tokens and targets of four bytes each.
std::string read_whole(const std::filesystem::path& path);

}  // namespace weft::train
