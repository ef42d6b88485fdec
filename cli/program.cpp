// The program: finds the verb, turns every kind of failure into its message and exit code.
#include <CLI/CLI.hpp>

#include <iostream>
#include <new>

#include "cli/output.h"
#include "cli/verb.h"
#include "dsl/diagnostic.h"

namespace weft::cli {
namespace {

constexpr const char* kAbout =
    "Weft: sequence architectures written as equations, checked, trained and streamed on the CPU.";
constexpr const char* kExamples =
    "\nExamples:\n"
    "  ./weft train examples/quickstart.yaml\n"
    "  ./weft help E0203\n";

// The launcher runs the tests; here the word is known so that help lists it.
Verb test_verb() {
  return {"test", "build and run all tests, or those whose name matches (by ./weft)", [](CLI::App& app) {
            app.allow_extras();
            return [] {
              std::cerr << "error: the tests are run by the launcher: ./weft test\n";
              return 2;
            };
          }};
}

int usage_error(const CLI::App& app, const CLI::ParseError& error, int argc, const char* const* argv) {
  std::vector<std::string> names, flags;
  for (const Verb& v : verbs()) names.emplace_back(v.name);
  const CLI::App* used = &app;
  for (const CLI::App* sub : app.get_subcommands()) used = sub;
  for (const CLI::Option* o : used->get_options()) {
    for (const std::string& l : o->get_lnames()) flags.push_back(l);
  }
  std::string message = error.what(), guess;
  const bool verb_given = argc > 1 && argv[1][0] != '-';
  if (used == &app && verb_given) {
    message = fmt::format("there is no verb `{}`", argv[1]);
    guess = dsl::guess_text(argv[1], names);
  }
  for (int i = 1; i < argc && used != &app; ++i) {
    const std::string flag = std::string(argv[i]).substr(0, std::string(argv[i]).find('='));
    if (flag.starts_with("--") && std::find(flags.begin(), flags.end(), flag.substr(2)) == flags.end()) {
      message = fmt::format("`weft {}` has no option {}", used->get_name(), flag);
      const std::string near = dsl::did_you_mean(flag.substr(2), flags);
      guess = near.empty() ? "" : fmt::format("did you mean --{}?", near);
    }
  }
  std::cerr << paint("error", Paint::error) << ": " << message << "\n";
  if (!guess.empty()) std::cerr << "  = help: " << guess << "\n";
  else std::cerr << "  = help: `weft help" << (used == &app ? "" : " " + used->get_name()) << "` lists what there is\n";
  return 2;
}

int guarded(const std::function<int()>& body) {
  const auto say = [](const std::string& message) { std::cerr << paint("error", Paint::error) << ": " << message << "\n"; };
  try {
    return body();
  } catch (const Reported& r) {
    return r.exit;
  } catch (const Error& e) {
    say(e.what());
    return static_cast<int>(e.failure);
  } catch (const std::bad_alloc&) {
    say("there is not enough memory; `weft check` tells what a step needs");
    return 6;
  } catch (const std::exception& e) {
    say(fmt::format("{}\nThis is a mistake of Weft, not yours: please report it with the command and the description.", e.what()));
    return 1;
  }
}

}  // namespace

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> all = {check_verb(),    train_verb(), resume_verb(), generate_verb(), ops_verb(),
                                        test_verb(),     help_verb(),  version_verb()};
  return all;
}

int run(int argc, const char* const* argv) {
  CLI::App app(kAbout, "weft");
  app.footer(kExamples);
  app.set_help_flag("-h,--help", "this help");
  app.require_subcommand(0, 1);
  std::function<int()> chosen;
  for (const Verb& v : verbs()) {
    CLI::App* sub = app.add_subcommand(v.name, v.about);
    sub->set_help_flag("-h,--help", "this help");
    auto body = v.setup(*sub);
    sub->callback([&chosen, body] { chosen = body; });
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    const auto used = app.get_subcommands();
    std::cout << (used.empty() ? app.help() : used[0]->help());
    return 0;
  } catch (const CLI::ParseError& e) {
    return usage_error(app, e, argc, argv);
  }
  if (!chosen) {
    std::cerr << app.help();
    return 2;
  }
  return guarded(chosen);
}

}  // namespace weft::cli
