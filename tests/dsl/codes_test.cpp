#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

#include "tests/dsl/front.h"

using namespace weft::dsl;

namespace {

int count(std::string_view description, std::string_view code) {
  const std::string found = front_codes(std::string(description));
  int n = 0;
  for (size_t at = found.find(code); at != std::string::npos; at = found.find(code, at + 1)) ++n;
  return n;
}

bool is_semantic(std::string_view id) {
  return (id >= "E0203" && id < "E0301") || (id >= "E0316" && id < "E0401") || id == "E0409";
}

}  // namespace

TEST_CASE("every example of the front shows its error and every cure removes it") {
  // A path, a preset's interface and an override are not decided by the text of one description; names and
  // shapes in a graph are tried in tests/models/codes_test.cpp.
  const std::set<std::string_view> elsewhere = {"E0001", "E0404", "E0505", "E0507", "E0508", "W0103"};
  for (const Code& code : codes()) {
    if (elsewhere.contains(code.id) || is_semantic(code.id)) continue;
    CAPTURE(code.id);
    CAPTURE(code.example);
    CAPTURE(front_codes(std::string(code.example)));
    CHECK(count(code.example, code.id) > 0);
    CAPTURE(front_codes(std::string(code.cure)));
    // Most examples lack `schema:`, which is an E0302 of its own.
    CHECK(count(code.cure, code.id) == (code.id == "E0302" ? 1 : 0));
  }
}

TEST_CASE("codes are in order, unique, and explained") {
  std::string_view last;
  for (const Code& code : codes()) {
    CHECK(last < code.id);
    last = code.id;
    CHECK(code.title.size() > 3);
    CHECK(code.explanation.size() > 20);
    CHECK(code_text(code).find(code.cure.substr(0, code.cure.find('\n'))) != std::string::npos);
  }
  CHECK(find_code("E9999") == nullptr);
}

#ifdef WEFT_SOURCE
TEST_CASE("every code in the sources of the language has its row") {
  const std::regex pattern("\"([EW][0-9]{4})\"");
  for (const auto& entry : std::filesystem::directory_iterator(WEFT_SOURCE "/dsl")) {
    std::ifstream stream(entry.path());
    const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    for (auto it = std::sregex_iterator(text.begin(), text.end(), pattern); it != std::sregex_iterator(); ++it) {
      CAPTURE(entry.path().string());
      CAPTURE((*it)[1].str());
      CHECK(find_code((*it)[1].str()) != nullptr);
    }
  }
}
#endif
