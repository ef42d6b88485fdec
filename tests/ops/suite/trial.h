// What the properties share: samples with numbers in them, other sizes of a sample, and the report of a property.
#pragma once
#include <functional>
#include <optional>

#include "engine/gradcheck.h"
#include "tests/ops/suite/properties.h"

namespace weft::tests {

const Runtime& runtime();  // BLAS products, one thread

/// The sample with fixed random numbers in it.
Application application(const Op& op, const Sample& s);
/// Where a choice is hard its gradient is that of the soft one: differences would see none.
Application softened(Application a);
/// Every number of every real input that is no mask, replaced.
Application mapped(const Application& a, const std::function<double(double)>& f);

/// The shape rule on sizes that may be symbolic: shapes of the public outputs.
std::vector<Dims> shapes_of(const Op& op, const Sample& s, const std::vector<Dims>& inputs);
/// The sample, unless the shape rule refuses it. A refusal that is not an `Error` passes through.
std::optional<Sample> accepted(const Op& op, const Sample& s);
/// With size(n) for every size n: of the inputs, or, when that is refused, of the inputs and the attributes.
std::optional<Sample> resized(const Op& op, const Sample& s, const std::function<i64(i64)>& size);
/// With one more leading dimension on every input that has room for it.
std::optional<Sample> widened(const Op& op, const Sample& s, i64 lead);
/// Several times as large, so that blocks, tiles and vectors have more than one piece and a rest.
std::optional<Sample> enlarged(const Op& op, const Sample& s);
/// The sizes above 1 that occur in its shapes, each once.
std::vector<i64> sizes_of(const Sample& s);
i64 elements(const Sample& s);

bool differentiable(const Op& op);
/// Outputs, then gradients; no gradients from an op that has none.
std::vector<Tensor> values(const Runtime& r, DType dtype, const Application& a);
/// Largest difference, relative to the largest element; infinite for other shapes or another NaN.
double distance(const Tensor& a, const Tensor& b);
bool same(const Tensor& a, const Tensor& b);  // both empty, or the same bits

/// Collects the verdict of one property.
class Report {
 public:
  explicit Report(const Op& op) : op(op) {}
  /// Runs body(sample) for every sample; what it throws becomes a complaint that names the sample.
  Verdict each_sample(const std::function<void(const Sample&)>& body);
  void complain(const std::string& what) { verdict.complaints.push_back(place_ + what); }
  template <class... A> void require(bool ok, fmt::format_string<A...> message, A&&... args) {
    ++verdict.tried;
    if (!ok) complain(fmt::format(message, std::forward<A>(args)...));
  }
  /// An error that must stay below `limit`; NaN does not.
  void measure(double error, double limit, const std::string& where);
  void same_values(const std::vector<Tensor>& expected, const std::vector<Tensor>& found, const std::string& when);
  void close_values(const std::vector<Tensor>& expected, const std::vector<Tensor>& found, double limit,
                    const std::string& when);
  const Op& op;
  Verdict verdict;

 private:
  std::string place_;
};

}  // namespace weft::tests
