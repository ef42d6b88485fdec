#include "train/checkpoint.h"

#include <doctest/doctest.h>

#include "tests/train/bigram.h"

using namespace weft;
using namespace weft::train;

namespace {

Checkpoint checkpoint_at(const Bigram& model, i64 step) {
  const auto draw = [&](u64 seed) { return model.initial_weights(seed, DType::f32); };
  Checkpoint c{{step, step, 2.25, 3, 9, "abc", Tokenizer::bytes().json(), "schema: 1\n"}, draw(1)};
  const auto first = draw(2), second = draw(3);
  c.memory = {{"adamw.first", 0, first[0]}, {"adamw.second", 0, second[0]}, {"sgd.momentum", 1, first[1]}};
  return c;
}

// Breaks one byte in the middle.
void damage(const fs::path& file) {
  std::string bytes = read_file(file);
  bytes[bytes.size() - 9] = static_cast<char>(bytes[bytes.size() - 9] ^ 4);
  write_atomically(file, bytes);
}

}  // namespace

TEST_CASE("a checkpoint gives back every number and every bit") {
  const TemporaryFolder folder;
  const Bigram model(5);
  const Checkpoint saved = checkpoint_at(model, 1200);
  save_checkpoint(folder / "checkpoints", model.weights(), saved);
  CHECK(fs::exists(folder / "checkpoints" / "step_0001200" / "state.safetensors"));
  const Checkpoint read = load_newest(folder.path(), model.weights(), false);
  CHECK(read.progress.step == 1200);
  CHECK(read.progress.best_loss == 2.25);
  CHECK(read.progress.best_step == 3);
  CHECK(read.progress.seed == 9);
  CHECK(read.progress.text_hash == "abc");
  CHECK(read.progress.description == "schema: 1\n");
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(same_bits(read.weights[i], saved.weights[i]));
  }
  REQUIRE(read.memory.size() == saved.memory.size());
  for (std::size_t i = 0; i < saved.memory.size(); ++i) {
    CHECK(read.memory[i].kind == saved.memory[i].kind);
    CHECK(read.memory[i].weight == saved.memory[i].weight);
    CHECK(same_bits(read.memory[i].value, saved.memory[i].value));
  }
}

TEST_CASE("the newest two checkpoints are kept") {
  const TemporaryFolder folder;
  const Bigram model(3);
  for (const i64 step : {0, 5, 10, 12345678})
    save_checkpoint(folder.path(), model.weights(), checkpoint_at(model, step));
  CHECK(list_checkpoints(folder.path()) == std::vector<i64>{12345678, 10});
}

TEST_CASE("a damaged newest checkpoint is refused with the one before it, which --last-good takes") {
  const TemporaryFolder folder;
  const Bigram model(3);
  for (const i64 step : {5, 10}) save_checkpoint(folder / "checkpoints", model.weights(), checkpoint_at(model, step));
  damage(checkpoint_file(folder / "checkpoints", 10));
  const Caught error = caught([&] { load_newest(folder.path(), model.weights(), false); });
  CHECK(error.failure == Failure::data);
  CHECK(contains(error.message, "is damaged"));
  CHECK(contains(error.message, "step_0000005"));
  CHECK(contains(error.message, "--last-good"));
  CHECK(load_newest(folder.path(), model.weights(), true).progress.step == 5);
  damage(checkpoint_file(folder / "checkpoints", 5));
  for (const bool last_good : {false, true}) {
    CHECK(caught([&] { load_newest(folder.path(), model.weights(), last_good); }).failure == Failure::data);
  }
}

TEST_CASE("half-made folders and foreign ones are no checkpoints") {
  const TemporaryFolder folder;
  fs::create_directories(folder / "step_0000009");
  fs::create_directories(folder / "step_x");
  write_atomically(folder / "step_0000009" / "state.safetensors.tmp.1", "half");
  CHECK(list_checkpoints(folder.path()).empty());
  CHECK(contains(caught([&] { load_newest(folder.path(), {}, true); }).message, "has no checkpoint"));
}

TEST_CASE("weights of another model are refused with everything that differs") {
  const TemporaryFolder folder;
  const Bigram model(3);
  save_checkpoint(folder / "checkpoints", model.weights(), checkpoint_at(model, 5));
  const SavedWeights saved = load_weights(folder.path());
  CHECK(matched(saved, model.weights()).size() == 2);
  const Caught error = caught([&] { matched(saved, {{"model.0.table", {4, 4}}, {"model.1.gain", {4}}}); });
  CHECK(error.failure == Failure::data);
  CHECK(contains(error.message, "model.0.table has the shape [3, 3], the model wants [4, 4]"));
  CHECK(contains(error.message, "missing: model.1.gain"));
  CHECK(contains(error.message, "not in the model: \"model.0.bias\""));
}

TEST_CASE("weights come from the best file of a run, else from its newest checkpoint, or from a file") {
  const TemporaryFolder folder;
  const Bigram model(3);
  const fs::path checkpoints = folder / "checkpoints";
  CHECK(contains(caught([&] { load_weights(folder.path()); }).message, "has no weights"));
  save_checkpoint(checkpoints, model.weights(), checkpoint_at(model, 5));
  CHECK(load_weights(folder.path()).progress.step == 5);
  save_weights(best_file(checkpoints), model.weights(), model.initial_weights(4, DType::f32),
               checkpoint_at(model, 3).progress);
  CHECK(load_weights(folder.path()).progress.step == 3);
  CHECK(load_weights(best_file(checkpoints)).tensors.size() == 2);
  CHECK(load_weights(checkpoint_file(checkpoints, 5)).tensors.size() == 2);
}

TEST_CASE("a foreign safetensors file is not taken for a checkpoint") {
  const TemporaryFolder folder;
  write_safetensors(folder / "w", {{"a", Tensor::zeros({1}, DType::f32)}}, {});
  CHECK(contains(caught([&] { load_weights(folder / "w"); }).message, "not a checkpoint of ours"));
}
