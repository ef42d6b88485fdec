// libFuzzer target: any bytes as a file of weights. What is found correct is read, tensors and progress, and written
// again to the same tensors.
#include <stdlib.h>

#include "train/progress.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace weft::train;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    const Safetensors file(bytes, "fuzz");
    file.verify();
    const auto tensors = file.load_all();
    const std::string again = safetensors_bytes(tensors, file.metadata());
    if (Safetensors(again, "again").load_all().size() != tensors.size()) abort();
    progress_of(file.metadata(), "fuzz");
  } catch (const weft::Error& error) {
    if (error.failure != weft::Failure::data && error.failure != weft::Failure::size) abort();
  }
  return 0;
}
