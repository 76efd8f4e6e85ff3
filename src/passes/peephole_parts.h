// SPDX-License-Identifier: Apache-2.0
// The parts of the peephole pass that have files of their own.
#pragma once
#include "passes/passes.h"

namespace sconce {

// Lists and dicts that nothing writes. refine_lengths: also lengths that comparisons decide.
bool list_idioms(Graph& g, PassContext& c, bool refine_lengths);
bool dict_idioms(Graph& g, PassContext& c);
// What the types of tensors tell: sizes, dtypes, devices.
bool shape_idiom(Node* n, PassContext& c);

}  // namespace sconce
