// SPDX-License-Identifier: Apache-2.0
// What the passes share that fold an operator into the constant weights of the layer before it.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/assumptions.h"
#include "ir/alias.h"
#include "passes/passes.h"

namespace sconce {

// conv1d, conv2d, conv3d, or _convolution that is known not to be transposed.
bool is_foldable_conv(const Node* n);
// conv_transpose1d, 2d, 3d, or _convolution that is known to be transposed, of a constant number of
// groups.
bool is_foldable_transposed_conv(const Node* n);
// Of either: the groups of a transposed one; 0: it isn't transposed.
int64_t transposed_groups(const Node* n);
// Channels that the layer's result has, by its weight.
int64_t channels_of(const Node* layer, const Tensor& weight);
// Why op can't go into the weights of layer, its first input; null: as far as this is concerned, it
// can. The weight has fractions. asked: others may ask the layer's result for its sizes and dtype.
const char* why_not_foldable(const Node* layer, const Node* op, const AliasDb& alias,
                             bool asked = false);
// Of an add, sub, mul or div after a convolution, besides that: its operand is one number, or has
// one for each channel, and changes neither size nor dtype of the result.
const char* why_operand_differs(const Node* conv, const Node* op);

// The constant tensor, undefined for None.
Tensor constant_tensor(const Value* v);
// Replaces the weight or the bias of layer; how ends the new constant's name.
void replace_parameter(Node* layer, size_t input, const Tensor& t, const std::string& how);
// The operand as a tensor of the shape that has a number for each channel in the first dim.
Tensor operand_of_channels(const PassContext& c, const Node* op, std::vector<int64_t> shape,
                           const Tensor& weight);
// op(x, operand) where op is the node's operator; its further inputs as they are.
Tensor run_with(const PassContext& c, const Node* op, const Tensor& x, const Tensor& operand);
// A fold: op, whose first input is layer's result, goes into layer's weights, and op's result is
// layer's then.
struct Fold {
  const char* rewrite;  // "conv+bn"
  bool (*is_layer)(const Node*);
  bool (*is_op)(const Node*);
  // Why it can't; null: layer has its new weights.
  const char* (*into)(Node* layer, Node* op, PassContext& c, const AliasDb& alias);
};
// Everywhere in the graph. True when something was folded.
bool fold_layers(Graph& g, PassContext& c, const Fold& fold);
bool is_batch_norm(const Node* n);
// Of a fold: a batch norm goes into the convolution, transposed or not.
const char* fold_conv_norm(Node* conv, Node* norm, PassContext& c, const AliasDb& alias);

// Operators on plain tensors.
class Arithmetic {
 public:
  explicit Arithmetic(const OpTable& ops) : ops_(ops) {}
  Tensor operator()(const char* op, std::vector<IValue> in) const {
    return run_operator(ops_.require(op), std::move(in)).at(0).toTensor();
  }

 private:
  const OpTable& ops_;
};

// A batch norm whose statistics and parameters are constants: y = x * scale + shift.
struct FrozenNorm {
  Tensor mean, var, gamma, beta;  // the last two may be undefined
  double eps = 0;
  // Null when it was understood.
  const char* read(const Node* norm);
  // gamma / sqrt(var + eps)
  Tensor scale(const Arithmetic& op) const;
  // The bias of a layer with this bias (may be undefined: the weight's dtype then), followed by
  // this norm.
  Tensor fold_bias(const Arithmetic& op, const Tensor& bias, ScalarType dtype) const;
};

}  // namespace sconce
