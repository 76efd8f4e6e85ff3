// SPDX-License-Identifier: Apache-2.0
// Fused operators are taken apart where fusers would rather see the parts:
//
//   %y = aten::addmm(%b, %x, %w, %one, %one)   =>   %p = aten::mm(%x, %w)
//                                                   %y = aten::add(%b, %p, %one)
//
// when beta and alpha are constants and 1. PyTorch's _jit_pass_decompose_ops decomposes the norms
// of tensors on other devices than the CPU too; their types are only known in its profiled graphs.
// Then constants are propagated and dead code is removed. Order: after inlining.
#include "ir/cleanup.h"
#include "passes/node_query.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {
bool decompose_block(Block* b, PassContext& c) {
  check_stack();
  bool changed = false;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) decompose_block(inner, c);
    if (!is_overload(n, "aten::addmm")) continue;
    if (constant_number(n->inputs[3]) != 1.0 || constant_number(n->inputs[4]) != 1.0) {
      c.missed(n, "addmm", "beta or alpha is no constant 1");
      continue;
    }
    c.applied(n, "addmm");
    Graph& g = *n->graph;
    InsertPoint at(g, n);
    Value* one = g.insert_constant(IValue(int64_t{1}));
    auto make = [&](const char* kind, const std::vector<Value*>& in) {
      Node* m = g.insert_node(g.create(Symbol(kind), in));
      m->op = resolve_operator(m, *c.ops);
      return m->output();
    };
    Value* product = make("aten::mm", {n->inputs[1], n->inputs[2]});
    Value* sum = make("aten::add", {n->inputs[0], product, one});
    sum->type = n->output()->type;
    n->output()->replace_all_uses_with(sum);
    n->destroy();
    changed = true;
  }
  return changed;
}
}  // namespace

bool decompose_ops(Graph& g, PassContext& c) {
  // Only what stands in the outermost block counts, as PyTorch has it.
  bool changed = decompose_block(g.block(), c);
  if (!changed) return false;
  constant_propagation(g, *c.ops);
  eliminate_dead_code_as_torch(g);
  return true;
}

}  // namespace sconce
