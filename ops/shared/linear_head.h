// One head of a linear recurrence: what is asked, apart from how it is computed.
//
//     S_t = a_t o S_{t-1} + k_t^T u_t        y_t = q_t S_t
//     u_t = v_t                              sums and decays
//     u_t = beta_t (v_t - r_t (a_t o S_{t-1}))    the delta rule, r being k unless `erase` says otherwise
//
// S is [K, V]; a is a number or, on the key axis, a vector. Katharopoulos et al. 2020, arXiv:2006.16236; Schlag et al.
// 2021, arXiv:2102.11174; Yang et al. 2024, arXiv:2312.06635 and 2412.06464.
#pragma once
#include "engine/kernel.h"
#include "ops/shared/lanes.h"

namespace weft::ops {

/// Which state a row at position t reads: S_t, a_t o S_{t-1}, or S_{t-1}.
enum class Reading { after, decayed, before };

/// A row of numbers, or one number, for each position or for all.
template <class T> struct Along1 {
  const T* data = nullptr;
  i64 step = 0;   // elements from one position to the next; 0: the same for all
  i64 width = 0;  // 0: absent
  explicit operator bool() const { return data != nullptr; }
  const T* at(i64 t) const { return data + t * step; }
};

template <class T> struct Head {
  const T *q = nullptr, *k = nullptr, *v = nullptr;  // [length, K], [length, K], [length, V] in rows of `stride`
  Along1<T> decay;                                   // width 1 or K; absent: all 1
  Along1<T> beta;                                    // width 1; absent: all 1
  const T* erase = nullptr;                          // [length, K]; null: k
  const T* start = nullptr;                          // [K, V] in rows of `stride`; null: zeros
  bool delta = false;
  bool ends = true;  // the state at the end is read; backward: it has a cotangent
  Reading read = Reading::after, error = Reading::decayed;
  i64 length = 0, K = 0, V = 0;
  i64 stride = 0;  // of v, y and the states outside: V, or more when the head is a slice of the value columns

  bool by_channel() const { return decay.width > 1; }
  const T* eraser() const { return erase ? erase : k; }
  T beta_at(i64 t) const { return beta ? *beta.at(t) : T(1); }
  /// The state before position t is zeros.
  bool empty(i64 t) const { return t == 0 && !start; }
  /// Nobody asks for the state before position t.
  bool done(i64 t) const { return t == length && !ends; }
};

/// Where the gradients of a head go, laid out as its inputs; all positions are written.
template <class T> struct HeadGradients {
  T *q = nullptr, *k = nullptr, *v = nullptr;
  T* decay = nullptr;  // [length, 1 or K]; null: not wanted, as the next two
  T* beta = nullptr;   // [length]
  T* erase = nullptr;  // [length, K]; null when there is no input of that name
  bool start = false;  // the cotangent of the state before position 0 is wanted
};

/// A way to compute positions t .. t + c of a head, given the state before them. `state` and `dstate` are [K, V] in
/// rows of V.
template <class T> class Form {
 public:
  virtual ~Form() = default;
  /// y (in rows of the head's stride), and the state after them, if it is read, in place of the one before.
  virtual void forward(const Head<T>& h, i64 t, i64 c, T* state, T* y) = 0;
  /// All of a head of a single position that starts from a state: y, and the state after it at `last`, in rows of V.
  /// False: this form has no short way for it.
  virtual bool single(const Head<T>&, T* /*last*/, T* /*y*/) { return false; }
  /// The state alone, of all chunks but the last before a backward.
  virtual void advance(const Head<T>& h, i64 t, i64 c, T* state) = 0;
  /// Gradients; `dstate` is the cotangent of the state after them and becomes that of the state before, if it is
  /// wanted.
  virtual void backward(const Head<T>& h, i64 t, i64 c, const T* state, const T* dy, T* dstate,
                        const HeadGradients<T>& g) = 0;
};

}  // namespace weft::ops
