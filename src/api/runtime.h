// SPDX-License-Identifier: Apache-2.0
// What a loaded module needs to run: the operator table, the engine, prepared methods.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>

#include "api/boundary.h"
#include "loader/archive.h"
#include "runtime/interpreter.h"
#include "runtime/shape_plan.h"
#include "sconce/module.h"

namespace sconce {

// The process-wide operator table, made on first use.
const OpTable& op_table();

// The graph that the interpreter runs, not folded: a copy of the function's, inlined, with
// PyTorch's run-time rewrite.
std::shared_ptr<Graph> interpreted_graph(Function& f);
// Runs an operator that is written in TorchScript (ops/composites.h).
void run_composite_operator(Call& c);
// Compiles all of them; throws the first ScriptError. For tests.
void compile_composites();

// A method made ready to run.
struct Prepared {
  std::string name;
  Boundary boundary;
  std::shared_ptr<const Plan> plan;
  std::unique_ptr<ShapePlanCache> shapes;  // null: the graph is not straight-line
  std::atomic<Prepared*> next{nullptr};
};

struct ModuleImpl {
  LoadedArchive archive;
  Ref<Object> object;
  LoadOptions options;
  Engine engine;
  std::string name;
  Recorder* recorder = nullptr;  // sees every operator and slot; exclusive use
  std::optional<Device> device;  // where Module::to() put it; unset: where the archive says
  bool audit_alias = false;      // graphs report to the AliasAudit in force; Mode::Interpret only

  // The prepared method; made once, under the mutex. Reading takes no lock.
  Prepared& prepared(const std::string& method);
  std::shared_ptr<Plan> plan_of(Function& f);
  IValue run(const std::string& method, std::vector<IValue> inputs, const Kwargs* kwargs = nullptr);
  Function& method(const std::string& name);
  // The graph that runs: inlined, with PyTorch's run-time rewrite; folded when mode says so.
  std::shared_ptr<Graph> runnable_graph(Function& f, bool fold);
  void invalidate();
  ~ModuleImpl();

 private:
  std::atomic<Prepared*> head_{nullptr};
  std::vector<Prepared*> retired_;
  std::mutex mutex_;
  std::unordered_map<Function*, std::shared_ptr<Plan>> plans_;
};

}  // namespace sconce
