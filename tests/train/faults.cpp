#include "tests/train/faults.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace weft::faults {
namespace {

// Without allocation and without constructors: these are asked before main begins.
std::atomic<Mode> mode{Mode::off};
Call wanted = Call::any;
std::atomic<long> left{0}, counted{0};
int error_number = 0;

bool is_wanted(Call call) { return call == wanted || (wanted == Call::any && call != Call::allocation); }

// True when this call has to fail; does not return in the modes that kill.
bool strikes(Call call, int fd = -1, const void* bytes = nullptr, size_t size = 0) {
  const Mode now = mode.load(std::memory_order_relaxed);
  if (now == Mode::off || !is_wanted(call)) return false;
  ++counted;
  const long n = --left;
  if (n > 0 || (n < 0 && now != Mode::sticky)) return false;
  if (now == Mode::torn && bytes) ::syscall(SYS_write, fd, bytes, size / 2);
  if (now == Mode::kill || now == Mode::torn) ::kill(::getpid(), SIGKILL);
  errno = error_number;
  return true;
}

int opened(int folder, const char* path, int flags, mode_t permission) {
  if ((flags & (O_CREAT | O_DIRECTORY)) != 0 && strikes(Call::open)) return -1;
  return static_cast<int>(::syscall(SYS_openat, folder, path, flags, permission));
}

[[maybe_unused]] void arm_by_variable() {
  const char* text = ::getenv("WEFT_FAULT");
  if (!text) return;
  char call[16] = {}, how[16] = {};
  long n = 0;
  int error = 0;
  if (::sscanf(text, "%15s %ld %15s %d", call, &n, how, &error) != 4) ::abort();
  constexpr const char* kCalls[] = {"write", "fsync", "rename", "open", "mkdir", "alloc", "any"};
  constexpr const char* kModes[] = {"off", "once", "sticky", "kill", "torn"};
  for (int c = 0; c < 7; ++c) {
    for (int m = 0; m < 5; ++m) {
      if (::strcmp(call, kCalls[c]) == 0 && ::strcmp(how, kModes[m]) == 0)
        arm(static_cast<Call>(c), n, static_cast<Mode>(m), error);
    }
  }
}

__attribute__((destructor)) void write_count() {
  const char* path = ::getenv("WEFT_FAULT_COUNT");
  if (!path) return;
  const long count = counted;
  disarm();
  char text[32];
  const int n = ::snprintf(text, sizeof text, "%ld\n", count);
  const int fd = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  ::syscall(SYS_write, fd, text, n);
  ::syscall(SYS_close, fd);
}

}  // namespace

void arm(Call call, long n, Mode how, int error) {
  wanted = call;
  left = n;
  counted = 0;
  error_number = error;
  mode = how;
}

void disarm() { mode = Mode::off; }

}  // namespace weft::faults

using weft::faults::Call;
using weft::faults::strikes;

#define WEFT_PERMISSION(flags, permission) \
  mode_t permission = 0;                   \
  if ((flags)&O_CREAT) {                   \
    va_list rest;                          \
    va_start(rest, flags);                 \
    permission = va_arg(rest, mode_t);     \
    va_end(rest);                          \
  }

extern "C" {

int open(const char* path, int flags, ...) {
  WEFT_PERMISSION(flags, permission)
  return weft::faults::opened(AT_FDCWD, path, flags, permission);
}

int open64(const char* path, int flags, ...) {
  WEFT_PERMISSION(flags, permission)
  return weft::faults::opened(AT_FDCWD, path, flags, permission);
}

ssize_t write(int fd, const void* bytes, size_t size) {
  if (fd > 2 && strikes(Call::write, fd, bytes, size)) return -1;
  return ::syscall(SYS_write, fd, bytes, size);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
  if (strikes(Call::write)) return -1;
  return ::syscall(SYS_pwrite64, fd, bytes, size, at);
}

// What is on the disk is no concern here, as no power fails: a thousand runs would wait for it for minutes.
int fsync(int) { return strikes(Call::sync) ? -1 : 0; }

int rename(const char* from, const char* to) noexcept {
  return strikes(Call::rename) ? -1 : static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int mkdir(const char* path, mode_t permission) noexcept {
  return strikes(Call::mkdir) ? -1 : static_cast<int>(::syscall(SYS_mkdirat, AT_FDCWD, path, permission));
}

#ifndef WEFT_ONE_ISA  // sanitizers have allocators of their own
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t size) { return strikes(Call::allocation) ? nullptr : __libc_malloc(size); }
void* calloc(size_t n, size_t size) { return strikes(Call::allocation) ? nullptr : __libc_calloc(n, size); }
void* realloc(void* old, size_t size) { return strikes(Call::allocation) ? nullptr : __libc_realloc(old, size); }
void* memalign(size_t to, size_t size) { return strikes(Call::allocation) ? nullptr : __libc_memalign(to, size); }
void* aligned_alloc(size_t to, size_t size) { return strikes(Call::allocation) ? nullptr : __libc_memalign(to, size); }
int posix_memalign(void** made, size_t to, size_t size) {
  if (strikes(Call::allocation)) return ENOMEM;
  *made = __libc_memalign(to, size);
  return *made ? 0 : ENOMEM;
}
#endif

#ifdef WEFT_PRELOADED
// What libraries do before main is theirs: the fault is armed when main begins.
using Main = int (*)(int, char**, char**);
static Main real_main;
static int armed_main(int count, char** words, char** environment) {
  weft::faults::arm_by_variable();
  return real_main(count, words, environment);
}
int __libc_start_main(Main main, int count, char** words, void (*init)(), void (*fini)(), void (*end)(), void* stack) {
  real_main = main;
  using Start = int (*)(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);
  const auto start = reinterpret_cast<Start>(::dlsym(RTLD_NEXT, "__libc_start_main"));
  return start(armed_main, count, words, init, fini, end, stack);
}
#endif

}  // extern "C"
