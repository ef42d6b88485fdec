// What is proved: a description at sizes that are small enough, built anew for every form, with weights and inputs that
// are drawn at random. Never with the initial weights: zeros would make all forms agree on nothing.
#pragma once
#include "dsl/description.h"

namespace weft::verify {

using Tensors = dsl::Function::Tensors;

/// What states start from: as the description says, from tensors where it leaves that open, or all from tensors.
enum class Start { described, open, given };

/// How the function is built.
struct How {
  std::string form = "loop";  // of its recurrences; `loop` is the meaning
  i64 chunk = 0;              // positions of a chunk; 0: as the description has it
  bool gradients = false;
  bool streams = false;
  Start start = Start::open;
  auto operator<=>(const How&) const = default;
};

/// What to prove, in the words of the command line.
struct Claim {
  dsl::SourcePtr source;
  std::vector<std::string> overrides;  // "params.D=16"
  std::string def;                     // empty: the model
  std::vector<std::string> params;     // of the def: "H=2"
  dsl::Surroundings surroundings;
  std::optional<i64> classes = {};  // that the data have
  RuntimeOptions runtime = {};
  u64 seed = 1;  // of weights and inputs
};

class Subject {
 public:
  /// Throws `NotBuilt` when the description has errors at these sizes.
  explicit Subject(Claim claim);

  struct NotBuilt {
    dsl::Diagnostics diagnostics;
  };

  const Claim& claim() const { return claim_; }
  const Runtime& runtime() const { return *runtime_; }
  const dsl::Function& function(const How& how) const;
  /// It must not see what follows. Of a def this was found out; `sees` says what needs the whole sequence, and where.
  bool causal() const { return sees_.empty(); }
  const std::string& sees() const { return sees_; }
  i64 weight_count() const;

  const std::vector<Tensor>& weights() const;  // f64
  /// All that `function(how)` can be fed: inputs, states to start from, and cotangents.
  Tensors inputs(const How& how, i64 rows, i64 length, u64 seed = 1) const;

  using Results = std::map<std::string, Tensor>;
  Results run(const How& how, const Tensors& inputs, const RunSettings& settings = {}) const;
  Results run(const How& how, i64 length, const RunSettings& settings = {}) const {
    return run(how, inputs(how, kRows, length), settings);
  }
  /// On another runtime, in another precision, with weights of the caller's.
  Results run(const How& how, const Runtime& runtime, DType dtype, const std::vector<Tensor>& weights,
              const Tensors& inputs, const RunSettings& settings = {}, Observer* observer = nullptr) const;

  static constexpr i64 kRows = 2;

  /// Recurrences by themselves, each once: built on first use.
  struct Alone;
  const std::vector<std::shared_ptr<const Alone>>& recurrences() const;

 private:
  std::unique_ptr<const dsl::Function> build(const How& how, bool causal, dsl::Diagnostics& diagnostics,
                                             const dsl::Proof& proof) const;
  bool takes(const How& how, const std::string& name) const;
  dsl::Asked asked(const How& how, bool causal, const dsl::Proof& proof) const;

  std::vector<Tensor> drawn() const;

  Claim claim_;
  std::unique_ptr<const Runtime> runtime_;
  std::optional<dsl::Description> description_;
  dsl::DataSizes sizes_;
  std::string sees_;
  std::map<std::string, Shape> given_;  // states to start from and cotangents, by name; the shapes do not matter
  std::set<std::string> learned_;       // states that start from a weight
  mutable std::map<How, std::unique_ptr<const dsl::Function>> functions_;
  mutable std::optional<std::vector<std::shared_ptr<const Alone>>> recurrences_;
  mutable std::optional<std::vector<Tensor>> weights_;
};

}  // namespace weft::verify
