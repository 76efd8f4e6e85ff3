// SPDX-License-Identifier: Apache-2.0
// The register tile of products with packed weights: MR rows of a, which are read where they lie
// by broadcasts, times NV vectors of a panel. Part of one file, linear.cpp.
#pragma once
#include <array>
#include <utility>

#include "backends/cpu/prepared.h"
#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace sconce::SCONCE_ISA {

namespace {

constexpr int64_t L = kPanelLanes;
typedef float V __attribute__((vector_size(L * 4), aligned(4), may_alias));

// All lanes x. (V{} + x would add a zero first: the sum of 0 and -0 is another.)
inline V splat(float x) {
#ifdef __AVX512F__
  return V{x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
#elif defined(__AVX2__)
  return V{x, x, x, x, x, x, x, x};
#else
  return V{x, x, x, x};
#endif
}
inline V load_v(const float* p) { return *reinterpret_cast<const V*>(p); }
inline void store_v(float* p, V x) { *reinterpret_cast<V*>(p) = x; }

// The first n lanes, 0 < n <= L; nothing beyond is touched, the others of what is loaded are zero.
#ifdef __AVX512F__
inline V load_tail(const float* p, int64_t n) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
}
inline void store_tail(float* p, V x, int64_t n) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), x);
}
#elif defined(__AVX2__)
inline __m256i first_lanes(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline V load_tail(const float* p, int64_t n) { return _mm256_maskload_ps(p, first_lanes(n)); }
inline void store_tail(float* p, V x, int64_t n) { _mm256_maskstore_ps(p, first_lanes(n), x); }
#else
inline V load_tail(const float* p, int64_t n) {
  V x{};
  for (int64_t i = 0; i < n; ++i) x[i] = p[i];
  return x;
}
inline void store_tail(float* p, V x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) p[i] = x[i];
}
#endif

// The larger and the smaller of x and a number; x where it is NaN.
#if defined(__AVX512F__)
inline V max_v(V x, V low) { return _mm512_maskz_max_ps(0xffff, low, x); }
inline V min_v(V x, V high) { return _mm512_maskz_min_ps(0xffff, high, x); }
#elif defined(__AVX2__)
inline V max_v(V x, V low) { return _mm256_max_ps(low, x); }
inline V min_v(V x, V high) { return _mm256_min_ps(high, x); }
#else
inline V max_v(V x, V low) { return x < low ? low : x; }
inline V min_v(V x, V high) { return x > high ? high : x; }
#endif

// Registers: the sums, a vector of the panel for each column of them and one broadcast.
template <int NV>
constexpr int most_rows() {
#if defined(__AVX512F__) || defined(__aarch64__)
  return NV == 4 ? 6 : NV == 3 ? 8 : 12;
#elif defined(__AVX2__)
  return NV == 2 ? 6 : 12;
#else
  return NV == 2 ? 4 : 8;  // and a product, which isn't added at once
#endif
}

// Loops over rows and columns must be unrolled wholly: only then are the sums registers.
#define SCONCE_EACH_SUM                                 \
  _Pragma("GCC unroll 32") for (int r = 0; r < MR; ++r) \
      _Pragma("GCC unroll 32") for (int v = 0; v < NV; ++v)

// One call: `taps` times k steps of the sum.
struct TileCall {
  int64_t taps, k;
  const float* const* rows;  // rows[t * rows_pitch + r] + from: k values of row r
  int64_t rows_pitch, from;
  const float* b;      // the panel's rows of these steps
  int64_t next_panel;  // from a panel to the next, in floats
  const float* ahead;  // what will be needed soon: a line of it for each step
  int64_t ahead_step;  // 16, or 0 when nothing will
  // What earlier steps came to, [MR][NV][L]; and, unless these are the last, with these.
  float* sums;
  bool first, last;
  const float* bias;  // of the tile's first column, read by the first call
  // Of the tile's first element, read and written by the last call.
  const float* residual;
  int64_t residual_pitch;
  float* out;
  int64_t out_pitch;
  int64_t tail;  // columns of the last vector
  Epilogue then;
};

// x[i] = act(x[i]), n a multiple of L; for the functions that take more than a few instructions.
void activate(const Epilogue& then, float* x, int64_t n);

// The first `tail` lanes when p is the last vector of NV.
template <int NV>
inline V load_column(const float* p, int v, int64_t tail) {
  return v == NV - 1 && tail < L ? load_tail(p + v * L, tail) : load_v(p + v * L);
}

