// SPDX-License-Identifier: Apache-2.0
// The table of contents: bytes -> archive -> objects and sources -> graph -> passes -> plan -> run.
#include "api/runtime.h"

#include "api/alias_audit.h"
#include "api/clone_copy.h"
#include "api/device_copy.h"
#include "api/graph_edit.h"
#include "backends/device.h"
#include "backends/kernels.h"
#include "ir/cleanup.h"
#include "ops/all_ops.h"
#include "ops/composites.h"
#include "passes/passes.h"
#include "support/stack.h"
#include "support/lasting.h"

namespace sconce {

const OpTable& op_table() {
  static const Lasting<const OpTable> table([] {
    default_context().kernels = &cpu_kernels();
    ops::set_composite_runner(run_composite_operator);
    set_device_opener(open_device);
    return make_op_table();
  }());
  return *table;
}

namespace {
std::shared_ptr<Graph> interpreted_graph(Function& f, GraphEdit* edit) {
  std::shared_ptr<Graph> g = f.ensure_graph().copy();
  PassContext c{&op_table(), nullptr};
  if (edit) edit->edit(*g, f);
  // One function, no calls but those of interfaces.
  inline_calls(*g, c);
  autocast(*g, c);
  drop_profiling(*g, c);
  // What PyTorch's executor does before anything else; from here on constants may be made.
  scalar_rewrite(*g, c);
  // It drops what nobody can see before it runs a graph, so that what would raise there doesn't.
  eliminate_dead_code(*g);
  return g;
}

// The forms of the tensors that a graph holds.
bool assume_constants(Block* b, Assumptions& a) {
  check_stack();
  for (Node* n : b->nodes()) {
    if (n->kind == prim::Constant)
      if (auto v = constant_value(n->output()); v && !a.form(*v)) return false;
    for (Block* inner : n->blocks)
      if (!assume_constants(inner, a)) return false;
  }
  return true;
}
}  // namespace

std::shared_ptr<Graph> interpreted_graph(Function& f) { return interpreted_graph(f, nullptr); }

std::shared_ptr<Graph> ModuleImpl::runnable_graph(Function& f, Assumptions* assumptions) {
  std::shared_ptr<Graph> g;
  {
    std::lock_guard<std::recursive_mutex> lock(archive.cu->mutex());
    g = interpreted_graph(f, GraphEdit::current());
    g->owner = archive.cu;
    if (device) {
      if (!constants_) constants_ = std::make_unique<DeviceCopy>(find_device(*device));
      remap_devices(*g, *constants_);
    }
    if (assumptions && !assume_constants(g->block(), *assumptions)) return nullptr;
    if (assumptions && f.self && f.self == object->type) {
      PassContext c{&op_table(), object.get(), assumptions};
      c.keeps_bits = options.numerics == Numerics::Strict;
      run_pipeline(*g, c,
                   "freeze_attributes,constant_propagation,fold_frozen_conv_bn,"
                   "fold_transposed_conv_bn,constant_pooling,dce");
    }
  }
  if (audit_alias) instrument_alias_audit(*g);
  return g;
}

std::shared_ptr<Plan> ModuleImpl::plan_of(Function& f) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (auto& p = plans_[&f]) return p;
  }
  auto graph = runnable_graph(f, nullptr);
  const bool writes = writes_state(*graph, f.self != nullptr, false);
  auto fresh = make_plan(std::move(graph), op_table(), f.qualified_name);
  fresh->writes_state = writes;
  std::lock_guard<std::mutex> lock(mutex_);
  auto& p = plans_[&f];
  if (!p) p = fresh;  // else another thread was first
  return p;
}

Function& ModuleImpl::method(const std::string& name) {
  Function* f = object->type->find_method(name);
  if (!f && archive.compiled) f = archive.cu->find_function(name);
  if (!f) raise<Error>("Method '", name, "' is not defined in ", object->type->name);
  return *f;
}

Ref<Prepared> ModuleImpl::find(const std::string& name) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (auto& p : methods_)
    if (p->name == name) return p;
  return nullptr;
}

namespace {
// Valid now. The epoch is read before the list is looked through: what is written meanwhile moves
// it again.
bool valid(Prepared& p) {
  const uint64_t now = observed_epoch();
  if (p.epoch.load(std::memory_order_relaxed) == now) return true;
  // Something that a preparation relies on was written, perhaps of another module.
  if (!p.assumptions.hold()) return false;
  p.epoch.store(now, std::memory_order_relaxed);
  return true;
}
}  // namespace

Ref<Prepared> ModuleImpl::prepared(const std::string& name) {
  Ref<Prepared> p = find(name);
  if (p && valid(*p)) return p;
  std::lock_guard<std::mutex> lock(preparing_);
  p = find(name);
  if (p && valid(*p)) return p;  // another thread was first
  if (p) p->assumptions.blame(unstable_);
  return prepare(name);
}

