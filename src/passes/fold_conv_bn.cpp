// SPDX-License-Identifier: Apache-2.0
//   %y = aten::conv2d(%x, %w, %b, ...)                              %y = aten::conv2d(%x, %w', %b',
//   ...) %z = aten::batch_norm(%y, %g, %h, %m, %v, False, _, eps, _)  =>
// when all weights are constants, and %y has no other use.  w' = w * g / sqrt(var + eps), b' = (b -
// m) * g / sqrt(var + eps) + h.
#include "ir/alias.h"
#include "ir/cleanup.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

bool constant_tensor(Value* v, Tensor* out, bool allow_none) {
  auto c = constant_value(v);
  if (!c) return false;
  if (c->isNone()) return allow_none;
  if (!c->isTensor() || !c->box()) return false;
  *out = c->toTensor();
  return is_floating(out->dtype());
}

class Arithmetic {
 public:
  explicit Arithmetic(const OpTable& ops) : ops_(ops) {}
  Tensor operator()(const char* op, std::vector<IValue> in) const {
    return run_operator(*ops_.find_overload(op), std::move(in)).at(0).toTensor();
  }

 private:
  const OpTable& ops_;
};

bool fold_block(Block* b, PassContext& c, const AliasDb& alias) {
  check_stack();
  bool changed = false;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) changed |= fold_block(inner, c, alias);
    if (n->kind != Symbol("aten::batch_norm") || n->inputs.size() != 9) continue;
    Node* conv = n->inputs[0]->node;
    std::string_view kind = conv->kind.view();
    bool general = kind == "aten::_convolution";
    if ((kind != "aten::conv1d" && kind != "aten::conv2d" && kind != "aten::conv3d" && !general) ||
        conv->output()->uses.size() != 1)
      continue;
    if (general) {
      auto transposed = constant_value(conv->inputs[6]);
      if (!transposed || transposed->toBool()) continue;
    }
    auto training = constant_value(n->inputs[5]), eps = constant_value(n->inputs[7]);
    Tensor w, bias, gamma, beta, mean, var;
    if (!training || training->toBool() || !eps || !constant_tensor(conv->inputs[1], &w, false) ||
        !constant_tensor(conv->inputs[2], &bias, true) ||
        !constant_tensor(n->inputs[1], &gamma, true) ||
        !constant_tensor(n->inputs[2], &beta, true) ||
        !constant_tensor(n->inputs[3], &mean, false) || !constant_tensor(n->inputs[4], &var, false))
      continue;
    // batch_norm takes them in whatever sizes; a convolution's bias has one dim.
    bool flat = true;
    for (const Tensor* t : {&gamma, &beta, &mean, &var}) flat &= !t->defined() || t->dim() == 1;
    if (!flat) continue;
    bool written = false;
    for (Value* v :
         {conv->inputs[1], conv->inputs[2], n->inputs[1], n->inputs[2], n->inputs[3], n->inputs[4]})
      written |= alias.has_writers(v);
    if (written || w.dtype() != mean.dtype()) continue;
    // Unasked, answers stay those of the unfolded graph: products of half precision would be
    // rounded in other places.
    if (c.assumptions && element_size(w.dtype()) < 4) continue;
    std::optional<Folding> folding;
    if (c.assumptions) folding.emplace(*c.assumptions);
    Arithmetic op(*c.ops);
    Tensor scale = op("aten::rsqrt", {op("aten::add.Scalar", {var, eps->toDouble(), int64_t{1}})});
    if (gamma.defined()) scale = op("aten::mul.Tensor", {scale, gamma});
    std::vector<int64_t> shape(static_cast<size_t>(w.dim()), 1);
    shape[0] = w.size(0);
    Tensor w2 = op("aten::mul.Tensor", {w, op("aten::reshape", {scale, shape})});
    Tensor shift =
        bias.defined() ? op("aten::sub.Tensor", {bias, mean, int64_t{1}}) : op("aten::neg", {mean});
    shift = op("aten::mul.Tensor", {shift, scale});
    if (beta.defined()) shift = op("aten::add.Tensor", {shift, beta, int64_t{1}});
    if (folding && !folding->succeeded()) continue;
    InsertPoint at(*n->graph, conv);
    conv->replace_input(1, n->graph->insert_constant(w2));
    conv->replace_input(2, n->graph->insert_constant(shift));
    n->output()->replace_all_uses_with(conv->output());
    n->destroy();
    changed = true;
  }
  return changed;
}

}  // namespace

bool fold_frozen_conv_bn(Graph& g, PassContext& c) {
  AliasDb alias(g);
  bool changed = fold_block(g.block(), c, alias);
  if (changed) remove_unused(g);
  return changed;
}

}  // namespace sconce
