// The properties that every op must have, as functions from an op to complaints: the suite runs them on the table, and
// suite_test.cpp runs them on ops with planted mistakes.
#pragma once
#include <string>
#include <vector>

#include "engine/op.h"

namespace weft::tests {

using Complaints = std::vector<std::string>;

Complaints has_samples_for_every_attribute(const Op& op);
Complaints refuses_its_error_samples(const Op& op);
Complaints gradients_match_differences(const Op& op);       // f64, 1e-7
Complaints f32_is_close_to_f64(const Op& op);
Complaints products_by_loops_and_blas_agree(const Op& op);  // f64, 1e-10
Complaints threads_change_no_bit(const Op& op);             // 1, 2, 3 threads and serial, f32
Complaints a_size_of_zero_is_fine(const Op& op);
Complaints the_same_input_twice_adds_its_gradients(const Op& op);
Complaints cuts_in_time_change_nothing(const Op& op);       // ops with states or positions

struct Property {
  const char* name;
  Complaints (*check)(const Op&);
};
const std::vector<Property>& properties();

}  // namespace weft::tests
