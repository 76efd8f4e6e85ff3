// SPDX-License-Identifier: Apache-2.0
//   %y = aten::conv2d(%x, %w, %b, ...)          %z = aten::conv2d(%x, %w, %b', ...)
//   %z = aten::add(%y, %t, %alpha)         =>   b' = b + alpha * t
//
// and the same for sub, when weights and t are constants, t is a number or [1, C, 1, ...] with a
// number for each channel, and %y has no other use.
//
// PyTorch: _jit_pass_fold_frozen_conv_add_or_sub. Order: after freeze, in turns with the other
// folds. PyTorch's also folds a t of more precision than w, whose sum would have t's dtype.
#include "passes/frozen_folding.h"

namespace sconce {

namespace {

bool is_add_or_sub(const Node* n) {
  if (!n->op || n->inputs.size() != 3) return false;
  std::string_view name = n->op->full_name();
  return name == "aten::add.Tensor" || name == "aten::add.Scalar" || name == "aten::sub.Tensor" ||
         name == "aten::sub.Scalar";
}

const char* fold_add_or_sub(Node* conv, Node* n, PassContext& c, const AliasDb& alias) {
  if (const char* why = why_not_foldable(conv, n, alias)) return why;
  if (const char* why = why_operand_differs(conv, n)) return why;
  const IValue alpha = *constant_value(n->inputs[2]);
  if (!alpha.isInt() && !alpha.isDouble()) return "alpha is no real number";
  const Tensor w = constant_tensor(conv->inputs[1]);
  Tensor bias = constant_tensor(conv->inputs[2]);
  const Tensor operand = operand_of_channels(c, n, {w.size(0)}, w);
  if (!bias.defined())
    bias = Arithmetic(*c.ops)("aten::zeros_like", {operand, static_cast<int64_t>(w.dtype()),
                                                   IValue(), IValue(), IValue(), IValue()});
  replace_parameter(conv, 2, run_with(c, n, bias, operand).to(bias.dtype()),
                    std::string(n->kind.unqualified()));
  return nullptr;
}

}  // namespace

bool fold_frozen_conv_add_or_sub(Graph& g, PassContext& c) {
  return fold_layers(g, c, {"conv+add", is_foldable_conv, is_add_or_sub, fold_add_or_sub});
}

}  // namespace sconce
