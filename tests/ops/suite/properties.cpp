#include "tests/ops/suite/properties.h"

namespace weft::tests {

const std::vector<Property>& properties() {
  static const std::vector<Property> all = {
      {"documents itself", documents_itself},
      {"has samples for all it takes", has_samples_for_all},
      {"refuses its error samples", refuses_its_error_samples},
      {"its shape rule takes symbols", its_shape_rule_takes_symbols},
      {"other sizes are right or refused", other_sizes_are_right_or_refused},
      {"its claims about time hold", its_claims_about_time_hold},
      {"cuts in time change nothing", cuts_in_time_change_nothing},
      {"gradients match differences", gradients_match_differences},
      {"gradients hold at larger sizes", gradients_hold_at_larger_sizes},
      {"a linear input has the exact adjoint", a_linear_input_has_the_exact_adjoint},
      {"backward is linear in the cotangent", backward_is_linear_in_the_cotangent},
      {"a gradient does not depend on the others", a_gradient_does_not_depend_on_the_others},
      {"the same input twice adds its gradients", the_same_input_twice_adds_its_gradients},
      {"broadcasting is expand and sum", broadcasting_is_expand_and_sum},
      {"f32 is close to f64", f32_is_close_to_f64},
      {"products by loops and BLAS agree", products_by_loops_and_blas_agree},
      {"threads change no bit", threads_change_no_bit},
      {"nothing that it reads is changed", nothing_that_it_reads_is_changed},
      {"every element is written before it is read", every_element_is_written_before_it_is_read},
      {"memory is given back", memory_is_given_back},
      {"NaN and infinity are not masked", nan_and_infinity_are_not_masked},
      {"it overflows only where the function does", it_overflows_only_where_the_function_does},
      {"planted mistakes are caught", planted_mistakes_are_caught}};
  return all;
}

}  // namespace weft::tests
