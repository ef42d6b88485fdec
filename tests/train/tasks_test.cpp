#include <cmath>
#include <map>
#include <set>

#include "tests/train/made_data.h"

using namespace weft;
using namespace weft::train;

namespace {

const char* const kTasks[] = {"recall: {pairs: 5}",
                              "recall: {pairs: 4, repeats: true, valid: 33}",
                              "mqar: {pairs: 4, length: 32, vocab: 20}",
                              "copy: {symbols: 5, length: 4, blanks: 5}",
                              "copy: {selective: true}",
                              "parity: {longest: 12}",
                              "listops: {longest: 40}",
                              "images: {side: 8}"};

}  // namespace

TEST_CASE("every task gives rows that follow from seed, step and row alone, with tokens and targets that exist") {
  for (const char* section : kTasks) {
    CAPTURE(section);
    const auto data = made(section);
    const TrainOptions o = options(6), halves = options(3, 2);
    const dsl::Batch whole = data->training(o, 7, 0);
    const i64 T = whole.tokens.shape()[1], rows = whole.tokens.shape()[0];
    CHECK(rows == 6);
    CHECK(T <= data->length(o));
    const bool classes = data->sizes.classes.has_value();
    CHECK(whole.targets.shape() == (classes ? Shape{6} : Shape{6, T}));
    for (const i32 token : whole.tokens.values<i32>())
      CHECK((token >= (classes ? -1 : 0) && token < *data->sizes.vocab));
    for (const i32 target : whole.targets.values<i32>())
      CHECK((target >= -1 && target < data->sizes.classes.value_or(*data->sizes.vocab)));
    CHECK(dsl::counted(whole.targets) >= 6);
    for (i64 part = 0; part < 2; ++part) {  // cut in two parts the rows are the same
      const dsl::Batch half = data->training(halves, 7, part);
      for (i64 r = 0; r < 3; ++r) CHECK(present(row(half.tokens, r)) == present(row(whole.tokens, 3 * part + r)));
    }
    CHECK(row(data->training(o, 8, 0).tokens, 0) != row(whole.tokens, 0));
    CHECK(row(data->training(options(6, 1, 2), 7, 0).tokens, 0) != row(whole.tokens, 0));
    std::set<std::vector<i32>> seen;
    i64 validated = 0;
    for (i64 i = 0; i < data->validations(o); ++i) {
      const dsl::Batch batch = data->validation(o, i);
      validated += batch.tokens.shape()[0];
      for (i64 r = 0; r < batch.tokens.shape()[0]; ++r) seen.insert(present(row(batch.tokens, r)));
    }
    CHECK(validated == (contains(section, "valid: 33") ? 33 : 1000));
    CHECK(seen.size() > 20);
    for (i64 step = 1; step <= 30; ++step) {  // nothing of it is ever learned from
      const dsl::Batch batch = data->training(o, step, 0);
      for (i64 r = 0; r < rows; ++r) CHECK(!seen.contains(present(row(batch.tokens, r))));
    }
    CHECK(!data->floors().empty());
    CHECK(contains(data->meaning({10, 20, 5}), "25.00 % of 20"));
  }
}

TEST_CASE("what was written last beside a key is what is asked for, and no key or value comes twice unless told") {
  for (const bool repeats : {false, true}) {
    const i64 S = 6;
    const auto data = made(repeats ? "recall: {pairs: 6, repeats: true}" : "recall: {pairs: 6}");
    const dsl::Batch batch = data->training(options(50), 1, 0);
    bool overwritten = false;
    for (i64 r = 0; r < 50; ++r) {
      std::vector<i32> tokens = present(row(batch.tokens, r));
      CHECK(std::ssize(tokens) == (repeats ? 2 * S : S) + 1);
      const i64 asked = (tokens.back() - S * S) / S;
      tokens.pop_back();
      std::map<i64, i64> memory;
      std::set<i64> values;
      for (const i32 token : tokens) {
        overwritten |= memory.contains(token / S);
        memory[token / S] = token % S;
        values.insert(token % S);
      }
      CHECK(memory.at(asked) == row(batch.targets, r)[0]);
      if (!repeats) CHECK((memory.size() == 6 && values.size() == 6));
    }
    CHECK(overwritten == repeats);
  }
}

