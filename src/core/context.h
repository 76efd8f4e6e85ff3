// SPDX-License-Identifier: Apache-2.0
// The context of a call: allocator, kernel table, generator, output stream, threads. One
// thread-local pointer.
#pragma once
#include <cstddef>
#include <functional>
#include <ostream>

#include "sconce/ivalue.h"

namespace sconce {

struct Kernels;
class DeviceRuntime;
class ThreadPool;
class Budget;

// Memory for tensors. allocate gives 64-byte aligned bytes or throws OutOfMemory.
struct Allocator {
  void* (*allocate)(void* self, size_t nbytes) = nullptr;
  void (*deallocate)(void* self, void* p, size_t nbytes) = nullptr;
  void* self = nullptr;
};

// Sees slot calls and allocations while a shape plan is made.
class Recorder;

struct Context {
  const Kernels* kernels = nullptr;
  const DeviceRuntime* device = nullptr;  // whose kernels these are; null: the CPU
  const Kernels* host_kernels = nullptr;  // while device is set: the CPU's
  bool strict_device = false;             // a slot that the device lacks is an error
  Allocator allocator;                    // of the CPU's memory
  Generator* generator = nullptr;
  std::ostream* out = nullptr;       // where a model's print goes; null: dropped
  std::ostream* warnings = nullptr;  // where aten::warn goes; null: dropped
  ThreadPool* pool = nullptr;
  int num_threads = 1;
  bool inline_forks = true;  // fork runs its task at once, on the calling thread
  size_t max_depth = 5000;   // frames of one call chain
  Budget* budget = nullptr;  // what is left of the limits; null: there are none
  Recorder* recorder = nullptr;
};

// The context in force on this thread; the default one when no entry has set another.
Context& context();
Context& default_context();
class ContextScope {
 public:
  explicit ContextScope(Context* c);
  ~ContextScope();

 private:
  Context* saved_;
};

}  // namespace sconce
