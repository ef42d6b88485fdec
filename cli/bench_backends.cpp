// weft bench backends: the roof of this machine, and how far below it the products of each backend run.
#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/bench.h"
#include "cli/output.h"
#include "engine/op.h"
#include "engine/probe.h"
#include "engine/run.h"
#include "ops/contract.h"

namespace weft::cli {
namespace {

// The products of the quick start (D 96, H 4, hidden 2 D; 12 windows of 128 tokens): z rows of the batch, t and s time.
struct Case {
  const char *what, *pattern;
  Shape a, b;
};
const Case kCases[] = {
    {"projection", "ztd,dk->ztk", {12, 128, 96}, {96, 192}},
    {"its input gradient", "ztk,dk->ztd", {12, 128, 192}, {96, 192}},
    {"its weight gradient", "ztd,ztk->dk", {12, 128, 96}, {12, 128, 192}},
    {"scores of heads", "zhtd,zhsd->zhts", {12, 4, 128, 24}, {12, 4, 128, 24}},
    {"values of heads", "zhts,zhsd->zhtd", {12, 4, 128, 128}, {12, 4, 128, 48}},
};

Tensor drawn(const Shape& shape, u64 seed) {
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = uniform(Key{seed}, i) - 0.5;
  return Tensor::from(values, shape, DType::f32);
}

// A product as a graph of one node, on one backend.
class Trial {
 public:
  Trial(const Case& c, const Runtime& runtime, Precision precision, Clock clock)
      : runtime_(runtime), clock_(clock), a_(drawn(c.a, 1)), b_(drawn(c.b, 2)) {
    settings_.precision = precision;
    x_ = graph_.input("a", to_dims(c.a)), y_ = graph_.input("b", to_dims(c.b));
    run_ = std::make_unique<Run>(graph_, std::vector{ops::contract(x_, y_, c.pattern)});
  }
  double flops() const { return run_->flops({}); }
  double seconds() {
    const double start = now(clock_);
    (*run_)(runtime_, DType::f32, {{x_, a_}, {y_, b_}}, settings_);
    return now(clock_) - start;
  }

 private:
  const Runtime& runtime_;
  Clock clock_;
  RunSettings settings_;
  Tensor a_, b_;
  Graph graph_{Graph::Gradients::no};
  Var x_, y_;
  std::unique_ptr<Run> run_;
};

struct Backend {
  std::string name, parallel;
  Precision precision;
  std::unique_ptr<Runtime> runtime;
};

// GFLOP/s of one case on every backend, which take turns.
std::vector<Spread> side_by_side(const Case& c, const std::vector<Backend>& backends, const BenchOptions& options) {
  std::vector<std::unique_ptr<Trial>> trials;
  std::vector<std::vector<double>> speeds(backends.size());
  for (const Backend& b : backends)
    trials.push_back(std::make_unique<Trial>(c, *b.runtime, b.precision, options.clock));
  for (auto& trial : trials) trial->seconds();
  for (i64 turn = 0; turn < options.steps; ++turn) {
    for (std::size_t i = 0; i < trials.size(); ++i)
      speeds[i].push_back(trials[i]->flops() / trials[i]->seconds() * 1e-9);
  }
  std::vector<Spread> spreads;
  for (auto& s : speeds) spreads.push_back(spread_of(std::move(s)));
  return spreads;
}

std::vector<Isa> runnable() {
  std::vector<Isa> all;
  for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (isa <= best_isa()) all.push_back(isa);
  }
  return all;
}

}  // namespace

int bench_backends(const BenchOptions& options) {
  const RuntimeOptions serial{.products = "loops", .parallel = "serial"};
  const Runtime one(serial), all({.threads = options.common.runtime.threads});
  std::vector<Backend> backends;
  for (const std::string backend : {"loops", "blas", "packed", "bf16"}) {
    if ((backend == "packed" && best_isa() == Isa::baseline) || (backend == "bf16" && !has_bf16())) continue;
    const bool rounds = backend == "bf16";
    for (const char* parallel : {"serial", "tbb"}) {
      RuntimeOptions o{
          .products = rounds ? "packed" : backend, .parallel = parallel, .threads = options.common.runtime.threads};
      backends.push_back({backend, parallel, rounds ? Precision::bf16 : Precision::f32, std::make_unique<Runtime>(o)});
    }
  }
  nlohmann::ordered_json j = {{"machine", all.describe()}};
  for (const Isa isa : runnable()) {
    j["peak"].push_back({{"isa", name(isa)},
                         {"gflops_one_thread", peak_flops(one, isa) * 1e-9},
                         {"gflops", peak_flops(all, isa) * 1e-9}});
  }
  j["read_gb_per_second"] = read_bandwidth(all) * 1e-9;
  for (const Case& c : kCases) {
    nlohmann::ordered_json row = {{"what", c.what}, {"pattern", c.pattern}, {"a", c.a}, {"b", c.b}};
    const auto spreads = side_by_side(c, backends, options);
    for (std::size_t i = 0; i < backends.size(); ++i) {
      const Spread& s = spreads[i];
      row["gflops"].push_back({{"products", backends[i].name},
                               {"parallel", backends[i].parallel},
                               {"low", s.low},
                               {"median", s.median},
                               {"high", s.high}});
    }
    j["products"].push_back(std::move(row));
  }
  if (options.common.json) {
    print_json(j);
    return 0;
  }
  std::cout << j["machine"].get<std::string>() << "\n";
  for (const auto& p : j["peak"]) {
    std::cout << fmt::format("  peak {:<9} {:>7.1f} GFLOP/s on one thread, {:.1f} on all\n",
                             p["isa"].get<std::string>(), p["gflops_one_thread"].get<double>(),
                             p["gflops"].get<double>());
  }
  std::cout << fmt::format("  memory         {:>7.1f} GB/s read\n\nGFLOP/s, median of {} turns\n{:<22}",
                           j["read_gb_per_second"].get<double>(), options.steps, "");
  for (const Backend& b : backends) std::cout << fmt::format("{:>14}", b.name + " " + b.parallel);
  std::cout << "\n";
  for (const auto& row : j["products"]) {
    std::cout << fmt::format("{:<22}", row["what"].get<std::string>());
    for (const auto& g : row["gflops"]) std::cout << fmt::format("{:>14.1f}", g["median"].get<double>());
    std::cout << "\n";
  }
  return 0;
}

}  // namespace weft::cli
