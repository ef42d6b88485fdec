// Rows of the tables of options, in few words.
#pragma once
#include "dsl/options.h"

namespace weft::train {

using dsl::Option;
using dsl::OptionKind;
using dsl::Settings;

/// Of what a task is made of: far above what can be trained, far below where products overflow.
inline constexpr double kMost = 1e6;

inline Option whole(const char* name, const char* fallback, double min, const char* about,
                    std::optional<double> max = {}) {
  return {.name = name, .kind = OptionKind::whole, .fallback = fallback, .min = min, .max = max, .about = about};
}

inline Option real(const char* name, const char* fallback, double min, std::optional<double> max, const char* about) {
  return {.name = name, .kind = OptionKind::real, .fallback = fallback, .min = min, .max = max, .about = about};
}

inline Option word(const char* name, const char* fallback, std::vector<std::string> choices, const char* about) {
  return {.name = name, .kind = OptionKind::word, .fallback = fallback, .choices = std::move(choices), .about = about};
}

inline Option flag(const char* name, const char* fallback, const char* about) {
  return {.name = name, .kind = OptionKind::boolean, .fallback = fallback, .about = about};
}

inline Option section(const char* name, const char* about, std::vector<Option> children) {
  return {.name = name, .kind = OptionKind::section, .about = about, .children = std::move(children)};
}

inline Option one_of(const char* name, std::optional<std::string> fallback, const char* about,
                     std::vector<Option> children) {
  return {.name = name,
          .kind = OptionKind::one_of,
          .fallback = std::move(fallback),
          .about = about,
          .children = std::move(children)};
}

inline Option path(const char* name, const char* about) {
  return {.name = name, .kind = OptionKind::path, .about = about};
}

/// It must be given.
inline Option needed(Option option) {
  option.required = true;
  return option;
}

}  // namespace weft::train
