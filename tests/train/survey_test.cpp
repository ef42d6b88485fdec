#include "train/survey.h"

#include <doctest/doctest.h>

using namespace weft;
using namespace weft::train;

namespace {

// Given in pieces of `n` bytes.
std::string found(std::string_view text, std::size_t n) {
  Survey survey;
  for (std::size_t i = 0; i < text.size(); i += n) survey.add(text.substr(i, n), "a.txt");
  survey.end();
  return survey.text();
}

}  // namespace

TEST_CASE("a usual text has nothing to be told") {
  CHECK(found("Plain text,\twith a tab.\nnaïve 日本 😀\n", 100).empty());
  CHECK(found("", 1).empty());
}

TEST_CASE("unusual characters are counted, with the place of the first") {
  const std::string text =
      "\xef\xbb\xbf"
      "a\r\nb\r\nc\x1b[0m\xef\xbf\xbd x\xe2\x80\x8by\xff \xc2\x85 \xef\xbb\xbf \xe2\x82";
  const std::string all =
      "unusual in the text: 1 byte order mark (a.txt, byte 0), 2 carriage returns (the first at a.txt, byte 4), "
      "2 control characters (the first at a.txt, byte 10), 1 replacement character (U+FFFD) (a.txt, byte 14), "
      "2 invisible characters (zero width) (the first at a.txt, byte 19), "
      "3 bytes outside of UTF-8 (the first at a.txt, byte 23)\n";
  for (std::size_t n = 1; n <= text.size(); ++n) {  // wherever the pieces are cut
    CAPTURE(n);
    CHECK(found(text, n) == all);
  }
}

TEST_CASE("a character is not joined from two files") {
  Survey survey;
  survey.add("a\xe2\x82", "a.txt");
  survey.end();
  survey.add("\xac", "b.txt");
  survey.end();
  CHECK(survey.text() == "unusual in the text: 3 bytes outside of UTF-8 (the first at a.txt, byte 1)\n");
}
