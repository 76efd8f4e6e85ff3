// SPDX-License-Identifier: Apache-2.0
// Two passes of one's own:
//
//   %a = aten::relu(%x)                     %s = aten::sigmoid(%x)
//   %b = aten::relu(%a)   =>  %a            %y = aten::mul(%x, %s)   =>  %y = aten::silu(%x)
#include <sconce/pass.h>

namespace {

using namespace sconce;

bool visit(Block* block, PassContext& c, const Aliasing& aliasing) {
  static const Symbol relu("aten::relu");
  bool changed = false;
  for (Node* n : block->nodes()) {
    for (Block* inner : n->blocks) changed |= visit(inner, c, aliasing);
    if (n->kind != relu || n->input()->node->kind != relu) continue;
    Value *a = n->input(), *b = n->output();
    if (!aliasing.may_replace(b, a)) {
      c.missed(n, "relu+relu", "one of the two may be written");
      continue;
    }
    c.applied(n, "relu+relu");
    b->replace_all_uses_with(a);
    n->destroy();
    changed = true;
  }
  return changed;
}

// Needs no other pass; after inlining it sees more.
bool relu_once(Graph& g, PassContext& c) { return visit(g.block(), c, Aliasing(g)); }

bool use_silu(Graph& g, PassContext& c) {
  RewriteRule rule;
  rule.name = "mul+sigmoid";
  rule.pattern = R"(graph(%x : Tensor):
    %s = aten::sigmoid(%x)
    %y = aten::mul(%x, %s)
    return (%y))";
  rule.replacement = R"(graph(%x):
    %y : Tensor = aten::silu(%x)
    return (%y))";
  rule.commutative = true;
  return rewrite_subgraphs(g, c, {rule});
}

const Pass kPasses[] = {
    {"relu_once", "relu(relu(x)) is relu(x)", relu_once},
    {"use_silu", "x * sigmoid(x) is silu(x)", use_silu},
};

}  // namespace

SCONCE_PASSES(kPasses)
