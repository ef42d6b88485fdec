#include "train/checkpoint.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <map>

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

TEST_CASE("as many of the newest checkpoints are kept as asked for") {
  const TemporaryFolder folder;
  const Bigram model(3);
  for (i64 step = 0; step < 8; ++step) save_checkpoint(folder.path(), model.weights(), checkpoint_at(model, step), 3);
  CHECK(list_checkpoints(folder.path()) == std::vector<i64>{7, 6, 5});
  save_checkpoint(folder.path(), model.weights(), checkpoint_at(model, 8), 1);
  CHECK(list_checkpoints(folder.path()) == std::vector<i64>{8});
}

TEST_CASE("as many of the best weights are kept as asked for, whatever order their losses come in") {
  const std::vector<double> losses = {5, 3, 4, 2, 2.5, 6, 2.25, 3.5};
  const auto keep_all = [&](const fs::path& folder, i64 keep, const std::vector<i64>& steps) {
    const Bigram model(3);
    double best = 1e9;
    for (const i64 step : steps) {
      const double loss = losses[static_cast<std::size_t>(step - 1)];
      Progress now = checkpoint_at(model, step).progress;
      now.best_loss = loss, now.best_step = step;
      keep_best(folder, model.weights(), model.initial_weights(static_cast<u64>(step), DType::f32), now, loss < best,
                keep);
      best = std::min(best, loss);
    }
  };
  const auto kept = [](const fs::path& folder) {
    std::map<std::string, double> all;
    for (const auto& entry : fs::directory_iterator(folder))
      all[entry.path().filename().string()] = load_weights(entry.path()).progress.best_loss;
    return all;
  };
  using Kept = std::map<std::string, double>;
  const std::vector<i64> all = {1, 2, 3, 4, 5, 6, 7, 8};
  {
    const TemporaryFolder none, one, three, again;
    keep_all(none.path(), 0, all);
    keep_all(one.path(), 1, all);
    keep_all(three.path(), 3, all);
    CHECK(kept(none.path()).empty());
    CHECK(kept(one.path()) == Kept{{"best.safetensors", 2}});
    const Kept best = {{"best.safetensors", 2}, {"good_0000005.safetensors", 2.5}, {"good_0000007.safetensors", 2.25}};
    CHECK(kept(three.path()) == best);
    // A run that was killed after step 7 and goes on from step 3 makes the same files again.
    keep_all(again.path(), 3, {1, 2, 3, 4, 5, 6, 7});
    keep_all(again.path(), 3, {4, 5, 6, 7, 8});
    CHECK(kept(again.path()) == best);
  }
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

TEST_CASE("damaged best weights are refused with the next ones, which --last-good takes and says so") {
  const TemporaryFolder folder;
  const Bigram model(3);
  const fs::path checkpoints = folder / "checkpoints";
  save_checkpoint(checkpoints, model.weights(), checkpoint_at(model, 5));
  save_weights(best_file(checkpoints), model.weights(), model.initial_weights(4, DType::f32),
               checkpoint_at(model, 3).progress);
  damage(best_file(checkpoints));
  const Caught error = caught([&] { load_weights(folder.path()); });
  CHECK(error.failure == Failure::data);
  CHECK(contains(error.message, "\"model.0.table\" is damaged"));
  CHECK(contains(error.message, "state.safetensors; `--last-good` takes them"));
  std::string passed;
  CHECK(load_weights(folder.path(), "", true, &passed).progress.step == 5);
  CHECK(contains(passed, "best.safetensors"));
  const fs::path last = checkpoint_file(checkpoints, 5);
  write_atomically(last, read_file(last).substr(1));
  CHECK(contains(caught([&] { load_weights(folder.path(), "", true); }).message, "no other weights are left"));
  CHECK(caught([&] { load_weights(best_file(checkpoints), "", true); }).failure == Failure::data);
}

TEST_CASE("every byte of a checkpoint matters: whichever is changed, loading refuses and names the place") {
  const TemporaryFolder folder;
  const Bigram model(3);
  const fs::path checkpoints = folder / "checkpoints";
  save_checkpoint(checkpoints, model.weights(), checkpoint_at(model, 5));
  save_weights(best_file(checkpoints), model.weights(), model.initial_weights(4, DType::f32),
               checkpoint_at(model, 3).progress);
  const auto try_all = [&](const fs::path& file, const std::function<void()>& load) {
    const std::string good = read_file(file);
    load();
    std::string bad = good;
    for (std::size_t i = 0; i < good.size(); ++i) {
      for (const int flip : {1, 0x80, 0xff}) {
        bad[i] = static_cast<char>(good[i] ^ flip);
        write_atomically(file, bad);
        const Caught error = caught(load);
        CAPTURE(i);
        CAPTURE(error.message);
        CHECK(error.failure == Failure::data);
        CHECK(error.message.starts_with(file.string() + ": "));
        // The byte, the tensor, or that it is the metadata.
        CHECK((contains(error.message, ": byte ") || contains(error.message, "is damaged") ||
               contains(error.message, "metadata") || contains(error.message, "checksum")));
        bad[i] = good[i];
      }
    }
    write_atomically(file, good);
    load();
  };
  try_all(checkpoint_file(checkpoints, 5), [&] { load_newest(folder.path(), model.weights(), false); });
  try_all(best_file(checkpoints), [&] { matched(load_weights(best_file(checkpoints)), model.weights()); });
}

TEST_CASE("a checkpoint holds what training needs, and nothing of the time, the machine or the command") {
  const TemporaryFolder folder;
  const Bigram model(3);
  save_checkpoint(folder / "checkpoints", model.weights(), checkpoint_at(model, 5));
  std::vector<std::string> keys;
  const Safetensors saved(checkpoint_file(folder / "checkpoints", 5));
  for (const auto& [key, value] : saved.metadata()) keys.push_back(key);
  CHECK(keys == std::vector<std::string>{"best_correct", "best_count", "best_loss", "best_step", "crc32c",
                                         "data_position", "description", "evaluated", "format", "losses", "seed",
                                         "skipped", "skipped_in_a_row", "step", "text_hash", "tokenizer"});
}

TEST_CASE("the checkpoint of an earlier version loads whole: weights, both moments, carried states, numbers") {
  const TemporaryFolder folder;
  const fs::path file = checkpoint_file(folder / "checkpoints", 4);
  make_folders(file.parent_path());
  write_atomically(file, read_file(WEFT_SOURCE "/tests/goldens/checkpoints/text.safetensors"));
  const std::string body = "model.1.residual.body.0.memory.";
  const std::vector<dsl::Weight> weights = {
      {"model.0.embed.table", {12, 4}}, {body + "Wq", {4, 3}}, {body + "Wk", {4, 3}}, {body + "Wv", {4, 3}}};
  const Checkpoint c = load_newest(folder.path(), weights, false);
  CHECK(c.weights.size() == 4);
  CHECK(c.memory.size() == 8);
  REQUIRE(c.carried.size() == 1);
  CHECK(c.carried[0].states.at(0).shape() == Shape{2, 3, 3});
  CHECK(c.progress.step == 4);
  CHECK(c.progress.best_loss == 2.485109500030973);
  CHECK(c.progress.skipped == 0);
  CHECK(c.progress.losses.empty());
  CHECK(Tokenizer::from_json(c.progress.tokenizer, "golden").vocab() == 12);
  double sum = 0;  // of all numbers, so that none is read from another place
  for (const NamedTensor& t : Safetensors(file).load_all()) {
    for (i64 i = 0; i < t.tensor.size(); ++i) sum += std::abs(t.tensor.at(i)) * static_cast<double>(i + 1);
  }
  CHECK(sum == doctest::Approx(132.1825124052854).epsilon(1e-12));
}

TEST_CASE("a foreign safetensors file is not taken for a checkpoint") {
  const TemporaryFolder folder;
  write_safetensors(folder / "w", {{"a", Tensor::zeros({1}, DType::f32)}}, {});
  CHECK(contains(caught([&] { load_weights(folder / "w"); }).message, "not a checkpoint of ours"));
}
