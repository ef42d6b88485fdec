// The program: finds the verb, turns every kind of failure into its message and exit code.
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <new>

#include "cli/output.h"
#include "cli/verb.h"

namespace weft::cli {
namespace {

constexpr const char* kAbout =
    "Weft: sequence architectures written as equations, checked, trained and streamed on the CPU.";
constexpr const char* kExamples = "  ./weft train examples/quickstart.yaml\n  ./weft help train\n";

// The launcher runs the tests; here the word is known so that help lists it.
Verb test_verb() {
  return {"test",
          "build and run all tests, those whose name matches, or the proof of one op (done by the launcher ./weft)",
          "  ./weft test\n  ./weft test trainer\n  ./weft test --op swish\n", [](CLI::App& app) {
            app.allow_extras();
            return []() -> int { throw Error("the tests are run by the launcher: ./weft test"); };
          }};
}

std::string footer(const char* examples) { return *examples ? std::string("Examples:\n") + examples : ""; }

const CLI::App& used(const CLI::App& app) {
  const auto verb = app.get_subcommands();
  return verb.empty() ? app : *verb.front();
}

std::vector<std::string> flags_of(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  return flags;
}

// Dashes are no part of the guess: a single one may have been meant as two.
std::string guess_flag(const std::string& flag, const std::vector<std::string>& flags) {
  const auto bare = [](const std::string& f) { return f.substr(std::min(f.find_first_not_of('-'), f.size())); };
  std::vector<std::string> words;
  for (const std::string& f : flags) words.push_back(bare(f));
  const auto same = std::find(words.begin(), words.end(), bare(flag));
  const std::string near = same != words.end() ? *same : dsl::did_you_mean(bare(flag), words);
  if (near.size() < 2) return {};
  return fmt::format("did you mean `--{}`?", near);
}

// The first word that nothing takes, and what may have been meant.
void report_extra(const CLI::App& app, const std::string& word, bool json) {
  const CLI::App& verb = used(app);
  const std::string flag = word.substr(0, word.find('='));
  const bool is_flag = flag.size() > 1 && flag[0] == '-';
  std::vector<std::string> names;
  for (const CLI::App* below : verb.get_subcommands({})) names.push_back(below->get_name());
  const bool is_verb = !is_flag && !names.empty();
  const std::string what = is_flag ? "option" : is_verb ? "verb" : "place for";
  const std::string at = &verb == &app ? "weft" : "weft " + verb.get_name();
  std::string help = is_flag ? guess_flag(flag, flags_of(verb)) : is_verb ? dsl::guess_text(flag, names) : "";
  if (help.empty()) help = fmt::format("`{} --help` lists what there is", at);
  report(fmt::format("`{}` has no {} `{}`", at, what, flag), help, json);
}

int usage_error(const CLI::App& app, const CLI::ParseError& error, bool json) {
  const CLI::App& verb = used(app);
  if (dynamic_cast<const CLI::ExtrasError*>(&error)) {
    report_extra(app, app.remaining(true).front(), json);
  } else if (dynamic_cast<const CLI::RequiredError*>(&error)) {
    report(fmt::format("`weft {}`: {}", verb.get_name(), error.what()), "", json);
    if (!json) std::cerr << "\n" << verb.get_footer() << "\n`weft help " << verb.get_name() << "` tells more.\n";
  } else {
    report(fmt::format("`weft {}`: {}", verb.get_name(), error.what()),
           fmt::format("`weft help {}` lists what there is", verb.get_name()), json);
  }
  return static_cast<int>(Failure::usage);
}

int guarded(const std::function<int()>& body, bool json) {
  const auto fail = [&](const std::string& message, const std::string& help, Failure kind) {
    report(message, help, json);
    return static_cast<int>(kind);
  };
  try {
    return body();
  } catch (const Reported& r) {
    return r.exit;
  } catch (const Error& e) {
    return fail(e.what(), "", e.failure);
  } catch (const std::bad_alloc&) {
    return fail("there is not enough memory", "`weft check FILE` tells what a step needs", Failure::size);
  } catch (const std::filesystem::filesystem_error& e) {
    return fail(fmt::format("{}: {}", e.path1().string(), e.code().message()), "", Failure::data);
  } catch (const std::exception& e) {
    return fail(fmt::format("{} (a mistake of Weft, not yours)", e.what()),
                "please report it with the command, the description and the output of `weft version`",
                Failure::internal);
  }
}

int parse_and_run(int argc, const char* const* argv);

}  // namespace

// Not app.help(): that of the program would be the help of the verb that was given.
std::string help_text(const CLI::App& app) {
  const std::string name = app.get_parent() ? "weft " + app.get_name() : app.get_name();
  return app.get_formatter()->make_help(&app, name, CLI::AppFormatMode::Normal);
}

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> all = {new_verb(),      check_verb(),   show_verb(),   explain_verb(), verify_verb(),
                                        equal_verb(),    expand_verb(),  schema_verb(), std_verb(),     train_verb(),
                                        sweep_verb(),    compare_verb(), resume_verb(), report_verb(),  eval_verb(),
                                        generate_verb(), init_verb(),    apply_verb(),  ops_verb(),     bench_verb(),
                                        doctor_verb(),   test_verb(),    help_verb(),   version_verb()};
  return all;
}

int run(int argc, const char* const* argv) {
  try {
    return parse_and_run(argc, argv);
  } catch (const std::bad_alloc&) {  // there is not enough to say it in the usual way
    constexpr std::string_view kMessage = "error: there is not enough memory\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kMessage.data(), kMessage.size());
    return static_cast<int>(Failure::size);
  }
}

namespace {

int parse_and_run(int argc, const char* const* argv) {
  CLI::App app(kAbout, "weft");
  app.footer(footer(kExamples));
  app.set_help_flag("-h,--help", "this help");
  bool version = false;
  app.add_flag("--version", version, "the version, and what it runs on");
  app.require_subcommand(0, 1);
  std::function<int()> chosen;
  for (const Verb& v : verbs()) {
    CLI::App* sub = app.add_subcommand(v.name, v.about);
    sub->footer(footer(v.examples));
    sub->set_help_flag("-h,--help", "this help");
    auto body = v.setup(*sub);
    sub->callback([&chosen, body] { chosen = body; });
  }
  // Known before anything is read, so that a wrong command line is told in the same way.
  const bool json = std::find(argv + std::min(1, argc), argv + argc, std::string_view("--json")) != argv + argc;
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << help_text(used(app));
    return 0;
  } catch (const CLI::ParseError& e) {
    return usage_error(app, e, json);
  }
  if (!chosen && version) chosen = print_version;
  if (!chosen) {
    std::cerr << help_text(app);
    return static_cast<int>(Failure::usage);
  }
  return guarded(chosen, json);
}

}  // namespace

}  // namespace weft::cli
