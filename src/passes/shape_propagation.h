// SPDX-License-Identifier: Apache-2.0
// What is known of a graph's tensors before it runs: sizes, dtypes, devices.
#pragma once
#include <string>
#include <vector>

#include "passes/passes.h"

namespace sconce {

// "Float:batch:3:224:224" is a float tensor with these sizes; a name stands for an unknown size
// (the same name, the same size), "*" for one that nothing else has. "Float" alone says the dtype,
// "Float:" no dims. Python's names of dtypes will do too. Throws Error. symbols: the names met so
// far, numbered from 1.
TypePtr parse_shape(const std::string& text, std::vector<std::string>& symbols);

// Gives every tensor value of the graph the type that follows from its inputs' types; unknown sizes
// that are surely equal get the same symbol. inputs: types for the graph's tensor inputs in order
// (null: as the graph has it); they may be fewer. True when a type changed. c.ops must be set;
// c.remark hears of nodes of which nothing is known.
bool propagate_shapes(Graph& g, const std::vector<TypePtr>& inputs, PassContext& c);

}  // namespace sconce
