// SPDX-License-Identifier: Apache-2.0
// Runs plans. Frames live on a heap stack.
#pragma once
#include "core/context.h"
#include "core/thread_pool.h"
#include "runtime/plan.h"
#include "runtime/state_lock.h"

namespace sconce {

// How the interpreter reaches what it does not know itself.
struct Engine {
  const OpTable* ops = nullptr;
  // The plan of a function that is called by name at run time.
  std::function<std::shared_ptr<Plan>(Function&)> plan_of;
  // Threads for the work inside one operator; null: the caller's alone.
  std::shared_ptr<ThreadPool> pool;
  // Of the module; null: nobody else calls it.
  StateLock* state = nullptr;
};

// One value a graph output. Throws what the model or its operators throw, with a TorchScript trace.
std::vector<IValue> run_plan(const Plan& plan, std::vector<IValue> inputs, const Engine& engine);
// Runs a lazy value or waits for a task; rethrows its exception.
IValue wait_future(FutureBox& f);

}  // namespace sconce
