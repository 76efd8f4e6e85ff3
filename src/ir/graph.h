// SPDX-License-Identifier: Apache-2.0
// The graph itself stands among the public headers, for the authors of passes.
#pragma once
#include "sconce/ir.h"

namespace sconce {

// The graph that a node runs: the task of a fork, the body of a fused node. Null without one.
inline Graph* subgraph(const Node* n) {
  static const Symbol name("Subgraph");
  const Attribute* a = n->find(name);
  return a ? a->graph.get() : nullptr;
}

}  // namespace sconce
