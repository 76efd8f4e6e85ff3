// SPDX-License-Identifier: Apache-2.0
//   %y = aten::conv2d(%x, %w, %b, ...)          %z = aten::conv2d(%x, %w', %b', ...)
//   %z = aten::mul(%y, %t)                 =>   w' = w * t, b' = b * t
//
// and the same for div, when weights and t are constants, t is a number or [1, C, 1, ...] with a
// number for each channel, and %y has no other use.
//
// PyTorch: _jit_pass_fold_frozen_conv_mul_or_div. Order: after freeze, in turns with the other
// folds. PyTorch's also folds a t of more precision than w, whose product would have t's dtype.
#include "passes/frozen_folding.h"

namespace sconce {

namespace {

bool is_mul_or_div(const Node* n) {
  if (!n->op || n->inputs.size() != 2) return false;
  std::string_view name = n->op->full_name();
  return name == "aten::mul.Tensor" || name == "aten::mul.Scalar" || name == "aten::div.Tensor" ||
         name == "aten::div.Scalar";
}

const char* fold_mul_or_div(Node* conv, Node* n, PassContext& c, const AliasDb& alias) {
  if (const char* why = why_not_foldable(conv, n, alias)) return why;
  if (const char* why = why_operand_differs(conv, n)) return why;
  const std::string how(n->kind.unqualified());
  const Tensor w = constant_tensor(conv->inputs[1]), bias = constant_tensor(conv->inputs[2]);
  std::vector<int64_t> shape(static_cast<size_t>(w.dim()), 1);
  shape[0] = w.size(0);
  const Tensor of_weight = operand_of_channels(c, n, shape, w);
  const Tensor of_bias = operand_of_channels(c, n, {w.size(0)}, w);
  replace_parameter(conv, 1, run_with(c, n, w, of_weight).to(w.dtype()), how);
  if (bias.defined())
    replace_parameter(conv, 2, run_with(c, n, bias, of_bias).to(bias.dtype()), how);
  return nullptr;
}

}  // namespace

bool fold_frozen_conv_mul_or_div(Graph& g, PassContext& c) {
  return fold_layers(g, c, {"conv*mul", is_foldable_conv, is_mul_or_div, fold_mul_or_div});
}

}  // namespace sconce
