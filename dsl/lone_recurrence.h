// A recurrence by itself, in one form: a function of the tensors that its equations read. How forms are held against
// the loop, when a model is built (confirm.cpp) and by `weft verify`.
#pragma once
#include "dsl/shadow.h"
#include "engine/run.h"

namespace weft::dsl {

class LoneRecurrence {
 public:
  /// Built while the model is: what the model computes for it becomes an input of its own. Form `loop` is the meaning.
  /// With gradients its states start from inputs, too, and there are those of all inputs. Throws NotDerivable.
  LoneRecurrence(Builder& model, const Recurrence& r, const std::vector<StateForm>& forms, const std::string& form,
                 i64 chunk = 0, Graph::Gradients gradients = Graph::Gradients::no);
  LoneRecurrence(const LoneRecurrence&) = delete;

  using Draw = std::function<Tensor(const std::string& name, const Shape& shape, Kind kind)>;
  /// By name: what `read` gives, final.<state>, grad.<input>. `draw` is asked for each input by its name; states are
  /// initial.<state>, cotangents cotangent.<output>.
  std::map<std::string, Tensor> run(const Runtime& runtime, DType dtype, i64 rows, i64 length, const Draw& draw) const;
  /// Numbers that a run is fed and keeps as states; as a real, because the product may be beyond 64 bits.
  double numbers(i64 rows, i64 length) const;

 private:
  struct Named {
    std::string name;
    Var var;
  };
  void differentiate();

  Shadow shadow_;
  std::vector<Named> inputs_, results_;
  std::vector<Dims> states_;
};

/// Largest difference, relative to the largest element; what is not finite must be so on both sides.
double distance(const Tensor& a, const Tensor& b);

}  // namespace weft::dsl
