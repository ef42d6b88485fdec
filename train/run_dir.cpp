#include "train/run_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace weft::train {
namespace {

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::localtime_r(&now, &parts);
  return fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
}

// A name from a description as part of a file name: no separators, no spaces, nothing hidden.
std::string file_name(const std::string& name) {
  std::string safe;
  for (const char c : name.substr(0, 80)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    safe += plain || ((c == '.' || c == '-') && !safe.empty()) ? c : '-';
  }
  return safe.empty() ? "model" : safe;
}

// True when it was made now, false when something of that name is there.
bool make_new_folder(const fs::path& path) {
  if (::mkdir(path.c_str(), 0777) == 0) return true;
  if (errno != EEXIST) fail_call(path, "mkdir", errno);
  return false;
}

fs::path make_numbered(const fs::path& first) {
  constexpr int kMost = 10'000;
  for (int number = 1; number < kMost; ++number) {
    const fs::path path = number == 1 ? first : fs::path(fmt::format("{}-{}", first.string(), number));
    if (make_new_folder(path)) return path;
  }
  fail_data("{}: there are {} runs of that name already", first.string(), kMost);
}

void make_given(const fs::path& path) {
  if (path.has_parent_path()) make_folders(path.parent_path());
  if (make_new_folder(path)) return;
  if (!fs::is_directory(path)) fail_data("{}: is not a folder", path.string());
  std::error_code error;
  const bool empty = fs::is_empty(path, error);
  if (error) fail_data("{}: cannot be read: {}", path.string(), error.message());
  if (empty) return;
  const std::string help = is_run(path) ? fmt::format("`weft resume {}` continues the run in it", path.string())
                                        : "give a folder that is new or empty";
  throw Error(fmt::format("{}: is not empty, and a run never overwrites; {}", path.string(), help), Failure::usage);
}

std::string owner_of(const Descriptor& lock) {
  char owner[32] = {};
  const ssize_t n = ::pread(lock.get(), owner, sizeof owner - 1, 0);
  return n > 0 ? owner : "?";
}

}  // namespace

RunDir::RunDir(fs::path path) : path_(std::move(path)) {}

RunDir RunDir::create(const RunPlace& place, const std::string& name, u64 seed) {
  fs::path path = place.folder;
  if (path.empty()) {
    make_folders(place.parent);
    path = make_numbered(place.parent / fmt::format("{}_{}_s{}", today(), file_name(name), seed));
  } else {
    make_given(path);
  }
  RunDir run(std::move(path));
  probe_writable(run.path_);
  run.lock();
  make_folders(run.checkpoints());
  return run;
}

RunDir RunDir::open(const fs::path& path) {
  require_run(path);
  RunDir run(path);
  run.lock();
  probe_writable(run.path_);
  make_folders(run.checkpoints());
  remove_stale_temporaries(run.path_);
  remove_stale_temporaries(run.checkpoints());
  std::error_code none;  // a checkpoint is written in a folder of its own
  for (const fs::directory_entry& entry : fs::directory_iterator(run.checkpoints(), none))
    remove_stale_temporaries(entry.path());
  return run;
}

void RunDir::lock() {
  const fs::path file = path_ / ".lock";
  lock_ = Descriptor(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (lock_.get() < 0) fail_call(file, "open", errno);
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) fail_call(file, "flock", errno);
    fail_data("{}: process {} is working in it", path_.string(), owner_of(lock_));
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(lock_.get(), 0) != 0) fail_call(file, "ftruncate", errno);
  if (::pwrite(lock_.get(), pid.data(), pid.size(), 0) < 0) fail_call(file, "write", errno);
}

void RunDir::check_space(u64 bytes) const {
  struct statvfs disk {};
  if (::statvfs(path_.c_str(), &disk) != 0) fail_call(path_, "statvfs", errno);
  const u64 free = static_cast<u64>(disk.f_bavail) * disk.f_frsize;
  if (free >= bytes) return;
  constexpr double kMega = 1e6;
  throw Error(fmt::format("{}: checkpoints need up to {:.1f} MB and the disk has {:.1f} MB left", path_.string(),
                          static_cast<double>(bytes) / kMega, static_cast<double>(free) / kMega),
              Failure::size);
}

void require_run(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) fail_data("{}: there is no such run", path.string());
  if (!is_run(path)) fail_data("{}: is not the folder of a run (it has no description.yaml)", path.string());
}

// Shared and let go at once: a look does not stand in the way of a run that begins.
std::optional<std::string> worker(const fs::path& run) {
  const Descriptor lock(::open((run / ".lock").c_str(), O_RDONLY | O_CLOEXEC));
  if (lock.get() < 0 || ::flock(lock.get(), LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK) return {};
  return owner_of(lock);
}

bool is_run(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path / "description.yaml", error);
}

}  // namespace weft::train
