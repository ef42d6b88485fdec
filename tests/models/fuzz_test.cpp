// Whatever a description says, the answer is a model or errors: never a crash, an exception, or a long wait.
#include <ctime>

#include "tests/models/build.h"

using namespace weft;

namespace {

// Damages a description the way editors and tired people do; every draw follows from the key.
class Mutator {
 public:
  Mutator(std::string text, Key key) : text_(std::move(text)), key_(key) {}

  std::string run() {
    for (u64 n = 1 + draw(3); n > 0 && !text_.empty(); --n) mutate();
    return text_;
  }

 private:
  u64 draw(u64 below) { return below == 0 ? 0 : bits(key_, counter_++) % below; }
  std::size_t place() { return draw(text_.size()); }

  void mutate() {
    static const char* const kPieces[] = {"T",
                                          "D",
                                          "H",
                                          "0",
                                          "-1",
                                          "1e400",
                                          "999999999999",
                                          "3.5",
                                          "[",
                                          "]",
                                          "{",
                                          "}",
                                          "(",
                                          ")",
                                          ", ",
                                          ": ",
                                          "- ",
                                          "\n",
                                          "\t",
                                          "#",
                                          "'",
                                          "\"",
                                          "&a ",
                                          "*a",
                                          "!x ",
                                          "|",
                                          "@",
                                          "^T",
                                          "^ T",
                                          "->",
                                          "...",
                                          "x",
                                          "f",
                                          "embed",
                                          "null",
                                          "true",
                                          "S",
                                          "prev(S)",
                                          "outer(x, x)",
                                          "softmax(x)",
                                          "repeat",
                                          "use",
                                          "std/retnet",
                                          "learned: true",
                                          "buffer: true",
                                          "\xC3\xA9",
                                          "\xFF",
                                          "\r\n"};
    switch (draw(6)) {
      case 0:  // a piece of the language somewhere
        text_.insert(place(), kPieces[draw(std::size(kPieces))]);
        return;
      case 1:  // some characters less
        text_.erase(place(), 1 + draw(12));
        return;
      case 2: {  // a line twice, or moved
        const std::string line = take_line(draw(2) == 0);
        text_.insert(line_begin(place()), line);
        return;
      }
      case 3: {  // a word in place of another
        const std::string word = word_at(place());
        const std::size_t at = place();
        text_.replace(at, word_at(at).size(), word);
        return;
      }
      case 4:  // one character for another
        text_[place()] = static_cast<char>(' ' + draw(95));
        return;
      default:  // the end is missing
        text_.resize(text_.size() - std::min<std::size_t>(text_.size(), draw(200)));
    }
  }

  std::size_t line_begin(std::size_t at) const {
    const std::size_t found = at == 0 ? std::string::npos : text_.rfind('\n', at - 1);
    return found == std::string::npos ? 0 : found + 1;
  }
  std::string take_line(bool keep) {
    const std::size_t begin = line_begin(place()), end = std::min(text_.size(), text_.find('\n', begin) + 1);
    const std::string line = text_.substr(begin, end - begin);
    if (!keep) text_.erase(begin, end - begin);
    return line;
  }
  std::string word_at(std::size_t at) const {
    const auto letter = [&](std::size_t i) {
      return std::isalnum(static_cast<unsigned char>(text_[i])) || text_[i] == '_';
    };
    std::size_t end = at;
    while (end < text_.size() && letter(end)) ++end;
    return text_.substr(at, end - at);
  }

  std::string text_;
  Key key_;
  u64 counter_ = 0;
};

std::vector<std::string> seeds() {
  std::vector<std::string> texts;
  for (const models::Embedded& e : models::library()) texts.emplace_back(e.text);
  for (const auto& path : tests::files_in("descriptions")) texts.push_back(tests::contents(path));
  for (const dsl::Code& code : dsl::codes()) {
    texts.push_back("schema: 1\n" + std::string(code.example) + "\n");
    texts.push_back("schema: 1\n" + std::string(code.cure) + "\n");
  }
  return texts;
}

// What is wrong with the answer to a description; empty when nothing is. Processor time, because machines are shared.
std::string trouble_with(const std::string& text, u64& models) {
  constexpr double kSeconds = 1;
  const std::clock_t start = std::clock();
  dsl::Diagnostics d;
  try {
    const auto model = tests::build(text, d);
    d.render(true);
    models += model != nullptr;
    if ((model != nullptr) == d.has_errors()) return model ? "a model in spite of errors" : "no model and no error";
    for (const dsl::Diagnostic* one : d.sorted()) {
      if (!one->span.source) return "an error without a place: " + one->message;
    }
  } catch (const std::exception& e) {
    return std::string("an exception: ") + e.what();
  }
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  return seconds > kSeconds ? fmt::format("{:.1f} s", seconds) : "";
}

}  // namespace

TEST_CASE("a damaged description is a model or an error, soon") {
  const std::vector<std::string> texts = seeds();
  const char* more = std::getenv("WEFT_FUZZ");  // so many descriptions; more than a test needs, for a longer hunt
  const u64 count = more ? std::stoull(more) : 3000;
  u64 models = 0;
  for (u64 i = 0; i < count; ++i) {
    const std::string text = Mutator(texts[i % texts.size()], Key{i}.fold("fuzz")).run();
    const std::string trouble = trouble_with(text, models);
    if (trouble.empty()) continue;
    CAPTURE(i);
    CAPTURE(text);
    CHECK(trouble == "");
  }
  CHECK(models > count / 100);  // not everything breaks at the first character
  CHECK(models < count);
}

TEST_CASE("a description that asks for billions is refused at once") {
  std::string bomb = "schema: 1\ndefs:\n  f0:\n    in: {x: [T, D]}\n    out: x\n";
  for (int i = 1; i < 40; ++i)
    bomb += fmt::format("  f{0}:\n    in: {{x: [T, D]}}\n    out: f{1}(x) + f{1}(x)\n", i, i - 1);
  const std::string tail = "  - logits: {tie: embed}\n", head = "model:\n  - embed: {width: 8}\n";
  for (const std::string& text :
       {bomb + head + "  - f39\n" + tail,
        "schema: 1\n" + head + "  - repeat: {times: 9999, body: [{repeat: {times: 9999, body: [tanh]}}]}\n" + tail,
        "schema: 1\nparams: {n: 9999}\n" + head +
            "  - repeat: {times: n, body: [{residual: {body: [{ffn: {hidden: 8}}]}}]}\n" + tail}) {
    CAPTURE(text);
    dsl::Diagnostics d;
    const std::clock_t start = std::clock();
    CHECK(tests::build(text, d) == nullptr);
    REQUIRE(d.sorted().size() == 1);
    CHECK(d.sorted()[0]->code == "E0214");
    CHECK(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC < 10);
  }
}

TEST_CASE("a model that no memory holds is checked without filling any") {
  const auto model = tests::built(tests::std_file("retnet"), {"params.D=1048576", "params.H=1", "params.layers=1"});
  CHECK(model->weight_count() > i64{1} << 42);
}
