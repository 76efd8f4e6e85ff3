// SPDX-License-Identifier: Apache-2.0
// What a graph from a text must hold beyond verify_graph() before anything works on it. The
// compiler's own graphs hold it by the way they are made.
#pragma once
#include "ir/graph.h"

namespace sconce {

// Throws Error when what the text says of a node isn't what its operator takes and makes, or when
// containers aren't of the types that their nodes claim. Passes believe both.
void verify_types(const Graph& g);

}  // namespace sconce
