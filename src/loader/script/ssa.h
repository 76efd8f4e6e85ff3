// SPDX-License-Identifier: Apache-2.0
// From Load/Store and exit statements to SSA, and the clean-up that PyTorch runs after compiling.
#pragma once
#include "ir/cleanup.h"

namespace sconce::script {

// Stores and loads become block inputs and outputs; return, break and continue become control flow.
void convert_to_ssa(Graph& g);
// Loops with a trip count and a condition become while loops.
void canonicalize_modified_loops(Graph& g);
// Forks and awaitables get their subgraphs; tuples, constants, dead code, canonical order.
// warnings: the number of the next aten::warn.
void clean_up(Graph& g, const OpTable& ops, int64_t& warnings);

}  // namespace sconce::script
