// SPDX-License-Identifier: Apache-2.0
// Sums and extremes of dense floats, four vectors at a time; extremes of other numbers in lanes.
#pragma once
#include <algorithm>
#include <type_traits>

#include "backends/cpu/wide.h"

namespace sconce::SCONCE_ISA {
namespace {

// Sums of f over vectors of x (floats, halves), in double from two thousand terms on.
template <class T, class F>
SCONCE_INLINE double sum_over(const T* x, int64_t n, F f) {
  constexpr int64_t kChunk = 2048;
  double total = 0;
  for (int64_t from = 0; from < n; from += kChunk) {
    const int64_t to = std::min(n, from + kChunk);
    Floats s[4] = {};
    int64_t i = from;
    for (; i + 4 * kFloats <= to; i += 4 * kFloats)
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) s[k] += f(load_wide(x + i + k * kFloats));
    for (; i + kFloats <= to; i += kFloats) s[0] += f(load_wide(x + i));
    if (i < to) s[1] += keep_part(f(load_wide_part(x + i, to - i)), to - i, Floats{});
    total += static_cast<double>(sum_of((s[0] + s[1]) + (s[2] + s[3])));
  }
  return total;
}

// Where either of two is nan.
#if defined(__AVX512F__)
typedef uint32_t NanMask;
SCONCE_INLINE NanMask nan_in(Floats a, Floats b) {
  return _mm512_cmp_ps_mask(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b), _CMP_UNORD_Q);
}
SCONCE_INLINE bool any_of(NanMask m) { return m != 0; }
#else
typedef Ints NanMask;
SCONCE_INLINE NanMask nan_in(Floats a, Floats b) {
#ifdef __AVX2__
  return reinterpret_cast<Ints>(
      _mm256_cmp_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b), _CMP_UNORD_Q));
#else
  return (a != a) | (b != b);
#endif
}
SCONCE_INLINE bool any_of(NanMask m) { return sum_of(m ? Floats{} + 1.0f : Floats{}) != 0.0f; }
#endif

// The largest (smallest) of best and n numbers; *nan when one was met, and then any number.
template <bool Max>
inline float row_extreme(const float* x, int64_t n, float best, bool* nan) {
  auto better = [](Floats a, Floats v) __attribute__((always_inline)) {
    return Max ? at_least(a, v) : at_most(a, v);
  };
  Floats a[4];
  for (Floats& v : a) v = Floats{} + best;
  NanMask bad{};
  int64_t i = 0;
  for (; i + 4 * kFloats <= n; i += 4 * kFloats) {
    Floats v[4];
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      v[k] = load(x + i + k * kFloats);
      a[k] = better(a[k], v[k]);
    }
    bad |= nan_in(v[0], v[1]);
    bad |= nan_in(v[2], v[3]);
  }
  for (; i < n; i += kFloats) {
    const int64_t m = std::min(kFloats, n - i);
    const Floats v =
        m == kFloats ? load(x + i) : keep_part(load_part(x + i, m), m, Floats{} + best);
    a[0] = better(a[0], v);
    bad |= nan_in(v, v);
  }
  *nan |= any_of(bad) || best != best;
  a[0] = better(better(a[0], a[1]), better(a[2], a[3]));
  return fold(
      a[0], [](auto p, auto q)
                __attribute__((always_inline)) { return Max ? (p > q ? p : q) : (p < q ? p : q); });
}

// The largest (smallest) of best and the tile; *nan when one was met.
template <bool Max, class C>
inline C tile_extreme(const C* v, int64_t n, C best, bool* nan) {
  if constexpr (std::is_same_v<C, float>) return row_extreme<Max>(v, n, best, nan);
  constexpr int kLanes = 32;
  int64_t i = 0;
  bool bad = false;
  if (n >= kLanes) {
    C lane[kLanes];
    C seen[kLanes];  // the last nan
    for (int k = 0; k < kLanes; ++k) lane[k] = best, seen[k] = C(0);
    for (; i + kLanes <= n; i += kLanes)
      for (int k = 0; k < kLanes; ++k) {
        C x = v[i + k];
        if constexpr (std::is_floating_point_v<C>) seen[k] = x != x ? x : seen[k];
        lane[k] = (Max ? x > lane[k] : x < lane[k]) ? x : lane[k];
      }
    for (int k = 0; k < kLanes; ++k) {
      best = (Max ? lane[k] > best : lane[k] < best) ? lane[k] : best;
      bad |= seen[k] != seen[k];
    }
  }
  for (; i < n; ++i) {
    bad |= v[i] != v[i];
    best = (Max ? v[i] > best : v[i] < best) ? v[i] : best;
  }
  *nan |= bad;
  return best;
}

// Along which of the dims that stay, the first `lead` ones, tiles of results are made side by side:
// a dense one, or any long one where few elements make a result. -1: none.
inline int tile_dim(const TensorView& in, int lead, int64_t count) {
  constexpr int64_t kFew = 32;
  int best = -1;
  for (int d = 0; d < lead; ++d) {
    if (in.sizes[d] >= 8 && in.strides[d] == 1) return d;
    if (count <= kFew && in.sizes[d] >= 32 && (best < 0 || in.sizes[d] > in.sizes[best])) best = d;
  }
  return best;
}

}  // namespace
}  // namespace sconce::SCONCE_ISA
