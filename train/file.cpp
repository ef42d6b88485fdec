#include "train/file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace weft::train {
namespace {

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

fs::path temporary_name(const fs::path& path) { return path.string() + fmt::format(".tmp.{}", ::getpid()); }

void write_all(int fd, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    // Linux writes at most 2^31 - 4096 bytes a call; less than asked for is normal near a size
    // limit.
    const ssize_t n = ::write(fd, bytes.data(), std::min<std::size_t>(bytes.size(), std::size_t{1} << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_call(path, "write", errno);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

int open_file(const fs::path& path, int flags, mode_t mode = 0) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

int create_new(const fs::path& path) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL;
  int fd = open_file(path, kFlags, 0666);
  if (fd < 0 && errno == EEXIST) {
    // The name holds our process id, so what is there was left by a dead process that had the same
    // one.
    ::unlink(path.c_str());
    fd = open_file(path, kFlags, 0666);
  }
  if (fd < 0) fail_call(path, "open", errno);
  return fd;
}

void write_durably(const fs::path& path, std::span<const std::string_view> parts) {
  Descriptor file(create_new(path));
  for (const std::string_view part : parts) write_all(file.get(), part, path);
  // Never a second try: after a failed fsync Linux marks the pages clean, and a repeated call would
  // lie.
  if (::fsync(file.get()) != 0) fail_call(path, "fsync", errno);
  if (::close(file.release()) != 0) fail_call(path, "close", errno);
}

i64 time_of(const struct stat& status) { return status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec; }

}  // namespace

void fail_call(const fs::path& path, std::string_view call, int error_number) {
  fail_data("{}: {} failed: {}", path.string(), call, std::strerror(error_number));
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
  }
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

int Descriptor::release() { return std::exchange(fd_, -1); }

InputFile::InputFile(fs::path path) : path_(std::move(path)) {
  // O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
  file_ = Descriptor(open_file(path_, O_RDONLY | O_NONBLOCK));
  if (file_.get() < 0 && errno == ENOENT) fail_data("{}: there is no such file", path_.string());
  if (file_.get() < 0) fail_call(path_, "open", errno);
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) fail_call(path_, "fstat", errno);
  if (S_ISDIR(status.st_mode)) fail_data("{}: is a folder, not a file", path_.string());
  if (!S_ISREG(status.st_mode)) fail_data("{}: is a pipe or a device, not a regular file", path_.string());
  size_ = static_cast<u64>(status.st_size);
  changed_ = time_of(status);
}

void InputFile::require_unchanged() const {
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) fail_call(path_, "fstat", errno);
  const u64 now = static_cast<u64>(status.st_size);
  if (now != size_) fail_data("{}: had {} bytes when it was opened, and has {} now", path_.string(), size_, now);
  if (time_of(status) != changed_) fail_data("{}: was written to since it was opened", path_.string());
}

void InputFile::read_at(u64 offset, std::span<std::byte> to) const {
  while (!to.empty()) {
    const ssize_t n = ::pread(file_.get(), to.data(), std::min<std::size_t>(to.size(), std::size_t{1} << 30),
                              static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_call(path_, "read", errno);
    if (n == 0) fail_data("{}: ends at byte {}, {} bytes more were expected", path_.string(), offset, to.size());
    offset += static_cast<u64>(n);
    to = to.subspan(static_cast<std::size_t>(n));
  }
}

std::string read_file(const fs::path& path) {
  const InputFile file(path);
  std::string text(file.size(), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(text)));
  return text;
}

void write_atomically(const fs::path& path, std::span<const std::string_view> parts) {
  const fs::path temporary = temporary_name(path);
  try {
    write_durably(temporary, parts);
    if (::rename(temporary.c_str(), path.c_str()) != 0) fail_call(path, "rename", errno);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(folder_of(path));
}

void write_atomically(const fs::path& path, std::string_view text) {
  write_atomically(path, std::span<const std::string_view>(&text, 1));
}

void sync_folder(const fs::path& folder) {
  const Descriptor directory(open_file(folder, O_RDONLY | O_DIRECTORY));
  if (directory.get() < 0) fail_call(folder, "open", errno);
  if (::fsync(directory.get()) != 0) fail_call(folder, "fsync", errno);
}

void make_folders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail_data("{}: cannot create the folder: {}", folder.string(), error.message());
}

void probe_writable(const fs::path& folder) {
  const fs::path probe = folder / ".probe";
  try {
    write_atomically(probe, "weft\n");
  } catch (const Error& error) {
    fail_data("{}: cannot write there ({})", folder.string(), error.what());
  }
  if (::unlink(probe.c_str()) != 0) fail_call(probe, "unlink", errno);
}

void remove_stale_temporaries(const fs::path& folder) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string file = entry.path().filename().string();
    const std::size_t mark = file.rfind(".tmp.");
    if (mark == std::string::npos) continue;
    pid_t pid = 0;
    const char* end = file.data() + file.size();
    const auto parsed = std::from_chars(file.data() + mark + 5, end, pid);
    if (parsed.ec != std::errc() || parsed.ptr != end || pid <= 0) continue;
    if (::kill(pid, 0) != 0 && errno == ESRCH) ::unlink(entry.path().c_str());
  }
}

AppendLog::AppendLog(fs::path path) : path_(std::move(path)) {
  file_ = Descriptor(open_file(path_, O_WRONLY | O_CREAT | O_APPEND, 0666));
  if (file_.get() < 0) fail_call(path_, "open", errno);
}

void AppendLog::append(std::string_view text) { write_all(file_.get(), text, path_); }

}  // namespace weft::train
