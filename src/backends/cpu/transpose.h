// SPDX-License-Identifier: Apache-2.0
// Transposes of elements of 4 and 8 bytes in registers.
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
template <class T>
constexpr int square_of() {
  return kVectorBytes / static_cast<int>(sizeof(T));
}
// A square of elements of 4 or 8 bytes, steps in elements; row i of the result goes to to(i).
template <class T, class To>
void transpose_square(const T* from, int64_t from_step, To to) {
  constexpr int kSide = square_of<T>();
  typedef T R __attribute__((vector_size(kVectorBytes)));
  typedef T V __attribute__((vector_size(kVectorBytes), aligned(sizeof(T)), may_alias));
  constexpr auto lanes = std::make_integer_sequence<int, kSide>{};
  R r[kSide];
#pragma GCC unroll 16
  for (int i = 0; i < kSide; ++i) r[i] = *reinterpret_cast<const V*>(from + i * from_step);
  exchange<1, R>(r, lanes);
  if constexpr (kSide >= 4) exchange<2, R>(r, lanes);
  if constexpr (kSide >= 8) exchange<4, R>(r, lanes);
  if constexpr (kSide >= 16) exchange<8, R>(r, lanes);
#pragma GCC unroll 16
  for (int i = 0; i < kSide; ++i) *reinterpret_cast<V*>(to(i)) = r[i];
}
template <class T>
void transpose_square(const T* from, int64_t from_step, T* to, int64_t to_step) {
  transpose_square(from, from_step, [=](int i) { return to + i * to_step; });
}

}  // namespace
}  // namespace sconce::SCONCE_ISA
