// SPDX-License-Identifier: Apache-2.0
// The table of contents: bytes -> archive -> objects and sources -> graph -> passes -> plan -> run.
#include "api/runtime.h"

#include "api/alias_audit.h"
#include "api/device_copy.h"
#include "backends/device.h"
#include "backends/kernels.h"
#include "ops/all_ops.h"
#include "ops/composites.h"
#include "passes/passes.h"

namespace sconce {

const OpTable& op_table() {
  static const OpTable* table = [] {
    default_context().kernels = &cpu_kernels();
    ops::set_composite_runner(run_composite_operator);
    set_device_opener(open_device);
    return make_op_table();
  }();
  return *table;
}

std::shared_ptr<Graph> interpreted_graph(Function& f) {
  std::shared_ptr<Graph> g = f.ensure_graph().copy();
  PassContext c{&op_table(), nullptr};
  // One function, no calls but those of interfaces.
  inline_calls(*g, c);
  autocast(*g, c);
  drop_profiling(*g, c);
  // What PyTorch's executor does before anything else; from here on constants may be made.
  scalar_rewrite(*g, c);
  return g;
}

std::shared_ptr<Graph> ModuleImpl::runnable_graph(Function& f, bool fold) {
  std::shared_ptr<Graph> g;
  {
    std::lock_guard<std::recursive_mutex> lock(archive.cu->mutex());
    g = interpreted_graph(f);
    g->owner = archive.cu;
    if (device) remap_devices(*g, find_device(*device));
    if (fold && f.self && f.self == object->type) {
      PassContext c{&op_table(), object.get()};
      run_pipeline(*g, c, "freeze,constant_propagation,fold_frozen_conv_bn,constant_pooling,dce");
    }
  }
  if (audit_alias) instrument_alias_audit(*g);
  return g;
}

std::shared_ptr<Plan> ModuleImpl::plan_of(Function& f) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto& p = plans_[&f];
  if (!p) p = make_plan(runnable_graph(f, false), op_table(), f.qualified_name);
  return p;
}

Function& ModuleImpl::method(const std::string& name) {
  Function* f = object->type->find_method(name);
  if (!f && archive.compiled) f = archive.cu->find_function(name);
  if (!f) raise<Error>("Method '", name, "' is not defined in ", object->type->name);
  return *f;
}

Prepared& ModuleImpl::prepared(const std::string& name) {
  for (Prepared* p = head_.load(std::memory_order_acquire); p;
       p = p->next.load(std::memory_order_relaxed))
    if (p->name == name) return *p;
  Function& f = method(name);
  auto graph = runnable_graph(f, options.mode == Mode::Optimized);
  auto fresh = std::make_unique<Prepared>();
  fresh->name = name;
  fresh->plan = make_plan(graph, op_table(), f.qualified_name);
  if (options.mode == Mode::Optimized && ShapePlanCache::suits(*graph))
    fresh->shapes = std::make_unique<ShapePlanCache>(fresh->plan);
  std::lock_guard<std::mutex> lock(mutex_);
  for (Prepared* p = head_.load(std::memory_order_acquire); p;
       p = p->next.load(std::memory_order_relaxed))
    if (p->name == name) return *p;  // another thread was first
  fresh->next.store(head_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  Prepared* raw = fresh.release();
  head_.store(raw, std::memory_order_release);
  return *raw;
}

void ModuleImpl::invalidate() {
  std::lock_guard<std::mutex> lock(mutex_);
  for (Prepared* p = head_.exchange(nullptr); p;) {
    Prepared* next = p->next.load();
    retired_.push_back(p);
    p = next;
  }
}

ModuleImpl::~ModuleImpl() {
  invalidate();
  for (Prepared* p : retired_) delete p;
}

IValue ModuleImpl::run(const std::string& name, std::vector<IValue> inputs) {
  Context c = default_context();
  c.kernels = &cpu_kernels();
  c.out = options.out;
  c.warnings = options.warnings;
  c.max_steps = options.max_loop_steps;
  c.strict_device = options.strict_device;
  c.recorder = recorder;
  c.pool = engine.pool.get();
  c.num_threads = c.pool ? c.pool->size() : 1;
  ContextScope scope(&c);
  Prepared& p = prepared(name);
  bool with_self = !archive.compiled || method(name).self;
  if (with_self) inputs.insert(inputs.begin(), IValue(object));
  if (inputs.size() < p.plan->n_inputs) {
    // Defaults of arguments that are not given.
    auto& schema = method(name).schema;
    for (size_t i = inputs.size(); i < schema.arguments.size(); ++i) {
      if (!schema.arguments[i].default_value)
        raise<OpError>(name, "() is missing value for argument '", schema.arguments[i].name, "'");
      inputs.push_back(*schema.arguments[i].default_value);
    }
  }
  std::vector<IValue> again;
  auto out = p.shapes ? p.shapes->run(std::move(inputs), engine, &again)
                      : run_plan(*p.plan, std::move(inputs), engine);
  if (!again.empty()) {
    if (with_self) again.erase(again.begin());
    for (int i = 0; i < 3; ++i) (void)run(name, again);
  }
  return std::move(out.at(0));
}

}  // namespace sconce
