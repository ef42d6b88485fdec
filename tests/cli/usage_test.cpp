#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "cli/verb.h"
#include "dsl/codes.h"
#include "tests/cli/program.h"

using namespace weft;
using namespace weft::cli;

TEST_CASE("without a verb the program shows a short help with two examples and exits with 2") {
  Desk desk;
  const Finished f = desk.run({});
  CHECK(f.exit == 2);
  CHECK(f.out.empty());
  CHECK(
      f.err ==
      "Weft: sequence architectures written as equations, checked, trained and streamed on the CPU.\n"
      "Usage: weft [OPTIONS] [SUBCOMMAND]\n\n"
      "Options:\n"
      "  -h,--help                   this help\n"
      "  --version                   the version, and what it runs on\n\n"
      "Subcommands:\n"
      "  new                         a description to start from; the header of a new op\n"
      "  check                       every error of a description; weights, memory and cost of a step\n"
      "  show                        weights, resolved text, graph or equations of a description; what a "
      "file of weights holds\n"
      "  explain                     what each recurrence and fold is, its forms with their cost, and why\n"
      "  verify                      proofs by computation: gradients, forms, causality, streaming, threads, precision\n"
      "  equal                       whether two descriptions are the same function\n"
      "  expand                      a description with everything it imports and uses copied in: the same "
      "weights, one file\n"
      "  schema                      a JSON Schema of descriptions, for completion and checks in an editor\n"
      "  std                         the architectures built into the program: list, show, copy one to change it\n"
      "  train                       train a model from its description\n"
      "  sweep                       the runs of a description's `sweep`, one after another, and a table of what "
      "they reached\n"
      "  compare                     models that learn the same data with the same seeds and budget: a table and a "
      "page\n"
      "  resume                      go on with a run that was stopped, or for more steps\n"
      "  report                      a page about runs: curves, samples, equations, cost, how to repeat them; "
      "TensorBoard files\n"
      "  eval                        the loss of a trained model over a whole validation text\n"
      "  generate                    text from a trained model\n"
      "  init                        freshly drawn weights, those with which training starts\n"
      "  apply                       a model or one def on tensors of other programs (safetensors), and "
      "its gradients\n"
      "  ops                         the ops that equations may call\n"
      "  bench                       speed and memory of a model on this machine, and where the time goes\n"
      "  doctor                      whether this machine is fit: instruction set, products, threads, "
      "memory, disk, libraries, data\n"
      "  test                        build and run all tests, those whose name matches, or the proof of one op "
      "(done by the launcher ./weft)\n"
      "  help                        about a verb, the code of an error, or an option of a description\n"
      "  version                     the version, and what it runs on\n\n"
      "Examples:\n"
      "  ./weft train examples/quickstart.yaml\n"
      "  ./weft help train\n\n");
  const Finished help = desk.run({"help"});
  CHECK(help.exit == 0);
  CHECK(help.out == f.err);
  CHECK(desk.run({"--help"}).out == f.err);
}

TEST_CASE("every verb has a help with an example, the same by `help VERB` and by --help") {
  Desk desk;
  for (const Verb& verb : verbs()) {
    CAPTURE(std::string(verb.name));
    const Finished a = desk.run({"help", verb.name}), b = desk.run({verb.name, "--help"});
    CHECK(a.exit == 0);
    CHECK(a.err.empty());
    CHECK(contains(a.out, std::string("Usage: weft ") + verb.name));
    CHECK(contains(a.out, verb.about));
    CHECK(contains(a.out, verb.examples));
    if (std::string(verb.name) != "test") CHECK(a.out.starts_with(b.out));  // `help train` lists options, too
  }
}

TEST_CASE("help knows every code of an error, in any case of its letters") {
  Desk desk;
  CHECK(desk.run({"help", "E0203"}).out == dsl::code_text(*dsl::find_code("E0203")));
  CHECK(desk.run({"help", "w0101"}).out == dsl::code_text(*dsl::find_code("W0101")));
  for (const dsl::Code& code : dsl::codes()) CHECK(code.exit <= 6);
}

TEST_CASE("help knows every option of a description, and docs/options.md is what it prints") {
  Desk desk;
  const Finished all = desk.run({"help", "options"}), some = desk.run({"help", "train.optimizer"});
  CHECK(contains(all.out, "\ntrain.steps "));
  CHECK(contains(all.out, "\ndata.text.path "));
  CHECK(some.out.starts_with("train.optimizer "));
  CHECK(contains(some.out, "\ntrain.optimizer.adamw.lr "));
  CHECK_FALSE(contains(some.out, "train.steps"));
  CHECK(contains(desk.run({"help", "eval"}).out, "eval.every"));
  INFO("to make it anew: ./weft help options --markdown > docs/options.md");
  CHECK(desk.run({"help", "options", "--markdown"}).out == train::read_file(WEFT_SOURCE "/docs/options.md"));
  CHECK(contains(desk.run({"help", "train.stepz"}).err, "did you mean `train.steps`?"));
}

