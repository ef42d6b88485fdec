#include <doctest/doctest.h>

#include "ops/table.h"
#include "tests/ops/suite/properties.h"

using namespace weft;

TEST_CASE("every op has every property") {
  for (const Op* op : ops::table()) {
    for (const tests::Property& p : tests::properties()) {
      for (const std::string& complaint : p.check(*op).complaints) FAIL_CHECK((op->name + ": " + p.name + ": " + complaint));
    }
  }
}
