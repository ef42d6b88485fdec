// libFuzzer target: any bytes as a stored tokenizer. One that reads is stored to the same text again, and what it
// encodes it decodes.
#include <stdlib.h>

#include "train/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace weft::train;
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    const Tokenizer tokenizer = Tokenizer::from_json(text, "fuzz");
    if (!(Tokenizer::from_json(tokenizer.json(), "again") == tokenizer)) abort();
    if (tokenizer.knows(text) && tokenizer.decode(tokenizer.encode(text, "fuzz")) != text) abort();
  } catch (const weft::Error& error) {
    if (error.failure != weft::Failure::data) abort();
  }
  return 0;
}
