// Texts with labels, one JSON object a line: `{"text": "...", "label": "..."}`.
#include <algorithm>
#include <optional>

#include "train/json_reader.h"
#include "train/sequences.h"
#include "train/terminal.h"
#include "train/text_files.h"
#include "train/tokenizer_option.h"

namespace weft::train {
namespace {

struct JsonlOptions {
  std::filesystem::path path;
  std::optional<std::filesystem::path> valid;
  std::string text, label;  // the keys
  std::string tokenizer;
  i64 vocab, longest;
  bool cuts;  // longer texts
  double val_fraction;
};

struct Labelled {
  std::string text, label;
  std::string place;  // "notes.jsonl:12"
};

constexpr int kPassedOver = 16;  // of values that are passed over

// A text in quotes or a whole number.
std::string label_of(JsonReader& in) {
  in.space();
  return in.quoted() ? in.string("a label") : std::to_string(in.whole("a label, a text in quotes or else a number,"));
}

Labelled parsed_line(std::string_view line, const std::string& place, const JsonlOptions& o) {
  JsonReader in(line, 0, place);
  std::optional<std::string> text, label;
  in.object([&](std::string key, std::size_t at) {
    std::optional<std::string>* to = key == o.text ? &text : key == o.label ? &label : nullptr;
    if (!to) return in.skip(kPassedOver);
    if (*to) in.fail(at, fmt::format("\"{}\" stands twice", dsl::printable(key)));
    in.space();
    *to = to == &text ? in.string("a text") : label_of(in);
  });
  in.finish();
  if (!text) in.fail(0, fmt::format("has no \"{}\"", dsl::printable(o.text)));
  if (!label) in.fail(0, fmt::format("has no \"{}\"", dsl::printable(o.label)));
  if (text->empty()) in.fail(0, fmt::format("\"{}\" is empty", dsl::printable(o.text)));
  return {std::move(*text), std::move(*label), place};
}

std::vector<Labelled> labelled(const std::filesystem::path& path, const JsonlOptions& o) {
  const std::string text = read_whole(path);
  std::vector<Labelled> all;
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    all.push_back(parsed_line(line, fmt::format("{}:{}", path.string(), number), o));
  }
  return all;
}

class Jsonl final : public Examples {
 public:
  Jsonl(const JsonlOptions& o, const Tokenizer* known) : longest_(o.longest), cuts_(o.cuts) {
    const TextFiles file({o.path});
    source = file.source();
    const TextFiles::Look look = file.look();
    hash = look.hash, notes_ = look.unusual;
    std::vector<Labelled> train = labelled(o.path, o), valid;
    if (o.valid) {
      const TextFiles::Look own = TextFiles({*o.valid}).look();
      hash = hash_of(hash + own.hash), notes_ += own.unusual;
      valid = labelled(*o.valid, o);
    } else {
      divide(train, valid, o.val_fraction);
    }
    if (train.empty() || valid.empty())
      fail_data("{}: {} texts to learn from and {} to validate, 1 of each is needed", source, train.size(),
                valid.size());
    tokens_ = known ? *known : made_from(train, valid, o);
    if (tokens_.labels.empty()) tokens_.labels = labels_of(train);
    if (tokens_.labels.size() < 2)
      fail_data("{}: all texts have the label \"{}\", at least 2 are needed", source, tokens_.labels.front());
    sizes = {tokens_.vocab(), std::ssize(tokens_.labels)};
    for (const Labelled& one : train) train_.push_back(example(one));
    for (const Labelled& one : valid) valid_.push_back(example(one));
    measure();
    notes_ += cut_note();
  }

  std::string unit() const override { return "text"; }
  std::string amount() const override {
    return fmt::format("{} texts to learn from, {} to validate; classes {}", grouped(std::ssize(train_)),
                       grouped(std::ssize(valid_)), classes());
  }
  std::vector<Floor> floors() const override { return {{"always the commonest class", {}, commonest()}}; }
  const Tokenizer* vocabulary() const override { return &tokens_; }
  std::string notes() const override { return notes_; }

 private:
  static void divide(std::vector<Labelled>& train, std::vector<Labelled>& valid, double fraction) {
    std::vector<Labelled> all = std::move(train);
    train.clear();
    const i64 n = std::ssize(all), kept = std::max(i64{1}, static_cast<i64>(fraction * static_cast<double>(n)));
    for (i64 i = 0; i < n; ++i)
      (held_out(i, n, kept) ? valid : train).push_back(std::move(all[static_cast<std::size_t>(i)]));
  }

  // Characters of all texts, pairs of those that train.
  static Tokenizer made_from(const std::vector<Labelled>& train, const std::vector<Labelled>& valid,
                             const JsonlOptions& o) {
    TokenizerMaker maker(o.tokenizer, o.vocab);
    for (const Labelled& one : train) maker.add(one.text, one.place);
    if (o.tokenizer == "char") {
      for (const Labelled& one : valid) maker.add(one.text, one.place);
    }
    return maker.made(o.path.string());
  }

