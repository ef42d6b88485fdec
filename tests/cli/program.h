// Runs the real program as a user does, in a folder of its own.
#pragma once
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/train/temporary.h"
#include "train/checkpoint.h"

namespace weft::cli {

using train::contains;
namespace fs = std::filesystem;
using Words = std::vector<std::string>;

struct Finished {
  int exit = -1;  // 128 + the signal that killed it
  std::string out, err;
};

/// A description that trains in a moment.
inline const char* const kTiny =
    "schema: 1\n"
    "name: tiny\n"
    "params: {width: 16}\n"
    "model: [{embed: {width: width}}, {logits: {tie: embed}}]\n"
    "data: {text: {path: t.txt}}\n"
    "train: {steps: 3, batch: 2, context: 8}\n"
    "eval: {every: 2}\n"
    "generate: {tokens: 20}\n";

/// A folder with t.txt and tiny.yaml, in which programs are run.
class Desk {
 public:
  std::vector<std::pair<std::string, std::string>> environment;
  std::string input;      // of the next programs
  bool terminal = false;  // stdout is a terminal; `out` is what it would show
  rlim_t address_space = RLIM_INFINITY;

  Desk() {
    std::string text;
    for (int i = 0; i < 100; ++i) text += i % 3 ? "the cat sat on a mat.\n" : "a hat on the cat\n";
    write("t.txt", text);
    write("tiny.yaml", kTiny);
  }
  fs::path operator/(const std::string& name) const { return folder_ / name; }
  void write(const std::string& name, const std::string& text) const { train::write_atomically(folder_ / name, text); }
  std::string read(const std::string& name) const { return train::read_file(folder_ / name); }

  pid_t start(const Words& words) {
    write(".in", input);
    if (terminal) {
      master_ = train::Descriptor(::posix_openpt(O_RDWR | O_NOCTTY));
      ::grantpt(master_.get());
      ::unlockpt(master_.get());
    }
    const std::string slave = terminal ? ::ptsname(master_.get()) : (folder_ / ".out").string();
    const pid_t child = ::fork();
    if (child == 0) become(words, slave);
    return child;
  }
  Finished finish(pid_t child) {
    Finished f;
    if (terminal) f.out = shown();
    int status = 0;
    ::waitpid(child, &status, 0);
    f.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (!terminal) f.out = read(".out");
    f.err = read(".err");
    return f;
  }
  Finished run(const Words& words) { return finish(start(words)); }

 private:
  [[noreturn]] void become(const Words& words, const std::string& out) const {
    const auto open_as = [](const fs::path& path, int flags, int fd) {
      const int opened = ::open(path.c_str(), flags, 0600);
      if (opened < 0 || ::dup2(opened, fd) != fd) ::_exit(126);
    };
    open_as(folder_ / ".in", O_RDONLY, 0);
    open_as(out, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY, 1);
    open_as(folder_ / ".err", O_WRONLY | O_CREAT | O_TRUNC, 2);
    for (const char* name : {"NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "WEFT_HOME"}) ::unsetenv(name);
    ::setenv("TERM", "xterm", 1);
    for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
    const struct rlimit space { address_space, address_space };
    ::setrlimit(RLIMIT_AS, &space);
    std::vector<char*> argv;
    const std::string program = WEFT_PROGRAM;
    argv.push_back(const_cast<char*>(program.c_str()));
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    if (::chdir(folder_.path().c_str()) == 0) ::execv(program.c_str(), argv.data());
    ::_exit(127);
  }
  // Until the last one who has the terminal open closes it: then Linux answers EIO.
  std::string shown() const {
    std::string all;
    char buffer[4096];
    for (ssize_t n; (n = ::read(master_.get(), buffer, sizeof buffer)) > 0;) {
      all.append(buffer, static_cast<std::size_t>(n));
    }
    return all;
  }

  train::TemporaryFolder folder_;
  train::Descriptor master_;
};

/// What two equal runs have in common, byte for byte.
inline std::string fingerprint(const Desk& desk, const std::string& run) {
  const auto steps = train::list_checkpoints(desk / run / "checkpoints");
  return train::read_file(train::checkpoint_file(desk / run / "checkpoints", steps.at(0))) +
         desk.read(run + "/metrics.csv") + desk.read(run + "/samples.txt") + desk.read(run + "/description.yaml") +
         desk.read(run + "/checkpoints/best.safetensors");
}

/// Changes one byte near the end of a file, where the tensors are.
inline void damage(const Desk& desk, const std::string& file) {
  std::string bytes = desk.read(file);
  bytes[bytes.size() - 5] = static_cast<char>(bytes[bytes.size() - 5] ^ 1);
  desk.write(file, bytes);
}

}  // namespace weft::cli
