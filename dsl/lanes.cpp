#include "dsl/lanes.h"

#include <algorithm>
#include <atomic>

#include "engine/loops.h"

namespace weft::dsl {
namespace {

// At least: each lane costs a sum of gradients, and its products have fewer rows. At 192 a step was 2 to 4 % longer.
constexpr i64 kTokens = 384;
// At most: every lane adds up a gradient of all weights, 1 % of a step of 4,096 tokens for four.
constexpr i64 kLanes = 8;
// Rows in a loop: with two, each position reads its weights for two rows.
constexpr i64 kLoopRows = 6;

// Elements begin .. end of the sum.
template <class T> void add(Isa isa, Tensor& sum, const Tensor& t, i64 begin, i64 end) {
  T* to = sum.mutable_values<T>().data();
  const T* from = t.values<T>().data();
  loop(isa, begin, end, [=](i64 i) { to[i] += from[i]; });
}

}  // namespace

std::vector<Lane> lanes_of(i64 rows, i64 length, bool loops) {
  const i64 least = loops ? kLoopRows : 1;
  const i64 most = std::clamp(rows * length / kTokens, i64{1}, std::max(i64{1}, std::min(rows / least, kLanes)));
  // Alike where that leaves more than half of them: lanes of six and of seven rows keep blocks of memory for both.
  i64 n = most;
  while (rows % n != 0) --n;
  if (2 * n <= most) n = most;
  std::vector<Lane> lanes;
  for (i64 i = 0; i < n; ++i) lanes.push_back({rows * i / n, rows * (i + 1) / n});
  return lanes;
}

std::size_t at_once(const Runtime& runtime, std::size_t lanes) {
  return std::min(lanes, static_cast<std::size_t>(runtime.parallel().threads()));
}

void each_lane(const Runtime& runtime, std::size_t lanes, bool one_by_one,
               const std::function<void(std::size_t, std::size_t, const Runtime&)>& body) {
  const std::size_t places = at_once(runtime, lanes), threads = static_cast<std::size_t>(runtime.parallel().threads());
  if (one_by_one || places == 1) {
    for (std::size_t i = 0; i < lanes; ++i) body(i, 0, runtime);
    return;
  }
  // Where threads would run out of lanes, they help with the ops of those that are left.
  const bool enough = lanes % threads == 0 || lanes >= 2 * threads;
  const Runtime own = enough ? runtime.alone() : runtime;
  std::atomic<std::size_t> next = 0;
  runtime.parallel().ranges(static_cast<i64>(places), 1, [&](i64 place, i64) {
    try {
      for (std::size_t i; (i = next++) < lanes;) body(i, static_cast<std::size_t>(place), own);
    } catch (...) {
      next = lanes;
      throw;
    }
  });
}

void LaneSum::add(std::size_t lane, std::vector<Tensor> tensors) {
  const std::lock_guard lock(mutex_);
  waiting_[lane] = std::move(tensors);
  while (next_ + 1 < lanes_ && waiting_.contains(next_)) add_next(runtime_.alone());
}

std::vector<Tensor> LaneSum::take() {
  if (!waiting_.empty()) add_next(runtime_);
  return std::move(sum_);
}

void LaneSum::add_next(const Runtime& on) {
  std::vector<Tensor> given = std::move(waiting_.begin()->second);
  waiting_.erase(waiting_.begin());
  if (next_++ == 0) {
    for (Tensor& t : given) sum_.push_back(t.is_sole_owner() ? std::move(t) : t.copy());
    return;
  }
  constexpr i64 kPart = 1 << 16;  // elements
  struct Part {
    std::size_t tensor;
    i64 begin, end;
  };
  std::vector<Part> parts;
  for (std::size_t i = 0; i < given.size(); ++i) {
    for (i64 b = 0; b < given[i].size(); b += kPart) parts.push_back({i, b, std::min(b + kPart, given[i].size())});
  }
  on.parallel().ranges(std::ssize(parts), 1, [&](i64 begin, i64 end) {
    for (auto p = parts.begin() + begin; p != parts.begin() + end; ++p) {
      const Tensor& t = given[p->tensor];
      if (t.dtype() == DType::f64) dsl::add<double>(on.isa(), sum_[p->tensor], t, p->begin, p->end);
      else dsl::add<float>(on.isa(), sum_[p->tensor], t, p->begin, p->end);
    }
  });
}

}  // namespace weft::dsl
