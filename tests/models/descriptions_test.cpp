// Descriptions as people write them: those in descriptions/ stand and stream, those in mistakes/ get the answers beside
// them. `WEFT_GOLDEN=write` writes the answers anew, to be read before they are committed.
#include <cstdlib>

#include "tests/models/build.h"

using namespace weft;
namespace fs = std::filesystem;

namespace {

std::shared_ptr<const dsl::Model> read(const fs::path& path, dsl::Diagnostics& d) {
  const dsl::SourcePtr source = dsl::read_source(path.string(), d);
  const dsl::Description description(source, {}, tests::surroundings(), d);
  return description.file().tree->is_map() ? description.model(16, d) : nullptr;
}

// The text without the folder, which is another one on another machine.
std::string without(std::string text, const std::string& folder) {
  for (std::size_t at; (at = text.find(folder)) != std::string::npos;) text.erase(at, folder.size());
  return text;
}

}  // namespace

TEST_CASE("descriptions stand without a word, learn, see nothing ahead, and stream as they compute") {
  const auto files = tests::files_in("descriptions");
  CHECK(files.size() >= 40);
  for (const fs::path& path : files) {
    CAPTURE(path.filename().string());
    dsl::Diagnostics d;
    const auto model = read(path, d);
    CAPTURE(d.render(false));
    CHECK(d.empty());
    if (!model) continue;
    const auto weights = tests::random_weights(*model);
    const tests::Step step = tests::step(*model, weights, tests::batch(2, 11));
    CHECK(std::isfinite(step.loss));
    CHECK(!tests::sees_ahead(*model));
    Runtime runtime;
    const auto tokens = tests::batch(2, 11).tokens;
    const auto stream = model->stream(runtime, weights);
    Tensor last;
    for (i64 t = 0; t < 11; t += 4) last = stream->feed(tests::part(tokens, t, std::min<i64>(11, t + 4)));
    // f64: sums of some hundred terms.
    CHECK(tests::distance(model->stream(runtime, weights)->feed(tokens), last) < 1e-10);
  }
}

TEST_CASE("mistakes are told at their place, all at once, with the facts and a cure") {
  const auto files = tests::files_in("mistakes");
  CHECK(files.size() >= 40);
  const char* golden = std::getenv("WEFT_GOLDEN");
  for (const fs::path& path : files) {
    CAPTURE(path.filename().string());
    dsl::Diagnostics d;
    CHECK(read(path, d) == nullptr);
    CHECK(d.exit_code() != 0);
    const std::string said = without(d.render(false), path.parent_path().string() + "/");
    fs::path answer = path;
    answer.replace_extension(".txt");
    if (golden) std::ofstream(answer) << said;
    CHECK(said == tests::contents(answer));
  }
}
