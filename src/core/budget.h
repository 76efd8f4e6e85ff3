// SPDX-License-Identifier: Apache-2.0
// Budget: what is left of the limits of a call tree. The context points to it; without limits there
// is none, and nothing is counted. One thread at a time uses it, the accounts of memory and
// look_from_any_thread() excepted.
#pragma once
#include <chrono>

#include "core/context.h"
#include "sconce/limits.h"

namespace sconce {

class Budget {
 public:
  // memory: the account that is charged; null: none.
  Budget(const Limits& limits, Ref<MemoryAccount> memory);

  // One step. The counter runs down to the next look at the limits, so that a step costs no more
  // than a decrement; loops may hold its address.
  void step() {
    if (--countdown < 0) look();
  }
  int64_t countdown;
  // Throws LimitError, and does so at every later step.
  void look();
  // An operator is about to run, or a piece of other work of about its size.
  void pass() {
    if (--passes_ < 0) look_at_clock();
  }
  // A kernel is about to go over this many elements.
  void work(double elements, const char* slot);
  // Time and cancelling, on a thread that works for the one whose budget this is.
  void look_from_any_thread() const;
  MemoryAccount* memory() const { return memory_.get(); }
  uint64_t depth() const { return depth_; }

 private:
  void look_at_clock();
  const uint64_t max_steps_, depth_;
  const double max_work_, seconds_;
  const std::shared_ptr<std::atomic<bool>> cancel_;
  const Ref<MemoryAccount> memory_;
  std::chrono::steady_clock::time_point end_;
  uint64_t steps_ = 0;   // before this period
  int64_t period_ = 0;   // what the countdown started from
  int64_t passes_ = 0;   // until the next look at the clock
  double elements_ = 0;  // since the last one
};

// The memory account in force on this thread; null: none.
inline MemoryAccount* memory_account() {
  Budget* b = context().budget;
  return b ? b->memory() : nullptr;
}
// For what makes n bytes of containers or texts at once, before it does. Throws LimitError.
inline void expect_memory(double n) {
  if (MemoryAccount* m = memory_account()) m->expect(n < 1e18 ? static_cast<uint64_t>(n) : ~0ull);
}
// Work of a loop over items of containers, in the middle of it or before.
inline void expect_items(double n) {
  if (Budget* b = context().budget) b->work(n, "container");
}
// Charges what v itself holds; of a container that is new to the account, its items too.
void charge_value(MemoryAccount& account, const IValue& v);

}  // namespace sconce
