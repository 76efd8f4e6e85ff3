// SPDX-License-Identifier: Apache-2.0
// The sampling that takes every GridSampleArgs, for the kernels that don't: [N, C, H, W] at grid
// [N, Ho, Wo, 2]; modes: 0 bilinear, 1 nearest, 2 bicubic; padding: 0 zeros, 1 border, 2
// reflection. 5-d alike.
#pragma once
#include "backends/slots.h"

namespace sconce::ref {

void any_grid_sample(const GridSampleArgs& a);

}  // namespace sconce::ref
