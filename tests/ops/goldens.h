// The file that tests/goldens/ops.py writes: values of ops that owe nothing to the program.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/op.h"

namespace weft::tests {

/// One application of an op with what should come out of it. Absent inputs are empty tensors.
struct Golden {
  std::string name;  // "softmax/2"
  const Op* op = nullptr;
  std::vector<AttributeValue> attributes;
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs, cotangents;  // empty: not checked, not differentiated
  std::vector<Tensor> gradients;            // by input; empty where there is none
};

/// All cases of the file; an error names a case of an op that the table does not have.
std::vector<Golden> read_goldens(const std::string& path);

}  // namespace weft::tests
