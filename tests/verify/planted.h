// Wrong ops for a moment: the table that the language sees is one of copies, and a test may break a copy.
#pragma once
#include "engine/kernel.h"

namespace weft::tests {

using KernelFunction = void (*)(KernelCall&);

/// While it lives the op of that name is computed by these in f64 and f32; null: as it is.
class Planted {
 public:
  Planted(const std::string& op, KernelFunction forward, KernelFunction backward = nullptr);
  Planted(const Planted&) = delete;
  ~Planted();

 private:
  Op& row_;
  const Op before_;
};

/// The op as it is, for what a mistake leaves alone.
const Op& true_row(const std::string& op);
void true_forward(KernelCall& call);
void true_backward(KernelCall& call);

}  // namespace weft::tests
