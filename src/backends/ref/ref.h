// SPDX-License-Identifier: Apache-2.0
// Slots as plain loops, compiled once.
#pragma once
#include "backends/kernels.h"

namespace sconce::ref {

#define X(slot) void set_##slot(Kernels& k);
SCONCE_REF_SLOTS(X)
#undef X

// The slot, for whatever arguments.
void quantize(const QuantizeArgs& a);

}  // namespace sconce::ref
