#include "tests/verify/planted.h"

#include <deque>

#include "ops/table.h"

namespace weft::ops {

/// The generated table, under another name in this program.
const std::vector<const Op*>& real_table();

namespace {
std::deque<Op>& copies() {
  static std::deque<Op> all = [] {
    std::deque<Op> rows;
    for (const Op* op : real_table()) rows.push_back(*op);
    return rows;
  }();
  return all;
}
}  // namespace

const std::vector<const Op*>& table() {
  static const std::vector<const Op*> rows = [] {
    std::vector<const Op*> all;
    for (const Op& op : copies()) all.push_back(&op);
    return all;
  }();
  return rows;
}

}  // namespace weft::ops

namespace weft::tests {
namespace {

Op& copy_of(const std::string& name) {
  for (Op& op : ops::copies()) {
    if (op.name == name) return op;
  }
  throw Error("no op is called " + name);
}

}  // namespace

Planted::Planted(const std::string& op, KernelFunction forward, KernelFunction backward)
    : row_(copy_of(op)), before_(row_) {
  if (forward) row_.forward_f32 = row_.forward_f64 = forward;
  if (backward) row_.backward_f32 = row_.backward_f64 = backward;
}

Planted::~Planted() {
  row_.forward_f32 = before_.forward_f32, row_.forward_f64 = before_.forward_f64;
  row_.backward_f32 = before_.backward_f32, row_.backward_f64 = before_.backward_f64;
}

const Op& true_row(const std::string& name) {
  for (const Op* op : ops::real_table()) {
    if (op->name == name) return *op;
  }
  throw Error("no op is called " + name);
}

namespace {
bool is_double(const KernelCall& call) {
  for (const Tensor& t : call.results) {
    if (t) return t.dtype() == DType::f64;
  }
  return true;
}
}  // namespace

void true_forward(KernelCall& call) {
  const Op& op = true_row(call.op.name);
  (is_double(call) ? op.forward_f64 : op.forward_f32)(call);
}
void true_backward(KernelCall& call) {
  const Op& op = true_row(call.op.name);
  (is_double(call) ? op.backward_f64 : op.backward_f32)(call);
}

}  // namespace weft::tests
