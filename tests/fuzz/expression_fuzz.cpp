// libFuzzer target: any bytes as an expression, parsed, printed, parsed again and evaluated.
#include <stdlib.h>

#include "dsl/expression.h"
#include "dsl/params.h"

namespace {

weft::dsl::ExprPtr parsed(const std::string& text, weft::dsl::Diagnostics& diagnostics) {
  const weft::dsl::Yaml tree = read_yaml(weft::dsl::make_source("fuzz", "x: |\n  " + text), diagnostics);
  const weft::dsl::Yaml* value = tree.find("x");
  return value && value->is_scalar() ? parse_expression(*value, diagnostics) : nullptr;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace weft::dsl;
  Diagnostics diagnostics;
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const ExprPtr e = parsed(text, diagnostics)) {
    evaluate_whole(*e, {{"D", std::int64_t{8}}, {"H", std::int64_t{2}}}, diagnostics);
    Diagnostics again;
    const std::string printed = expr_text(*e);
    const ExprPtr twin = parsed(printed, again);
    if (!twin || expr_text(*twin) != printed) abort();  // what is printed reads back as the same
  }
  diagnostics.render(false);
  return 0;
}
