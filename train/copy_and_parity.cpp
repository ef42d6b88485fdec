// Two small tasks that tell what a memory can do: copying, and the parity of a string of bits.
#include <algorithm>
#include <numeric>

#include "train/make_option.h"
#include "train/sequences.h"

namespace weft::train {
namespace {

// Tokens 0 .. symbols-1 to remember, `symbols` a blank, `symbols + 1` the mark at which the next one is to be told. The
// blanks come behind the tokens (Hochreiter and Schmidhuber 1997; Arjovsky et al. 2016), or lie between them anywhere:
// selective copying (Gu and Dao 2023, arXiv:2312.00752).
class Copy final : public Task {
 public:
  Copy(i64 symbols, i64 length, i64 blanks, bool selective, i64 valid)
      : Task(fmt::format("{}copying {} of {} symbols over {} blanks", selective ? "selective " : "", length, symbols,
                         blanks),
             {symbols + 2}, 2 * length + blanks, valid, 1 / static_cast<double>(symbols)),
        symbols_(symbols),
        length_(length),
        blanks_(blanks),
        selective_(selective) {}

 private:
  Example make(Key key) const override {
    const i64 front = length_ + blanks_;
    std::vector<i64> places(static_cast<std::size_t>(length_));
    std::iota(places.begin(), places.end(), 0);
    if (selective_) {
      for (i64& place : places)
        place = static_cast<i64>(permuted(key.fold("places"), static_cast<u64>(place), static_cast<u64>(front)));
      std::sort(places.begin(), places.end());
    }
    Example e;
    e.tokens.assign(static_cast<std::size_t>(front), static_cast<i32>(symbols_));
    e.tokens.insert(e.tokens.end(), places.size(), static_cast<i32>(symbols_ + 1));
    e.targets.assign(static_cast<std::size_t>(front), -1);
    for (std::size_t i = 0; i < places.size(); ++i) {
      const auto symbol = static_cast<i32>(bits(key.fold("symbols"), i) % static_cast<u64>(symbols_));
      e.tokens[static_cast<std::size_t>(places[i])] = symbol;
      e.targets.push_back(symbol);
    }
    return e;
  }
  i64 symbols_, length_, blanks_;
  bool selective_;
};

// Whether the number of ones is odd: one bit of state suffices, and no sum of decaying terms has it.
class Parity final : public Task {
 public:
  Parity(i64 shortest, i64 longest, i64 valid)
      : Task(fmt::format("parity of {} to {} bits", shortest, longest), {2, 2}, longest, valid, 0.5),
        shortest_(shortest),
        longest_(longest) {}

 private:
  Example make(Key key) const override {
    const u64 n =
        static_cast<u64>(shortest_) + bits(key.fold("length"), 0) % static_cast<u64>(longest_ - shortest_ + 1);
    Example e;
    for (u64 i = 0; i < n; ++i) e.tokens.push_back(static_cast<i32>(bits(key.fold("bits"), i) % 2));
    e.targets = {std::accumulate(e.tokens.begin(), e.tokens.end(), 0) % 2};
    return e;
  }
  i64 shortest_, longest_;
};

void check_parity(const Settings& data) {
  check(data.whole("parity.shortest") <= data.whole("parity.longest"), "{}: `shortest` is at most `longest`, {}",
        dsl::place_text(data.span("parity.shortest")), data.whole("parity.longest"));
}

}  // namespace

DataKind copy_kind() {
  return {section("copy", "Symbols to be told again in their order behind some blanks.",
                  {whole("symbols", "8", 2, "Different symbols; a blank and a mark come besides.", kMost),
                   whole("length", "10", 1, "Symbols to remember.", kMost),
                   whole("blanks", "50", 0, "Blanks in a sequence.", kMost),
                   flag("selective", "false", "The blanks lie between the symbols, anywhere."), valid_option()}),
          [](const Settings& data) { return dsl::DataSizes(data.whole("copy.symbols") + 2); }, [](const Settings&) {},
          [](const Settings& data, const DataGiven&) {
            return std::make_shared<const Copy>(data.whole("copy.symbols"), data.whole("copy.length"),
                                                data.whole("copy.blanks"), data.boolean("copy.selective"),
                                                data.whole("copy.valid"));
          }};
}

DataKind parity_kind() {
  return {section("parity", "Strings of bits; the class says whether the number of ones is odd.",
                  {whole("shortest", "1", 1, "Bits of the shortest.", kMost),
                   whole("longest", "40", 1, "Bits of the longest.", kMost), valid_option()}),
          [](const Settings&) { return dsl::DataSizes(2, 2); }, check_parity,
          [](const Settings& data, const DataGiven&) {
            return std::make_shared<const Parity>(data.whole("parity.shortest"), data.whole("parity.longest"),
                                                  data.whole("parity.valid"));
          }};
}

}  // namespace weft::train
