#include "dsl/wildcard.h"

#include <doctest/doctest.h>

using namespace weft::dsl;

TEST_CASE("a star stands for any characters, none included") {
  CHECK(matches("*.embed.*", "model.0.embed.table"));
  CHECK(matches("*", ""));
  CHECK(matches("a*b*c", "abbbc"));
  CHECK(matches("a*ab", "aaab"));
  CHECK(matches("model.0.embed.table", "model.0.embed.table"));
  CHECK(matches("*repeat[0]*", "model.1.repeat[0].body"));
  CHECK_FALSE(matches("embed", "model.0.embed.table"));
  CHECK_FALSE(matches("*.embed", "model.0.embed.table"));
  CHECK_FALSE(matches("a*b", "abc"));
  CHECK_FALSE(matches("", "a"));
}

TEST_CASE("a pattern is corrected part by part, and only to what matches") {
  const std::vector<std::string> names = {"model.0.embed.table", "model.1.retention.Wq"};
  CHECK(corrected_pattern("*.retenton.*", names) == "*.retention.*");
  CHECK(corrected_pattern("model.0.embd.tabel", names) == "model.0.embed.table");
  CHECK(corrected_pattern("*.attention_over_all.*", names) == "");
  CHECK(corrected_pattern("*.embed.Wq", names) == "");  // every part is a name, but not there
}
