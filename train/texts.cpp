#include "train/texts.h"

#include <algorithm>
#include <list>
#include <numeric>

namespace weft::train {
namespace {

constexpr i64 kRows = 16;

struct Row {
  std::size_t prompt;
  i64 copy;
};

}  // namespace

Beginning begin(const Writing& how, const std::vector<i32>& prompt) {
  if (!prompt.empty()) return read(how.stream, prompt, how.tokenizer.vocab(), how.before);
  check(how.before != nullptr, "generate: an empty prompt, and nothing before it");
  return *how.before;
}

Draft draft_of(const Writing& how, const Beginning& from, i64 copy, Written& to) {
  const TokenSink drawn = [&to](const Drawn& d) { to.drawn.push_back(d); };
  return Draft(
      how.tokenizer, how.options, from, copy,
      [&to](std::string_view piece) {
        to.text += piece;
        return true;
      },
      how.keeps_drawn ? drawn : TokenSink());
}

std::vector<std::vector<Written>> write_all(const Writing& how, std::span<const std::vector<i32>> prompts, i64 copies) {
  std::vector<std::size_t> order(prompts.size());
  std::iota(order.begin(), order.end(), 0);
  const bool apart = how.stream.rows_apart();
  if (!apart) {
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return prompts[a].size() < prompts[b].size(); });
  }
  std::vector<Row> rows;
  for (const std::size_t prompt : order) {
    for (i64 copy = 0; copy < copies; ++copy) rows.push_back({prompt, copy});
  }
  std::vector<std::vector<Written>> all(prompts.size(), std::vector<Written>(static_cast<std::size_t>(copies)));
  for (auto first = rows.begin(); first != rows.end();) {
    auto end = first;
    const auto joins = [&] { return apart || prompts[end->prompt].size() == prompts[first->prompt].size(); };
    while (end != rows.end() && end - first < kRows && joins()) ++end;
    std::list<Beginning> beginnings;  // each prompt is read once, whatever the copies
    std::vector<Draft> drafts;
    const auto place = [&](const Row& r) -> Written& { return all[r.prompt][static_cast<std::size_t>(r.copy)]; };
    for (auto r = first; r != end; ++r) {
      if (r == first || r->prompt != (r - 1)->prompt) beginnings.push_back(begin(how, prompts[r->prompt]));
      drafts.push_back(draft_of(how, beginnings.back(), r->copy, place(*r)));
    }
    write(how.stream, drafts);
    for (const Draft& d : drafts) {
      Written& to = place(*first++);
      to.tokens = d.tokens(), to.end = d.end(), to.stop = d.stop();
    }
  }
  return all;
}

}  // namespace weft::train
