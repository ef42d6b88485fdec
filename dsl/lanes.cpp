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

template <class T> void add(Isa isa, Tensor& sum, const Tensor& t) {
  T* to = sum.mutable_values<T>().data();
  const T* from = t.values<T>().data();
  loop(isa, 0, t.size(), [=](i64 i) { to[i] += from[i]; });
}
void add(Isa isa, Tensor& sum, Tensor t) {
  if (!sum) sum = t.is_sole_owner() ? std::move(t) : t.copy();
  else if (t.dtype() == DType::f64) add<double>(isa, sum, t);
  else add<float>(isa, sum, t);
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

void LaneSums::add(std::size_t i, std::size_t lane, Tensor share) {
  Sum& sum = sums_[i];
  std::unique_lock lock(sum.mutex);
  sum.waiting[lane] = std::move(share);
  if (sum.adding) return;
  sum.adding = true;
  while (const auto next = sum.waiting.extract(sum.next)) {
    ++sum.next;
    lock.unlock();
    dsl::add(isa_, sum.value, std::move(next.mapped()));
    lock.lock();
  }
  sum.adding = false;
}

std::vector<Tensor> LaneSums::take() {
  std::vector<Tensor> all;
  for (Sum& sum : sums_) all.push_back(std::move(sum.value));
  return all;
}

}  // namespace weft::dsl
