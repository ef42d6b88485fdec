// The one error type. `check` guards against the caller's mistakes and is always on; `assert` is for our own.
#pragma once
#include <fmt/format.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace weft {

using i32 = std::int32_t;
using i64 = std::int64_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

/// What kind of trouble it is; the value is the exit code of the command line.
enum class Failure { internal = 1, usage = 2, verification = 3, data = 4, diverged = 5, size = 6 };

struct Error : std::runtime_error {
  explicit Error(const std::string& message, Failure kind = Failure::usage)
      : std::runtime_error(message), failure(kind) {}
  Failure failure;
};

/// Throws `Error` with the formatted message unless `ok`. Say the rule and the values: "op: rule (values)".
template <class... Args> void check(bool ok, fmt::format_string<Args...> message, Args&&... args) {
  if (!ok) throw Error(fmt::format(message, std::forward<Args>(args)...));
}

}  // namespace weft
