// SPDX-License-Identifier: Apache-2.0
// Passes that wrap the clean-up functions of ir.
#include "ir/cleanup.h"
#include "passes/passes.h"

namespace sconce {

bool dce(Graph& g, PassContext& c) {
  return c.assumptions ? remove_unused(g) : eliminate_dead_code(g, false);
}
bool constant_propagation_pass(Graph& g, PassContext& c) {
  return constant_propagation(g, *c.ops, c.assumptions);
}
bool constant_propagation_immutable_types(Graph& g, PassContext& c) {
  return constant_propagation_immutable(g, *c.ops);
}
bool dce_allow_deleting_nodes_with_side_effects(Graph& g, PassContext&) {
  return eliminate_dead_code_and_effects(g);
}
bool constant_pooling_pass(Graph& g, PassContext& c) {
  constant_pooling(g, c.assumptions != nullptr);
  return false;
}

}  // namespace sconce
