// A verb of the command line: one file each.
#pragma once
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace weft::cli {

struct Verb {
  const char* name;
  const char* about;
  const char* examples;  // lines for its help
  /// Declares the arguments; what it returns runs the verb once they are read, and gives the exit code.
  std::function<std::function<int()>(CLI::App&)> setup;
};

Verb new_verb();
Verb check_verb();
Verb verify_verb();
Verb equal_verb();
Verb train_verb();
Verb sweep_verb();
Verb compare_verb();
Verb resume_verb();
Verb report_verb();
Verb eval_verb();
Verb generate_verb();
Verb show_verb();
Verb explain_verb();
Verb expand_verb();
Verb schema_verb();
Verb std_verb();
Verb init_verb();
Verb apply_verb();
Verb ops_verb();
Verb bench_verb();
Verb doctor_verb();
Verb help_verb();
Verb version_verb();

/// In the order of `weft --help`.
const std::vector<Verb>& verbs();

/// What `--help` prints for the program or one of its verbs.
std::string help_text(const CLI::App& app);
/// What `weft version` does.
int print_version();

/// The whole program: never throws, gives the exit code.
int run(int argc, const char* const* argv);

}  // namespace weft::cli
