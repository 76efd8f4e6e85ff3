// SPDX-License-Identifier: Apache-2.0
// A graph from a file that is an archive or graph text, and its forms for people and programs.
#pragma once
#include <memory>
#include <string>

#include "ir/graph.h"
#include "passes/passes.h"
#include "sconce/module.h"

namespace sconce::tool {

struct GraphFile {
  Module module;  // undefined for graph text
  std::shared_ptr<Graph> graph;
  PassContext context;
};
// A copy of the method's graph, or the graph that the text says. Throws FormatError, ScriptError.
GraphFile open_graph(const std::string& path, const std::string& method);
// The kernels that folding passes run on are those of this thread meanwhile.
void run_passes(GraphFile& g, const std::string& pipeline);

// Without the "%" of graph text.
std::string value_name(const Value* v);
// n has the attribute a.
std::string attribute_text(const Attribute& a, const Node* n);

// Graphviz: a box a node, edges from definitions to uses, blocks as clusters.
std::string graph_dot(const Graph& g);
// {"inputs":[{"name","type"}],"nodes":[{"kind","inputs","outputs","attributes","blocks","source"}],"outputs":[]}
std::string graph_json(const Graph& g);

}  // namespace sconce::tool
