// SPDX-License-Identifier: Apache-2.0
// A compiled function or method: its schema, and its graph once the body has been compiled.
#pragma once
#include <atomic>
#include <memory>
#include <string>

#include "core/schema.h"
#include "ir/graph.h"

namespace sconce {

class Plan;

struct Function {
  std::string name;            // "forward"
  std::string qualified_name;  // "__torch__.Net.forward"
  ClassType* self = nullptr;   // the class of a method
  FunctionSchema schema;       // returns may be empty until the body is compiled
  bool schema_ready = false;
  std::shared_ptr<Graph> graph;  // null until compiled
  // What is copied into callers, made on first use: PyTorch's cleaned-up form, and ours.
  std::shared_ptr<Graph> optimized, inlined;
  bool compiling = false;
  // Compiles on first use; the frontend sets it. Throws ScriptError.
  std::function<void(Function&)> compile;
  // The runtime's plans of this function; freed by plan_deleter.
  std::atomic<Plan*> plan{nullptr};
  void (*plan_deleter)(Plan*) = nullptr;
  ~Function() {
    if (plan.load() && plan_deleter) plan_deleter(plan.load());
  }
  Graph& ensure_graph() {
    if (!graph) compile(*this);
    return *graph;
  }
};

}  // namespace sconce
