// Where a number went wrong: which node of a run made the first infinity or NaN that reached a result.
//
// An infinity may be meant: one that a later node turns into finite numbers did no harm and is not reported. So every
// value that is not finite inherits the place where its kind began, and only what nobody read any more - a loss, a
// gradient - is asked for it.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "engine/observer.h"

namespace weft {

class NotFinite final : public Observer {
 public:
  NotFinite();
  NotFinite(const NotFinite&) = delete;
  NotFinite& operator=(const NotFinite&) = delete;

  void begins(i64 first, i64 rows) override;
  void computed(const Graph&, const Node&, double, double, double) override {}
  void made(const Graph& graph, const Node& node, const std::vector<Tensor>& values) override;
  const Intervention* inside() const override { return &watch_; }

  /// "`exp` (net.yaml:4:10) makes inf at [0, 2] of [B, T] = [2, 8], from values of at most 812"; empty when every
  /// result of the run was finite.
  std::string text() const;

 private:
  struct Trace {
    bool checked = false, read = false;
    int origin = -1;  // index into `origins_`; -1: it is finite
  };
  int begin(std::string origin);
  std::string origin_text(const Graph& graph, const Node& node, std::size_t output,
                          const std::vector<Tensor>& values) const;
  std::string inner_text(const Node& node) const;

  std::string before_;                // what runs of other rows said
  std::string rows_;                  // which are looked at, where they are not all
  std::vector<Trace> traces_;         // by value
  std::vector<std::string> origins_;  // in the order in which they were found
  Intervention watch_;
  // The first node inside the op that is being computed: all that an intervention is told of it.
  const Node* inner_ = nullptr;
  std::string inner_at_;
};

/// Where the first element that is not finite stands, counted in row-major order; -1 when there is none.
i64 first_not_finite(const Tensor& tensor);

}  // namespace weft
