// Files that are either whole or not there: atomic writes, checked reads, append-only logs, folders
// that are tried out.
#pragma once
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace weft::train {

namespace fs = std::filesystem;

/// Throws an `Error` of kind `data` (exit 4).
template <class... Args> [[noreturn]] void fail_data(fmt::format_string<Args...> message, Args&&... args) {
  throw Error(fmt::format(message, std::forward<Args>(args)...), Failure::data);
}
/// "<path>: <call> failed: <what the system says>", of kind `data`.
[[noreturn]] void fail_call(const fs::path& path, std::string_view call, int error_number);

/// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int get() const { return fd_; }
  int release();

 private:
  int fd_;
};

/// A regular file open for reading at any place. A missing file, a folder, a pipe or a device is an
/// error.
class InputFile {
 public:
  explicit InputFile(fs::path path);
  const fs::path& path() const { return path_; }
  u64 size() const { return size_; }
  /// Fills `to` from byte `offset` on; an end of the file before that is an error.
  void read_at(u64 offset, std::span<std::byte> to) const;
  /// An error when the file was written to since it was opened: its size or the time of its last change is another.
  void require_unchanged() const;

 private:
  fs::path path_;
  Descriptor file_;
  u64 size_ = 0;
  i64 changed_ = 0;  // nanoseconds
};

std::string read_file(const fs::path& path);

/// Writes the parts, one after the other, under a temporary name beside `path`, makes them durable,
/// and renames. After any failure the old file is as it was and nothing is left behind; success
/// means that the disk has it.
void write_atomically(const fs::path& path, std::span<const std::string_view> parts);
void write_atomically(const fs::path& path, std::string_view text);

/// Makes the names in a folder durable.
void sync_folder(const fs::path& folder);
/// Creates the folder and those above it.
void make_folders(const fs::path& folder);
/// Creates, syncs, renames and removes a file there. Mode bits say nothing to root, and a read-only
/// mount has none.
void probe_writable(const fs::path& folder);
/// Removes `*.tmp.<pid>` whose process is gone: what a killed run left behind.
void remove_stale_temporaries(const fs::path& folder);

/// An append-only text file; every call is one write, so that a kill tears at most the last line.
class AppendLog {
 public:
  explicit AppendLog(fs::path path);
  void append(std::string_view text);

 private:
  fs::path path_;
  Descriptor file_;
};

}  // namespace weft::train
