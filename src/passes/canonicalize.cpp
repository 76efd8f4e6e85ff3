// SPDX-License-Identifier: Apache-2.0
// Numbers values anew, so that graphs of the same structure print the same:
//
//   %7 : Tensor = aten::relu(%x.1)                =>   %1 : Tensor = aten::relu(%x.1)
//   with keep_unique_names=false:                      %1 : Tensor = aten::relu(%0)
//
// Names of values within blocks stay, as PyTorch's _jit_pass_canonicalize has it; graphs of tasks
// are numbered too. Order: any.
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

void number(Value* v, uint32_t& next) { v->id = next++; }

void number_block(Block* b, uint32_t& next) {
  check_stack();
  for (Value* v : b->inputs()) number(v, next);
  for (Node* n : b->nodes()) {
    for (Value* v : n->outputs) number(v, next);
    for (Block* inner : n->blocks) number_block(inner, next);
  }
}

void canonicalize_graph(Graph& g, bool keep_names) {
  check_stack();
  uint32_t next = 0;
  number_block(g.block(), next);
  g.next_id = next;
  if (!keep_names)
    for (Value* v : g.inputs()) v->set_name("");
  for (Node* n : g.block()->nodes()) {
    if (!keep_names)
      for (Value* v : n->outputs) v->set_name("");
    if (Graph* sub = subgraph(n)) canonicalize_graph(*sub, keep_names);
  }
}

}  // namespace

bool canonicalize(Graph& g, PassContext& c) {
  canonicalize_graph(g, c.arguments.flag("keep_unique_names", true));
  return false;
}

}  // namespace sconce
