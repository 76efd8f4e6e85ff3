// SPDX-License-Identifier: Apache-2.0
// Quantised layers: what they are packed as, and those that compute on the bytes themselves.
#pragma once
#include <utility>

#include "ops/quantized.h"

namespace sconce::ops {

struct PackedLinear {
  Tensor w, b;
};
struct PackedConv {
  Tensor w, b;
  IntVec stride, padding, dilation, output_padding;
  int64_t groups = 1;
  bool transposed = false;
};
struct QParams {
  double scale;
  int64_t zero_point;
};

// Throws OpError unless t has as many channels as q. A view may have changed the dims.
void check_channels(const Tensor& t, const Quantizer& q);
Tensor vector_of(const std::vector<double>& numbers, ScalarType t);
// The scales and the zero points of q's channels. Nobody writes them: a recorded call may take them
// for constant.
std::pair<Tensor, Tensor> numbers_of(const Quantizer& q);
// In double; undefined when b is.
Tensor bias_of(const Tensor& b);

// The answer to `to`'s parameters, or float without them; channels lie side by side. Undefined: the
// numbers are others than the kernel takes, or don't fit together.
Tensor linear_on_bytes(const Tensor& x, const PackedLinear& p, bool relu, const QParams* to);
Tensor conv_on_bytes(const Tensor& x, const PackedConv& p, bool relu, const QParams* to);

}  // namespace sconce::ops
