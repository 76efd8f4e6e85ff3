// SPDX-License-Identifier: Apache-2.0
// Calls of one module from several threads. Containers, the forms of tensors and their bytes have
// no locks of their own, so a call that writes what the module reaches runs alone; all others run
// beside each other. Which it is stands in the plan (Plan::writes_state), decided when the plan is
// made. A call that comes to a plan which writes only on its way (an interface's method) lets go
// of the lock and takes it alone: between two instructions nothing is borrowed.
//
// Deadlock: a call that writes must not wait for another thread's call of the same module, and host
// operators of two modules must not call each other's writing methods.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "ir/graph.h"

namespace sconce {

// Some node may write what outlives the graph: attributes, what they reach, constants; and, unless
// own_inputs, what the inputs but self reach.
bool writes_state(Graph& g, bool has_self, bool own_inputs);

class StateLock {
 private:
  friend class StateUse;
  static constexpr int64_t kWriter = int64_t{1} << 40;
  // Without a writer these are one addition each.
  void share() {
    if (users_.fetch_add(1, std::memory_order_acquire) >= kWriter) wait_to_share();
  }
  void unshare() {
    if (users_.fetch_sub(1, std::memory_order_release) > kWriter) tell();
  }
  void take();
  void give_back();
  void wait_to_share();
  void tell();
  // Those that share, and kWriter for each that writes or is about to.
  std::atomic<int64_t> users_{0};
  std::mutex writers_;  // held by the one that writes or is next
  std::mutex waiting_;  // of the next two
  int64_t turned_away_ = 0;
  std::condition_variable changed_;
};

// This thread uses what the lock guards, for as long as this lives. Uses of one lock nest: the
// outermost holds it.
class StateUse {
 public:
  explicit StateUse(StateLock& lock);
  StateUse(const StateUse&) = delete;
  ~StateUse();
  // Alone from here on, until the outermost use ends. True when others may have written meanwhile.
  bool write();
  bool outermost() const { return holder_ == this; }
  // The same as write(), for whoever runs within a use of this lock; nothing without one.
  static void write(StateLock& lock);

 private:
  StateLock& lock_;
  StateUse* const outer_;
  StateUse* holder_ = this;
  bool alone_ = false;  // of the holder
};

}  // namespace sconce
