// SPDX-License-Identifier: Apache-2.0
// Expansions that PyTorch's tracer and shape analysis put in are left to the operators, which
// broadcast by themselves:
//
//   %y = aten::expand(%x, %size, %true)   =>   %x
//
// when the last argument, "implicit", is constant True. PyTorch's _jit_pass_remove_expands.
// Order: any.
#include "passes/node_query.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {
bool remove_from(Block* b, PassContext& c) {
  check_stack();
  bool changed = false;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) changed |= remove_from(inner, c);
    if (!is_kind(n, "aten::expand") || n->inputs.size() != 3) continue;
    if (constant_bool(n->inputs[2]) != true) {
      c.missed(n, "expand", "it isn't implicit");
      continue;
    }
    c.applied(n, "expand");
    n->output()->replace_all_uses_with(n->inputs[0]);
    n->destroy();
    changed = true;
  }
  return changed;
}
}  // namespace

bool remove_expands(Graph& g, PassContext& c) { return remove_from(g.block(), c); }

}  // namespace sconce
