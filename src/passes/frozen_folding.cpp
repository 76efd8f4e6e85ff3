// SPDX-License-Identifier: Apache-2.0
#include "passes/frozen_folding.h"

#include "ir/cleanup.h"
#include "support/stack.h"

namespace sconce {

bool is_foldable_conv(const Node* n) {
  static const Symbol conv1d("aten::conv1d"), conv2d("aten::conv2d"), conv3d("aten::conv3d"),
      general("aten::_convolution");
  if (n->kind == conv1d || n->kind == conv2d || n->kind == conv3d) return n->inputs.size() >= 3;
  if (n->kind != general || n->inputs.size() < 7) return false;
  auto transposed = constant_value(n->inputs[6]);
  return transposed && transposed->isBool() && !transposed->toBool();
}

int64_t transposed_groups(const Node* n) {
  static const Symbol one("aten::conv_transpose1d"), two("aten::conv_transpose2d"),
      three("aten::conv_transpose3d"), general("aten::_convolution");
  const Value* groups = nullptr;
  if ((n->kind == one || n->kind == two || n->kind == three) && n->inputs.size() == 8) {
    groups = n->inputs[6];
  } else if (n->kind == general && n->inputs.size() >= 12) {
    auto transposed = constant_value(n->inputs[6]);
    if (transposed && transposed->isBool() && transposed->toBool()) groups = n->inputs[8];
  }
  auto count = groups ? constant_value(groups) : std::nullopt;
  return count && count->isInt() && count->toInt() > 0 ? count->toInt() : 0;
}

bool is_foldable_transposed_conv(const Node* n) { return transposed_groups(n) > 0; }

int64_t channels_of(const Node* layer, const Tensor& weight) {
  const int64_t groups = transposed_groups(layer);
  if (groups == 0) return weight.size(0);
  // A product that overflows is no number of channels.
  int64_t channels = 0;
  return __builtin_mul_overflow(weight.size(1), groups, &channels) ? -1 : channels;
}

Tensor constant_tensor(const Value* v) {
  auto c = constant_value(v);
  return c && c->isTensor() ? c->toTensor() : Tensor();
}

namespace {
// Asks for what folding doesn't change.
bool asks_for_form(const Node* n) {
  static const Symbol dim("aten::dim"), size("aten::size"), device("prim::device");
  return n->kind == dim || n->kind == size || n->kind == prim::dtype || n->kind == device;
}
}  // namespace

const char* why_not_foldable(const Node* layer, const Node* op, const AliasDb& alias, bool asked) {
  for (size_t i = 1; i < layer->inputs.size(); ++i)
    if (!constant_value(layer->inputs[i]))
      return i == 1   ? "the weight isn't a constant"
             : i == 2 ? "the bias isn't a constant"
                      : "an argument of the layer isn't a constant";
  for (size_t i = 1; i < op->inputs.size(); ++i)
    if (!constant_value(op->inputs[i])) return "an operand isn't a constant";
  for (const Use& u : layer->output()->uses)
    if (!(u.user == op && u.offset == 0) && !(asked && asks_for_form(u.user)))
      return "the layer's result is used elsewhere";
  const Tensor w = constant_tensor(layer->inputs[1]);
  if (!w.defined() || w.dim() < 2 || !is_floating(w.dtype())) return "the weight has no fractions";
  const Tensor bias = constant_tensor(layer->inputs[2]);
  if (bias.defined() && (bias.dim() != 1 || bias.size(0) != channels_of(layer, w)))
    return "the bias has another size than the weight";
  for (const Node* n : {layer, op})
    for (size_t i = 1; i < n->inputs.size(); ++i)
      if (alias.has_writers(n->inputs[i])) return "a parameter may be written";
  return nullptr;
}

const char* why_operand_differs(const Node* conv, const Node* op) {
  const Tensor w = constant_tensor(conv->inputs[1]);
  const IValue operand = *constant_value(op->inputs[1]);
  if (!operand.isTensor()) {
    if (operand.isInt() || operand.isDouble()) return nullptr;
    return "the operand is no real number";
  }
  const Tensor& t = operand.toTensorRef();
  if (!t.defined()) return "the operand is no tensor";
  if (t.dim() > w.dim()) return "the operand has more dims than the result";
  if (t.numel() != 1) {
    if (t.dim() != w.dim()) return "the operand isn't one number a channel";
    for (int64_t i = 0; i < t.dim(); ++i)
      if (t.size(i) != 1 && (i != 1 || t.size(i) != w.size(0)))
        return "the operand isn't one number a channel";
  }
  // A tensor without dims takes no part in promotion, unless it is of a higher kind.
  if (!is_floating(t.dtype()) && !is_integral(t.dtype(), true))
    return "the operand is no real number";
  if (t.dim() > 0 && promote_types(t.dtype(), w.dtype()) != w.dtype())
    return "the operand changes the result's dtype";
  return nullptr;
}

void replace_parameter(Node* layer, size_t input, const Tensor& t, const std::string& how) {
  Graph& g = *layer->graph;
  InsertPoint at(g, layer);
  const Value* old = layer->inputs[input];
  const std::string name = old->name.empty() ? std::to_string(old->id) : old->name;
  Value* fresh = insert_plain_constant(g, t, types::tensor());
  fresh->set_name(name + "_fused_" + how);
  layer->replace_input(input, fresh);
}

Tensor operand_of_channels(const PassContext& c, const Node* op, std::vector<int64_t> shape,
                           const Tensor& weight) {
  Arithmetic run(*c.ops);
  const IValue operand = *constant_value(op->inputs[1]);
  Tensor t;
  if (operand.isTensor())
    t = operand.toTensor();
  else
    t = run("aten::full", {shape, operand, static_cast<int64_t>(weight.dtype()), IValue(),
                           weight.device(), IValue()});
  if (t.numel() == 1)
    return run("aten::expand", {run("aten::reshape", {t, std::vector<int64_t>{1}}), shape, false});
  return run("aten::reshape", {t, shape});
}

Tensor run_with(const PassContext& c, const Node* op, const Tensor& x, const Tensor& operand) {
  std::vector<IValue> in{x, operand};
  for (size_t i = 2; i < op->inputs.size(); ++i) in.push_back(*constant_value(op->inputs[i]));
  const std::string name = std::string(op->kind.view()) + ".Tensor";
  return Arithmetic(*c.ops)(name.c_str(), std::move(in));
}

namespace {
// alias: made for the first candidate, before anything has changed; most graphs have none.
bool fold_block(Block* b, PassContext& c, const Fold& fold, std::optional<AliasDb>& alias) {
  check_stack();
  bool changed = false;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) changed |= fold_block(inner, c, fold, alias);
    if (!fold.is_op(n) || !fold.is_layer(n->inputs[0]->node)) continue;
    Node* layer = n->inputs[0]->node;
    if (!alias) alias.emplace(*n->graph);
    if (const char* why = fold.into(layer, n, c, *alias)) {
      c.missed(n, fold.rewrite, why);
      continue;
    }
    c.applied(n, fold.rewrite);
    n->output()->replace_all_uses_with(layer->output());
    n->destroy();
    changed = true;
  }
  return changed;
}
}  // namespace

