// Memory of this machine: what is asked for is held against it before it is taken.
#pragma once
#include <optional>
#include <string>

namespace weft::train {

/// Bytes that the machine can still give; nothing where it does not say.
std::optional<double> available_bytes();

/// Bytes of memory that this process holds now, and at most so far; nothing where the system does not say.
std::optional<double> resident_bytes();
std::optional<double> peak_resident_bytes();

/// An error of kind `size` where it is not there: "<what> would take .. bytes of memory, and .. are available; <help>".
void require_room(double bytes, const std::string& what, const std::string& help);

}  // namespace weft::train
