// Which weights of a run are meant.
#include <fmt/ranges.h>

#include <charconv>

#include "train/checkpoint.h"
#include "train/file.h"

namespace weft::train {
namespace {

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
  for (const i64 step : steps) all.push_back(std::to_string(step));
  if (!steps.empty()) all.back() += fmt::format(" and last (step {})", steps.front());
  return fmt::format("{}", fmt::join(all, ", "));
}

}  // namespace

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