bool fold_layers(Graph& g, PassContext& c, const Fold& fold) {
  std::optional<AliasDb> alias;
  const bool changed = fold_block(g.block(), c, fold, alias);
  if (!c.assumptions)
    eliminate_dead_code(g);
  else if (changed)
    remove_unused(g);
  return changed;
}
bool is_batch_norm(const Node* n) {
  static const Symbol batch_norm("aten::batch_norm");
  return n->kind == batch_norm;
}

const char* FrozenNorm::read(const Node* n) {
  if (n->inputs.size() != 9) return "the norm has other arguments";
  auto training = constant_value(n->inputs[5]), e = constant_value(n->inputs[7]);
  if (!training || !training->isBool() || training->toBool()) return "the norm is training";
  if (!e || !e->isDouble()) return "the norm's eps isn't a constant";
  eps = e->toDouble();
  gamma = constant_tensor(n->inputs[1]), beta = constant_tensor(n->inputs[2]);
  mean = constant_tensor(n->inputs[3]), var = constant_tensor(n->inputs[4]);
  if (!mean.defined() || !var.defined()) return "the norm has no running statistics";
  for (const Tensor* t : {&mean, &var, &gamma, &beta})
    if (t->defined() && (t->dim() != 1 || !is_floating(t->dtype()) || t->size(0) != mean.size(0)))
      return "the norm's parameters aren't one number a channel";
  return nullptr;
}

Tensor FrozenNorm::scale(const Arithmetic& op) const {
  Tensor r = op("aten::rsqrt", {op("aten::add.Scalar", {var, eps, int64_t{1}})});
  return gamma.defined() ? op("aten::mul.Tensor", {gamma, r}) : r;
}

Tensor FrozenNorm::fold_bias(const Arithmetic& op, const Tensor& bias, ScalarType dtype) const {
  Tensor r =
      bias.defined() ? op("aten::sub.Tensor", {bias, mean, int64_t{1}}) : op("aten::neg", {mean});
  r = op("aten::mul.Tensor", {r, scale(op)});
  if (beta.defined()) r = op("aten::add.Tensor", {r, beta, int64_t{1}});
  return r.to(dtype);
}

}  // namespace sconce
