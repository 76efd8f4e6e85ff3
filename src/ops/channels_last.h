// SPDX-License-Identifier: Apache-2.0
// Sizes [N, C, H, W] whose channels lie next to each other.
#pragma once
#include "ops/tensor_ops.h"

namespace sconce::ops {

// Throws OpError when the sizes overflow.
inline IntVec channels_last_strides(IntArrayRef s) {
  checked_numel(s);
  return {s[1] * s[2] * s[3], 1, s[3] * s[1], s[1]};
}

}  // namespace sconce::ops
