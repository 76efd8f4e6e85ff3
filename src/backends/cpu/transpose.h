// SPDX-License-Identifier: Apache-2.0
// Transposes of elements of 4 bytes in registers.
#pragma once
#include <utility>

#include "backends/cpu/cpu.h"

namespace sconce::SCONCE_ISA {
namespace {

// Swaps the blocks off the diagonal of every 2D x 2D block of the L vectors.
template <int D, class V, int... I>
void exchange(V* r, std::integer_sequence<int, I...>) {
  constexpr int L = sizeof...(I);
#pragma GCC unroll 16
  for (int i = 0; i < L; ++i)
    if (!(i & D)) {
      V a = r[i], b = r[i + D];
      r[i] = __builtin_shufflevector(a, b, (I & D ? L + I - D : I)...);
      r[i + D] = __builtin_shufflevector(a, b, (I & D ? L + I : I + D)...);
    }
}
// Elements of a side of the square that fills the registers.
constexpr int kSquare = kVectorBytes / 4;
// A square of kSquare x kSquare elements of 4 bytes; steps in elements.
inline void transpose_square(const uint32_t* from, int64_t from_step, uint32_t* to,
                             int64_t to_step) {
  typedef uint32_t V __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));
  constexpr auto lanes = std::make_integer_sequence<int, kSquare>{};
  V r[kSquare];
#pragma GCC unroll 16
  for (int i = 0; i < kSquare; ++i) r[i] = *reinterpret_cast<const V*>(from + i * from_step);
  exchange<1, V>(r, lanes);
  exchange<2, V>(r, lanes);
  exchange<4, V>(r, lanes);
  if constexpr (kSquare == 16) exchange<8, V>(r, lanes);
#pragma GCC unroll 16
  for (int i = 0; i < kSquare; ++i) *reinterpret_cast<V*>(to + i * to_step) = r[i];
}

}  // namespace
}  // namespace sconce::SCONCE_ISA
