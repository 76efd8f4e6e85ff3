// SPDX-License-Identifier: Apache-2.0
//   %y = aten::dropout(%x, %p, %training=False)   =>   %x
// and the same for dropout_, feature_dropout and feature_dropout_, when training is known to be
// False. PyTorch: _jit_pass_remove_dropout. Order: after freeze, which makes `training` a constant.
#include <algorithm>

#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {
bool remove_in(Block* b, PassContext& c) {
  check_stack();
  static const auto* kinds =
      new std::vector<Symbol>{Symbol("aten::dropout"), Symbol("aten::dropout_"),
                              Symbol("aten::feature_dropout"), Symbol("aten::feature_dropout_")};
  bool changed = false;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) changed |= remove_in(inner, c);
    if (std::find(kinds->begin(), kinds->end(), n->kind) == kinds->end() || n->inputs.size() != 3)
      continue;
    auto training = constant_value(n->inputs[2]);
    if (!training || !training->isBool() || training->toBool()) {
      c.missed(n, "dropout", training ? "it is training" : "whether it trains isn't a constant");
      continue;
    }
    c.applied(n, "dropout");
    n->output()->replace_all_uses_with(n->inputs[0]);
    n->destroy();
    changed = true;
  }
  return changed;
}
}  // namespace

bool remove_dropout(Graph& g, PassContext& c) { return remove_in(g.block(), c); }

}  // namespace sconce
