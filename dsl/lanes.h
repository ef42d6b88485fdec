// A batch in lanes: a few rows each, computed side by side from the first node to the last.
//
// Rows know nothing of each other until their losses are added up. So a thread takes a lane through the whole graph,
// forward and backward, without waiting for the others after every op; what passes from one op to the next is small
// enough for the caches; and only as many lanes as there are threads hold values at a time. The cut depends on shapes
// alone, and gradients are added in the order of the lanes: the number of threads changes no bit.
#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "dsl/model.h"

namespace weft::dsl {

/// Rows `begin` .. `end` - 1 of a batch.
struct Lane {
  i64 begin = 0, end = 0;
  i64 rows() const { return end - begin; }
};
/// `rows` rows of `length` tokens, cut as evenly as can be; one lane where there is little to do. `loops`: a step of a
/// recurrence is computed for each position, whose products have as many rows as a lane.
std::vector<Lane> lanes_of(i64 rows, i64 length, bool loops);

/// How many lanes are computed at the same time at most.
std::size_t at_once(const Runtime& runtime, std::size_t lanes);
/// body(lane, place, runtime) for each of `lanes`, begun in their order: at the same time, each on a thread of its own,
/// or `one_by_one` with all threads for every op. `place` < at_once belongs to one lane at a time.
void each_lane(const Runtime& runtime, std::size_t lanes, bool one_by_one,
               const std::function<void(std::size_t lane, std::size_t place, const Runtime&)>& body);

/// The sum of tensors that lanes give when they are done, in the order of the lanes. What the first gave becomes the
/// sum. A lane adds what those before it left, while others are computed; the last one's is added by all threads
/// together: else one of two threads waits for some 2 % of a step of size S.
class LaneSum {
 public:
  LaneSum(const Runtime& runtime, std::size_t lanes) : runtime_(runtime), lanes_(lanes) {}
  /// By each lane once.
  void add(std::size_t lane, std::vector<Tensor> tensors);
  std::vector<Tensor> take();

 private:
  void add_next(const Runtime& on);
  const Runtime& runtime_;
  std::size_t lanes_, next_ = 0;
  std::map<std::size_t, std::vector<Tensor>> waiting_;
  std::vector<Tensor> sum_;
  std::mutex mutex_;
};

}  // namespace weft::dsl
