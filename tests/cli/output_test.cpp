#include "cli/output.h"

#include <doctest/doctest.h>

#include "tests/cli/program.h"

using namespace weft;
using namespace weft::cli;

TEST_CASE("sizes are told with three digits and a prefix") {
  CHECK(bytes_text(0) == "0 bytes");
  CHECK(bytes_text(999) == "999 bytes");
  CHECK(bytes_text(1000) == "1.00 kB");
  CHECK(bytes_text(25.5e6) == "25.5 MB");
  CHECK(bytes_text(144e9) == "144 GB");
  CHECK(flops_text(4.451e9) == "4.45 GFLOP");
}

TEST_CASE("colours go to terminals alone, unless a variable says otherwise") {
  Desk desk;
  const auto err = [&](std::vector<std::pair<std::string, std::string>> environment) {
    desk.environment = std::move(environment);
    return desk.run({"chek"}).err;
  };
  const char* const red = "\x1b[1;31merror\x1b[0m: ";
  CHECK(err({}).starts_with("error: "));
  CHECK(err({{"FORCE_COLOR", "1"}}).starts_with(red));
  CHECK(err({{"CLICOLOR_FORCE", "1"}}).starts_with(red));
  CHECK(err({{"FORCE_COLOR", ""}}).starts_with("error: "));
  CHECK(err({{"FORCE_COLOR", "1"}, {"NO_COLOR", "1"}}).starts_with("error: "));
  CHECK(err({{"FORCE_COLOR", "1"}, {"NO_COLOR", ""}}).starts_with(red));
}
