// The parts of `weft bench`: a model in training one step at a time, its profile, and the machine itself.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "cli/work.h"
#include "engine/observer.h"
#include "train/optimizer.h"

namespace weft::cli {

/// What seconds are counted with: the clock on the wall, or the processor time of all threads together. On a machine
/// that others use too, the latter with `--parallel serial` still tells how much work a thing is.
enum class Clock { wall, cpu };
double now(Clock clock);

struct BenchOptions {
  Options common;
  Clock clock = Clock::wall;
  bool profile = false, paced = false;
  i64 steps = 20;
  std::string by = "op";                     // of a profile: op | place
  std::vector<i64> positions = {100, 1000};  // of generation
  std::string hand_over;                     // a file for the first weights and windows
  std::string trace;                         // a file for the timeline of a step
};

inline constexpr i64 kWarmUp = 2;  // steps that are not counted: the pool fills, the clock of the processor rises

/// Quartiles of measured values: one slow moment of a shared machine moves none of them.
struct Spread {
  double low = 0, median = 0, high = 0;
};
Spread spread_of(std::vector<double> values);

/// Seconds of one step of training and of its parts.
struct Laps {
  double data = 0, model = 0, norm = 0, optimizer = 0, total = 0;
  double begin = 0;  // on the clock
};

/// What `weft train` does between two lines of its log, and no more.
class Training {
 public:
  Training(Runtime& runtime, const Work& work, Clock clock);
  Laps step(Observer* observer = nullptr);
  const train::TrainOptions& options() const { return options_; }
  const std::vector<Tensor>& weights() const { return weights_; }
  dsl::Batch batch(i64 step) const;
  i64 length() const { return work_.length(options_); }
  i64 tokens() const { return options_.batch * length(); }
  double loss() const { return loss_; }  // of the last step, before its update
  double gradient_norm() const { return norm_; }

 private:
  Runtime& runtime_;
  const Work& work_;
  Clock clock_;
  train::TrainOptions options_;
  std::vector<Tensor> weights_;
  train::Optimizer optimizer_;
  i64 step_ = 0;
  double loss_ = 0, norm_ = 0;
};

/// Seconds, operations and bytes of a run's nodes, added up by op and direction, or by place in the description.
class Profile final : public Observer {
 public:
  Profile(bool by_place, Clock clock) : by_place_(by_place), clock_(clock) {}
  double now() const override { return cli::now(clock_); }
  void computed(const Graph& graph, const Node& node, double seconds, double flops, double bytes) override;

  struct Row {
    i64 calls = 0;
    double seconds = 0, flops = 0, bytes = 0;
  };
  using Key = std::pair<std::string, std::string>;  // op or place, direction
  const std::map<Key, Row>& rows() const { return rows_; }

 private:
  bool by_place_;
  Clock clock_;
  std::map<Key, Row> rows_;
};

int profile_training(Runtime& runtime, const Work& work, const BenchOptions& options);
int trace_training(Runtime& runtime, const Work& work, const BenchOptions& options);
int bench_backends(const BenchOptions& options);

}  // namespace weft::cli
