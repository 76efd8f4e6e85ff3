// SPDX-License-Identifier: Apache-2.0
// Marks for PyTorch's profiler go, which PyTorch's own graphs keep:
//
//   %r = profiler::_record_function_enter_new(%name, %args)     (gone)
//    = profiler::_record_function_exit(%r)                  =>  (gone)
//   %g = profiler::_call_end_callbacks_on_jit_fut(%r, %f)       %f
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {
bool drop_block(Block* b) {
  check_stack();
  bool changed = false;
  // Backwards: uses first.
  for (Node *n = b->last(), *before; n != b->param; n = before) {
    before = n->prev;
    for (Block* inner : n->blocks) changed |= drop_block(inner);
    if (Graph* sub = subgraph(n)) changed |= drop_block(sub->block());
    if (n->kind.view().substr(0, 10) != "profiler::") continue;
    if (n->kind.unqualified() == "_call_end_callbacks_on_jit_fut")
      n->output()->replace_all_uses_with(n->inputs[1]);
    if (n->has_uses()) continue;
    n->destroy();
    changed = true;
  }
  return changed;
}
}  // namespace

bool drop_profiling(Graph& g, PassContext&) { return drop_block(g.block()); }

}  // namespace sconce