TEST_CASE("each key of mqar is asked for once, at a place of its own, early ones more often") {
  const auto data = made("mqar: {pairs: 4, length: 64, vocab: 20}");
  const dsl::Batch batch = data->training(options(200), 1, 0);
  i64 early = 0;
  for (i64 r = 0; r < 200; ++r) {
    const std::vector<i32> x = row(batch.tokens, r), y = row(batch.targets, r);
    std::map<i32, i32> memory;
    for (std::size_t i = 0; i < 4; ++i) memory[x[2 * i]] = x[2 * i + 1];
    CHECK(memory.size() == 4);
    for (const auto& [key, value] : memory) CHECK((key >= 1 && key < 10 && value >= 10));
    i64 asked = 0;
    for (std::size_t t = 0; t < x.size(); ++t) {
      if (y[t] < 0) continue;
      ++asked;
      CHECK((t >= 8 && t % 2 == 0));
      CHECK(memory.at(x[t]) == y[t]);
      early += t < 16;
    }
    CHECK(asked == 4);
  }
  CHECK(early > 300);  // p(i) = i^-0.99: the first 4 of 28 places have 52 % of the chance, and evenly it would be 14 %
}

TEST_CASE("copies are asked for in order, and the blanks of the selective task lie between the symbols") {
  for (const bool selective : {false, true}) {
    const auto data =
        made(selective ? "copy: {length: 5, blanks: 6, selective: true}" : "copy: {length: 5, blanks: 6}");
    const dsl::Batch batch = data->training(options(20), 3, 0);
    bool between = false;
    for (i64 r = 0; r < 20; ++r) {
      const std::vector<i32> x = row(batch.tokens, r), y = row(batch.targets, r);
      std::vector<i32> symbols, asked;
      for (std::size_t t = 0; t < 11; ++t) {
        if (x[t] < 8) symbols.push_back(x[t]);
        else CHECK(x[t] == 8);
        between |= x[t] == 8 && symbols.size() < 5;
        CHECK(y[t] == -1);
      }
      for (std::size_t t = 11; t < 16; ++t) {
        CHECK(x[t] == 9);
        asked.push_back(y[t]);
      }
      CHECK(asked == symbols);
    }
    CHECK(between == selective);
  }
}

TEST_CASE("the class of a string of bits is the parity of its ones, and both kinds are as frequent") {
  const auto data = made("parity: {shortest: 3, longest: 9}");
  const dsl::Batch batch = data->training(options(400), 1, 0);
  std::map<std::size_t, i64> lengths;
  i64 odd = 0;
  for (i64 r = 0; r < 400; ++r) {
    const std::vector<i32> bits = present(row(batch.tokens, r));
    i64 ones = 0;
    for (const i32 bit : bits) ones += bit;
    CHECK(row(batch.targets, r)[0] == ones % 2);
    ++lengths[bits.size()];
    odd += ones % 2;
  }
  CHECK(lengths.size() == 7);
  CHECK(std::abs(odd - 200) < 60);  // six standard deviations
}

