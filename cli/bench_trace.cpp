// weft bench FILE --trace: one step of training, node by node, as a timeline that a browser shows. The format is that
// of the Trace Event Profiling Tool of Chrome; ui.perfetto.dev reads it, too.
#include <iostream>
#include <set>

#include <nlohmann/json.hpp>

#include "cli/bench.h"
#include "cli/output.h"
#include "engine/op.h"
#include "train/file.h"

namespace weft::cli {
namespace {

using nlohmann::ordered_json;
constexpr double kMicroseconds = 1e6;

// A row of the timeline for the step as a whole, then one for each lane, which an observed step takes one by one.
class Trace final : public Observer {
 public:
  explicit Trace(Clock clock) : clock_(clock), start_(cli::now(clock)) { row("step"); }
  double now() const override { return last_ = cli::now(clock_); }
  void begins(i64 first, i64 rows) override { row(fmt::format("rows {} to {}", first, first + rows - 1)); }
  void computed(const Graph& graph, const Node& node, double seconds, double flops, double bytes) override {
    if (rows_ == 1) row("batch");
    ordered_json about = {{"place", graph.origin_of(node)}, {"flops", flops}, {"bytes", bytes}};
    if (!seen_.insert(&node).second) about["again"] = true;  // for the backward, instead of kept
    ++nodes_;
    add(node.op->name, node.phase == Phase::forward ? "forward" : "backward", rows_ - 1, last_ - seconds, seconds,
        std::move(about));
  }
  /// Parts of the step, one after the other.
  void parts(const Laps& laps) {
    double at = laps.begin;
    for (const auto& [name, seconds] :
         {std::pair("data", laps.data), std::pair("model", laps.model), std::pair("gradient norm", laps.norm),
          std::pair("optimizer", laps.optimizer)}) {
      add(name, "step", 0, at, seconds, ordered_json::object());
      at += seconds;
    }
  }
  i64 nodes() const { return nodes_; }
  std::string json() const { return ordered_json{{"displayTimeUnit", "ms"}, {"traceEvents", events_}}.dump() + "\n"; }

 private:
  void row(const std::string& name) {
    seen_.clear();
    events_.push_back({{"name", "thread_name"}, {"ph", "M"}, {"pid", 0}, {"tid", rows_++}, {"args", {{"name", name}}}});
  }
  void add(const std::string& name, const char* category, i64 row, double at, double seconds, ordered_json about) {
    events_.push_back({{"name", name},
                       {"cat", category},
                       {"ph", "X"},
                       {"pid", 0},
                       {"tid", row},
                       {"ts", (at - start_) * kMicroseconds},
                       {"dur", seconds * kMicroseconds},
                       {"args", std::move(about)}});
  }
  Clock clock_;
  double start_;
  mutable double last_ = 0;  // asked for: the end of a node
  i64 rows_ = 0, nodes_ = 0;
  std::set<const Node*> seen_;  // in this row
  ordered_json events_ = ordered_json::array();
};

}  // namespace

int trace_training(Runtime& runtime, const Work& work, const BenchOptions& options) {
  Training training(runtime, work, options.clock);
  for (i64 i = 0; i < kWarmUp; ++i) training.step();
  Trace trace(options.clock);
  const Laps laps = training.step(&trace);
  trace.parts(laps);
  train::write_atomically(options.trace, trace.json());
  if (options.common.json) {
    print_json({{"trace", options.trace}, {"nodes", trace.nodes()}, {"step_ms", laps.total * 1e3}});
  } else {
    std::cout << fmt::format("{}: {} nodes of a step of {:.1f} ms; ui.perfetto.dev and chrome://tracing show it\n",
                             options.trace, trace.nodes(), laps.total * 1e3);
  }
  return 0;
}

}  // namespace weft::cli
