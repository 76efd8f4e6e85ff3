// SPDX-License-Identifier: Apache-2.0
// Patterns of graph text that are found in a graph and replaced, with PyTorch's rules
// (torch/csrc/jit/ir/subgraph_matcher.cpp, passes/subgraph_rewrite.cpp):
//
//   - a match is found from its last node upwards; all of it stands in one block, and nothing
//     outside uses a value inside but its result;
//   - nodes fit when kinds and numbers of inputs and outputs are equal, whatever the types;
//   - what is put in stands directly behind the last of its inputs, which must be before all uses.
#pragma once
#include <functional>
#include <string>
#include <unordered_map>

#include "passes/passes.h"

namespace sconce {

// Values of the graph by their names in the pattern.
using PatternValues = std::unordered_map<std::string, Value*>;

struct Pattern {
  const char* name;  // for remarks
  // "graph(%a, %b): %r = aten::add(%a, %b) return (%r)". One result; both graphs take the same
  // inputs.
  const char *before, *after;
  // Why a match isn't replaced; null: it is. May be empty.
  std::function<const char*(const PatternValues&)> refuse = nullptr;
};

// Replaces all matches of p that were there before; true if there were any.
bool replace_pattern(Graph& g, PassContext& c, const Pattern& p);

}  // namespace sconce