  static std::vector<std::string> labels_of(const std::vector<Labelled>& train) {
    std::set<std::string> all;
    for (const Labelled& one : train) all.insert(one.label);
    return {all.begin(), all.end()};
  }

  Example example(const Labelled& one) {
    const auto& labels = tokens_.labels;
    const auto label = std::lower_bound(labels.begin(), labels.end(), one.label);
    if (label == labels.end() || *label != one.label)
      fail_data("{}: the label \"{}\" is none of those that are learned: {}", one.place, dsl::printable(one.label),
                classes());
    Example e{tokens_.encode(one.text, one.place), {static_cast<i32>(label - labels.begin())}};
    const i64 n = std::ssize(e.tokens);
    if (n <= longest_) return e;
    if (!cuts_)
      fail_data("{}: has {} {}s, `longest` is {}; raise it, or take the first ones with `longer: cut`", one.place, n,
                tokens_.unit(), longest_);
    if (cut_++ == 0) first_cut_ = one.place;
    e.tokens.resize(static_cast<std::size_t>(longest_));
    return e;
  }
  std::string cut_note() const {
    if (cut_ == 0) return {};
    return fmt::format("{} of {} texts are cut after {} {}s, the first at {}\n", grouped(cut_),
                       grouped(std::ssize(train_) + std::ssize(valid_)), longest_, tokens_.unit(), first_cut_);
  }

  // A few of the names.
  std::string classes() const {
    constexpr std::size_t kShown = 8;
    std::string all;
    for (std::size_t i = 0; i < std::min(kShown, tokens_.labels.size()); ++i)
      all += (i ? ", " : "") + dsl::printable(tokens_.labels[i]);
    return tokens_.labels.size() <= kShown ? all : fmt::format("{} and {} more", all, tokens_.labels.size() - kShown);
  }

  // The share of the validation part that the commonest class of the training part has.
  double commonest() const {
    std::vector<i64> count(tokens_.labels.size());
    for (const Example& e : train_) ++count[static_cast<std::size_t>(e.targets[0])];
    const auto best = static_cast<i32>(std::max_element(count.begin(), count.end()) - count.begin());
    const auto right =
        std::count_if(valid_.begin(), valid_.end(), [&](const Example& e) { return e.targets[0] == best; });
    return static_cast<double>(right) / static_cast<double>(valid_.size());
  }

  Tokenizer tokens_;
  std::string notes_, first_cut_;
  i64 longest_, cut_ = 0;
  bool cuts_;
};

JsonlOptions jsonl_options(const Settings& data) {
  const auto [tokenizer, vocab] = tokenizer_asked(data, "jsonl");
  JsonlOptions o{data.path("jsonl.path"),
                 {},
                 data.text("jsonl.text"),
                 data.text("jsonl.label"),
                 tokenizer,
                 vocab,
                 data.whole("jsonl.longest"),
                 data.word("jsonl.longer") == "cut",
                 data.real("jsonl.val_fraction")};
  if (data.has("jsonl.valid")) o.valid = data.path("jsonl.valid");
  check(!o.valid || !data.given("jsonl.val_fraction"), "{}: `valid` and `val_fraction` exclude each other",
        dsl::place_text(data.span("jsonl.val_fraction")));
  check(o.text != o.label, "{}: `text` and `label` are two keys", dsl::place_text(data.span("jsonl.label")));
  return o;
}

Option text_option(const char* name, const char* fallback, const char* about) {
  return {.name = name, .kind = OptionKind::text, .fallback = fallback, .about = about};
}

}  // namespace

DataKind jsonl_kind() {
  return {section("jsonl", "Texts with labels, a JSON object a line; the class of a text is its label.",
                  {needed(path("path", "The file, relative to the description's folder.")),
                   path("valid", "Another one to validate on."),
                   real("val_fraction", "0.1", 0, 0.9,
                        "Without `valid`, texts that are kept for validation, at least one: drawn, always the same."),
                   text_option("text", "text", "The key of the text."),
                   text_option("label", "label", "The key of the label: a text or a whole number."), tokenizer_option(),
                   vocab_option(), whole("longest", "1024", 1, "Tokens of the longest text.", kMost),
                   word("longer", "error", {"error", "cut"}, "A longer text is an error, or cut.")}),
          // Some number of classes: that there are some is known.
          [](const Settings&) { return dsl::DataSizes({}, 2); }, [](const Settings& data) { jsonl_options(data); },
          [](const Settings& data, const DataGiven& given) -> std::shared_ptr<const Data> {
            if (!given.files) return nullptr;
            return std::make_shared<const Jsonl>(jsonl_options(data), given.tokenizer);
          }};
}

}  // namespace weft::train
