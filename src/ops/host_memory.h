// SPDX-License-Identifier: Apache-2.0
// What operators make on the host of a number that an argument's value or a size sets: the limits
// are asked before it is made. (Dims with a size of 2^40 cost nothing: expanded ones, and those of
// tensors that have no element.)
#pragma once
#include <vector>

#include "core/interrupt.h"
#include "sconce/tensor.h"

namespace sconce::ops {

// A vector of n values.
template <class T>
std::vector<T> host_vector(int64_t n, const T& value = T()) {
  expect_memory(static_cast<double>(n) * sizeof(T));
  return std::vector<T>(static_cast<size_t>(n), value);
}

// Lists of views, one by one: each costs memory that isn't a tensor's, and time.
class ExpectViews {
 public:
  explicit ExpectViews(int64_t n) { expect_memory(static_cast<double>(n) * kView); }
  void passed() { interrupt_.passed(kWork); }

 private:
  static constexpr double kView = sizeof(TensorImpl) + sizeof(Tensor) + 16;
  static constexpr int64_t kWork = 64;  // elements that take as long
  Interrupt interrupt_;
};

}  // namespace sconce::ops
