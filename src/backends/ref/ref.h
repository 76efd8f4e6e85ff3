// SPDX-License-Identifier: Apache-2.0
// Slots as plain loops, compiled once.
#pragma once
#include "backends/kernels.h"

namespace sconce::ref {

void add_index(Kernels& k);
void add_sort(Kernels& k);
void add_random(Kernels& k);
void add_image(Kernels& k);
void add_misc(Kernels& k);
void add_linalg(Kernels& k);

}  // namespace sconce::ref
