// SPDX-License-Identifier: Apache-2.0
// Four vectors of four floats, transposed in registers.
#pragma once
#include <cstdint>

#include "backends/cpu/cpu.h"

namespace sconce::SCONCE_ISA {

typedef float Four __attribute__((vector_size(16), aligned(4), may_alias));
inline Four load_four(const float* p) { return *reinterpret_cast<const Four*>(p); }
// to[j * step + i] = row i's element j; written in the order of j.
inline void transpose_four(Four a, Four b, Four c, Four d, float* to, int64_t step) {
  const Four p = __builtin_shufflevector(a, b, 0, 4, 1, 5),
             q = __builtin_shufflevector(a, b, 2, 6, 3, 7),
             r = __builtin_shufflevector(c, d, 0, 4, 1, 5),
             s = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  *reinterpret_cast<Four*>(to) = __builtin_shufflevector(p, r, 0, 1, 4, 5);
  *reinterpret_cast<Four*>(to + step) = __builtin_shufflevector(p, r, 2, 3, 6, 7);
  *reinterpret_cast<Four*>(to + 2 * step) = __builtin_shufflevector(q, s, 0, 1, 4, 5);
  *reinterpret_cast<Four*>(to + 3 * step) = __builtin_shufflevector(q, s, 2, 3, 6, 7);
}

}  // namespace sconce::SCONCE_ISA
