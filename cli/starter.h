// The descriptions that `weft new` writes.
#pragma once
#include <string>

namespace weft::cli {

/// A mixer of one's own, explained line by line; `file` is what it will be called.
std::string starter(const std::string& file);
/// A description that uses a file of the library, with its params listed.
std::string starter_from(const std::string& file, const std::string& library_name);

}  // namespace weft::cli
