// SPDX-License-Identifier: Apache-2.0
//   %y = aten::conv_transpose2d(%x, %w, %b, ...)      %z = aten::conv_transpose2d(%x, w', b', ...)
//   %z = aten::batch_norm(%y, %g, %h, %m, %v,    =>
//                         False, _, eps, _)           w' = w * g / sqrt(v + eps), by channels of %y
//                                                     b' = (b - m) * g / sqrt(v + eps) + h
//
// in 1, 2 and 3 dims, when all weights are constants and %y is used for its form alone besides.
// PyTorch folds only convolutions that aren't transposed. Order: after freeze.
#include "passes/frozen_folding.h"

namespace sconce {

bool fold_transposed_conv_bn(Graph& g, PassContext& c) {
  return fold_layers(
      g, c, {"transposed conv+bn", is_foldable_transposed_conv, is_batch_norm, fold_conv_norm});
}

}  // namespace sconce
