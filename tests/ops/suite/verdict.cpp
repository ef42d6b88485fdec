// op_verdict NAME: what the suite says of one op, a line a property. The program behind `weft test --op NAME`.
// Exit codes: 0 it has them all, 2 there is no such op, 3 it lacks one.
#include <chrono>
#include <cstdio>

#include "dsl/diagnostic.h"
#include "ops/table.h"
#include "tests/ops/suite/properties.h"

namespace {

using namespace weft;

void print(const tests::Property& property, const tests::Verdict& v) {
  constexpr std::size_t kShown = 3;
  const char* mark = !v.complaints.empty() ? "FAIL" : v.tried ? "ok" : "-";
  std::string note;
  if (!v.tried) note = "does not concern it";
  else if (v.worst > 0) note = fmt::format("worst {:.1e} ({})", v.worst, v.where);
  if (!v.complaints.empty()) note.clear();
  std::string line = fmt::format("  {:<4}  {:<44}  {}", mark, property.name, note);
  line.erase(line.find_last_not_of(' ') + 1);
  std::puts(line.c_str());
  for (std::size_t i = 0; i < v.complaints.size() && i < kShown; ++i)
    std::printf("        %s\n", v.complaints[i].c_str());
  if (v.complaints.size() > kShown) std::printf("        and %zu more\n", v.complaints.size() - kShown);
}

int verdict_of(const Op& op) {
  const auto start = std::chrono::steady_clock::now();
  std::printf("%s: %s\n", op.name.c_str(), op.doc.about);
  std::size_t lacking = 0;
  for (const tests::Property& property : tests::properties()) {
    const tests::Verdict v = property.check(op);
    print(property, v);
    lacking += !v.complaints.empty();
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const std::string end = lacking ? fmt::format("lacks {} of", lacking) : "has";
  std::printf("%s %s %zu properties (%.1f s)\n", op.name.c_str(), end.c_str(), tests::properties().size(),
              took.count());
  return lacking ? static_cast<int>(Failure::verification) : 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("error: `weft test --op` needs the name of one op\n", stderr);
    return static_cast<int>(Failure::usage);
  }
  const std::string name = argv[1];
  if (const Op* op = ops::find(name)) return verdict_of(*op);
  std::vector<std::string> names;
  for (const Op* op : ops::table()) names.push_back(op->name);
  const std::string guess = dsl::guess_text(name, names);
  std::fprintf(stderr, "error: there is no op `%s`%s\n", name.c_str(),
               guess.empty() ? "; `weft ops` lists them" : ("; " + guess).c_str());
  return static_cast<int>(Failure::usage);
}
