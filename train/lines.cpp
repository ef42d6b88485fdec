// The lines of a file, each a sequence of its own: names, sentences, formulas.
#include <algorithm>
#include <cctype>

#include "train/floors.h"
#include "train/sequences.h"
#include "train/terminal.h"
#include "train/text_files.h"
#include "train/tokenizer_option.h"

namespace weft::train {
namespace {

struct LineOptions {
  std::filesystem::path path;
  std::string tokenizer;
  i64 vocab;
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
    const TextFiles file({o.path});
    const std::vector<std::string> lines = lines_of(read_whole(o.path));
    source = file.source();
    const TextFiles::Look look = file.look();
    hash = look.hash, notes_ = look.unusual;
    if (lines.size() < 2) fail_data("{}: has {} lines, at least 2 are needed", source, lines.size());
    const i64 n = std::ssize(lines), kept = std::max(i64{1}, static_cast<i64>(o.val_fraction * static_cast<double>(n)));
    std::vector<const std::string*> train, valid;
    for (i64 i = 0; i < n; ++i) (held_out(i, n, kept) ? valid : train).push_back(&lines[static_cast<std::size_t>(i)]);
    // A vocabulary of the lines alone: carriage returns are not learned. Merges are learned from what trains.
    TokenizerMaker maker(o.tokenizer, o.vocab);
    maker.add("\n", source);
    for (const std::string* line : train) maker.add(*line, source);
    if (o.tokenizer == "char") {
      for (const std::string* line : valid) maker.add(*line, source);
    }
    tokens_ = known ? *known : maker.made(source);
    sizes.vocab = tokens_.vocab();
    for (const std::string* line : train) train_.push_back(example(*line));
    for (const std::string* line : valid) valid_.push_back(example(*line));
    measure();
  }

  std::string unit() const override { return tokens_.unit(); }
  std::string amount() const override {
    return fmt::format("{} lines to learn from, {} to validate", grouped(std::ssize(train_)),
                       grouped(std::ssize(valid_)));
  }
  std::vector<Floor> floors() const override { return listed(measured()); }
  std::string meaning(const dsl::LossSum& loss) const override {
    return weft::train::meaning(loss.nats / static_cast<double>(loss.count), loss.count, measured(), unit(),
                                target_bytes());
  }
  std::string notes() const override { return notes_; }
  std::optional<double> target_bytes() const override { return bytes_a_target(joined(valid_), tokens_); }
  const Tokenizer* tokenizer() const override { return &tokens_; }

 private:
  // From line feed to line feed.
  Example example(const std::string& line) const {
    const std::vector<i32> feed = tokens_.encode("\n", source), own = tokens_.encode(line, source);
    Example e{feed, own};
    e.tokens.insert(e.tokens.end(), own.begin(), own.end());
    e.targets.insert(e.targets.end(), feed.begin(), feed.end());
    return e;
  }
  // Over the lines one behind the other: each character is predicted once, the first of a line from the feed before.
  static Tokens joined(const std::vector<Example>& part) {
    std::vector<i32> all = {part.front().tokens.front()};
    for (const Example& e : part) all.insert(all.end(), e.targets.begin(), e.targets.end());
    return all;
  }
  Floors measured() const { return measure_floors(joined(train_), joined(valid_), tokens_.vocab()); }
  Tokenizer tokens_;
  std::string notes_;
};

}  // namespace

DataKind lines_kind() {
  return {
      section("lines", "The lines of a file, each a sequence of its own; the model learns to write such lines.",
              {needed(path("path", "The file, relative to the description's folder.")),
               real("val_fraction", "0.1", 0, 0.9,
                    "Lines that are kept for validation, at least one: drawn, always the same."),
               tokenizer_option(), vocab_option()}),
      [](const Settings&) { return dsl::DataSizes(); }, [](const Settings& data) { tokenizer_asked(data, "lines"); },
      [](const Settings& data, const DataGiven& given) -> std::shared_ptr<const Data> {
        if (!given.files) return nullptr;
        const auto [tokenizer, vocab] = tokenizer_asked(data, "lines");
        return std::make_shared<const Lines>(
            LineOptions{data.path("lines.path"), tokenizer, vocab, data.real("lines.val_fraction")}, given.tokenizer);
      }};
}

}  // namespace weft::train
