// Memory of this machine: what is asked for is held against it before it is taken.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

namespace weft::train {

/// What this process may still take, and who says so: the machine, its control group or its own limit, whichever is
/// least.
struct Available {
  double bytes = 0;
  std::string source;  // "the machine has", "the control group leaves", "`ulimit -v` leaves"
};
std::optional<Available> available_memory();
/// Bytes of a control group that are left below its limit, from its files in `folder`; nothing without a limit.
std::optional<double> left_in_group(const std::filesystem::path& folder);

/// Bytes of memory that this process holds now, and at most so far; nothing where the system does not say.
std::optional<double> resident_bytes();
std::optional<double> peak_resident_bytes();

/// An error of kind `size` where it is not there: "<what> would take .. bytes of memory, and the machine has ..;
/// <help>".
void require_room(double bytes, const std::string& what, const std::string& help);

}  // namespace weft::train