Ref<Prepared> ModuleImpl::prepare(const std::string& name) {
  Function& f = method(name);
  Ref<Prepared> fresh;
  // A write by another thread in the midst of it: again. One that writes all the time: unprepared.
  for (int attempt = 0; attempt < 4; ++attempt) {
    const bool assume = options.mode == Mode::Optimized && attempt < 3;
    fresh = make_ref<Prepared>(f, unstable_, trusted);
    fresh->name = name;
    fresh->epoch.store(observed_epoch(), std::memory_order_relaxed);
    auto graph = runnable_graph(f, assume ? &fresh->assumptions : nullptr);
    if (!graph) continue;
    fresh->boundary = Boundary(f);  // compiling has completed the schema
    if (assume) {
      PassContext c{&op_table(), object.get(), &fresh->assumptions};
      fresh->guard = write_guard(*graph, c);
    }
    auto plan = make_plan(graph, op_table(), f.qualified_name);
    plan->writes_state = writes_state(*graph, f.self != nullptr, true);
    fresh->plan = std::move(plan);
    if (assume && ShapePlanCache::suits(*graph))
      fresh->shapes = std::make_unique<ShapePlanCache>(fresh->plan, trusted, options.numerics);
    if (fresh->assumptions.hold()) break;
    fresh->assumptions.blame(unstable_);
  }
  Ref<Prepared> replaced;  // freed after the lock
  std::lock_guard<std::mutex> lock(mutex_);
  for (auto& p : methods_)
    if (p->name == name) {
      replaced = p;
      p = fresh;
      return fresh;
    }
  methods_.push_back(fresh);
  return fresh;
}

void ModuleImpl::invalidate() {
  std::lock_guard<std::mutex> preparing(preparing_);
  {
    std::lock_guard<std::recursive_mutex> compiling(archive.cu->mutex());
    constants_.reset();
  }
  std::vector<Ref<Prepared>> methods;
  std::unordered_map<Function*, std::shared_ptr<Plan>> plans;
  std::lock_guard<std::mutex> lock(mutex_);
  methods.swap(methods_);
  plans.swap(plans_);
}

CallScope::CallScope(ModuleImpl& m, const Limits* given)
    : context_(default_context()), use_(m.state_) {
  Context& c = context_;
  c.kernels = &cpu_kernels();
  c.out = m.options.out;
  c.warnings = m.options.warnings;
  c.strict_device = m.options.strict_device;
  c.recorder = m.recorder;
  c.pool = m.engine.pool.get();
  c.num_threads = c.pool ? c.pool->size() : 1;
  const Context& outer = sconce::context();
  if (outer.budget) {
    c.budget = outer.budget;
    c.max_depth = outer.max_depth;
  } else if (const Limits& limits = given ? *given : m.options.limits; limits.any()) {
    if (limits.exclusive) alone();
    Ref<MemoryAccount> memory = m.memory;
    if (given && given->memory) memory = make_ref<MemoryAccount>(given->memory);
    budget_.emplace(limits, std::move(memory));
    c.budget = &*budget_;
    if (limits.depth) c.max_depth = static_cast<size_t>(limits.depth);
  }
  scope_.emplace(&c);
}

namespace {
// Somebody else holds v too, or something in it.
bool held_elsewhere(const IValue& v, int depth = 0) {
  if (!v.box()) return false;
  if (v.isTensor())
    return v.box()->use_count() > 1 || v.toTensorRef().impl()->storage->use_count() > 1;
  const std::vector<IValue>* items = v.isList()    ? &v.toListRef().items
                                     : v.isTuple() ? &v.toTupleRef().items
                                                   : nullptr;
  if (!items) return v.isGenericDict() || v.isObject() || v.isFuture();
  if (v.box()->use_count() > 1 || depth > 4) return true;
  for (const IValue& e : *items)
    if (held_elsewhere(e, depth + 1)) return true;
  return false;
}
}  // namespace

void ModuleImpl::prepare_for(const std::string& name, std::vector<IValue> inputs) {
  CallScope scope(*this);
  Ref<Prepared> p = prepared(name);
  p->boundary.admit(inputs, nullptr);
  if (p->boundary.takes_self()) inputs.insert(inputs.begin(), IValue(object));
  if (p->shapes && !p->guard.may_break(p->assumptions, inputs))
    p->shapes->prepare(std::move(inputs), engine);
}

IValue ModuleImpl::run_here(const std::string& name, std::vector<IValue> inputs,
                            const Kwargs* kwargs, const Limits* limits) {
  CallScope scope(*this, limits);
  Ref<Prepared> held = prepared(name);
  // What was assumed may have been written while this call waited.
  if (held->plan->writes_state && scope.alone()) held = prepared(name);
  Prepared& p = *held;
  p.boundary.admit(inputs, kwargs);
  bool with_self = p.boundary.takes_self();
  if (with_self) inputs.insert(inputs.begin(), IValue(object));
  // What has a limit of memory is not trusted: the caller must be able to read its answer while
  // other calls write the module. Bytes are copied when one of the two is written.
  auto answer = [&](IValue& v) {
    if (scope.outermost() && memory_account() && held_elsewhere(v)) return CloneCopy().copy(v);
    return std::move(v);
  };
  if (p.guard.may_break(p.assumptions, inputs)) {
    auto out = run_plan(*plan_of(p.function), std::move(inputs), engine);
    return answer(out.at(0));
  }
  std::vector<IValue> again;
  auto out = p.shapes ? p.shapes->run(std::move(inputs), engine, &again)
                      : run_plan(*p.plan, std::move(inputs), engine);
  if (!again.empty()) {
    if (with_self) again.erase(again.begin());
    for (int i = 0; i < 3; ++i) (void)run(name, again);
  }
  return answer(out.at(0));
}

}  // namespace sconce
