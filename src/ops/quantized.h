// SPDX-License-Identifier: Apache-2.0
// What the files of quantised operators share.
#pragma once
#include "ops/tensor_ops.h"

namespace sconce::ops {

// The same numbers under another scale and zero point.
Tensor with_parameters(const Tensor& t, double scale, int64_t zero_point);
Tensor quantize_per_tensor(const Tensor& x, double scale, int64_t zero_point, int64_t dtype);
// Runs the plain form of an operator on real numbers in place of its first argument.
Tensor run_plain(Call& c, const Tensor& first);
// Means over windows or dims, rounded as PyTorch's integer kernels do. False: not one of these
// operators, or a form of theirs that is computed on real values.
bool mean_of_stored_numbers(Call& c);

}  // namespace sconce::ops
