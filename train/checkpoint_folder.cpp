// The files of checkpoints and weights in the folder of a run: their names, which there are, which are kept, which is
// meant.
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "train/checkpoint.h"
#include "train/file.h"

namespace weft::train {
namespace {

constexpr const char* kStateFile = "state.safetensors";
constexpr std::string_view kStepFolder = "step_", kGood = "good_", kEnding = ".safetensors";

fs::path good_file(const fs::path& checkpoints, i64 step) {
  return checkpoints / fmt::format("{}{:07}{}", kGood, step, kEnding);
}

// The step in the name of a file such as good_0000400.safetensors; -1: it has another name.
i64 step_in(std::string_view name, std::string_view before, std::string_view behind) {
  if (!name.starts_with(before) || !name.ends_with(behind) || name.size() < before.size() + behind.size()) return -1;
  name = name.substr(before.size(), name.size() - before.size() - behind.size());
  i64 step = -1;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), step);
  return parsed.ec == std::errc() && parsed.ptr == name.data() + name.size() ? step : -1;
}

// Weights that a validation found good, but not the best: by loss, then by step.
struct Good {
  double loss;
  i64 step;
  auto operator<=>(const Good&) const = default;
};
std::vector<Good> list_good(const fs::path& checkpoints) {
  std::vector<Good> all;
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(checkpoints, none)) {
    const i64 step = step_in(entry.path().filename().string(), kGood, kEnding);
    if (step < 0) continue;
    double loss = std::numeric_limits<double>::infinity();  // of a damaged one: the first to go
    try {
      loss = progress_of(Safetensors(entry.path()).metadata(), entry.path()).best_loss;
    } catch (const Error&) {
    }
    all.push_back({loss, step});
  }
  std::sort(all.begin(), all.end());
  return all;
}

// "best (step 250), 500, 450": what `--checkpoint` may choose.
std::string choices(const fs::path& checkpoints, const std::vector<i64>& steps) {
  std::vector<std::string> all;
  if (fs::exists(best_file(checkpoints))) {
    try {
      const Metadata best = Safetensors(best_file(checkpoints)).metadata();
      const auto step = best.find("step");
      all.push_back(step == best.end() ? "best" : fmt::format("best (step {})", step->second));
    } catch (const Error&) {
      all.push_back("best (damaged)");
    }
  }
  for (const Good& good : list_good(checkpoints)) {
    if (std::find(steps.begin(), steps.end(), good.step) == steps.end()) all.push_back(std::to_string(good.step));
  }
  for (const i64 step : steps) all.push_back(std::to_string(step));
  if (!steps.empty()) all.back() += fmt::format(" and last (step {})", steps.front());
  return fmt::format("{}", fmt::join(all, ", "));
}

}  // namespace

fs::path checkpoint_file(const fs::path& checkpoints, i64 step) {
  return checkpoints / fmt::format("{}{:07}", kStepFolder, step) / kStateFile;
}

fs::path best_file(const fs::path& checkpoints) { return checkpoints / "best.safetensors"; }

std::vector<fs::path> weight_files(const fs::path& run) {
  const fs::path checkpoints = run / "checkpoints";
  std::vector<fs::path> files;
  if (fs::exists(best_file(checkpoints))) files.push_back(best_file(checkpoints));
  for (const Good& good : list_good(checkpoints)) files.push_back(good_file(checkpoints, good.step));
  for (const i64 step : list_checkpoints(checkpoints)) files.push_back(checkpoint_file(checkpoints, step));
  if (files.empty()) fail_data("{}: has no weights (is it the folder of a run?)", run.string());
  return files;
}

std::vector<i64> list_checkpoints(const fs::path& checkpoints) {
  std::vector<i64> steps;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(checkpoints, error)) {
    const i64 step = step_in(entry.path().filename().string(), kStepFolder, "");
    if (step < 0) continue;
    // A folder without the file is one whose writer was killed: the rename never came.
    std::error_code missing;
    if (fs::is_regular_file(entry.path() / kStateFile, missing)) steps.push_back(step);
  }
  std::sort(steps.rbegin(), steps.rend());
  return steps;
}

void remove_old_checkpoints(const fs::path& checkpoints, i64 keep) {
  const std::vector<i64> steps = list_checkpoints(checkpoints);
  for (std::size_t i = static_cast<std::size_t>(std::max<i64>(keep, 1)); i < steps.size(); ++i) {
    std::error_code ignored;  // an old checkpoint that stays does no harm
    fs::remove_all(checkpoint_file(checkpoints, steps[i]).parent_path(), ignored);
  }
}

// The files are all there is to know of the ones before: what a validation of a later step left, before the run was
// resumed from an earlier one, will be made again and counts for nothing.
void keep_best(const fs::path& checkpoints, const std::vector<dsl::Weight>& names, const std::vector<Tensor>& weights,
               const Progress& now, bool best, i64 keep) {
  if (keep == 0) return;
  const i64 step = now.best_step;
  std::error_code ignored;
  if (best && keep > 1) {  // the best so far becomes the second
    const fs::path before = best_file(checkpoints);
    try {
      const i64 its = fs::exists(before) ? progress_of(Safetensors(before).metadata(), before).best_step : step;
      if (its < step) fs::create_hard_link(before, good_file(checkpoints, its), ignored);
    } catch (const Error& error) {  // a damaged one is not worth keeping
      if (error.failure != Failure::data) throw;
    }
  }
  if (best) save_weights(best_file(checkpoints), names, weights, now);
  else if (keep > 1) save_weights(good_file(checkpoints, step), names, weights, now);
  i64 kept = 1;
  for (const Good& good : list_good(checkpoints)) {
    const bool of_another_try = good.step > step || (best && good.step == step);
    if (of_another_try || ++kept > keep) fs::remove(good_file(checkpoints, good.step), ignored);
  }
}

fs::path weight_file(const fs::path& run_or_file, const std::string& choice) {
  if (!fs::exists(run_or_file)) fail_data("{}: there is no such run or file of weights", run_or_file.string());
  if (!fs::is_directory(run_or_file)) {
    if (choice.empty()) return run_or_file;
    fail_data("{}: is a file; --checkpoint {} chooses in the folder of a run", run_or_file.string(), choice);
  }
  const std::vector<fs::path> files = weight_files(run_or_file);
  if (choice.empty()) return files.front();
  const fs::path checkpoints = run_or_file / "checkpoints";
  const std::vector<i64> steps = list_checkpoints(checkpoints);
  if (choice == "best" && files.front() == best_file(checkpoints)) return files.front();
  if (choice == "last" && !steps.empty()) return checkpoint_file(checkpoints, steps.front());
  i64 step = -1;
  const auto number = std::from_chars(choice.data(), choice.data() + choice.size(), step);
  for (const fs::path& file : files) {
    const bool its = file == checkpoint_file(checkpoints, step) || file == good_file(checkpoints, step);
    if (number.ec == std::errc() && number.ptr == choice.data() + choice.size() && its) return file;
  }
  if (fs::is_regular_file(choice)) return choice;
  if (const fs::path within = choice / checkpoint_file({}, 0).filename(); fs::is_regular_file(within)) return within;
  fail_data("{}: has no checkpoint `{}`, and there is no such file; it has {}", run_or_file.string(), choice,
            choices(checkpoints, steps));
}

}  // namespace weft::train
