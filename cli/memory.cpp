#include "cli/memory.h"

#include <algorithm>
#include <fstream>

#include "cli/output.h"

namespace weft::cli {
namespace {

// The pool rounds sizes up by at most an eighth and keeps blocks for the next step; products have buffers. On the
// examples the peak of the process was within a tenth of this (tests/cli/memory_test.cpp).
constexpr double kHeld = 1.125, kProgram = 3e6;
// Where rows differ in length, the pool holds blocks of other steps' sizes (engine/pool.h): a fifth more. And no two
// trees are alike: twice as much and more, and there are plans for many numbers of nodes.
constexpr double kUneven = 1.2, kTrees = 2.2, kPlans = 11e6;
constexpr double kUsable = 0.9;  // of what is available: the estimate is within a tenth, and others want some, too

// Whether rows differ in length, as the first steps show: some are padded, or one step is longer than another.
bool lengths_differ(const train::Data& data, const train::TrainOptions& o) {
  if (data.has_windows()) return false;
  const Tensor first = data.training(o, 1, 0).tokens;
  const auto tokens = first.values<i32>();
  if (std::any_of(tokens.begin(), tokens.end(), [](i32 t) { return t < 0; })) return true;
  for (const i64 step : {2, 3, 4}) {
    if (data.training(o, step, 0).tokens.shape() != first.shape()) return true;
  }
  return false;
}

}  // namespace

std::string cpu_line(const std::string& key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(':');
    if (line.starts_with(key) && colon != std::string::npos) return line.substr(std::min(line.size(), colon + 2));
  }
  return {};
}

std::string program_text() {
  const std::string cpu = cpu_line("model name");
  return fmt::format("weft {}, compiled by {}; {}", WEFT_VERSION, __VERSION__, cpu.empty() ? "unknown processor" : cpu);
}

Need need_of(const Work& work, const train::TrainOptions& o) {
  const dsl::StepCost c = work.model->cost(o.batch, work.length(o), o.dtype, work.threads);
  double remembered = 0;  // by AdamW, the most that a rule remembers
  for (const dsl::Weight& w : work.model->weights()) {
    if (w.trained)
      remembered += 2 * static_cast<double>(element_count(w.shape)) * static_cast<double>(byte_size(o.dtype));
  }
  const double bytes = static_cast<double>(c.peak_bytes) + remembered;
  const bool uneven = work.data && lengths_differ(*work.data, o), trees = c.folds && uneven;
  const double held = kHeld * bytes * (trees ? kTrees : uneven ? kUneven : 1);
  const double more = kProgram + held + (trees ? kPlans : 0);
  return {c, bytes, more, resident_bytes().value_or(0) + more};
}

std::string too_large(const Need& need, double most, bool windows) {
  const std::string smaller = fmt::format("make train.batch{} smaller", windows ? " or train.context" : "");
  if (most > 0) {
    if (need.peak <= most) return {};
    return fmt::format("training needs {} of memory in all, and --max-mem allows {}; {}", bytes_text(need.peak),
                       bytes_text(most), smaller);
  }
  const auto available = available_memory();
  if (!available || need.more <= kUsable * available->bytes) return {};
  return fmt::format("a step needs {} of memory, and {} {}; {}", bytes_text(need.more), available->source,
                     bytes_text(available->bytes), smaller);
}

void require_machine(const Work& work, const Options& options, double most) {
  const train::TrainOptions train = work.job().train;
  if (train.precision == Precision::bf16 && !has_bf16(options.runtime.products)) {
    dsl::Diagnostics d;
    d.error("E0508", work.train.span("precision"),
            has_bf16()
                ? "OpenBLAS has no products in bf16"
                : fmt::format("products in bf16 need a CPU with AVX512-BF16, and this one has {}", name(best_isa())))
        .help(has_bf16() ? "leave `--products` out, or train with `precision: f32`"
                         : "train with `precision: f32`; `--products loops` computes the same as such a CPU, slowly");
    report_errors(d, options.json);
  }
  const std::string trouble = too_large(need_of(work, train), most, !work.data || work.data->has_windows());
  if (!trouble.empty()) throw Error(trouble, Failure::size);
}

}  // namespace weft::cli
