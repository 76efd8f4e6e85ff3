// SPDX-License-Identifier: Apache-2.0
// Products of bfloat16 by the instruction that adds two of them to a float (AVX512-BF16), where the
// machine has it: sums are of floats, as elsewhere; subnormal numbers count as zero.
#pragma once
#include <algorithm>
#include <cstring>

#include "backends/cpu/parallel.h"
#include "backends/cpu/transpose.h"
#include "backends/cpu/vectors.h"
#include "core/interrupt.h"

namespace sconce::SCONCE_ISA {
namespace {

#ifdef __AVX512F__

constexpr int64_t kPairColumns = 64, kPairRows = 6;

// to [MR][kPairColumns] = the sums of MR rows of a and a panel of b, `pairs` pairs of elements
// each.
template <int MR>
__attribute__((target("avx512bf16"))) void pairs_tile(int64_t pairs, const uint16_t* a,
                                                      int64_t a_step, const uint32_t* b,
                                                      float* to) {
  __m512 acc[MR][4];
#pragma GCC unroll 6
  for (int r = 0; r < MR; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) acc[r][v] = _mm512_setzero_ps();
  for (int64_t p = 0; p < pairs; ++p, b += kPairColumns) {
    __m512i y[4];
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) y[v] = _mm512_loadu_si512(b + 16 * v);
#pragma GCC unroll 6
    for (int r = 0; r < MR; ++r) {
      int32_t pair;
      std::memcpy(&pair, a + r * a_step + 2 * p, sizeof pair);
      const __m512i x = _mm512_set1_epi32(pair);
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v)
        acc[r][v] = _mm512_dpbf16_ps(acc[r][v], reinterpret_cast<__m512bh>(x),
                                     reinterpret_cast<__m512bh>(y[v]));
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < MR; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) _mm512_storeu_ps(to + r * kPairColumns + 16 * v, acc[r][v]);
}

// Columns [from, from + count) of b, [2 * pairs, n], as [pair][column][2]; zeros beyond.
inline void pack_pairs(const uint16_t* b, int64_t s0, int64_t s1, int64_t from, int64_t count,
                       int64_t pairs, uint32_t* to) {
  if (count < kPairColumns) std::fill(to, to + pairs * kPairColumns, 0u);
  if (s0 != 1) {  // rows are dense
    for (int64_t p = 0; p < pairs; ++p) {
      const uint16_t *x = b + 2 * p * s0 + from, *y = x + s0;
      for (int64_t c = 0; c < count; ++c)
        to[p * kPairColumns + c] = x[c] | static_cast<uint32_t>(y[c]) << 16;
    }
    return;
  }
  const bool even = s1 % 2 == 0;  // columns as rows of pairs
  for (int64_t c = 0; c < count;) {
    const uint16_t* column = b + (from + c) * s1;
    int64_t p = 0;
    const int64_t together = even && c + 16 <= count ? 16 : 1;
    for (; together == 16 && p + 16 <= pairs; p += 16)
      transpose_square(reinterpret_cast<const uint32_t*>(column) + p, s1 / 2,
                       to + p * kPairColumns + c, kPairColumns);
    for (int64_t q = c; q < c + together; ++q)
      for (int64_t i = p; i < pairs; ++i)
        std::memcpy(to + i * kPairColumns + q, b + (from + q) * s1 + 2 * i, sizeof(uint32_t));
    c += together;
  }
}

// c [m, n] = alpha a b + beta c, c dense. False on other machines and for other forms.
inline bool bfloat16_product(const GemmArgs& g, int64_t batch, float* c) {
  static const bool able = __builtin_cpu_supports("avx512bf16");
  const int64_t m = g.a.sizes[1], k = g.a.sizes[2], n = g.b.sizes[2], s0 = g.b.strides[1],
                s1 = g.b.strides[2];
  if (!able || g.a.dtype != kBFloat16 || g.b.dtype != kBFloat16 || m < 4 || k < 2 || k % 2 != 0 ||
      g.a.strides[2] != 1 || (s0 != 1 && s1 != 1))
    return false;
  const auto* a = static_cast<const uint16_t*>(g.a.data) + batch * g.a.strides[0];
  const auto* b = static_cast<const uint16_t*>(g.b.data) + batch * g.b.strides[0];
  const int64_t a_step = g.a.strides[1], pairs = k / 2;
  const auto alpha = static_cast<float>(g.alpha), beta = static_cast<float>(g.beta);
  const Interrupt interrupt(context());
  auto panels = [&](int64_t first, int64_t end) {
    Interrupt mine = interrupt;
    uint32_t* packed = thread_scratch<uint32_t, 0>().get(static_cast<size_t>(pairs * kPairColumns));
    alignas(64) float sums[kPairRows * kPairColumns];
    for (int64_t j = first * kPairColumns; j < std::min(n, end * kPairColumns); j += kPairColumns) {
      const int64_t columns = std::min(kPairColumns, n - j);
      pack_pairs(b, s0, s1, j, columns, pairs, packed);
      for (int64_t i = 0; i < m; i += kPairRows) {
        const int64_t rows = std::min(kPairRows, m - i);
        static constexpr decltype(&pairs_tile<1>) kTiles[] = {pairs_tile<1>, pairs_tile<2>,
                                                              pairs_tile<3>, pairs_tile<4>,
                                                              pairs_tile<5>, pairs_tile<6>};
        kTiles[rows - 1](pairs, a + i * a_step, a_step, packed, sums);
        for (int64_t r = 0; r < rows; ++r) {
          float* to = c + (i + r) * n + j;
          const float* sum = sums + r * kPairColumns;
          if (beta == 0)
            for (int64_t q = 0; q < columns; ++q) to[q] = alpha * sum[q];
          else
            for (int64_t q = 0; q < columns; ++q) to[q] = alpha * sum[q] + beta * to[q];
        }
        mine.passed(rows * columns * k / 64);
      }
    }
  };
  parallel_for((n + kPairColumns - 1) / kPairColumns,
               static_cast<double>(m * k) * kPairColumns / 200, panels);
  return true;
}

#else
inline bool bfloat16_product(const GemmArgs&, int64_t, float*) { return false; }
#endif

}  // namespace
}  // namespace sconce::SCONCE_ISA
