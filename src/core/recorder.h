// SPDX-License-Identifier: Apache-2.0
// What a shape plan sees while it is recorded: allocations and kernel slot calls (the planner
// implements it).
#pragma once
#include "core/tensor_view.h"
#include "sconce/tensor.h"

namespace sconce {

struct Node;
struct Operator;

class Recorder {
 public:
  virtual ~Recorder() = default;
  // A fresh storage came from empty().
  virtual void allocated(const Ref<Storage>& s) = 0;
  // A kernel slot is to run, which run_slot does.
  virtual void called(const SlotCall& call) = 0;
  // The host is about to look at elements of s.
  virtual void host_read(const Storage* s) = 0;
  // The elements of s come from calls that were seen here and not made.
  virtual bool awaited(const Storage*) const { return false; }
  // A slot that the device lacks runs on the CPU, over copies.
  virtual void ran_on_host(const char* /*slot*/) {}
  // The interpreter calls a node's operator, and is back from it (also when it threw).
  virtual void operator_begins(const Operator&, const Node*) {}
  virtual void operator_ends() {}
};

// Deferred bytes of what a slot is given are there afterwards.
inline void fetch_bytes(const TensorView* views, uint32_t n) {
  for (uint32_t i = 0; i < n; ++i)
    if (views[i].storage) views[i].storage->fetch();
}
// The call itself.
inline void run_slot(const SlotCall& c) {
  fetch_bytes(static_cast<const TensorView*>(c.args), c.n_views);
  c.run(c.args);
}

// Counts the times that a tensor that already existed got other memory (set_, a growing resize_):
// what was recorded before knows the old address.
uint64_t memory_epoch();
void bump_memory_epoch();

}  // namespace sconce
