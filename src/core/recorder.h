// SPDX-License-Identifier: Apache-2.0
// What a shape plan sees while it is recorded: allocations and kernel slot calls (the planner
// implements it).
#pragma once
#include "core/tensor_view.h"
#include "sconce/tensor.h"

namespace sconce {

struct Operator;

class Recorder {
 public:
  virtual ~Recorder() = default;
  // A fresh storage came from empty().
  virtual void allocated(const Ref<Storage>& s) = 0;
  // A kernel slot is about to run.
  virtual void called(const SlotCall& call) = 0;
  // The host is about to look at elements of s.
  virtual void host_read(const Storage* s) = 0;
  // A slot that the device lacks runs on the CPU, over copies.
  virtual void ran_on_host(const char* /*slot*/) {}
  // The interpreter calls an operator, and is back from it (also when it threw).
  virtual void operator_begins(const Operator&) {}
  virtual void operator_ends() {}
};

// Counts the times that a tensor that already existed got other memory (set_, a growing resize_):
// what was recorded before knows the old address.
uint64_t memory_epoch();
void bump_memory_epoch();

}  // namespace sconce
