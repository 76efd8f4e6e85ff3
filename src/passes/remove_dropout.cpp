// SPDX-License-Identifier: Apache-2.0
// A dropout that drops nothing answers its argument itself, and so do its users:
//
//   %y = aten::dropout(%x, %p, %false)          %y is %x
//
// when %p is a constant between 0 and 1 (another one is an error) and training is off, or %p is 0.
// The same of feature_dropout, alpha_dropout, feature_alpha_dropout and the forms that write.
// PyTorch's pass of this name takes the first kind of plain and feature dropout, and fails where
// training isn't a constant. Order: after freezing, which makes `training` a constant.
#include <unordered_set>

#include "ir/graph.h"
#include "passes/passes.h"
#include "passes/reshaping.h"
#include "support/lasting.h"
#include "support/stack.h"

namespace sconce {

namespace {

bool is_dropout(const Node* n) {
  static const Lasting kinds(new std::unordered_set<std::string_view>{
      "aten::dropout", "aten::dropout_", "aten::feature_dropout", "aten::feature_dropout_",
      "aten::alpha_dropout", "aten::alpha_dropout_", "aten::feature_alpha_dropout",
      "aten::feature_alpha_dropout_"});
  return kinds->count(n->kind.view()) && n->inputs.size() == 3;
}

bool remove(Block* b, PassContext& c) {
  check_stack();
  bool changed = false;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) changed |= remove(inner, c);
    if (Graph* sub = own_subgraph(n)) changed |= remove(sub->block(), c);
    if (!is_dropout(n)) continue;
    auto p = constant_value(n->input(1)), training = constant_value(n->input(2));
    const bool known = p && (p->isDouble() || p->isInt());
    const double rate = known ? p->toDouble() : -1;
    if (!(rate >= 0 && rate <= 1)) {
      c.missed(n, "dropout", "the rate isn't a constant between 0 and 1");
    } else if (rate > 0 && !(training && training->isBool())) {
      c.missed(n, "dropout", "whether it is training isn't a constant");
    } else if (rate > 0 && training->toBool()) {
      c.missed(n, "dropout", "it is training");
    } else {
      c.applied(n, "dropout");
      n->output()->replace_all_uses_with(n->input());
      n->destroy();
      changed = true;
    }
  }
  return changed;
}

}  // namespace

bool remove_dropout(Graph& g, PassContext& c) { return remove(g.block(), c); }

}  // namespace sconce
