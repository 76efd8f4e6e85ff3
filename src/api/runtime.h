// SPDX-License-Identifier: Apache-2.0
// What a loaded module needs to run: the operator table, the engine, prepared methods.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>

#include "api/boundary.h"
#include "api/device_copy.h"
#include "core/assumptions.h"
#include "core/budget.h"
#include "loader/archive.h"
#include "passes/own_module.h"
#include "passes/passes.h"
#include "runtime/interpreter.h"
#include "runtime/shape_plan.h"
#include "runtime/state_lock.h"
#include "sconce/module.h"
#include "support/lasting.h"

namespace sconce {

// The process-wide operator table, made on first use.
const OpTable& op_table();

// The graph that the interpreter runs, not folded: a copy of the function's, inlined, with
// PyTorch's run-time rewrite.
std::shared_ptr<Graph> interpreted_graph(Function& f);
// Runs an operator that is written in TorchScript (ops/composites.h).
void run_composite_operator(Call& c);
// The graph of one; null: op isn't one. Lives as long as the library.
const Graph* composite_graph(const Operator& op);
// Compiles all of them; throws the first ScriptError. For tests.
void compile_composites();

// A method made ready to run: immutable but for its plans and the epoch, counted by the calls that
// use it.
struct Prepared final : RefCounted {
  explicit Prepared(Function& f, const Unstable& u, bool trusted)
      : function(f), assumptions(u, trusted) {}
  Function& function;
  std::string name;
  Boundary boundary;
  std::shared_ptr<const Plan> plan;
  std::unique_ptr<ShapePlanCache> shapes;  // null: the graph is not straight-line
  Assumptions assumptions;                 // what plan and shapes rely on
  WriteGuard guard;
  std::atomic<uint64_t> epoch{0};  // at which the assumptions were last seen to hold
};

// Of the entry points: memory that is used up outside of a plan is sconce's error too.
template <class F>
auto out_of_memory_told(F f) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    throw OutOfMemory("out of memory");
  }
}

struct ModuleImpl {
  Living living;
  // First, and so the last to go: what else is here is charged to it. Null: no limit of memory.
  Ref<MemoryAccount> memory;
  LoadedArchive archive;
  std::shared_ptr<OwnCode> code;  // of a module with functions of its own, else null
  Ref<Object> object;
  // Modules in it, as asked for; what programs keep with it, by name.
  std::unordered_map<const Object*, std::shared_ptr<ModuleImpl>> below;
  std::unordered_map<std::string, std::shared_ptr<void>> attached;
  std::mutex below_mutex;  // of the two
  LoadOptions options;
  Engine engine;
  std::string name;
  Recorder* recorder = nullptr;  // sees every operator and slot; exclusive use
  std::optional<Device> device;  // where Module::to() put it; unset: where the archive says
  bool stands_in = false;        // the CPU, for a device that isn't there
  bool audit_alias = false;      // graphs report to the AliasAudit in force; Mode::Interpret only
  bool trusted = false;          // the host writes no bytes unseen (Module::prepare)

  // The prepared method, as the module is now. Made by one thread at a time; a call that needs none
  // made takes a lock for the time of a look-up.
  Ref<Prepared> prepared(const std::string& method);
  std::shared_ptr<Plan> plan_of(Function& f);
  // limits: of this call; null: the module's own.
  IValue run(const std::string& method, std::vector<IValue> inputs, const Kwargs* kwargs = nullptr,
             const Limits* limits = nullptr) {
    return out_of_memory_told([&] { return run_here(method, std::move(inputs), kwargs, limits); });
  }
  // A plan for a call with such inputs, where the method can have one.
  void prepare_for(const std::string& method, std::vector<IValue> inputs);
  Function& method(const std::string& name);
  // Every function and method that has been met so far.
  const std::vector<std::unique_ptr<Function>>& functions() const {
    return code ? code->functions : archive.cu->functions();
  }
  // The graph that runs: inlined, with PyTorch's run-time rewrite. assumptions: folded as well, as
  // far as they may be made. Null when a constant of the graph can't be assumed.
  std::shared_ptr<Graph> runnable_graph(Function& f, Assumptions* assumptions);
  StateLock& state() { return state_; }  // of calls of this module
  // Forgets all that was prepared. Calls that run keep what they use.
  void invalidate();

 private:
  IValue run_here(const std::string& method, std::vector<IValue> inputs, const Kwargs* kwargs,
                  const Limits* limits);
  Ref<Prepared> find(const std::string& method);
  Ref<Prepared> prepare(const std::string& method);
  std::mutex mutex_;  // of the next two
  std::vector<Ref<Prepared>> methods_;
  std::unordered_map<Function*, std::shared_ptr<Plan>> plans_;
  std::mutex preparing_;  // of the next
  Unstable unstable_;
  std::unique_ptr<DeviceCopy> constants_;  // of graphs, on the module's device; under cu->mutex()
  friend class CallScope;
  StateLock state_;
};

// The context of whatever runs a module's code or operators for it: its kernels, streams, threads
// and limits. Inside of another call's scope the limits are that call's. While it lives, no other
// thread writes the module, other than by the host's Module::setattr.
class CallScope {
 public:
  explicit CallScope(ModuleImpl& m, const Limits* limits = nullptr);
  Context& context() { return context_; }
  // No other call of the module runs from here on. True when one may have run until now.
  bool alone() { return use_.write(); }
  // No other scope of this module is around it, on this thread.
  bool outermost() const { return use_.outermost(); }

 private:
  Context context_;
  StateUse use_;
  std::optional<Budget> budget_;
  std::optional<ContextScope> scope_;
};

}  // namespace sconce
