// Every description in the documents is built.
#include <fstream>
#include <sstream>

#include "tests/models/build.h"

using namespace weft;

namespace {

std::vector<std::string> yaml_blocks(const std::string& path) {
  std::ifstream stream(path);
  std::vector<std::string> blocks;
  bool inside = false;
  for (std::string line; std::getline(stream, line);) {
    if (line == "```yaml") blocks.emplace_back();
    else if (inside && line != "```") blocks.back() += line + "\n";
    inside = line == "```yaml" || (inside && line != "```");
  }
  return blocks;
}

// A block that is no whole description shows the parts of a def.
std::string whole(const std::string& block) {
  if (block.starts_with("schema:")) return block;
  std::istringstream lines(block);
  std::string def;
  for (std::string line; std::getline(lines, line);) def += "    " + line + "\n";
  return tests::around(def);
}

}  // namespace

TEST_CASE("every description in docs/language.md is built without a word") {
  const auto blocks = yaml_blocks(WEFT_SOURCE "/docs/language.md");
  CHECK(blocks.size() >= 2);
  for (const std::string& block : blocks) {
    CAPTURE(block);
    dsl::Diagnostics d;
    CHECK(tests::build(whole(block), d) != nullptr);
    CHECK(d.render(false) == "");
  }
}
