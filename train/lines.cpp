// The lines of a file, each a sequence of its own: names, sentences, formulas.
#include <algorithm>
#include <cctype>

#include "train/file.h"
#include "train/floors.h"
#include "train/make_option.h"
#include "train/sequences.h"
#include "train/terminal.h"

namespace weft::train {
namespace {

struct LineOptions {
  std::filesystem::path path;
  std::string tokenizer;
  double val_fraction;
};

// Without the carriage returns of other systems, and without empty ones.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) lines.push_back(std::move(line));
    begin = end + 1;
  }
  return lines;
}

class Lines final : public Examples {
 public:
  Lines(const LineOptions& o, const Tokenizer* known) {
    const std::string text = read_file(o.path);
    const std::vector<std::string> lines = lines_of(text);
    source = o.path.string();
    hash = hash_of(text);
    if (lines.size() < 2) fail_data("{}: has {} lines, at least 2 are needed", source, lines.size());
    std::string all = "\n";  // a vocabulary of the lines alone: carriage returns are not learned
    for (const std::string& line : lines) all += line + "\n";
    tokens_ = known ? *known : o.tokenizer == "byte" ? Tokenizer::bytes() : Tokenizer::characters(all, source);
    sizes.vocab = tokens_.vocab();
    const i64 n = std::ssize(lines), kept = std::max(i64{1}, static_cast<i64>(o.val_fraction * static_cast<double>(n)));
    for (i64 i = 0; i < n; ++i) {  // files are sorted more often than not: what is kept is drawn, always the same
      const bool valid =
          static_cast<i64>(permuted(Key{}.fold("lines"), static_cast<u64>(i), static_cast<u64>(n))) < kept;
      (valid ? valid_ : train_).push_back(example(lines[static_cast<std::size_t>(i)]));
    }
    measure();
  }

  std::string unit() const override { return tokens_.unit(); }
  std::string amount() const override {
    return fmt::format("{} lines to learn from, {} to validate", grouped(std::ssize(train_)),
                       grouped(std::ssize(valid_)));
  }
  std::vector<Floor> floors() const override { return listed(measured()); }
  std::string meaning(const dsl::LossSum& loss) const override {
    return weft::train::meaning(loss.nats / static_cast<double>(loss.count), loss.count, measured(), unit());
  }
  const Tokenizer* tokenizer() const override { return &tokens_; }

 private:
  // From line feed to line feed.
  Example example(const std::string& line) const {
    std::vector<i32> tokens = tokens_.encode("\n" + line + "\n", source);
    Example e{{tokens.begin(), tokens.end() - 1}, {tokens.begin() + 1, tokens.end()}};
    return e;
  }
  // Over the lines one behind the other: each character is predicted once, the first of a line from the feed before.
  Floors measured() const {
    const auto joined = [](const std::vector<Example>& part) {
      std::vector<i32> all = {part.front().tokens.front()};
      for (const Example& e : part) all.insert(all.end(), e.targets.begin(), e.targets.end());
      return all;
    };
    return measure_floors(joined(train_), joined(valid_), tokens_.vocab());
  }
  Tokenizer tokens_;
};

}  // namespace

DataKind lines_kind() {
  return {section("lines", "The lines of a file, each a sequence of its own; the model learns to write such lines.",
                  {needed(path("path", "The file, relative to the description's folder.")),
                   real("val_fraction", "0.1", 0, 0.9,
                        "Lines that are kept for validation, at least one: drawn, always the same."),
                   word("tokenizer", "char", {"char", "byte"}, "As in `text`.")}),
          [](const Settings&) { return dsl::DataSizes(); }, [](const Settings&) {},
          [](const Settings& data, const DataGiven& given) -> std::shared_ptr<const Data> {
            if (!given.files) return nullptr;
            return std::make_shared<const Lines>(
                LineOptions{data.path("lines.path"), data.word("lines.tokenizer"), data.real("lines.val_fraction")},
                given.tokenizer);
          }};
}

}  // namespace weft::train
