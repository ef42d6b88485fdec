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

/// Sums of tensors that lanes give, in the order of the lanes. What the first gives becomes the sum. Each is added as
/// soon as those before it are there, by whoever brings the last that is missing, while it is still in a cache.
class LaneSums {
 public:
  LaneSums(Isa isa, std::size_t count) : isa_(isa), sums_(count) {}
  /// The share of `lane` in sum `i`; by each lane once.
  void add(std::size_t i, std::size_t lane, Tensor share);
  std::vector<Tensor> take();

 private:
  struct Sum {
    std::mutex mutex;  // of all but `value`, which belongs to whoever made `adding` true
    std::size_t next = 0;
    std::map<std::size_t, Tensor> waiting;
    bool adding = false;
    Tensor value;
  };
  Isa isa_;
  std::vector<Sum> sums_;
};

}  // namespace weft::dsl
