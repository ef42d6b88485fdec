// A model or one def as a function of named tensors: what `apply`, `init` and `show` see of a description.
//
//     model   tokens [B, T], targets [B, T]         ->  logits [B, T, vocab], loss []
//             or for classes   targets [B]          ->  logits [B, classes], loss []
//     def     its inputs, a batch in front of each  ->  out
//     both    initial.<state>                       ->  final.<state>
//
// With gradients, of the loss or of  sum(out * cotangent) + sum(final * cotangent.final):
//
//             cotangent, cotangent.final.<state>    ->  grad.<input>, grad.<weight>, grad.initial.<state>
#pragma once
#include "dsl/lower.h"
#include "dsl/room.h"

namespace weft::dsl {

/// What is wanted of a description.
struct Asked {
  std::string def = {};                     // empty: the model
  std::vector<std::string> params = {};     // of the def, and sizes that its inputs bind: "H=4"
  std::map<std::string, Shape> given = {};  // the tensors that there are
  bool with_tensors = false;                // sizes come from them; else from params and the params of the file
  bool gradients = false;
  // For proofs.
  std::optional<Proof> proof = {};
  bool streams = false;  // it is fed part after part, and its caller keeps the states
  bool causal = false;   // a def, too, must not see what follows
  bool explain = false;  // for its recurrences and folds alone: it cannot be run
};

/// A tensor that the function takes.
struct Port {
  enum class Use { required, optional, cotangent };  // cotangents are read for gradients alone
  std::string name;
  Dims dims;
  Kind kind = Kind::real;
  Use use = Use::required;
  Var var = {};
  bool counts = false;  // of a state: a whole number from 0 on
};

class Function {
 public:
  using Tensors = std::map<std::string, Tensor>;

  Function(const Asked& asked, Diagnostics& diagnostics);

  bool is_model() const { return asked_.def.empty(); }
  /// Every weight with its initialiser, in the order of the file.
  const std::vector<WeightSlot>& slots() const { return program_.weights; }
  std::vector<Weight> weights() const;
  std::vector<Tensor> initial_weights(u64 seed, DType dtype) const;
  const std::vector<Port>& ports() const { return ports_; }
  /// What was decided because nobody said it, for people.
  const std::vector<std::string>& notes() const { return notes_; }
  i64 vocab() const { return program_.vocab.value_or(0); }
  /// Of a model that tells the class of a sequence.
  const std::optional<i64>& classes() const { return program_.classes; }
  const std::vector<RecurrenceReport>& recurrences() const { return program_.recurrences; }
  const std::vector<FoldReport>& folds() const { return program_.folds; }
  const Graph& graph() const { return program_.graph; }
  /// Of a result by its name, with the batch.
  const Dims& result_dims(const std::string& result) const;
  /// The values that it gives, in the graph.
  std::vector<Var> outputs() const;
  /// Recurrences without the form of `Asked::proof`.
  const std::vector<Underived>& underived() const { return program_.underived; }
  /// Where all positions before are computed again in a stream; nothing where its states suffice.
  const std::optional<Span>& repeats() const { return program_.repeats; }

  /// All that is wrong with these inputs, a line each; empty when they fit.
  std::string faults(const Tensors& inputs) const;
  /// Computes what can be computed from inputs without faults, under the names above. Weights in the order of `slots`,
  /// in `dtype`. Evaluation mode unless `settings` say otherwise.
  std::vector<std::pair<std::string, Tensor>> operator()(const Runtime& runtime, DType dtype,
                                                         const std::vector<Tensor>& weights, const Tensors& inputs,
                                                         const RunSettings& settings = {},
                                                         Observer* observer = nullptr) const;
  /// Of a function that streams: the next part of the sequence, from `states` as the call before left them (empty: from
  /// the start). `settings.offsets` say where each row stands.
  std::vector<std::pair<std::string, Tensor>> feed(const Runtime& runtime, DType dtype,
                                                   const std::vector<Tensor>& weights, const Tensors& inputs,
                                                   const RunSettings& settings, std::vector<Tensor>& states) const;
  /// Of the states of a stream, [B, ...] each; P is the number of positions before.
  std::vector<Dims> state_dims() const;

 private:
  friend std::unique_ptr<Function> lower_function(const Blueprint&, const Asked&, Diagnostics&);
  struct Result {
    std::string name;
    Var var;  // empty: zeros
    Dims dims;
  };

  Run::Feeds feeds(DType dtype, const std::vector<Tensor>& weights, const Tensors& inputs, Bindings& sizes) const;
  void lower_whole(const Blueprint& plan);
  void lower_def(const Blueprint& plan);
  void finish();
  void differentiate(std::size_t inputs);
  std::vector<std::pair<std::string, Var>> entries(std::size_t inputs);
  std::vector<Argument> arguments(const Def& def, const Room& file, std::map<std::string, i64>& sizes);
  Dims input_dims(const InputDef& in, const Room& file, Scope& scope);
  bool has(const std::string& name) const { return asked_.given.contains(name); }
  const Port* port(const std::string& name) const;
  std::string misfit(const Port& port, const Tensor& tensor, Bindings& sizes) const;

  Asked asked_;
  Program program_;
  std::vector<Port> ports_;
  std::vector<std::string> notes_;
  Var out_, loss_;
  std::vector<Result> results_;
};

/// Null when something was reported. Tensors of the wrong shape are an `Error` of kind `data`.
std::unique_ptr<Function> lower_function(const Blueprint& plan, const Asked& asked, Diagnostics& diagnostics);

}  // namespace weft::dsl
