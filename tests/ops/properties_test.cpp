#include <doctest/doctest.h>

#include <cstdlib>

#include "ops/table.h"
#include "tests/ops/properties.h"

using namespace weft;

TEST_CASE("every op has every property") {
  const char* only = std::getenv("WEFT_TEST_OP");
  int tried = 0;
  for (const Op* op : ops::table()) {
    if (only && op->name != only) continue;
    ++tried;
    for (const tests::Property& p : tests::properties()) {
      for (const std::string& complaint : p.check(*op)) FAIL_CHECK((op->name + ": " + p.name + ": " + complaint));
    }
  }
  CAPTURE(only);
  CHECK(tried > 0);
}