template <int MR, int NV>
void finish_tile(const TileCall& c, V (&acc)[MR][NV]) {
  const Epilogue& e = c.then;
  auto at = [&](const float* p, int v) __attribute__((always_inline)) {
    return load_column<NV>(p, v, c.tail);
  };
  if (c.residual && !e.residual_last)
    SCONCE_EACH_SUM acc[r][v] += at(c.residual + r * c.residual_pitch, v);
  switch (e.act) {
    case Activation::none: break;
    case Activation::relu: SCONCE_EACH_SUM acc[r][v] = max_v(acc[r][v], V{}); break;
    case Activation::clamp: {
      const V low = splat(static_cast<float>(e.p)), high = splat(static_cast<float>(e.q));
      SCONCE_EACH_SUM acc[r][v] = min_v(max_v(acc[r][v], low), high);
      break;
    }
    default: {
      alignas(64) float tile[MR * NV * L];
      SCONCE_EACH_SUM store_v(tile + (r * NV + v) * L, acc[r][v]);
      activate(e, tile, MR * NV * L);
      SCONCE_EACH_SUM acc[r][v] = load_v(tile + (r * NV + v) * L);
    }
  }
  if (c.residual && e.residual_last)
    SCONCE_EACH_SUM acc[r][v] += at(c.residual + r * c.residual_pitch, v);
  SCONCE_EACH_SUM {
    float* to = c.out + r * c.out_pitch + v * L;
    if (v == NV - 1 && c.tail < L)
      store_tail(to, acc[r][v], c.tail);
    else
      store_v(to, acc[r][v]);
  }
}

// NP panels of PV vectors.
template <int MR, int PV, int NP>
void packed_tile(TileCall& c) {
  constexpr int NV = PV * NP;
  V acc[MR][NV];
  V start[NV];
#pragma GCC unroll 32
  for (int v = 0; v < NV; ++v)
    start[v] = c.first && c.bias ? load_column<NV>(c.bias, v, c.tail) : V{};
  SCONCE_EACH_SUM acc[r][v] = start[v];
  const float* b = c.b;
  const int64_t k = c.k, next_panel = NP > 1 ? c.next_panel : 0, ahead_step = c.ahead_step;
  const float* ahead = c.ahead;
  for (int64_t t = 0; t < c.taps; ++t) {
    const float* row[MR];
#pragma GCC unroll 32
    for (int r = 0; r < MR; ++r) row[r] = c.rows[t * c.rows_pitch + r] + c.from;
    auto step = [&](int64_t i, int64_t u) __attribute__((always_inline)) {
      V x[NV];
#pragma GCC unroll 32
      for (int v = 0; v < NV; ++v) x[v] = load_v(b + (v / PV) * next_panel + (u * PV + v % PV) * L);
#pragma GCC unroll 32
      for (int r = 0; r < MR; ++r) {
        const V w = splat(in_register(row[r][i + u]));
#pragma GCC unroll 32
        for (int v = 0; v < NV; ++v) acc[r][v] += w * x[v];
      }
    };
#if defined(__AVX2__) || defined(__aarch64__)
    constexpr int kUnroll = MR * NV > 12 || NP > 1 ? 2 : 4;
#else
    constexpr int kUnroll = 1;
#endif
    int64_t i = 0;
    for (; i + kUnroll <= k; i += kUnroll, b += kUnroll * PV * L) {
#pragma GCC unroll 8
      for (int u = 0; u < kUnroll; ++u) step(i, u);
      __builtin_prefetch(ahead, 0, 2);
      ahead += ahead_step;
    }
    for (; i < k; ++i, b += PV * L) step(i, 0);
  }
  c.ahead = ahead;
  if (!c.first) SCONCE_EACH_SUM acc[r][v] += load_v(c.sums + (r * NV + v) * L);
  if (c.last)
    finish_tile<MR, NV>(c, acc);
  else
    SCONCE_EACH_SUM store_v(c.sums + (r * NV + v) * L, acc[r][v]);
}

// packed_tile for every size of tile.
using Tile = void (*)(TileCall&);
template <int NV, int... R>
constexpr std::array<Tile, 12> tiles_of(std::integer_sequence<int, R...>) {
  return {&packed_tile<R + 1, NV, 1>...};
}
struct TileShape {
  int64_t most_rows;
  std::array<Tile, 12> tile;  // of 1, 2, ... rows
};
template <int... C>
constexpr std::array<TileShape, sizeof...(C)> tile_shapes(std::integer_sequence<int, C...>) {
  return {TileShape{most_rows<C + 1>(),
                    tiles_of<C + 1>(std::make_integer_sequence<int, most_rows<C + 1>()>{})}...};
}
// Of panels of 1, 2, ... vectors.
constexpr auto kTileShapes =
    tile_shapes(std::make_integer_sequence<int, static_cast<int>(kPanelVectors)>{});

// One or two rows are too few sums for the latency of an addition: several whole panels at once.
constexpr int kPanelsOfRow = kPanelVectors == 4 ? 2 : 4, kPanelsOfTwoRows = kPanelsOfRow / 2;
constexpr TileShape kRowShape{1, {&packed_tile<1, kPanelVectors, kPanelsOfRow>}},
    kTwoRowsShape{2,
                  {&packed_tile<1, kPanelVectors, kPanelsOfTwoRows>,
                   &packed_tile<2, kPanelVectors, kPanelsOfTwoRows>}};

#undef SCONCE_EACH_SUM

}  // namespace

}  // namespace sconce::SCONCE_ISA
