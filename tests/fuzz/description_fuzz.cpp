// libFuzzer target: any bytes as a description. The answer is a file or errors: no crash, no exception, no long wait.
#include "dsl/file.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace weft::dsl;
  Diagnostics diagnostics;
  const SourcePtr source = make_source("fuzz.yaml", std::string(reinterpret_cast<const char*>(data), size));
  parse_file(source, diagnostics);
  diagnostics.render(false);
  return 0;
}
