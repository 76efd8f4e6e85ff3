// SPDX-License-Identifier: Apache-2.0
// Time limits and cancelling within one kernel. A loop that may be long makes one of these and says
// what it has passed; after each few million elements it looks at the limits and throws LimitError.
// What the kernel was to write is then written in part. For threads that share the work, the one
// that called the kernel makes an Interrupt(context()), which they copy.
#pragma once
#include "core/budget.h"

namespace sconce {

class Interrupt {
 public:
  Interrupt() = default;
  explicit Interrupt(const Context& c) : budget_(c.budget) {}
  void passed(int64_t elements) {
    left_ -= elements;
    if (left_ < 0) look();
  }

 private:
  static constexpr int64_t kElements = int64_t{1} << 22;
  void look() {
    left_ = kElements;
    if (const Budget* b = budget_ ? budget_ : context().budget) b->look_from_any_thread();
  }
  const Budget* budget_ = nullptr;  // null: this thread's
  int64_t left_ = kElements;
};

}  // namespace sconce
