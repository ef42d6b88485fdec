#include "train/floors.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>

#include "tests/train/temporary.h"
#include "train/text_data.h"

using namespace weft;
using namespace weft::train;

TEST_CASE("floors of a text of four tokens are those computed by hand") {
  const std::vector<i32> train{0, 1, 0, 1}, valid{0, 1, 1};
  const Floors f = measure_floors(train, valid, 2);
  CHECK(f.uniform == doctest::Approx(std::log(2.0)));
  CHECK(f.unigram == doctest::Approx(-std::log(2.05 / 4.1)));
  CHECK(f.bigram == doctest::Approx(-(std::log(2.05 / 2.1) + std::log(0.05 / 1.1)) / 2));
}

TEST_CASE("floors of Tiny Shakespeare are the published ones") {
  const char* data = std::getenv("WEFT_DATA");
  const fs::path path = data ? fs::path(data) / "tinyshakespeare" / "input.txt" : fs::path();
  if (!fs::exists(path)) {
    MESSAGE("skipped: WEFT_DATA does not name a folder with tinyshakespeare/input.txt");
    return;
  }
  const TextData text = load_text({.path = {path}});
  CHECK(text.train.size() == 1'003'854);
  CHECK(text.valid.size() == 111'540);
  const Floors f = measure_floors(text.train, text.valid, text.tokenizer()->vocab());
  CHECK(std::abs(f.uniform - 4.174) < 5e-4);
  CHECK(std::abs(f.unigram - 3.347) < 5e-4);
  CHECK(std::abs(f.bigram - 2.485) < 5e-4);
}

TEST_CASE("the meaning of a loss says where it stands") {
  const Floors f{4, 3, 2};
  const auto says = [&](double loss) { return meaning(loss, 111539, f, "character"); };
  CHECK(contains(says(1.5), "1.5000 nats per character = 2.1640 bits, over 111,539 characters"));
  CHECK(contains(says(1.5), "below all three"));
  CHECK(contains(says(2.5), "not yet below the third"));
  CHECK(contains(says(3.5), "only below the first"));
  CHECK(contains(says(4.5), "below none"));
  CHECK(contains(meaning(2.5, 10, {4, 2, 3}, "byte"), "below the third, not the second"));
}