TEST_CASE("both published layouts of ListOps are read, and what is made has the value that an evaluation finds") {
  TemporaryFolder folder;
  write_atomically(folder / "spinn.tsv", "4\t[MAX 2 4 ]\n5\t[MED 5 6 [SM 9 6 ] ]\n");
  write_atomically(folder / "lra.tsv", "Source\tTarget\r\n( ( ( [MAX 2 ) 4 ) ] )\t4\r\n");
  const auto data = made("listops: {path: spinn.tsv, valid: lra.tsv}", folder.path());
  CHECK(contains(data->amount(), "2 sequences to learn from, 1 to validate"));
  const dsl::Batch lra = data->validation(options(4), 0);
  CHECK(present(row(lra.tokens, 0)) == std::vector<i32>{11, 2, 4, 14});
  CHECK(row(lra.targets, 0) == std::vector<i32>{4});
  for (const auto& [text, message] : std::map<std::string, std::string>{
           {"4 [MAX 2 4 ]\n", "bad.tsv:1: a line of ListOps is an expression and its value"},
           {"4\t[MAX 2 4 ]\n12\t[MAX 2 4 ]\n", "bad.tsv:2: the value is a digit"},
           {"4\t[MOX 2 4 ]\n", "`[MOX` is no digit, operator or `]`"},
           {"", "has no expression of up to 100 tokens"}}) {
    write_atomically(folder / "bad.tsv", text);
    const Caught error = caught([&] { made("listops: {path: bad.tsv, valid: lra.tsv}", folder.path()); });
    CHECK(error.failure == Failure::data);
    CHECK(contains(error.message, message));
  }

  const auto drawn = made("listops: {shortest: 10, longest: 60, max_depth: 4}");
  const dsl::Batch batch = drawn->training(options(100), 1, 0);
  for (i64 r = 0; r < 100; ++r) {
    const std::vector<i32> tokens = present(row(batch.tokens, r));
    CHECK((tokens.size() >= 10 && tokens.size() <= 60));
    std::vector<std::vector<i32>> open;  // an operator, then its arguments so far
    i32 value = -1;
    std::size_t deepest = 0;
    for (const i32 token : tokens) {
      value = token;
      if (token >= 10 && token < 14) {
        open.push_back({token});
        deepest = std::max(deepest, open.size());
        continue;
      }
      if (token == 14) {
        std::vector<i32> args(open.back().begin() + 1, open.back().end());
        const i32 op = open.back()[0];
        open.pop_back();
        std::sort(args.begin(), args.end());
        i32 sum = 0;
        for (const i32 arg : args) sum += arg;
        const double median = (args[(args.size() - 1) / 2] + args[args.size() / 2]) / 2.0;
        value = op == 10 ? args.front() : op == 11 ? args.back() : op == 12 ? static_cast<i32>(median) : sum % 10;
      }
      if (!open.empty()) open.back().push_back(value);
    }
    CHECK(open.empty());
    CHECK(deepest <= 3);
    CHECK(row(batch.targets, r)[0] == value);
  }
}

TEST_CASE("options of tasks that contradict each other are errors with their place") {
  for (const auto& [section, message] : std::map<std::string, std::string>{
           {"mqar: {pairs: 8, length: 30}", "task.yaml:1:26: `length` is even and at least 4 * pairs = 32, not 30"},
           {"mqar: {pairs: 8, vocab: 12}", "`vocab` is at least 2 * pairs + 2 = 18, not 12"},
           {"parity: {shortest: 50}", "task.yaml:1:20: `shortest` is at most `longest`, 40"},
           {"listops: {path: a.tsv}", "`path` and `valid` come together"},
           {"listops: {path: a.tsv, valid: b.tsv, max_args: 3}", "`max_args` is for expressions that are made"},
           {"lines: {path: a, vocab: 300}",
            "task.yaml:1:25: `vocab` is for `tokenizer: bpe`; the vocabulary of `char`"},
           {"jsonl: {path: a, valid: b, val_fraction: 0.2}", "`valid` and `val_fraction` exclude each other"},
           {"jsonl: {path: a, text: x, label: x}", "`text` and `label` are two keys"},
           {"listops: {shortest: 5000, longest: 5000, max_depth: 3, max_args: 2}", "give other lengths"}}) {
    const Caught error = caught([&] { made(section); });
    CAPTURE(section);
    CHECK(error.failure == Failure::usage);
    CHECK(contains(error.message, message));
  }
  TrainOptions carry = options(2);
  carry.carry_state = true;
  CHECK(contains(caught([&] { made("parity")->check_run(carry); }).message, "carry_state is for a text"));
}
