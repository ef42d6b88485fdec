// The folder of a run. It is made once and never overwritten; one process at a time works in it.
//
//   description.yaml  the description as it was resolved     log.jsonl    an event a line
//   data/text.txt     the text, when it was built in         metrics.csv  losses, for plotting
//   samples.txt       text written during training           checkpoints/ see train/checkpoint.h
//   report.html, tb/  written by `weft report` alone
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "train/file.h"

namespace weft::train {

/// Where a new run goes.
struct RunPlace {
  fs::path folder = {};      // exactly there (--run-dir); when empty:
  fs::path parent = "runs";  // parent/<date>_<name>_s<seed>, with -2, -3, ... when that exists
};

class RunDir {
 public:
  /// A new folder, tried out by writing to it and locked. A given one that holds something is an
  /// error (exit 2).
  static RunDir create(const RunPlace& place, const std::string& name, u64 seed);
  /// The folder of a run that exists, tried out and locked.
  static RunDir open(const fs::path& path);

  const fs::path& path() const { return path_; }
  fs::path description() const { return path_ / "description.yaml"; }
  fs::path text() const { return path_ / "data" / "text.txt"; }
  fs::path tokenizer() const { return path_ / "tokenizer.json"; }
  fs::path log() const { return path_ / "log.jsonl"; }
  fs::path metrics() const { return path_ / "metrics.csv"; }
  fs::path samples() const { return path_ / "samples.txt"; }
  fs::path checkpoints() const { return path_ / "checkpoints"; }

  /// Bytes that the disk can still take; an error of kind `size` (exit 6) when they are fewer than
  /// `bytes`.
  void check_space(u64 bytes) const;

 private:
  explicit RunDir(fs::path path);
  void lock();
  fs::path path_;
  Descriptor lock_;  // flock ends with the process, however that ends
};

/// Whether `path` looks like a run: it has a description of ours.
bool is_run(const fs::path& path);
/// Throws an error of kind `data` when it is not there or is no run.
void require_run(const fs::path& path);
/// The process that is at work in a run now; nothing when there is none.
std::optional<std::string> worker(const fs::path& run);

}  // namespace weft::train
