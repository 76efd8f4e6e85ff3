// SPDX-License-Identifier: Apache-2.0
// Which nodes are written as part of the expression that uses them. A reader compiles an expression
// from left to right, operands first. So the nodes are walked backwards beside the expression: a
// node is part of it when it stands exactly where it would be compiled.
//
//   %1 = f(%x)                                   _0 = f(x)
//   %2 = g(%y)   =>  h(f(x), g(y))               %2 = g(%y)   =>   h(g(y), _0)
//   %3 = h(%1, %2)                               %3 = h(%2, %1)
#include "support/stack.h"
#include "writer/printer.h"

namespace sconce::writer {

namespace {

// More would only make readers recurse.
constexpr size_t kMaxDepth = 200;

bool runs_later(const Node* n) { return n->kind == prim::fork || n->kind == prim::awaitable; }

Node* previous(Node* n) {
  do n = n->prev;
  while (n->kind == prim::Constant);
  return n;
}

}  // namespace

bool BodyPrinter::can_inline(const Value* v) const {
  const Node* n = v->node;
  if (n->outputs.size() != 1 || v->uses.size() != 1 || !n->blocks.empty()) return false;
  const Use& use = v->uses[0];
  // What had a name keeps it, unless it is only handed to the end of its block.
  if (!v->name.empty() && use.user->kind != prim::Return) return false;
  if (use.user->kind == prim::Loop && use.offset >= 2) return false;
  // The name is used in a body of its own, perhaps more than once.
  if (runs_later(use.user) || runs_later(n)) return false;
  // As a condition it would refine types again.
  if (n->kind == prim::isinstance) return false;
  // These are statements.
  return n->kind != prim::ModuleContainerIndex && n->kind != prim::Enter &&
         n->kind != prim::TupleUnpack && n->kind != prim::ListUnpack && n->kind != prim::Exit;
}

Node* BodyPrinter::scan_value(Node* point, Value* v, size_t depth) {
  Node* n = v->node;
  if (n == point && depth < kMaxDepth && can_inline(v)) {
    point = scan_node(point, depth + 1);
    inline_.insert(n);
  } else if (n->kind == prim::Constant) {
    inline_.insert(n);
  }
  return point;
}

Node* BodyPrinter::scan_node(Node* n, size_t depth) {
  check_stack();
  if (inline_.count(n)) return n;
  for (Block* b : n->blocks) scan_block(b);
  Node* point = previous(n);
  for (size_t i = n->inputs.size(); i-- > 0;) point = scan_value(point, n->inputs[i], depth);
  return point;
}

void BodyPrinter::scan_block(Block* b) {
  scan_node(b->ret, 0);
  for (Node* n = b->last(); n != b->param; n = n->prev) scan_node(n, 0);
}

}  // namespace sconce::writer
