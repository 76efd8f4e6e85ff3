// SPDX-License-Identifier: Apache-2.0
// Products of small matrices where they stand: tiles of C in registers, rows of A at any distance,
// rows of B dense. No packing; what is multiplied should lie in the caches of its core.
#pragma once
#include <algorithm>
#include <array>
#include <utility>

#include "backends/cpu/transpose.h"
#include "backends/cpu/vectors.h"

namespace sconce::SCONCE_ISA {
namespace {

// c = scale * sum, or c += scale * sum.
struct TileResult {
  float scale = 1;
  const float* row_scales = nullptr;  // in place of scale, one for each row
  bool add = false;
};

constexpr int kTileVectors = kManyRegisters ? 4 : 2;
// The most rows of a tile of NV vectors: all registers but those of B and of one element of A.
constexpr int tile_rows(int nv) { return kManyRegisters ? (nv <= 2 ? 12 : nv == 3 ? 9 : 6) : 6; }

// C [MR x cols] of A [MR x k] and B [k x NV vectors]; only the last vector of C may be partial.
// Small tiles have several sums for each element, so that their chains overlap.
template <int MR, int NV>
void register_tile(int64_t k, const float* a, int64_t a_step, const float* b, int64_t b_step,
                   float* c, int64_t c_step, int64_t cols, const TileResult& result) {
  constexpr int kChains = MR * NV <= 2 ? 4 : MR * NV <= 5 ? 2 : 1;
  constexpr int kBases = (MR + 2) / 3;
  Floats acc[kChains][MR][NV];
#pragma GCC unroll 32
  for (int u = 0; u < kChains; ++u)
#pragma GCC unroll 32
    for (int r = 0; r < MR; ++r)
#pragma GCC unroll 32
      for (int v = 0; v < NV; ++v) acc[u][r][v] = Floats{};
  // Three rows to one base: their addresses need no register of their own.
  const float* base[kBases];
#pragma GCC unroll 32
  for (int i = 0; i < kBases; ++i) base[i] = a + 3 * i * a_step;
  auto step = [&](int u, int64_t p) __attribute__((always_inline)) {
    Floats y[NV];
#pragma GCC unroll 32
    for (int v = 0; v < NV; ++v) y[v] = load(b + v * kFloats);
#pragma GCC unroll 32
    for (int r = 0; r < MR; ++r) {
      // A broadcast; adding to 0 would be a sum.
      const Floats x = in_register(base[r / 3][(r % 3) * a_step + p]) - Floats{};
#pragma GCC unroll 32
      for (int v = 0; v < NV; ++v) acc[u][r][v] += x * y[v];
    }
    b += b_step;
  };
  int64_t p = 0;
  for (; p + kChains <= k; p += kChains) {
#pragma GCC unroll 4
    for (int u = 0; u < kChains; ++u) step(u, u);
#pragma GCC unroll 32
    for (int i = 0; i < kBases; ++i) base[i] += kChains;
  }
  if constexpr (kChains > 1)
    for (; p < k; ++p) {
      step(0, 0);
#pragma GCC unroll 32
      for (int i = 0; i < kBases; ++i) ++base[i];
    }
  const bool whole = cols == NV * kFloats;
#pragma GCC unroll 32
  for (int r = 0; r < MR; ++r) {
    const float scale = result.row_scales ? result.row_scales[r] : result.scale;
    float* out = c + r * c_step;
#pragma GCC unroll 32
    for (int v = 0; v < NV; ++v) {
      Floats s = acc[0][r][v];
#pragma GCC unroll 4
      for (int u = 1; u < kChains; ++u) s += acc[u][r][v];
      s *= scale;
      float* to = out + v * kFloats;
      if (v == NV - 1 && !whole) {
        const int64_t left = cols - v * kFloats;
        if (result.add) s += load_part(to, left);
        store_part(to, left, s);
      } else {
        if (result.add) s += load(to);
        store(to, s);
      }
    }
  }
}

using RegisterTile = void (*)(int64_t, const float*, int64_t, const float*, int64_t, float*,
                              int64_t, int64_t, const TileResult&);
template <int NV>
constexpr auto register_tiles_of() {
  return []<int... R>(std::integer_sequence<int, R...>) {
    std::array<RegisterTile, 13> t{};
    ((t[R + 1] = &register_tile<R + 1, NV>), ...);
    return t;
  }
  (std::make_integer_sequence<int, tile_rows(NV)>{});
}
constexpr auto all_register_tiles() {
  return []<int... N>(std::integer_sequence<int, N...>) {
    return std::array{register_tiles_of<N + 1>()...};
  }
  (std::make_integer_sequence<int, kTileVectors>{});
}

// C [m x cols] of A [m x k] and B [k x vectors of cols], at most kTileVectors of them.
inline void panel_product(int64_t m, int64_t cols, int64_t k, const float* a, int64_t a_step,
                          const float* b, int64_t b_step, float* c, int64_t c_step,
                          TileResult result) {
  static constexpr auto kTiles = all_register_tiles();
  const int64_t nv = (cols + kFloats - 1) / kFloats;
  const int64_t most = tile_rows(static_cast<int>(nv)), tiles = (m + most - 1) / most;
  // Tiles of almost equal heights.
  for (int64_t t = 0, row = 0; t < tiles; ++t) {
    const int64_t rows = (m - row + tiles - t - 1) / (tiles - t);
    kTiles[static_cast<size_t>(nv - 1)][static_cast<size_t>(rows)](
        k, a + row * a_step, a_step, b, b_step, c + row * c_step, c_step, cols, result);
    if (result.row_scales) result.row_scales += rows;
    row += rows;
  }
}

// Columns of a panel.
constexpr int64_t kPanel = kTileVectors * kFloats;
inline int64_t padded(int64_t n) { return (n + kFloats - 1) / kFloats * kFloats; }

// Rows as panels of kTileVectors vectors, the last one as narrow as can be: element (row j, column
// e) comes to panel j / width, row e, column j % width. Columns beyond are zero.
inline void pack_transposed(const float* from, int64_t from_step, int64_t rows, int64_t columns,
                            float* to) {
  for (int64_t j = 0; j < rows; j += kPanel) {
    const int64_t left = std::min(rows - j, kPanel),
                  width = (left + kFloats - 1) / kFloats * kFloats;
    for (int64_t g = 0; g < width; g += kFloats) {
      const int64_t mine = std::min(left - g, kFloats);
      const float* source = from + (j + g) * from_step;
      int64_t e = 0;
      if (mine == kFloats)
        for (; e + kFloats <= columns; e += kFloats)
          transpose_square(reinterpret_cast<const uint32_t*>(source + e), from_step,
                           reinterpret_cast<uint32_t*>(to + e * width + g), width);
      for (; e < columns; ++e)
        for (int64_t r = 0; r < kFloats; ++r)
          to[e * width + g + r] = r < mine ? source[r * from_step + e] : 0.0f;
    }
    to += columns * width;
  }
}

// Dense rows of whole vectors, zero at their ends.
inline void pack_rows(const float* from, int64_t from_step, int64_t rows, int64_t columns,
                      float* to, int64_t to_step) {
  for (int64_t r = 0; r < rows; ++r, from += from_step, to += to_step) {
    int64_t c = 0;
    for (; c + kFloats <= columns; c += kFloats) store(to + c, load(from + c));
    if (c < columns) store(to + c, load_part(from + c, columns - c));
  }
}

}  // namespace
}  // namespace sconce::SCONCE_ISA
