// SPDX-License-Identifier: Apache-2.0
// Time limits and cancelling within one kernel. A loop that may be long makes one of these on the
// thread that called the kernel, copies it to the threads that share the work, and says what it has
// passed; after each few million elements it looks at the limits and throws LimitError. What the
// kernel was to write is then written in part.
#pragma once
#include "core/budget.h"

namespace sconce {

class Interrupt {
 public:
  Interrupt() : budget_(context().budget) {}
  void passed(int64_t elements) {
    left_ -= elements;
    if (left_ < 0) look();
  }

 private:
  static constexpr int64_t kElements = int64_t{1} << 22;
  void look() {
    left_ = kElements;
    if (budget_) budget_->look_from_any_thread();
  }
  const Budget* budget_;
  int64_t left_ = kElements;
};

}  // namespace sconce
