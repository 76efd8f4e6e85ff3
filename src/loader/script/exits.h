// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "ir/graph.h"

namespace sconce::script {

// Removes ReturnStmt and LoopContinuation: what follows a possible exit runs under a flag.
void transform_exits(Graph& g);

}  // namespace sconce::script
