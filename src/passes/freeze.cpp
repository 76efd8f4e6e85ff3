// SPDX-License-Identifier: Apache-2.0
// Attributes of the module that no code assigns become constants:
//
//   %w = prim::GetAttr[name="weight"](%self)   =>   %w = prim::Constant[value=<Tensor>]()
//
// Order: after inlining, so that every submodule is reached by GetAttr chains from self. A tensor
// that the graph may write in place stays an attribute: a constant could be folded into what it was
// before the write.
#include <mutex>
#include <unordered_set>
#include <vector>

#include "ir/alias.h"
#include "passes/passes.h"

namespace sconce {

namespace {

const Symbol& name_attr() {
  static const Symbol* s = new Symbol("name");
  return *s;
}

// The attributes that some node of the graph assigns, by class and name.
void collect_writes(Block* b, std::unordered_set<std::string>& written) {
  for (Node* n : b->nodes()) {
    if (n->kind == prim::SetAttr)
      written.insert(n->inputs[0]->type->name + "." + n->s(name_attr()));
    for (Block* inner : n->blocks) collect_writes(inner, written);
    if (const Attribute* sub = n->find(Symbol("Subgraph")))
      collect_writes(sub->graph->block(), written);
  }
}

// The object that v stands for, when it is self or a chain of constant attributes from it.
Object* object_of(Value* v, Value* self, Object* module) {
  if (v == self) return module;
  if (v->node->kind != prim::GetAttr) return nullptr;
  Object* o = object_of(v->node->inputs[0], self, module);
  if (!o) return nullptr;
  int i = o->type->find_attribute(v->node->s(name_attr()));
  if (i < 0 || o->type->attributes[static_cast<size_t>(i)].written) return nullptr;
  const IValue& x = o->slots[static_cast<size_t>(i)];
  return x.isObject() ? &x.toObjectRef() : nullptr;
}

bool freezable(const IValue& v) {
  switch (v.tag()) {
    case Tag::Int:
    case Tag::Double:
    case Tag::Bool:
    case Tag::String:
    case Tag::None:
    case Tag::Device: return true;
    case Tag::Tensor: return v.box() != nullptr;
    case Tag::Object: return v.toObjectRef().type->is_native;
    default: return false;
  }
}

using Storages = std::unordered_set<const Storage*>;

bool freeze_block(Block* b, Value* self, PassContext& c,
                  const std::unordered_set<std::string>& written, const Storages& kept) {
  bool changed = false;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) changed |= freeze_block(inner, self, c, written, kept);
    if (n->kind != prim::GetAttr) continue;
    Object* o = object_of(n->inputs[0], self, c.module);
    if (!o) continue;
    const std::string& name = n->s(name_attr());
    int i = o->type->find_attribute(name);
    if (i < 0 || static_cast<size_t>(i) >= o->slots.size()) continue;
    auto& attr = o->type->attributes[static_cast<size_t>(i)];
    const IValue& v = o->slots[static_cast<size_t>(i)];
    if (attr.written || written.count(o->type->name + "." + name) || !freezable(v)) continue;
    if (v.isTensor() && kept.count(v.toTensorRef().impl()->storage.get())) continue;
    InsertPoint at(*n->graph, n);
    Value* k = n->graph->insert_constant(v, n->output()->type);
    n->output()->replace_all_uses_with(k);
    changed = true;
  }
  return changed;
}

// May move its running statistics, though no schema says so.
bool is_norm(const Node* n) {
  static const Symbol* batch = new Symbol("aten::batch_norm");
  static const Symbol* instance = new Symbol("aten::instance_norm");
  return n->kind == *batch || n->kind == *instance;
}
bool any_write(Block* b) {
  for (Node* n : b->nodes()) {
    if (is_norm(n) || is_unknown_operator(n)) return true;
    if (n->op)
      for (auto& a : n->op->schema().arguments)
        if (a.alias.is_write) return true;
    if (n->kind == prim::CallMethod || n->kind == prim::CallFunction || n->kind == prim::fork)
      return true;
    for (Block* inner : n->blocks)
      if (any_write(inner)) return true;
  }
  return false;
}
void collect_written(Block* b, const AliasDb& db, Storages& out) {
  auto add = [&](const Value* v) {
    if (auto k = constant_value(v); k && k->isTensor() && k->toTensorRef().defined())
      out.insert(k->toTensorRef().impl()->storage.get());
  };
  for (Node* n : b->nodes()) {
    if (n->kind == prim::Constant && db.has_writers(n->output())) add(n->output());
    for (Block* inner : n->blocks) collect_written(inner, db, out);
  }
}

