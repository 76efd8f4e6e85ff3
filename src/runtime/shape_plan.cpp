// SPDX-License-Identifier: Apache-2.0
#include "runtime/shape_plan.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "core/context.h"
#include "ir/cleanup.h"
#include "runtime/lowering/lower.h"
#include "runtime/attribute_reads.h"
#include "runtime/recording.h"
#include "support/stack.h"

namespace sconce {

namespace {

size_t mix(size_t h, size_t v) { return (h ^ v) * 0x9e3779b97f4a7c15ull + (h >> 31); }
// Of what Key::matches compares, sizes and plain values alone.
size_t hash_of(const std::vector<IValue>& inputs) {
  size_t h = inputs.size();
  for (size_t i = 1; i < inputs.size(); ++i) {
    const IValue& v = inputs[i];
    h = mix(h, static_cast<size_t>(v.tag()));
    if (v.isTensor() && v.box()) {
      for (int64_t n : v.toTensorRef().sizes()) h = mix(h, static_cast<size_t>(n));
    } else if (v.isInt() || v.isBool() || v.isDouble() || v.isString()) {
      h = mix(h, ivalue_hash(v));
    }
  }
  return h;
}

void collect_storages(const IValue& v, std::unordered_set<const Storage*>& out) {
  check_stack();
  if (v.isTensor() && v.box()) {
    const TensorImpl& t = *v.toTensorRef().impl();
    out.insert(t.storage.get());
    if (t.quantizer && t.quantizer->numbers) out.insert(t.quantizer->numbers.get());
  }
  if (v.isList())
    for (auto& e : v.toListRef().items) collect_storages(e, out);
  if (v.isTuple())
    for (auto& e : v.toTupleRef().items) collect_storages(e, out);
  if (v.isDict())
    for (auto& e : v.toDictRef().items) collect_storages(e.second, out);
  // Packed parameters: an object that is nothing but its state.
  if (v.isObject() && v.toObjectRef().type->is_native && v.toObjectRef().size())
    collect_storages(v.toObjectRef().slot(0), out);
}

bool block_suits(Block* b) {
  check_stack();
  for (const Node* n : b->nodes()) {
    Symbol k = n->kind;
    if (k == prim::RaiseException) continue;  // a recording that raises is dropped
    if (k == prim::SetAttr || k == prim::fork || has_side_effects(n) || is_nondeterministic(n) ||
        subgraph(n))
      return false;
    for (Block* inner : n->blocks)
      if (!block_suits(inner)) return false;
  }
  return true;
}
// The graph asks where in its storage a tensor lies, or whether two tensors are one.
bool asks_for_layout(Block* b) {
  check_stack();
  for (const Node* n : b->nodes()) {
    std::string_view name = n->kind.unqualified();
    const bool identity = (name == "__is__" || name == "__isnot__") && n->inputs.size() == 2 &&
                          n->inputs[0]->type->kind == TypeKind::Tensor &&
                          n->inputs[1]->type->kind == TypeKind::Tensor;
    if (identity || name.substr(0, 10) == "as_strided" || name == "storage_offset" ||
        name == "set_")
      return true;
    for (Block* inner : n->blocks)
      if (asks_for_layout(inner)) return true;
  }
  return false;
}

}  // namespace

struct ShapePlanCache::State {
  std::mutex mutex;  // of the next three
  std::unordered_multimap<size_t, std::shared_ptr<ShapePlan>> plans;
  size_t bytes = 0;
  // Graphs that can't be recorded: each failure doubles the calls until the next try.
  uint32_t failures = 0, skip = 0;
  std::atomic<uint64_t> clock{0};
  size_t limit = size_t{16} << 20;
  bool layout = false;
  PackedWeights weights;
  AttributeReads attributes;

  const Numerics numerics;

  State(bool trusted, Numerics numerics) : weights(trusted), numerics(numerics) {}

