// libFuzzer target: any bytes as the folder of a run, its log up to the first byte 0, its samples behind it. Reading
// never fails: a run may have been killed at any byte.
#include <stdlib.h>

#include <fstream>

#include "train/history.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace weft::train;
  static const fs::path folder = [] {
    char name[] = "/tmp/weft_fuzz_XXXXXX";
    if (!mkdtemp(name)) abort();
    return fs::path(name);
  }();
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const auto cut = std::min(bytes.find('\0'), bytes.size());
  std::ofstream(folder / "log.jsonl") << bytes.substr(0, cut);
  std::ofstream(folder / "samples.txt") << bytes.substr(std::min(cut + 1, bytes.size()));
  const History history = read_history(folder, 10);
  if (history.unread < 0) abort();
  read_samples(folder);
  return 0;
}
