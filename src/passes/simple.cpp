// SPDX-License-Identifier: Apache-2.0
// Passes that wrap the clean-up functions of ir.
#include "ir/cleanup.h"
#include "passes/passes.h"

namespace sconce {

bool dce(Graph& g, PassContext& c) { return c.remove_dead_code(g); }
bool constant_propagation_pass(Graph& g, PassContext& c) {
  return constant_propagation(g, *c.ops, c.assumptions);
}
bool constant_pooling_pass(Graph& g, PassContext& c) {
  constant_pooling(g, c.assumptions != nullptr);
  return false;
}

}  // namespace sconce
