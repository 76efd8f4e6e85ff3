// SPDX-License-Identifier: Apache-2.0
#include "ir/remap_types.h"

#include "support/stack.h"

namespace sconce {

TypePtr TypeRemap::operator()(TypePtr t) {
  if (!t || !t->mentions_class) return t;
  auto known = map_.find(t);
  if (known != map_.end()) return known->second;
  TypePtr r = rebuilt(t);
  map_[t] = r;
  return r;
}

TypePtr TypeRemap::rebuilt(TypePtr t) {
  check_stack();
  std::vector<TypePtr> elems;
  bool changed = false;
  for (TypePtr e : t->elems) {
    elems.push_back((*this)(e));
    changed |= elems.back() != e;
  }
  if (!changed) return t;
  if (t->is_named_tuple()) return table_.named_tuple(t->name, t->fields, std::move(elems));
  if (t->kind == TypeKind::Union) return table_.union_of(std::move(elems));
  return table_.make(t->kind, std::move(elems));
}

FunctionSchema TypeRemap::operator()(const FunctionSchema& s) {
  FunctionSchema r = s;
  for (auto* list : {&r.arguments, &r.returns})
    for (Argument& a : *list) a.type = (*this)(a.type);
  return r;
}

void TypeRemap::apply(Graph& g) { apply(g.block()); }

void TypeRemap::apply(Block* b) {
  check_stack();
  for (Value* v : b->inputs()) v->type = (*this)(v->type);
  for (Node* n : b->nodes()) {
    for (Value* v : n->outputs) v->type = (*this)(v->type);
    for (Attribute& a : n->attributes) {
      for (TypePtr& t : a.types) t = (*this)(t);
      if (!a.graph) continue;
      a.graph = a.graph->copy();
      apply(*a.graph);
    }
    for (Block* inner : n->blocks) apply(inner);
  }
}

}  // namespace sconce
