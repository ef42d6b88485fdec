// A property that every description should have, and what became of it.
#pragma once
#include "verify/subject.h"

namespace weft::verify {

struct Finding {
  enum class Verdict { holds, fails, absent };  // absent: there is nothing to prove, and `about` says why
  Verdict verdict = Verdict::holds;
  double worst = 0;   // the largest error, relative
  std::string where;  // of that: tensor, element, position
  std::string about;  // what was tried, or why there is nothing to prove
  i64 length = 0;     // at which it fails

  static Finding absent(std::string why) { return {Verdict::absent, 0, "", std::move(why), 0}; }
};

/// Keeps the worst of many comparisons. What is worse than `tolerance` fails.
class Worst {
 public:
  explicit Worst(double tolerance) : tolerance_(tolerance) {}
  /// Compares what two runs gave, tensor by tensor, where both have it. `context` says which runs: "chunkwise, T = 9".
  /// Gradients below `cancelled` times the largest of them are held to that size: what sums to zero leaves rounding.
  void compare(const Subject::Results& wanted, const Subject::Results& found, i64 length, const std::string& context,
               double cancelled = 1e-4);
  void add(double error, i64 length, const std::string& where);
  bool failed() const { return finding_.verdict == Finding::Verdict::fails; }
  Finding finding(std::string about) const;

 private:
  double tolerance_;
  i64 count_ = 0;
  Finding finding_;
};

/// Largest difference of two tensors relative to the largest element of both, or to `least` where that is more; with
/// its place as "S[0, 3, 1] is 0.5 and should be 0.7".
struct Difference {
  double error = 0;
  std::string where;
};
Difference difference(const std::string& name, const Tensor& wanted, const Tensor& found, double least = 0);
double largest(const Tensor& t);

/// Two sums of some thousand products of 1e-16 each, in two orders.
inline constexpr double kEqual = 1e-10;
/// Differences of fourth order in f64 are good to about 1e-10; a formula that is wrong by 0.05 % is off by 5e-4.
inline constexpr double kGradients = 1e-7;
/// f32 has 6e-8; a model of a few layers makes some hundred roundings in a row.
inline constexpr double kSingle = 1e-4;

struct Property {
  const char* name;
  const char* about;
  std::vector<i64> lengths;  // that it is tried at
  Finding (*prove)(const Subject& subject, const std::vector<i64>& lengths);
};
const std::vector<Property>& properties();

// gradients.cpp, forms.cpp, cuts.cpp (also `draws`), causality.cpp and machine.cpp.
Finding prove_gradients(const Subject& s, const std::vector<i64>& lengths);
Finding prove_recurrent(const Subject& s, const std::vector<i64>& lengths);
Finding prove_chunkwise(const Subject& s, const std::vector<i64>& lengths);
Finding prove_parallel(const Subject& s, const std::vector<i64>& lengths);
Finding prove_extremes(const Subject& s, const std::vector<i64>& lengths);
Finding prove_cuts(const Subject& s, const std::vector<i64>& lengths);
Finding prove_token_by_token(const Subject& s, const std::vector<i64>& lengths);
Finding prove_carried_states(const Subject& s, const std::vector<i64>& lengths);
Finding prove_rows_apart(const Subject& s, const std::vector<i64>& lengths);
Finding prove_unseen_values(const Subject& s, const std::vector<i64>& lengths);
Finding prove_unseen_gradients(const Subject& s, const std::vector<i64>& lengths);
Finding prove_threads(const Subject& s, const std::vector<i64>& lengths);
Finding prove_draws(const Subject& s, const std::vector<i64>& lengths);
Finding prove_precision(const Subject& s, const std::vector<i64>& lengths);
Finding prove_cost(const Subject& s, const std::vector<i64>& lengths);

/// Whether it draws random numbers.
bool draws(const Subject& s);
/// The forms that some recurrence of the subject has: of recurrent, chunkwise, parallel.
std::vector<std::string> forms_of(const Subject& s);
/// Why a form is missing: "std/x.yaml:12: ..."; empty when all recurrences have it.
std::string underived(const Subject& s, const std::string& form);

/// Positions begin .. end of each input that has time.
Tensors part(const Subject& s, const How& how, const Tensors& inputs, i64 begin, i64 end);
/// `t` along dimension `axis`, from begin to end.
Tensor slice(const Tensor& t, std::size_t axis, i64 begin, i64 end);
/// Joined along dimension `axis`.
Tensor joined(const std::vector<Tensor>& parts, std::size_t axis);

}  // namespace weft::verify
