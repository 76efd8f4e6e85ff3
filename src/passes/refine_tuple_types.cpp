// SPDX-License-Identifier: Apache-2.0
// What is known of values is known of the tuples that hold them:
//
//   %t : (Tensor, Tensor) = prim::TupleConstruct(%x, %y)
//     =>   %t : (Float(3, device=cpu), Tensor) = prim::TupleConstruct(%x, %y)
//
// PyTorch's _jit_pass_refine_tuple_types. Order: after what refines types of tensors.
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {
bool refine(Block* b, PassContext& c) {
  check_stack();
  bool changed = false;
  for (Node* n : b->nodes()) {
    if (n->kind == prim::TupleConstruct) {
      Value* v = n->output();
      if (v->type->elems.size() != n->inputs.size())
        raise<Error>("refine_tuple_types: a tuple has another number of elements than its type");
      std::vector<TypePtr> parts;
      for (Value* in : n->inputs) parts.push_back(in->type);
      if (parts != v->type->elems) {
        TypeTable& table = *n->graph->types;
        v->type = v->type->is_named_tuple()
                      ? table.named_tuple(v->type->name, v->type->fields, std::move(parts))
                      : table.tuple(std::move(parts));
        c.applied(n, "tuple");
        changed = true;
      }
    }
    for (Block* inner : n->blocks) changed |= refine(inner, c);
  }
  return changed;
}
}  // namespace

bool refine_tuple_types(Graph& g, PassContext& c) { return refine(g.block(), c); }

}  // namespace sconce
