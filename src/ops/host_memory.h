// SPDX-License-Identifier: Apache-2.0
// What operators make on the host of a number that an argument's value or a size sets: the limits
// are asked before it is made. (Dims with a size of 2^40 cost nothing: expanded ones, and those of
// tensors that have no element.)
#pragma once
#include <vector>

#include "core/interrupt.h"
#include "sconce/ivalue.h"
#include "sconce/tensor.h"

namespace sconce::ops {

// A vector of n values.
template <class T>
std::vector<T> host_vector(int64_t n, const T& value = T()) {
  expect_memory(static_cast<double>(n) * sizeof(T));
  return std::vector<T>(static_cast<size_t>(n), value);
}

// Lists in lists of these sizes, without what the innermost hold.
inline void expect_lists(IntArrayRef sizes) {
  double lists = 0, each = 1;
  for (int64_t n : sizes) {
    lists += each;
    each *= static_cast<double>(n);
  }
  expect_memory(lists * sizeof(ListBox));
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
