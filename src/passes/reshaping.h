// SPDX-License-Identifier: Apache-2.0
// For passes that rewrite tasks: their graphs. For passes that put one view of a tensor for
// another: who would see that these are two tensors.
#pragma once
#include <string_view>

#include "ir/graph.h"

namespace sconce {

// The graph of a fork or awaitable, this node's own from now on: copies of a node share it. Null: n
// has none.
Graph* own_subgraph(Node* n);

// An operator that gives a tensor that exists another form (resize_, unsqueeze_, set_): other
// tensors over the same memory keep theirs.
bool changes_form(const Node* n);
// Some node of the block, or of one in it, does.
bool any_changes_form(const Block* b);
// n only reads or writes elements through its inputs: it hands none of these tensors itself on (as
// lists, returns and calls do), and asks for nothing but elements, sizes and dtypes.
bool uses_elements_only(const Node* n);
// All uses are such.
bool elements_only(const Value* v);

}  // namespace sconce
