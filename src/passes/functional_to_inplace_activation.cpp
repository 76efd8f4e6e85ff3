// SPDX-License-Identifier: Apache-2.0
// An activation writes its input where nothing else wants that:
//
//   %a = aten::matmul(%x, %w)                    %a = aten::matmul(%x, %w)
//   %b = aten::relu(%a)                      =>  %b = aten::relu_(%a)
//   return (%b)                                  return (%a)
//
// when %a is memory of its own and has no other use. sigmoid and tanh make floating-point numbers
// of integers: there the dtypes of input and result must be known and equal. PyTorch's name; the
// way back of inplace_to_functional_activation. Order: last, since a write keeps other passes away.
#include "ir/cleanup.h"
#include "passes/mutation.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

bool same_known_dtype(const Value* a, const Value* b) {
  const TensorInfo *x = a->type->tensor.get(), *y = b->type->tensor.get();
  return x && y && x->has_dtype && y->has_dtype && x->dtype == y->dtype;
}

bool rewrite(Block* b, PassContext& c, TorchAliasDb& db) {
  check_stack();
  bool changed = false;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) changed |= rewrite(inner, c, db);
    const Activation* a = activation(n->kind);
    if (!a || n->inputs.empty() || n->outputs.size() != 1) continue;
    Value* in = n->inputs[0];
    if (in->type->kind != TypeKind::Tensor) continue;
    if (a->may_promote && !same_known_dtype(in, n->output())) {
      c.missed(n, "activation", "the dtypes of its input and result aren't known to be the same");
      continue;
    }
    if (in->uses.size() != 1 || has_effect_or_alias(in, db)) {
      c.missed(n, "activation", "its input may be wanted elsewhere");
      continue;
    }
    Node* w = n->graph->create(a->in_place, n->inputs)->insert_before(n);
    w->op = resolve_operator(w, *c.ops);
    if (!w->op) {
      w->destroy();
      c.missed(n, "activation", "it has no form in place");
      continue;
    }
    c.applied(n, "activation");
    w->range = n->range;
    w->scope = n->scope;
    w->output()->set_type(n->output()->type);
    db.replace(n->output(), w->output());
    n->output()->replace_all_uses_with(in);
    const std::string name = n->output()->name;
    n->destroy();
    w->output()->set_name(name);
    changed = true;
  }
  return changed;
}

}  // namespace

bool functional_to_inplace_activation(Graph& g, PassContext& c) {
  TorchAliasDb db(g);
  return rewrite(g.block(), c, db);
}

}  // namespace sconce
