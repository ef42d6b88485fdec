#include <doctest/doctest.h>

#include "ops/table.h"
#include "tests/ops/suite/properties.h"

using namespace weft;

TEST_CASE("every op has every property") {
  for (const Op* op : ops::table()) {
    for (const tests::Property& p : tests::properties()) {
      const auto complaints = p.check(*op).complaints;
      CHECK_MESSAGE(complaints.empty(), op->name, ": ", p.name, ": ", complaints.empty() ? "" : complaints[0]);
    }
  }
}
