#include "train/survey.h"

#include "dsl/source.h"
#include "train/terminal.h"
#include "train/tokenizer.h"

namespace weft::train {
namespace {

constexpr std::array<const char*, 7> kNames = {"",
                                               "byte order mark",
                                               "carriage return",
                                               "control character",
                                               "replacement character (U+FFFD)",
                                               "invisible character (zero width)",
                                               "byte outside of UTF-8"};

std::string named(std::string name, i64 count) {
  if (count == 1) return "1 " + name;
  const std::size_t noun = std::min(name.find(" ("), name.find(" outside"));
  return grouped(count) + " " + name.insert(std::min(noun, name.size()), "s");
}

}  // namespace

void Survey::add(std::string_view bytes, const std::string& name) {
  name_ = name;
  if (rest_.empty()) return look(bytes, false);
  const std::string joint = rest_ + std::string(bytes);
  look(joint, false);
}

void Survey::end() {
  const std::string rest = std::move(rest_);
  rest_.clear();
  look(rest, true);
  at_ = 0;
}

// Counts what is unusual; of bytes that go on, a character that is cut by their end waits.
void Survey::look(std::string_view text, bool last) {
  const std::size_t whole = last ? text.size() : whole_characters(text);
  for (std::size_t i = 0; i < whole;) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= ' ' && byte < 0x7f) {
      ++i;
      continue;
    }
    const auto n = byte < 0x80 ? 1 : static_cast<std::size_t>(dsl::utf8_length(text, i));
    const Kind kind = n == 0 ? broken : kind_of(text.substr(i, n));
    found(kind == invisible && at_ + i == 0 && byte == 0xef ? mark : kind, at_ + i);
    i += std::max<std::size_t>(1, n);
  }
  at_ += whole;
  rest_ = text.substr(whole);
}

Survey::Kind Survey::kind_of(std::string_view character) const {
  const unsigned c = code_point(character);
  if (c == '\n' || c == '\t') return usual;
  if (c == '\r') return carriage;
  if (c < 0x20 || (c >= 0x7f && c < 0xa0)) return control;
  if (c == 0xfffd) return replacement;
  return (c >= 0x200b && c <= 0x200d) || c == 0x2060 || c == 0xfeff ? invisible : usual;
}

void Survey::found(Kind kind, u64 byte) {
  if (kind == usual) return;
  Found& f = found_[kind];
  if (f.count++ == 0) f.file = name_, f.byte = byte;
}

std::string Survey::text() const {
  std::string all;
  for (std::size_t k = usual + 1; k < kinds; ++k) {
    const Found& f = found_[k];
    if (f.count == 0) continue;
    all += fmt::format("{}{} ({}{}, byte {})", all.empty() ? "unusual in the text: " : ", ", named(kNames[k], f.count),
                       f.count == 1 ? "" : "the first at ", f.file, f.byte);
  }
  return all.empty() ? all : all + "\n";
}

}  // namespace weft::train
