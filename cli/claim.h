// From the command line to what is proved: one way for `verify` and `equal`.
#pragma once
#include "cli/work.h"
#include "verify/subject.h"

namespace weft::cli {

/// The model of `source`, or its def, with the params, the seed and the runtime of the options.
inline verify::Claim claim_of(const dsl::SourcePtr& source, const Options& options, const std::string& def) {
  const auto [rest, params] = divided(source, options, def);
  const u64 seed = static_cast<u64>(options.seed.value_or(1));
  return {source, rest.overrides(), def, params, surroundings(), sizes_told(source, rest).classes, options.runtime,
          seed};
}

}  // namespace weft::cli