bool writes_unknown(Block* b, const AliasDb& db) {
  for (Node* n : b->nodes()) {
    if (db.writes_to_wildcard(n)) return true;
    for (Block* inner : n->blocks)
      if (writes_unknown(inner, db)) return true;
  }
  return false;
}
// A copy: another thread may be in a method that sets an attribute.
std::vector<IValue> slots_of(Object& o) {
  std::lock_guard<std::mutex> lock(o.mutex);
  return o.slots;
}
// The storages of tensors inside lists, dicts and tuples that attributes hold.
void collect_contained(const IValue& v, bool inside, std::unordered_set<const void*>& seen,
                       Storages& out) {
  switch (v.tag()) {
    case Tag::Tensor:
      if (inside && v.toTensorRef().defined()) out.insert(v.toTensorRef().impl()->storage.get());
      return;
    case Tag::List:
      for (auto& x : v.toListRef().items) collect_contained(x, true, seen, out);
      return;
    case Tag::Tuple:
      for (auto& x : v.toTupleRef().items) collect_contained(x, true, seen, out);
      return;
    case Tag::Dict:
      for (auto& kv : v.toDictRef().items) collect_contained(kv.second, true, seen, out);
      return;
    case Tag::Object:
      if (!seen.insert(v.box()).second) return;
      for (auto& x : slots_of(v.toObjectRef())) collect_contained(x, inside, seen, out);
      return;
    default: return;
  }
}

// The storages that methods of the object, or of what it holds, write in place.
void collect_mutated(Object& o, std::unordered_set<const void*>& seen, Storages& out) {
  if (!seen.insert(&o).second) return;
  std::vector<IValue> slots = slots_of(o);
  for (size_t i = 0; i < slots.size() && i < o.type->attributes.size(); ++i) {
    const IValue& v = slots[i];
    if (v.isObject()) collect_mutated(v.toObjectRef(), seen, out);
    if (o.type->attributes[i].mutated && v.isTensor() && v.toTensorRef().defined())
      out.insert(v.toTensorRef().impl()->storage.get());
  }
}

// Every parameter at and below o; with a class and a name, those of that attribute alone.
void collect_parameters(Object& o, const Type* cls, const std::string& name,
                        std::unordered_set<const void*>& seen, Storages& out) {
  if (!seen.insert(&o).second) return;
  std::vector<IValue> slots = slots_of(o);
  for (size_t i = 0; i < slots.size() && i < o.type->attributes.size(); ++i) {
    auto& a = o.type->attributes[i];
    if (slots[i].isObject()) collect_parameters(slots[i].toObjectRef(), cls, name, seen, out);
    if (a.is_parameter && slots[i].isTensor() && slots[i].toTensorRef().defined() &&
        (!cls || (o.type == cls && a.name == name)))
      out.insert(slots[i].toTensorRef().impl()->storage.get());
  }
}
void collect_not_frozen(Block* b, Value* self, Object& module, Storages& out) {
  std::unordered_set<const void*> seen;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) collect_not_frozen(inner, self, module, out);
    seen.clear();
    if (n->kind == prim::GetAttr && n->output()->type->kind == TypeKind::Tensor) {
      Object* o = object_of(n->inputs[0], self, &module);
      collect_parameters(o ? *o : module, n->inputs[0]->type, n->s(name_attr()), seen, out);
    } else if (n->kind == prim::CallMethod || n->find(Symbol("Subgraph"))) {
      // What is called through an interface, or runs as a task, reads its own attributes.
      for (Value* v : n->inputs)
        if (v->type->kind == TypeKind::Class || v->type->kind == TypeKind::Interface) {
          Object* o = object_of(v, self, &module);
          collect_parameters(o ? *o : module, nullptr, "", seen, out);
        }
    }
  }
}

}  // namespace

Storages parameters_not_frozen(Graph& frozen, Object& module) {
  Storages out;
  if (!frozen.inputs().empty()) collect_not_frozen(frozen.block(), frozen.inputs()[0], module, out);
  return out;
}

bool freeze_attributes(Graph& g, PassContext& c) {
  if (!c.module || g.inputs().empty()) return false;
  std::unordered_set<std::string> written;
  collect_writes(g.block(), written);
  Storages kept;
  {
    std::unordered_set<const void*> seen;
    collect_mutated(*c.module, seen, kept);
  }
  if (any_write(g.block())) {
    // Tried on a copy: what the analysis finds written there is not made a constant here.
    auto trial = g.copy();
    if (!freeze_block(trial->block(), trial->inputs()[0], c, written, kept)) return false;
    AliasDb db(*trial);
    collect_written(trial->block(), db, kept);
    // What is written through a container may be an attribute as well.
    if (writes_unknown(trial->block(), db)) {
      std::unordered_set<const void*> seen;
      for (auto& x : slots_of(*c.module)) collect_contained(x, false, seen, kept);
    }
  }
  return freeze_block(g.block(), g.inputs()[0], c, written, kept);
}

}  // namespace sconce
