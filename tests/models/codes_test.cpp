#include "tests/models/build.h"

using namespace weft;

namespace {

bool is_semantic(std::string_view id) {
  return (id >= "E0203" && id < "E0301") || (id >= "E0316" && id < "E0401") || id == "E0404" || id == "E0409";
}

std::string codes_of(const std::string& example, std::string_view id, std::string& shown) {
  dsl::Diagnostics d;
  tests::build("schema: 1\n" + example, d, id == "E0409" ? std::nullopt : std::optional<i64>(16));
  std::string all;
  for (const dsl::Diagnostic* one : d.sorted()) all += one->code + " ";
  shown = d.render(false);
  return all;
}

}  // namespace

TEST_CASE("every example about names and shapes shows its error alone, and its cure builds") {
  for (const dsl::Code& code : dsl::codes()) {
    if (!is_semantic(code.id) || code.id == "E0318") continue;  // a circle of files needs files
    CAPTURE(code.id);
    CAPTURE(code.example);
    std::string shown;
    const std::string found = codes_of(std::string(code.example), code.id, shown);
    CAPTURE(shown);
    CHECK(found == std::string(code.id) + " ");
    CHECK(codes_of(std::string(code.cure), code.id, shown) == "");
  }
}

TEST_CASE("codes whose example is no description of its own are shown by a mistake beside its answer") {
  std::string answers;
  for (const auto& entry : std::filesystem::directory_iterator(WEFT_SOURCE "/tests/models/mistakes")) {
    if (entry.path().extension() == ".txt") answers += tests::contents(entry.path());
  }
  for (const std::string id : {"E0001", "E0318", "E0505"}) {  // all others run above and in tests/dsl
    CAPTURE(id);
    CHECK(answers.find("error[" + id + "]") != std::string::npos);
  }
}

TEST_CASE("every code is one that something reports") {
  std::string sources;
  for (const char* folder : {"/dsl", "/cli", "/train"}) {
    for (const auto& entry : std::filesystem::directory_iterator(std::string(WEFT_SOURCE) + folder)) {
      if (entry.path().filename() != "codes.cpp") sources += tests::contents(entry.path());
    }
  }
  for (const dsl::Code& code : dsl::codes()) {
    CAPTURE(code.id);
    CHECK(sources.find(fmt::format("\"{}\"", code.id)) != std::string::npos);
    CHECK(code.example != code.cure);
    CHECK(!code.cure.empty());
  }
}
