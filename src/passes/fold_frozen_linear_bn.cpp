// SPDX-License-Identifier: Apache-2.0
//   %y = aten::linear(%x, %w, %b)                       %z = aten::linear(%x, %w', %b')
//   %z = aten::batch_norm(%y, %g, %h, %m, %v,      =>
//                         False, _, eps, _)
//
// when all weights are constants, the norm has a channel for each feature or one for all, and %y
// has no other use than by those who ask for its sizes, as BatchNorm1d does. w' and b' are those of
// fold_frozen_conv_bn.
//
// PyTorch: _jit_pass_fold_frozen_linear_bn, which folds whatever else uses %y (and gives that the
// norm's result). Like PyTorch this takes for granted that features are the norm's channels: an
// input [N, C, F] whose C equals F would be normalised along F.
#include "passes/frozen_folding.h"

namespace sconce {

namespace {

const char* fold_linear_norm(Node* linear, Node* norm, PassContext& c, const AliasDb& alias) {
  if (const char* why = why_not_foldable(linear, norm, alias, true)) return why;
  FrozenNorm bn;
  if (const char* why = bn.read(norm)) return why;
  const Tensor w = constant_tensor(linear->inputs[1]), bias = constant_tensor(linear->inputs[2]);
  const int64_t features = w.size(0), channels = bn.mean.size(0);
  if (channels != features && channels != 1) return "the norm has another number of channels";
  if (promote_types(w.dtype(), bn.mean.dtype()) != w.dtype() && element_size(w.dtype()) >= 4)
    return "the norm changes the result's dtype";
  Arithmetic op(*c.ops);
  if (channels != features)
    for (Tensor* t : {&bn.mean, &bn.var, &bn.gamma, &bn.beta})
      if (t->defined()) *t = op("aten::expand", {*t, std::vector<int64_t>{features}, false});
  const Tensor w2 =
      op("aten::mul.Tensor", {w, op("aten::unsqueeze", {bn.scale(op), int64_t{-1}})}).to(w.dtype());
  const ScalarType dtype = bias.defined()                ? bias.dtype()
                           : element_size(w.dtype()) < 4 ? w.dtype()
                                                         : bn.mean.dtype();
  const Tensor b2 = bn.fold_bias(op, bias, dtype);
  replace_parameter(linear, 1, w2, "bn");
  replace_parameter(linear, 2, b2, "bn");
  return nullptr;
}

bool is_linear(const Node* n) {
  static const Symbol linear("aten::linear");
  return n->kind == linear;
}

}  // namespace

bool fold_frozen_linear_bn(Graph& g, PassContext& c) {
  return fold_layers(g, c, {"linear+bn", is_linear, is_batch_norm, fold_linear_norm});
}

}  // namespace sconce
