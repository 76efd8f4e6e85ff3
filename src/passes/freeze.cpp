// SPDX-License-Identifier: Apache-2.0
// Attributes of the module that no code assigns become constants:
//
//   %w = prim::GetAttr[name="weight"](%self)   =>   %w = prim::Constant[value=<Tensor>]()
//
// Order: after inlining, so that every submodule is reached by GetAttr chains from self. In-place
// writes to a tensor keep it what it is: the constant shares its storage.
#include <unordered_set>

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

bool freeze_block(Block* b, Value* self, PassContext& c,
                  const std::unordered_set<std::string>& written) {
  bool changed = false;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) changed |= freeze_block(inner, self, c, written);
    if (n->kind != prim::GetAttr) continue;
    Object* o = object_of(n->inputs[0], self, c.module);
    if (!o) continue;
    const std::string& name = n->s(name_attr());
    int i = o->type->find_attribute(name);
    if (i < 0 || static_cast<size_t>(i) >= o->slots.size()) continue;
    auto& attr = o->type->attributes[static_cast<size_t>(i)];
    const IValue& v = o->slots[static_cast<size_t>(i)];
    if (attr.written || written.count(o->type->name + "." + name) || !freezable(v)) continue;
    InsertPoint at(*n->graph, n);
    Value* k = n->graph->insert_constant(v, n->output()->type);
    n->output()->replace_all_uses_with(k);
    changed = true;
  }
  return changed;
}

}  // namespace

bool freeze_attributes(Graph& g, PassContext& c) {
  if (!c.module || g.inputs().empty()) return false;
  std::unordered_set<std::string> written;
  collect_writes(g.block(), written);
  return freeze_block(g.block(), g.inputs()[0], c, written);
}

}  // namespace sconce
