// docs/ops.md is what the rows say.
#include <doctest/doctest.h>

#include <fstream>

#include "ops/table.h"

using namespace weft;

TEST_CASE("docs/ops.md is made from the rows as they are now") {
  std::ifstream in(WEFT_SOURCE "/docs/ops.md", std::ios::binary);
  const std::string file((std::istreambuf_iterator<char>(in)), {});
  INFO("./weft ops --markdown > docs/ops.md");
  CHECK((file == ops::markdown()));  // in brackets: a page is not worth printing
}

TEST_CASE("the reference shows the gradient of every op that has one") {  // that it has: documents_itself
  for (const Op* op : ops::table()) {
    CAPTURE(op->name);
    const std::string gradient = op->gradient, first = gradient.substr(0, gradient.find('\n'));
    CHECK(gradient.empty() == !op->backward_f32);
    if (op->backward_f32) CHECK(ops::describe(*op).find("\ngradient     " + first) != std::string::npos);
  }
}

TEST_CASE("the reference of every op shows its equation, shapes, gradient, cost and a call in C++") {
  for (const Op* op : ops::table()) {
    CAPTURE(op->name);
    const std::string text = ops::describe(*op);
    for (const char* part : {"shapes ", "along time ", "gradient ", "cost ", "in C++"})
      CHECK(text.find(part) != std::string::npos);
    const std::string equation = op->doc.equation, first = equation.substr(0, equation.find(' '));
    CHECK(text.find("\n    " + first) != std::string::npos);
    const std::string call = ops::examples(*op).front().cpp;
    CHECK((call.find("apply<ops::") == 0 || call.find("graph.append(row<ops::") == 0));
  }
}
