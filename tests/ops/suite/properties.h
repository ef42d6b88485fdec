// The properties that every op must have, as functions from an op to a verdict: properties_test.cpp runs them on the
// table, suite_test.cpp on ops with planted mistakes, and `weft test --op NAME` prints them for one op.
#pragma once
#include <string>
#include <vector>

#include "engine/op.h"

namespace weft::tests {

struct Verdict {
  std::vector<std::string> complaints;
  int tried = 0;      // cases that were looked at; with none the property does not concern the op
  double worst = 0;   // largest error of them; 0 for a property of bits or words
  std::string where;  // of the largest error
};

// What it says of itself.
Verdict documents_itself(const Op& op);     // one line, equation, gradient, attributes, a positive cost
Verdict has_samples_for_all(const Op& op);  // every attribute off its default, optional inputs with and without
Verdict refuses_its_error_samples(const Op& op);
Verdict its_shape_rule_takes_symbols(const Op& op);      // and gives the sizes that are made
Verdict other_sizes_are_right_or_refused(const Op& op);  // zero, one, one more, another rank
Verdict its_claims_about_time_hold(const Op& op);        // `causal_axis`, `masks_future`
Verdict cuts_in_time_change_nothing(const Op& op);       // ops with states or positions

// Its gradients.
Verdict gradients_match_differences(const Op& op);               // f64, every element of every sample: 1e-7
Verdict gradients_hold_at_larger_sizes(const Op& op);            // along a random direction: 1e-7
Verdict a_linear_input_has_the_exact_adjoint(const Op& op);      // <f(u), c> = <u, f^T(c)>, no differences: 1e-12
Verdict backward_is_linear_in_the_cotangent(const Op& op);       // and zero for zero
Verdict a_gradient_does_not_depend_on_the_others(const Op& op);  // every subset of wanted ones: same bits
Verdict the_same_input_twice_adds_its_gradients(const Op& op);
Verdict broadcasting_is_expand_and_sum(const Op& op);

// How it computes.
Verdict f32_is_close_to_f64(const Op& op);
Verdict products_by_loops_and_blas_agree(const Op& op);            // f64, 1e-10
Verdict threads_change_no_bit(const Op& op);                       // 1, 2, 3 threads and serial, f32
Verdict nothing_that_it_reads_is_changed(const Op& op);            // inputs, saved values, cotangents
Verdict every_element_is_written_before_it_is_read(const Op& op);  // poisoned memory changes no bit
Verdict memory_is_given_back(const Op& op);
Verdict nan_and_infinity_are_not_masked(const Op& op);
Verdict it_overflows_only_where_the_function_does(const Op& op);  // inputs up to 1e4

// The proof that the suite looks at this op: mutants.h.
Verdict planted_mistakes_are_caught(const Op& op);

struct Property {
  const char* name;
  Verdict (*check)(const Op&);
};
const std::vector<Property>& properties();

}  // namespace weft::tests
