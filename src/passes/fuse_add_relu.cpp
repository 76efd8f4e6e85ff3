// SPDX-License-Identifier: Apache-2.0
// A sum and its rectification become one operator:
//
//   %s = aten::add(%a, %b, %alpha)
//   %y = aten::relu(%s)                 =>    %y = aten::_add_relu(%a, %b, %alpha)
//
// when nothing else uses %s; add with relu_ likewise, add_ with relu_ as _add_relu_, and add into
// %out. Not add_ with relu: who holds the written tensor would see it rectified. PyTorch's name.
#include "passes/pattern.h"

namespace sconce {

bool fuse_add_relu(Graph& g, PassContext& c) {
  static const auto* patterns =
      new std::vector<Pattern>{{"add+relu",
                                "graph(%a, %b, %alpha):\n"
                                "  %s = aten::add(%a, %b, %alpha)\n"
                                "  %y = aten::relu(%s)\n"
                                "  return (%y)",
                                "graph(%a, %b, %alpha):\n"
                                "  %y = aten::_add_relu(%a, %b, %alpha)\n"
                                "  return (%y)"},
                               {"add+relu_",
                                "graph(%a, %b, %alpha):\n"
                                "  %s = aten::add(%a, %b, %alpha)\n"
                                "  %y = aten::relu_(%s)\n"
                                "  return (%y)",
                                "graph(%a, %b, %alpha):\n"
                                "  %y = aten::_add_relu(%a, %b, %alpha)\n"
                                "  return (%y)"},
                               {"add_+relu_",
                                "graph(%a, %b, %alpha):\n"
                                "  %s = aten::add_(%a, %b, %alpha)\n"
                                "  %y = aten::relu_(%s)\n"
                                "  return (%y)",
                                "graph(%a, %b, %alpha):\n"
                                "  %y = aten::_add_relu_(%a, %b, %alpha)\n"
                                "  return (%y)"},
                               {"add(out)+relu_",
                                "graph(%a, %b, %alpha, %out):\n"
                                "  %s = aten::add(%a, %b, %alpha, %out)\n"
                                "  %y = aten::relu_(%s)\n"
                                "  return (%y)",
                                "graph(%a, %b, %alpha, %out):\n"
                                "  %y = aten::_add_relu(%a, %b, %alpha, %out)\n"
                                "  return (%y)"}};
  bool changed = false;
  for (const Pattern& p : *patterns) changed |= replace_pattern(g, c, p);
  return changed;
}

}  // namespace sconce
