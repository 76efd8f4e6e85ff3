// SPDX-License-Identifier: Apache-2.0
// Prepared products and convolutions: weights in panels, one inner product with its epilogue for
// all of them, and the list of ways to do a convolution.
#pragma once
#include "backends/cpu/cpu.h"
#include "core/interrupt.h"

namespace sconce::SCONCE_ISA {

// ---- the inner product ----
// Weights [K, N] as panels of columns: [panel][K][width], of kPanelColumns columns each; the last
// panel is as many whole vectors wide as it needs, its missing columns are zero. Bytes are a
// multiple of a vector's, the address is 64-byte aligned.
#if defined(__AVX512F__)
constexpr int64_t kPanelLanes = 16, kPanelVectors = 4;
#elif defined(__AVX2__)
constexpr int64_t kPanelLanes = 8, kPanelVectors = 2;
#elif defined(__aarch64__)
constexpr int64_t kPanelLanes = 4, kPanelVectors = 4;
#else
constexpr int64_t kPanelLanes = 4, kPanelVectors = 2;
#endif
constexpr int64_t kPanelColumns = kPanelVectors * kPanelLanes;
inline int64_t packed_floats(int64_t k, int64_t n) {
  return (n + kPanelLanes - 1) / kPanelLanes * kPanelLanes * k;
}
// b[i, j] = b[i s0 + j s1].
void pack_panels(int64_t k, int64_t n, const float* b, int64_t s0, int64_t s1, float* to);

// out[m, n] = then(a @ b + bias, residual). Rows are dense, their pitches in elements; bias and
// residual may be null, residual may be out. Each element is summed in an order that depends on k
// alone, so that rows and panels may be shared out among threads in any way.
struct PanelProduct {
  int64_t m, n, k;
  const float* a;
  int64_t a_pitch;
  const float* b;  // panels
  float* out;
  int64_t out_pitch;
  const float* bias;
  const float* residual;
  int64_t residual_pitch;
  Epilogue then;
};
// On the calling thread; for whole products, of which the plan knows, there is the slot `linear`.
void panel_product(const PanelProduct& p);

// The same with rows that are in pieces: K = taps * k, row i is the k values at
// rows[t * rows_pitch + i] + from for each t. For columns [n_from, n_to) only, n_from a multiple of
// kPanelColumns; out, bias and residual are those of column 0.
struct RowsProduct {
  int64_t m, n, taps, k;
  const float* const* rows;
  int64_t rows_pitch, from;
  const float* b;
  int64_t n_from, n_to;
  float* out;
  int64_t out_pitch;
  const float* bias;
  const float* residual;
  int64_t residual_pitch;
  Epilogue then;
};
void rows_product(const RowsProduct& p, Interrupt& interrupt);

// How a product is shared out among threads and cut into what the caches hold. work(self, row_from,
// row_to, n_from, n_to, interrupt) is called for each part, on any thread.
struct Share {
  int64_t rows, n;
  int64_t unit = kPanelColumns;  // parts begin at columns that are multiples of it
  int64_t row_work;              // multiplications that a row takes for each column
  int64_t row_floats;            // floats of a that a row adds
  int64_t weight_floats;
  int64_t most_rows = 512;  // of a part, about
  int64_t row_unit = 1;     // parts of more rows begin at multiples of it
};
using ShareWork = void (*)(const void* self, int64_t row_from, int64_t row_to, int64_t n_from,
                           int64_t n_to, Interrupt& interrupt);
void share_out(const Share& s, const void* self, ShareWork work);

// tile [rows, columns] = then(tile + bias[column], residual), best called while the tile is in L1.
// to may be tile or residual; bias and residual may be null.
void apply_epilogue_tile(int64_t rows, int64_t columns, const float* tile, int64_t tile_pitch,
                         const float* bias, const float* residual, int64_t residual_pitch,
                         const Epilogue& then, float* to, int64_t to_pitch);

// ---- convolutions ----
// A way to do a convolution. `choose` says a variant (0 to kConvVariants - 1) of it in
// ConvChoice::algorithm, or -1; it may look at sizes, strides of views and parameters only. `pack`
// and `run` see in args.algorithm the whole number, of which conv_variant() is theirs.
struct PreparedConvAlgorithm {
  ConvChoice (*choose)(const PreparedConvArgs&);
  void (*pack)(const PreparedConvArgs&, void* to);
  void (*run)(const PreparedConvArgs&);
};
constexpr int32_t kConvVariants = 16;
inline int32_t conv_variant(const PreparedConvArgs& a) { return a.algorithm % kConvVariants; }
// The list is in prepared_conv.cpp; the first that chooses a call has it.
extern const PreparedConvAlgorithm depthwise, winograd, implicit_gemm;

}  // namespace sconce::SCONCE_ISA
