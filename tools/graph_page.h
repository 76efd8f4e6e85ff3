// SPDX-License-Identifier: Apache-2.0
// One page with everything in it: the drawing of a graph, or of two side by side, a tree, the text,
// and what there is to know of each node. Needs nothing from anywhere; a script of its own
// (page/graph.js) and no other may run in it.
#pragma once
#include <string>
#include <vector>

#include "layout.h"
#include "picture.h"

namespace sconce::tool {

struct PageGraph {
  std::string name;  // "before: as compiled"; empty where there is one graph
  Picture picture;
};
// title: a file's name, a method. graphs: one, or what stood before a change and after it.
std::string graph_page(const std::string& title, const std::vector<PageGraph>& graphs);

}  // namespace sconce::tool
