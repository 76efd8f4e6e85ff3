// SPDX-License-Identifier: Apache-2.0
// Passes that wrap the clean-up functions of ir.
#include "ir/cleanup.h"
#include "passes/passes.h"

namespace sconce {

namespace {
// What such a function says of single nodes, as the pass's remarks.
NodeLog remarks(const PassContext& c, const char* rewrite) {
  if (!c.remark) return nullptr;
  return [&c, rewrite](const Node* n, const char* why_not) {
    why_not ? c.missed(n, rewrite, why_not) : c.applied(n, rewrite);
  };
}
}  // namespace

bool PassContext::remove_dead_code(Graph& g) const {
  return assumptions ? remove_unused(g) : eliminate_dead_code(g, false, remarks(*this, "unused"));
}

bool dce(Graph& g, PassContext& c) { return c.remove_dead_code(g); }
bool constant_propagation_pass(Graph& g, PassContext& c) {
  return constant_propagation(g, *c.ops, c.assumptions, remarks(c, "fold"));
}
bool constant_propagation_immutable_types(Graph& g, PassContext& c) {
  return constant_propagation_immutable(g, *c.ops);
}
bool dce_allow_deleting_nodes_with_side_effects(Graph& g, PassContext&) {
  return eliminate_dead_code_and_effects(g);
}
bool constant_pooling_pass(Graph& g, PassContext& c) {
  return constant_pooling(g, c.assumptions != nullptr, remarks(c, "equal"));
}

}  // namespace sconce
