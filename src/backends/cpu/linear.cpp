// SPDX-License-Identifier: Apache-2.0
// Products with packed weights.
#include <algorithm>

#include "backends/cpu/prepared.h"

namespace sconce::SCONCE_ISA {

void pack_panels(int64_t k, int64_t n, const float* b, int64_t s0, int64_t s1, float* to) {
  constexpr int64_t L = Vec<float>::lanes;
  for (int64_t j = 0; j < n; j += kPanelColumns) {
    const int64_t width = std::min(kPanelColumns, (n - j + L - 1) / L * L);
    for (int64_t p = 0; p < k; ++p)
      for (int64_t c = 0; c < width; ++c) *to++ = j + c < n ? b[p * s0 + (j + c) * s1] : 0.0f;
  }
}

void apply_epilogue_tile(int64_t rows, int64_t columns, const float* tile, int64_t tile_pitch,
                         const float* bias, const float* residual, int64_t residual_pitch,
                         const Epilogue& then, float* to, int64_t to_pitch) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t j = 0; j < columns; ++j) {
      float x = tile[r * tile_pitch + j] + (bias ? bias[j] : 0.0f);
      const float y = residual ? residual[r * residual_pitch + j] : 0.0f;
      if (!then.residual_last) x += y;
      if (then.act == Activation::relu) x = x < 0.0f ? 0.0f : x;
      if (then.residual_last) x += y;
      to[r * to_pitch + j] = x;
    }
}

void panel_product(const PanelProduct& p) {
  constexpr int64_t L = Vec<float>::lanes;
  for (int64_t j = 0; j < p.n; j += kPanelColumns) {
    const int64_t width = std::min(kPanelColumns, (p.n - j + L - 1) / L * L);
    for (int64_t i = 0; i < p.m; ++i)
      for (int64_t c = 0; c < width && j + c < p.n; ++c) {
        float x = 0;
        for (int64_t t = 0; t < p.k; ++t)
          x += p.a[i * p.a_pitch + t] * p.b[j * p.k + t * width + c];
        apply_epilogue_tile(1, 1, &x, 1, p.bias ? p.bias + j + c : nullptr,
                            p.residual ? p.residual + i * p.residual_pitch + j + c : nullptr, 1,
                            p.then, p.out + i * p.out_pitch + j + c, 1);
      }
  }
}

void add_linear(Kernels&) {}

}  // namespace sconce::SCONCE_ISA
