// A folder that goes away with its owner.
#pragma once
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "train/file.h"

namespace weft::train {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "weft-test-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp failed");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }
  fs::path operator/(const std::string& name) const { return path_ / name; }
  /// Files and folders in it, temporary ones of half-done writes included.
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(path_), fs::directory_iterator{}));
  }

 private:
  fs::path path_;
};

/// The message of the Error that `f` throws, and its kind; empty when it throws none.
struct Caught {
  std::string message;
  Failure failure = Failure::internal;
};
template <class F> Caught caught(F f) {
  try {
    f();
  } catch (const Error& error) {
    return {error.what(), error.failure};
  }
  return {};
}
inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace weft::train
