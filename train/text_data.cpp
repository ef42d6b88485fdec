#include "train/text_data.h"

#include <algorithm>
#include <cctype>

#include "train/file.h"
#include "train/floors.h"
#include "train/make_option.h"
#include "train/terminal.h"

namespace weft::train {

namespace {

// The bytes of a part, and where they come from.
struct Bytes {
  std::string source, text;
};

Bytes read_text(const std::filesystem::path& path) {
  Bytes bytes{path.string(), read_file(path)};
  if (bytes.text.empty()) fail_data("{}: is empty, there is nothing to learn", bytes.source);
  return bytes;
}

}  // namespace

TextData load_text(const TextOptions& options, std::string_view built_in, const Tokenizer* known) {
  check(options.path.empty() != options.builtin.empty(), "data.text: give either `path` or `builtin`");
  check(options.val_fraction >= 0 && options.val_fraction < 1, "data.text: val_fraction must be from 0 to below 1 ({})",
        options.val_fraction);
  TextData data;
  Bytes all;
  if (options.builtin.empty()) {
    all = read_text(options.path);
  } else {
    all = {fmt::format("the built-in text `{}`", options.builtin), std::string(built_in)};
    data.built_in_ = built_in;
  }
  if (all.text.empty()) fail_data("{}: is empty, there is nothing to learn", all.source);
  data.source = all.source;
  data.hash = hash_of(all.text);
  data.tokens_ = known                         ? *known
                 : options.tokenizer == "byte" ? Tokenizer::bytes()
                                               : Tokenizer::characters(all.text, all.source);
  data.sizes.vocab = data.tokens_.vocab();
  data.train = data.tokens_.encode(all.text, all.source);
  if (!options.valid.empty()) {
    const Bytes valid = read_text(options.valid);
    data.hash = hash_of(data.hash + hash_of(valid.text));
    data.valid = data.tokens_.encode(valid.text, valid.source);
    return data;
  }
  const auto cut =
      data.train.begin() + static_cast<i64>((1 - options.val_fraction) * static_cast<double>(data.train.size()));
  data.valid.assign(cut, data.train.end());
  data.train.erase(cut, data.train.end());
  return data;
}

// Both parts are long enough for windows and their targets.
void TextData::check_run(const TrainOptions& o) const {
  const i64 n = static_cast<i64>(train.size());
  if (n < o.context + 1) {
    fail_data("{}: the training part has {} {}s, a context of {} needs at least {}", source, n, unit(), o.context,
              o.context + 1);
  }
  if (valid.size() == 1) {
    fail_data("{}: the validation part has 1 {}, at least 2 are needed: raise val_fraction, or set it to 0", source,
              unit());
  }
  const i64 rows = o.batch * o.accumulate;
  if (!o.carry_state || Stripes{rows, o.context}.windows(train.size()) >= 1) return;
  fail_data("{}: {} {}s to learn from are no stripes for {} rows: each needs a window of {}", source, n, unit(), rows,
            o.context);
}

dsl::Batch TextData::training(const TrainOptions& o, i64 step, i64 part) const {
  const i64 first = part * o.batch;
  if (!o.carry_state) return training_batch(train, o.seed, step, first, o.batch, o.context);
  return Stripes{o.batch * o.accumulate, o.context}.batch(train, step, first, o.batch);
}

i64 TextData::position(const TrainOptions& o, i64 step) const {
  return o.carry_state ? Stripes{o.batch * o.accumulate, o.context}.window(train.size(), step) * o.context : 0;
}

i64 TextData::validations(const TrainOptions& o) const { return ValidationBatches(valid, o.batch, o.context).count(); }

dsl::Batch TextData::validation(const TrainOptions& o, i64 i) const {
  return ValidationBatches(valid, o.batch, o.context).at(i);
}

std::string TextData::amount() const {
  return fmt::format("{} {}s to learn from, {} to validate", grouped(std::ssize(train)), unit(),
                     grouped(std::ssize(valid)));
}

std::vector<Floor> TextData::floors() const { return listed(measure_floors(train, valid, tokens_.vocab())); }

std::string TextData::meaning(const dsl::LossSum& loss) const {
  return weft::train::meaning(loss.nats / static_cast<double>(loss.count), loss.count,
                              measure_floors(train, valid, tokens_.vocab()), unit());
}

// The first word of the validation text.
std::string TextData::example_prompt() const {
  const std::string start = tokens_.decode(std::span(valid).first(std::min<std::size_t>(valid.size(), 2000)));
  std::string word;
  for (std::size_t i = std::min(start.size(), start.find_first_of(" \n")); i < start.size(); ++i) {
    if (std::isalpha(static_cast<unsigned char>(start[i]))) {
      word += start[i];
    } else if (word.size() >= 3) {
      return word;
    } else {
      word.clear();
    }
  }
  return {};
}

dsl::Batch training_batch(std::span<const i32> tokens, u64 seed, i64 step, i64 first_row, i64 rows, i64 context) {
  const i64 starts = static_cast<i64>(tokens.size()) - context;  // a window needs one token more than the context
  check(starts > 0, "training_batch: {} tokens do not hold a window of {}", tokens.size(), context + 1);
  const Key key = Key{seed}.fold("data").fold(static_cast<u64>(step));
  std::vector<i32> inputs, targets;
  inputs.reserve(static_cast<std::size_t>(rows * context));
  targets.reserve(static_cast<std::size_t>(rows * context));
  for (i64 row = first_row; row < first_row + rows; ++row) {
    const auto start = tokens.begin() + static_cast<i64>(bits(key, static_cast<u64>(row)) % static_cast<u64>(starts));
    inputs.insert(inputs.end(), start, start + context);
    targets.insert(targets.end(), start + 1, start + context + 1);
  }
  return {Tensor::of_indices(inputs, {rows, context}), Tensor::of_indices(targets, {rows, context})};
}

dsl::Batch Stripes::batch(std::span<const i32> tokens, i64 step, i64 first_row, i64 rows) const {
  const i64 stripe = (static_cast<i64>(tokens.size()) - 1) / all;
  std::vector<i32> inputs, targets;
  for (i64 row = first_row; row < first_row + rows; ++row) {
    const auto start = tokens.begin() + row * stripe + window(tokens.size(), step) * context;
    inputs.insert(inputs.end(), start, start + context);
    targets.insert(targets.end(), start + 1, start + context + 1);
  }
  return {Tensor::of_indices(inputs, {rows, context}), Tensor::of_indices(targets, {rows, context})};
}

ValidationBatches::ValidationBatches(std::span<const i32> tokens, i64 rows, i64 context)
    : tokens_(tokens), rows_(rows), context_(context) {
  const i64 targets = std::max<i64>(0, static_cast<i64>(tokens.size()) - 1);
  windows_ = (targets + context - 1) / context;
}

dsl::Batch ValidationBatches::at(i64 i) const {
  const i64 rows = std::min(rows_, windows_ - i * rows_);
  check(i >= 0 && rows > 0, "validation: batch {} of {}", i, count());
  const std::size_t size = static_cast<std::size_t>(rows * context_);
  // Padding comes after every real token of its row, where a causal model cannot see it: any token
  // will do.
  std::vector<i32> inputs(size, 0), targets(size, -1);
  const i64 first = i * rows_ * context_;
  const i64 n = std::min<i64>(rows * context_, static_cast<i64>(tokens_.size()) - 1 - first);
  std::copy_n(tokens_.begin() + first, n, inputs.begin());
  std::copy_n(tokens_.begin() + first + 1, n, targets.begin());
  return {Tensor::of_indices(inputs, {rows, context_}), Tensor::of_indices(targets, {rows, context_})};
}

TextOptions text_options(const Settings& data) {
  TextOptions o;
  if (data.has("text.path")) o.path = data.path("text.path");
  if (data.has("text.builtin")) o.builtin = data.word("text.builtin");
  // Of the two, the one from the command line stands in place of the other.
  const auto overrides = [&](const char* path) {
    const dsl::SourcePtr source = data.has(path) ? data.span(path).source : nullptr;
    return source && source->name.starts_with("<--set");
  };
  if (!o.builtin.empty() && overrides("text.path")) o.builtin.clear();
  if (!o.path.empty() && overrides("text.builtin")) o.path.clear();
  check(o.path.empty() || o.builtin.empty(), "{}: `path` and `builtin` exclude each other",
        dsl::place_text(data.span("text.builtin")));
  check(!o.path.empty() || !o.builtin.empty(), "{}: `text` needs a `path` or a `builtin`",
        dsl::place_text(data.span("")));
  if (data.has("text.valid")) o.valid = data.path("text.valid");
  check(o.valid.empty() || !data.given("text.val_fraction"), "{}: `valid` and `val_fraction` exclude each other",
        dsl::place_text(data.span("text.val_fraction")));
  o.tokenizer = data.word("text.tokenizer");
  o.val_fraction = data.real("text.val_fraction");
  return o;
}

DataKind text_kind() {
  Option builtin =
      word("builtin", "weft", {"weft"}, "A text inside the program: `weft`, its own sources and documents.");
  builtin.fallback = {};
  return {
      section("text", "A text; the model learns to predict the next token.",
              {path("path", "The file, relative to the description's folder."), builtin,
               path("valid", "Another file, whole, to validate on."),
               real("val_fraction", "0.1", 0, 0.9, "Without `valid`, the last part of the text, kept for validation."),
               word("tokenizer", "char", {"char", "byte"},
                    "char: Unicode characters of the text, sorted; byte: 256 of them, any file.")}),
      [](const Settings&) { return dsl::DataSizes(); }, [](const Settings& data) { text_options(data); },
      [](const Settings& data, const DataGiven& given) -> std::shared_ptr<const Data> {
        if (!given.files) return nullptr;
        return std::make_shared<const TextData>(load_text(text_options(data), given.built_in, given.tokenizer));
      }};
}

}  // namespace weft::train
