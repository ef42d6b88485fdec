#include "train/text_data.h"

#include <algorithm>
#include <cctype>
#include <tuple>

#include "train/floors.h"
#include "train/make_option.h"
#include "train/room.h"
#include "train/terminal.h"
#include "train/text_files.h"
#include "train/tokenizer_option.h"

namespace weft::train {

namespace {

constexpr const char* kByByte = "`tokenizer: byte` reads files of any size from the disk";

// All files as tokens from byte `first` of them on, up to before `last`. One is in memory at a time.
Tokens encoded(const Tokenizer& tokenizer, const TextFiles& files, u64 first, u64 last) {
  Tokens tokens;
  u64 at = 0;  // bytes of the files before
  for (const TextFile& file : files.files()) {
    const u64 begin = std::clamp(first, at, at + file.size) - at, end = std::clamp(last, at, at + file.size) - at;
    at += file.size;
    if (begin == end) continue;
    if (file.open && tokenizer.kind() == Tokenizer::Kind::bytes) tokens.add(file.open, begin, end - begin);
    else tokens.add(tokenizer.encode(file.read(begin, end - begin), file.name), tokenizer.vocab());
  }
  return tokens;
}

// The text of the longest file as it is read, and four bytes for each of its tokens, beside one, two or four for all.
void require_room_for(const std::string& tokenizer, i64 vocab, const TextFiles& files) {
  u64 longest = 0, kept = 0;
  for (const TextFile& file : files.files()) {
    if (tokenizer == "byte" && file.open) continue;
    longest = std::max(longest, file.size), kept += file.size;
  }
  const double each = vocab <= 256 ? 1 : vocab <= 65536 ? 2 : 4;
  require_room(5.0 * static_cast<double>(longest) + each * static_cast<double>(kept),
               fmt::format("{}: its {} bytes as tokens", files.source(), grouped(static_cast<i64>(files.bytes()))),
               kByByte);
}

// From the bytes before `last`.
Tokenizer made_from(const TextFiles& files, const TextOptions& o, u64 last) {
  TokenizerMaker maker(o.tokenizer, o.vocab);
  u64 at = 0;
  for (const TextFile& file : files.files()) {
    if (o.tokenizer == "byte" || at >= last) break;
    maker.add(file.read(0, std::min(file.size, last - at)), file.name);
    at += file.size;
  }
  return maker.made(files.source());
}

TextFiles files_of(const TextOptions& o, std::string_view built_in) {
  return o.builtin.empty() ? TextFiles(o.path) : TextFiles(built_in, fmt::format("the built-in text `{}`", o.builtin));
}

// A path or a list of them.
std::vector<std::filesystem::path> paths(const Settings& data, const std::string& name) {
  std::vector<std::filesystem::path> all;
  for (i64 i = 0; i < data.size(name); ++i) all.push_back(data.path(fmt::format("{}.{}", name, i)));
  return all;
}

}  // namespace

TextData load_text(const TextOptions& options, std::string_view built_in, const Tokenizer* known) {
  check(options.path.empty() != options.builtin.empty(), "data.text: give either `path` or `builtin`");
  check(options.val_fraction >= 0 && options.val_fraction < 1, "data.text: val_fraction must be from 0 to below 1 ({})",
        options.val_fraction);
  TextData data;
  const TextFiles files = files_of(options, built_in);
  const std::optional<TextFiles> valid = options.valid.empty() ? std::nullopt : std::optional<TextFiles>(options.valid);
  const std::string kind = known ? known->name() : options.tokenizer;
  const auto require_room = [&](i64 vocab) {
    require_room_for(kind, vocab, files);
    if (valid) require_room_for(kind, vocab, *valid);
  };
  require_room(kind == "bpe" ? options.vocab : 0);  // before anything of a file that is too large is read
  if (!options.builtin.empty()) data.built_in_ = built_in;
  data.source = files.source();
  const auto look_at = [&](const TextFiles& some) {
    const TextFiles::Look look = some.look();
    data.hash = data.hash.empty() ? look.hash : hash_of(data.hash + look.hash);
    data.notes_ += look.unusual;
    data.bytes_ += some.bytes();
  };
  look_at(files);
  if (valid) look_at(*valid);

  const double kept = valid ? 0 : options.val_fraction;
  const auto first_of = [&](auto n) { return static_cast<u64>((1 - kept) * static_cast<double>(n)); };
  // Characters are those of the whole text: one that stands in the validation part alone has a token, too. Merges are
  // learned, so they see the training part alone.
  const u64 all = files.bytes(), cut = kind == "bpe" ? first_of(all) : all;
  data.tokens_ = known ? *known : made_from(files, options, cut);
  data.sizes.vocab = data.tokens_.vocab();
  require_room(data.tokens_.vocab());
  data.train = encoded(data.tokens_, files, 0, cut);
  if (valid) {
    data.valid = encoded(data.tokens_, *valid, 0, valid->bytes());
  } else if (kind == "bpe") {
    data.valid = encoded(data.tokens_, files, cut, all);
  } else {
    const i64 n = data.train.size(), trained = static_cast<i64>(first_of(n));
    data.valid = data.train.part(trained, n);
    data.train = data.train.part(0, trained);
  }
  return data;
}

// Both parts are long enough for windows and their targets.
void TextData::check_run(const TrainOptions& o) const {
  i64 longest = 0;
  for (std::size_t p = 0; p < train.pieces(); ++p) longest = std::max(longest, train.end(p) - train.begin(p));
  if (longest < o.context + 1) {
    fail_data("{}: {} has {} {}s, a context of {} needs at least {}", source,
              train.pieces() > 1 ? "the longest file of the training part" : "the training part", longest, unit(),
              o.context, o.context + 1);
  }
  if (valid.size() > 0 && validation_of(o).targets() == 0) {
    fail_data("{}: the validation part has {} {}{}, at least 2 are needed: raise val_fraction, or set it to 0", source,
              valid.size(), unit(), valid.size() == 1 ? "" : "s in as many files");
  }
  const i64 rows = o.batch * o.accumulate;
  if (!o.carry_state || Stripes{rows, o.context}.windows(train.size()) >= 1) return;
  fail_data("{}: {} {}s to learn from are no stripes for {} rows: each needs a window of {}", source, train.size(),
            unit(), rows, o.context);
}

dsl::Batch TextData::training(const TrainOptions& o, i64 step, i64 part) const {
  const i64 first = part * o.batch;
  if (!o.carry_state) return training_batch(train, o.seed, step, first, o.batch, o.context);
  return Stripes{o.batch * o.accumulate, o.context}.batch(train, step, first, o.batch);
}

i64 TextData::position(const TrainOptions& o, i64 step) const {
  return o.carry_state ? Stripes{o.batch * o.accumulate, o.context}.window(train.size(), step) * o.context : 0;
}

ValidationBatches TextData::validation_of(const TrainOptions& o) const { return {valid, o.batch, o.context}; }

i64 TextData::validations(const TrainOptions& o) const { return validation_of(o).count(); }

dsl::Batch TextData::validation(const TrainOptions& o, i64 i) const { return validation_of(o).at(i); }

std::string TextData::amount() const {
  return fmt::format("{} bytes, {} {}s to learn from, {} to validate", grouped(static_cast<i64>(bytes_)),
                     grouped(train.size()), unit(), grouped(valid.size()));
}

std::vector<Floor> TextData::floors() const { return listed(measure_floors(train, valid, tokens_.vocab())); }

std::optional<double> TextData::target_bytes() const { return bytes_a_target(valid, tokens_); }

std::string TextData::meaning(const dsl::LossSum& loss) const {
  return weft::train::meaning(loss.nats / static_cast<double>(loss.count), loss.count,
                              measure_floors(train, valid, tokens_.vocab()), unit(), target_bytes());
}

// The first word of the validation text.
std::string TextData::example_prompt() const {
  std::vector<i32> tokens(static_cast<std::size_t>(std::min<i64>(valid.size(), 2000)));
  valid.read(0, tokens);
  const std::string start = tokens_.decode(tokens);
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

namespace {

Option paths_option(const char* name, const char* about) {
  return {.name = name, .kind = OptionKind::list, .min = 1, .about = about, .children = {path(name, about)}};
}

}  // namespace

TextOptions text_options(const Settings& data) {
  TextOptions o;
  o.path = paths(data, "text.path");
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
  o.valid = paths(data, "text.valid");
  check(o.valid.empty() || !data.given("text.val_fraction"), "{}: `valid` and `val_fraction` exclude each other",
        dsl::place_text(data.span("text.val_fraction")));
  std::tie(o.tokenizer, o.vocab) = tokenizer_asked(data, "text");
  o.val_fraction = data.real("text.val_fraction");
  return o;
}

DataKind text_kind() {
  Option builtin =
      word("builtin", "weft", {"weft"}, "A text inside the program: `weft`, its own sources and documents.");
  builtin.fallback = {};
  return {
      section("text", "A text; the model learns to predict the next token.",
              {paths_option("path",
                            "A file, a folder with all files below it, or a list of both; relative to the "
                            "description's folder."),
               builtin, paths_option("valid", "Others, whole, to validate on."),
               real("val_fraction", "0.1", 0, 0.9, "Without `valid`, the last part of the text, kept for validation."),
               tokenizer_option(), vocab_option()}),
      [](const Settings&) { return dsl::DataSizes(); }, [](const Settings& data) { text_options(data); },
      [](const Settings& data, const DataGiven& given) -> std::shared_ptr<const Data> {
        if (!given.files) return nullptr;
        return std::make_shared<const TextData>(load_text(text_options(data), given.built_in, given.tokenizer));
      }};
}

}  // namespace weft::train