  std::shared_ptr<ShapePlan> find(size_t hash, const std::vector<IValue>& inputs,
                                  const std::vector<IValue>& attributes) {
    std::lock_guard<std::mutex> lock(mutex);
    auto range = plans.equal_range(hash);
    for (auto it = range.first; it != range.second; ++it)
      if (it->second->matches(inputs) && it->second->attributes_match(attributes))
        return it->second;
    return nullptr;
  }
  // Whether to record this call.
  bool attempt() {
    std::lock_guard<std::mutex> lock(mutex);
    if (!skip) return true;
    --skip;
    return false;
  }
  void failed() {
    std::lock_guard<std::mutex> lock(mutex);
    failures = std::min(failures + 1, 12u);
    skip = (1u << failures) - 1;
  }
  void add(size_t hash, std::shared_ptr<ShapePlan> plan) {
    std::vector<std::shared_ptr<ShapePlan>> dropped;  // freed after the lock
    std::lock_guard<std::mutex> lock(mutex);
    failures = 0;
    for (auto it = plans.begin(); it != plans.end();) {
      const bool stale = it->second->stale();
      if (stale) bytes -= it->second->bytes(), dropped.push_back(std::move(it->second));
      it = stale ? plans.erase(it) : std::next(it);
    }
    bytes += plan->bytes();
    plans.emplace(hash, std::move(plan));
    while (bytes > limit && plans.size() > 1) {
      auto oldest = plans.begin();
      for (auto it = plans.begin(); it != plans.end(); ++it)
        if (it->second->last_used.load(std::memory_order_relaxed) <
            oldest->second->last_used.load(std::memory_order_relaxed))
          oldest = it;
      bytes -= oldest->second->bytes();
      dropped.push_back(std::move(oldest->second));
      plans.erase(oldest);
    }
  }
};

ShapePlanCache::ShapePlanCache(std::shared_ptr<const Plan> plan, bool trusted, Numerics numerics)
    : plan_(std::move(plan)), state_(std::make_unique<State>(trusted, numerics)) {
  std::unordered_set<const Storage*> constants;
  for (auto& c : plan_->constants) collect_storages(c, constants);
  size_t weights = 0;
  for (const Storage* s : constants) weights += s->nbytes();
  state_->limit = std::max(state_->limit, weights / 8);
  state_->layout = asks_for_layout(plan_->graph->block());
  if (auto reads = AttributeReads::of(*plan_->graph)) state_->attributes = std::move(*reads);
}
ShapePlanCache::~ShapePlanCache() = default;

std::vector<IValue> ShapePlanCache::run(std::vector<IValue> inputs, const Engine& engine,
                                        std::vector<IValue>* again) {
  Recorded r = find_or_record(std::move(inputs), engine);
  if (!r.plan || (r.fresh && r.plan->device)) return std::move(r.out);
  constexpr size_t kSmall = 64 << 10;
  // One that writes what it did not make must not run a second time.
  if (again && r.fresh && r.plan->written_inputs.empty() && r.plan->arena_bytes <= kSmall)
    *again = r.inputs;
  return replay(*r.plan, r.inputs, engine);
}

void ShapePlanCache::prepare(std::vector<IValue> inputs, const Engine& engine) {
  const Context& c = context();
  if (c.recorder || c.budget) return;  // such calls are never replays
  find_or_record(std::move(inputs), engine);
}

ShapePlanCache::Recorded ShapePlanCache::find_or_record(std::vector<IValue> inputs,
                                                        const Engine& engine) {
  Context& c = context();
  auto interpreted = [&] { return Recorded{nullptr, run_plan(*plan_, std::move(inputs), engine)}; };
  if (inputs.size() != plan_->n_inputs || c.recorder || c.budget) return interpreted();
  const size_t hash = hash_of(inputs);
  auto used = [&](ShapePlan& p) {
    p.last_used.store(state_->clock.fetch_add(1, std::memory_order_relaxed),
                      std::memory_order_relaxed);
  };
  std::vector<IValue> attributes;
  if (!state_->attributes.empty()) attributes = state_->attributes.values(inputs[0]);
  if (auto plan = state_->find(hash, inputs, attributes)) {
    used(*plan);
    return {std::move(plan), {}, std::move(inputs)};
  }
  if (!state_->attempt()) return interpreted();
  Recording recording(inputs, state_->layout);
  if (recording.given_up()) return interpreted();
  const std::vector<IValue> given = inputs;
  std::vector<IValue> out;
  c.recorder = &recording;
  try {
    out = run_plan(*plan_, std::move(inputs), engine);
  } catch (...) {
    c.recorder = nullptr;
    recording.make_calls();
    throw;
  }
  c.recorder = nullptr;
  PlannedProgram program;
  // Anew for each recording, which may have made numbers of a quantised constant.
  std::unordered_set<const Storage*> constants;
  for (auto& v : plan_->constants) collect_storages(v, constants);
  for (auto& v : attributes) collect_storages(v, constants);
  std::shared_ptr<ShapePlan> fresh = recording.finish(out.at(0), constants, &program);
  if (!fresh) {
    state_->failed();
    return {nullptr, std::move(out)};
  }
  for (auto& v : attributes) fresh->attributes.emplace_back(v);
  // Lists set by another thread meanwhile: nobody knows which were recorded. Inputs that a plan
  // can't be replayed on, such as two that overlap and one of which is written.
  const bool lists_stayed =
      attributes.empty() || fresh->attributes_match(state_->attributes.values(given[0]));
  if (!lists_stayed || !fresh->matches(given)) {
    recording.make_calls();
    state_->failed();
    return {nullptr, std::move(out)};
  }
  if (!fresh->device) lower(program, state_->weights, state_->numerics);
  fresh->trusted = state_->weights.trusted();
  place_calls(program, *fresh);
  // The arena is made here, so that the next call finds all the memory that it needs.
  fresh->prepare();
  used(*fresh);
  state_->add(hash, fresh);
  return {std::move(fresh), std::move(out), given, true};
}

std::vector<IValue> ShapePlanCache::replay(ShapePlan& plan, const std::vector<IValue>& inputs,
                                           const Engine& engine) const {
  if (!plan.written_inputs.empty()) return plan.run(inputs);
  try {
    return plan.run(inputs);
  } catch (const OpError&) {
    // The interpreter says where.
    return run_plan(*plan_, inputs, engine);
  }
}

bool ShapePlanCache::suits(const Graph& g) {
  return !g.inputs().empty() && block_suits(g.block()) && AttributeReads::of(g).has_value();
}

}  // namespace sconce
