// SPDX-License-Identifier: Apache-2.0
// Products with a transposed matrix become linear layers:
//
//   %t = aten::t(%w)                                   %y = aten::linear(%x, %w, %b)
//   %y = aten::addmm(%b, %x, %t, %one, %one)    =>
//
//   %p = aten::matmul(%x, %t)                   =>     %y = aten::linear(%x, %w, %b)
//   %y = aten::add_(%p, %b, %one)
//
//   %y = aten::matmul(%x, %t)                   =>     %y = aten::linear(%x, %w, None)
//
// First every product gets a transpose of %t; then pairs of transposes that one linear alone uses
// go. PyTorch's name; in front of passes that look for aten::linear, such as quantization.
#include "passes/pattern.h"

namespace sconce {

namespace {

bool is_one(const PatternValues& values, const char* name) {
  auto v = constant_value(values.at(name));
  return v && v->isInt() && v->toInt() == 1;
}
const char* refuse_matrix(const PatternValues& values) {
  static const Symbol transpose("aten::t");
  return values.at("t")->node->kind == transpose ? nullptr : "the matrix isn't a transpose";
}
const char* refuse_sum(const PatternValues& values) {
  return is_one(values, "alpha") ? refuse_matrix(values) : "alpha isn't the constant 1";
}
const char* refuse_addmm(const PatternValues& values) {
  return is_one(values, "beta") ? refuse_sum(values) : "beta isn't the constant 1";
}

}  // namespace

bool fuse_linear(Graph& g, PassContext& c) {
  static const auto* patterns =
      new std::vector<Pattern>{{"addmm",
                                "graph(%x, %t, %b, %beta, %alpha):\n"
                                "  %y = aten::addmm(%b, %x, %t, %beta, %alpha)\n"
                                "  return (%y)",
                                "graph(%x, %t, %b, %beta, %alpha):\n"
                                "  %w = aten::t(%t)\n"
                                "  %y = aten::linear(%x, %w, %b)\n"
                                "  return (%y)",
                                refuse_addmm},
                               {"matmul+add_",
                                "graph(%x, %t, %b, %alpha):\n"
                                "  %p = aten::matmul(%x, %t)\n"
                                "  %y = aten::add_(%p, %b, %alpha)\n"
                                "  return (%y)",
                                "graph(%x, %t, %b, %alpha):\n"
                                "  %w = aten::t(%t)\n"
                                "  %y = aten::linear(%x, %w, %b)\n"
                                "  return (%y)",
                                refuse_sum},
                               {"matmul",
                                "graph(%x, %t):\n"
                                "  %y = aten::matmul(%x, %t)\n"
                                "  return (%y)",
                                "graph(%x, %t):\n"
                                "  %w = aten::t(%t)\n"
                                "  %none : Tensor? = prim::Constant()\n"
                                "  %y = aten::linear(%x, %w, %none)\n"
                                "  return (%y)",
                                refuse_matrix},
                               {"t+t+linear",
                                "graph(%x, %w, %b):\n"
                                "  %t = aten::t(%w)\n"
                                "  %u = aten::t(%t)\n"
                                "  %y = aten::linear(%x, %u, %b)\n"
                                "  return (%y)",
                                "graph(%x, %w, %b):\n"
                                "  %y = aten::linear(%x, %w, %b)\n"
                                "  return (%y)"}};
  bool changed = false;
  for (const Pattern& p : *patterns) changed |= replace_pattern(g, c, p);
  return changed;
}

}  // namespace sconce
