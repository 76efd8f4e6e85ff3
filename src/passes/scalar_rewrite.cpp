// SPDX-License-Identifier: Apache-2.0
// What PyTorch's executor does to every graph before it runs and before any folding (compat.md
// section 2):
//
//   %y = aten::mul(%x, %c)   =>   %s = prim::Constant[value=2.5]()
//                                 %y = aten::mul(%x, %s)
//
// when %c is a constant 0-dim tensor and the node is an out-of-place add, sub, mul or div. It
// changes type promotion, so it belongs to the meaning of a model; PyTorch's name is
// canonicalize_graph_fuser_ops.
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

bool rewrite_scalars(Block* b, PassContext& c) {
  check_stack();
  bool changed = false;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) changed |= rewrite_scalars(inner, c);
    if (Graph* sub = subgraph(n)) changed |= rewrite_scalars(sub->block(), c);
    if (!n->op || n->inputs.size() < 2) continue;
    std::string_view name = n->op->full_name();
    bool target = name == "aten::add.Tensor" || name == "aten::sub.Tensor" ||
                  name == "aten::mul.Tensor" || name == "aten::div.Tensor";
    if (!target) continue;
    auto v = constant_value(n->inputs[1]);
    if (!v || !v->isTensor() || !v->box()) continue;
    const Tensor& t = v->toTensorRef();
    if (t.dim() != 0 || is_quantized(t.dtype())) continue;
    IValue scalar;
    if (is_complex(t.dtype()))
      continue;
    else if (is_floating(t.dtype()))
      scalar = t.item<double>();
    else if (t.dtype() == kBool)
      scalar = t.item<int64_t>() != 0;
    else
      scalar = t.item<int64_t>();
    InsertPoint at(*n->graph, n);
    n->replace_input(1, n->graph->insert_constant(scalar));
    n->op = c.ops->find_overload(std::string(n->kind.str()) + ".Scalar");
    changed = true;
  }
  return changed;
}

}  // namespace

bool scalar_rewrite(Graph& g, PassContext& c) { return rewrite_scalars(g.block(), c); }

}  // namespace sconce
