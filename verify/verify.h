// weft verify: all properties of a description, at sizes where that takes seconds; what fails is shrunk.
#pragma once
#include "verify/property.h"

namespace weft::verify {

struct Line {
  const Property* property;
  Finding finding;
  std::string smallest;  // of a failure: the smallest instance that still fails, and what it says
  double seconds = 0;
};

struct Report {
  std::vector<std::pair<std::string, i64>> sizes;  // params that were made smaller
  i64 longest = 0;                                 // T that was tried
  std::string limit;                               // why no more; empty: nothing stood in the way
  i64 weights = 0;
  std::vector<Line> lines;
  bool failed() const;
};

/// `told` sees each line when it stands. Throws Subject::NotBuilt when the description has errors.
Report verify(Claim claim, const std::function<void(const Report&, const Line&)>& told = {});

}  // namespace weft::verify