TEST_CASE("a missing argument is told with the examples of the verb") {
  Desk desk;
  for (const char* verb :
       {"check", "show", "explain", "train", "compare", "resume", "report", "eval", "generate", "init", "apply"}) {
    const Finished f = desk.run({verb});
    CHECK(f.exit == 2);
    CHECK(f.out.empty());
    CHECK(contains(f.err, std::string("error: `weft ") + verb + "`: "));
    CHECK(contains(f.err, std::string("is required\n\nExamples:\n  ./weft ") + verb));
  }
}

TEST_CASE("the version is one line, and one about the machine") {
  Desk desk;
  const Finished f = desk.run({"version"});
  CHECK(f.exit == 0);
  CHECK(f.out.starts_with("weft "));
  CHECK(contains(f.out, "\nproducts "));
  CHECK(desk.run({"--version"}).out == f.out);
}

TEST_CASE("what is misspelt on the command line is guessed") {
  struct Row {
    Words words;
    std::string message, help;
  };
  const std::vector<Row> rows = {
      {{"chek"}, "`weft` has no verb `chek`", "did you mean `check`?"},
      {{"frobnicate"}, "`weft` has no verb `frobnicate`", "`weft --help` lists what there is"},
      {{"--versoin"}, "`weft` has no option `--versoin`", "did you mean `--version`?"},
      {{"check", "tiny.yaml", "--no-dat"}, "`weft check` has no option `--no-dat`", "did you mean `--no-data`?"},
      {{"train", "tiny.yaml", "--thread=2"}, "`weft train` has no option `--thread`", "did you mean `--threads`?"},
      {{"train", "tiny.yaml", "--zzz"}, "has no option `--zzz`", "`weft train --help` lists what there is"},
      {{"train", "tiny.yaml", "-seed", "3"}, "has no option `-seed`", "did you mean `--seed`?"},
      {{"check", "tiny.yaml", "more"}, "has no place for `more`", "`weft check --help` lists what there is"},
      {{"check", "--set", "train.steps=1", "a=2", "tiny.yaml"}, "has no place for `tiny.yaml`", ""},
      {{"resume", "--set", "train.steps=1", "train.steps=2", "r"}, "has no place for `r`", ""},
      {{"train", "tiny.yaml", "--threads", "x"}, "--threads: Value x not in range", "`weft help train`"},
      {{"train", "tiny.yaml", "--products", "gpu"},
       "--products: gpu not in {auto,packed,blas,loops}",
       "`weft help train`"},
      {{"generate", "r", "--tokens", "many"}, "--tokens", "`weft help generate`"},
      {{"ops", "silu"}, "there is no op `silu`; did you mean `swish`?", ""},
      {{"ops", "quux"}, "there is no op `quux`; `weft ops` lists them", ""},
      {{"ops", "swish", "--markdown"}, "--markdown is the whole reference", ""},
      {{"help", "trian"}, "there is no help about `trian`; did you mean `train`?", ""},
      {{"help", "E9203"}, "there is no help about `E9203`; did you mean `E0203`?", ""},
      {{"test"}, "the tests are run by the launcher: ./weft test", ""},
  };
  Desk desk;
  for (const Row& row : rows) {
    CAPTURE(row.message);
    const Finished f = desk.run(row.words);
    CAPTURE(f.err);
    CHECK(f.exit == 2);
    CHECK(f.out.empty());
    CHECK(f.err.starts_with("error: "));
    CHECK(contains(f.err, row.message));
    CHECK(contains(f.err, row.help));
    Words json = row.words;
    json.push_back("--json");
    if (row.words[0] != "check" && row.words[0] != "train") continue;
    const Finished g = desk.run(json);
    CHECK(g.exit == 2);
    CHECK(g.err.empty());
    CHECK(contains(nlohmann::json::parse(g.out)["diagnostics"][0]["message"], row.message));
  }
}

TEST_CASE("the reference of ops is a list, a page or JSON") {
  Desk desk;
  const Finished list = desk.run({"ops"}), one = desk.run({"ops", "swish"});
  CHECK(contains(list.out, "\nswish "));
  CHECK(one.out.starts_with("swish(x"));
  const auto all = nlohmann::json::parse(desk.run({"ops", "--json"}).out);
  CHECK(all["ops"].size() > 20);
  const auto swish = nlohmann::json::parse(desk.run({"ops", "swish", "--json"}).out);
  REQUIRE(swish["ops"].size() == 1);
  CHECK(swish["ops"][0]["name"] == "swish");
  CHECK(desk.run({"ops", "--markdown"}).out.starts_with("# Ops\n"));
}
