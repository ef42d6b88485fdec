// From a recurrence to the graph: `linrec` where the classifier and the shapes allow, else `scan`.
#pragma once
#include "dsl/builder.h"
#include "dsl/classify.h"

namespace weft::dsl {

/// Builds it in `builder`'s graph and leaves the names of `read` in its room as sequences, T before the last dimension.
/// Throws Failed.
void lower_recurrence(Builder& builder, const Recurrence& recurrence);

/// Why a recurrence, or a part of it, has no other form than the sequential one.
struct NotDerivable {
  std::string reason;
  Span where;
  std::string form = {};  // the one that does not exist; empty: all but the recurrent
};
/// By `linrec` and `affine_scan` (linear.cpp), with the parts it found; throws NotDerivable.
std::vector<PartReport> lower_linear(Builder& builder, const Recurrence& recurrence,
                                     const std::vector<StateForm>& forms, const std::string& form);
/// Whether the forms of `lower_linear` compute what the loop does, on a few positions of random numbers in f64: an
/// error inside the program, with the place of the recurrence, when they do not (confirm.cpp).
void confirm_linear(Builder& builder, const Recurrence& recurrence, const std::vector<StateForm>& forms);
/// Appends what was decided to `program.recurrences`; `why`: the loop was taken (explanation.cpp).
void explain(Builder& builder, const Recurrence& recurrence, const std::vector<StateForm>& forms,
             const std::optional<NotDerivable>& why, const std::vector<GradientReport>& gradients);
/// Replaces each `grad(..)` of the step by the gradient (scan.cpp: there the shapes of a step are known).
std::vector<GradientReport> derive_gradients(Builder& builder, Recurrence& recurrence);
/// By `scan` (scan.cpp): the meaning of every recurrence.
void lower_scan(Builder& builder, const Recurrence& recurrence);

/// The expression with each `a if c else b` replaced by what the params choose. Throws Failed.
ExprPtr chosen(const ExprPtr& e, Builder& builder);
/// The value a state starts from, [shape of the state], or [B, shape] where states are named; nothing: zeros.
Var initial_state(Builder& builder, const StateDef& state, const Dims& dims);
/// Keeps what a state ends with, [B, ...], where states are named; the sizes may be split in another way.
void keep_final(Builder& builder, const StateDef& state, const Var& final);
/// The sizes of a state; an error where they depend on T.
Dims state_dims(Builder& builder, const StateDef& state);
i64 chunk_of(Builder& builder, const Recurrence& recurrence);
/// The form that is demanded of it, or auto.
std::string form_of(Builder& builder, const Recurrence& recurrence);

}  // namespace weft::dsl
