// `weft std` through the real program.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

using namespace weft::cli;

TEST_CASE("std list names every file of the library and what it is") {
  Desk desk;
  const Finished f = desk.run({"std", "list"});
  CHECK(f.exit == 0);
  CHECK(contains(f.out, "\nretnet  "));
  CHECK(contains(f.out, "Retentive network."));
  CHECK(contains(f.out, "layers  "));
  const auto json = nlohmann::json::parse(desk.run({"std", "list", "--json"}).out);
  CHECK(json["files"].size() == static_cast<std::size_t>(std::count(f.out.begin(), f.out.end(), '\n')));
  for (const auto& file : json["files"]) CHECK(file["about"].get<std::string>().size() > 10);
}

TEST_CASE("std show prints a file byte for byte, std cp writes it once and never over another") {
  Desk desk;
  const std::string text = weft::train::read_file(std::string(WEFT_SOURCE) + "/models/retnet.yaml");
  CHECK(desk.run({"std", "show", "retnet"}).out == text);
  CHECK(desk.run({"std", "show", "std/retnet"}).out == text);
  const Finished copied = desk.run({"std", "cp", "retnet"});
  CHECK(copied.exit == 0);
  CHECK(contains(copied.out, "retnet.yaml is a copy of std/retnet"));
  CHECK(desk.read("retnet.yaml") == text);
  CHECK(desk.run({"std", "cp", "std/retnet", "mine.yaml"}).exit == 0);
  CHECK(desk.read("mine.yaml") == text);
  desk.write("mine.yaml", "precious");
  const Finished again = desk.run({"std", "cp", "retnet", "mine.yaml"});
  CHECK(again.exit == 2);
  CHECK(contains(again.err, "mine.yaml exists already"));
  CHECK(desk.read("mine.yaml") == "precious");
}

TEST_CASE("std says what it lacks: a subject, a name that exists") {
  Desk desk;
  const Finished unknown = desk.run({"std", "show", "retnt"});
  CHECK(unknown.exit == 2);
  CHECK(contains(unknown.err, "the standard library has no `retnt`; did you mean `retnet`?"));
  CHECK(contains(desk.run({"std", "cp", "zzz"}).err, "`weft std list` says what it has"));
  CHECK(desk.run({"std"}).exit == 2);
  CHECK(contains(desk.run({"std", "shw"}).err, "`weft std` has no verb `shw`\n  = help: did you mean `show`?"));
  CHECK(desk.run({"std", "show"}).exit == 2);
  CHECK(contains(desk.run({"check", "std/retnt"}).err, "did you mean `retnet`?"));
}
