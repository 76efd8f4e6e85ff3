// SPDX-License-Identifier: Apache-2.0
#include "runtime/lowering/lower.h"

namespace sconce {

void lower(PlannedProgram& p, PackedWeights& weights) {
  fuse_products(p, weights);
  channels_last(p);
}

}  // namespace sconce
