// SPDX-License-Identifier: Apache-2.0
// Calls of single operators under limits, and tensors to call them with.
#pragma once
#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "api/runtime.h"
#include "backends/kernels.h"
#include "core/budget.h"
#include "ops/tensor_ops.h"

namespace sconce::test {

// Limits that are looked at when somebody looks, and an operator that was just passed: the next
// look is a kernel's own.
struct Limited {
  explicit Limited(const Limits& l = {}, uint64_t megabytes = 64)
      : budget(l, make_ref<MemoryAccount>(megabytes << 20)) {
    (void)op_table();
    c.kernels = &cpu_kernels();
    c.budget = &budget;
    budget.pass();
  }
  Context c = default_context();
  Budget budget;
  ContextScope scope{&c};
};
// Who looks at the limits is told to end.
struct Cancelled : Limited {
  explicit Cancelled(uint64_t megabytes = 64) : Cancelled(with_flag(), megabytes) {}

 private:
  Cancelled(const Limits& l, uint64_t megabytes) : Limited(l, megabytes) { l.cancel->store(true); }
  static Limits with_flag() {
    Limits l;
    l.cancel = std::make_shared<std::atomic<bool>>(false);
    return l;
  }
};
constexpr uint64_t kAnyMemory = uint64_t{1} << 24;

inline std::vector<IValue> call(const char* name, std::vector<IValue> in) {
  return run_operator(*op_table().find_overload(name), std::move(in));
}
inline Tensor filled(std::vector<int64_t> sizes, double v, ScalarType t = ScalarType::Float) {
  (void)op_table();  // and with it the kernels
  Tensor x = empty(sizes, t);
  ops::fill(x, ops::Scalar(v));
  return x;
}
// One number as many.
inline Tensor wide(double v, int64_t n, ScalarType t = ScalarType::Float) {
  return ops::expand_to(filled({1}, v, t), {n});
}

}  // namespace sconce::test
