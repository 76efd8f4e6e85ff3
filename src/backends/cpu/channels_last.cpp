// SPDX-License-Identifier: Apache-2.0
// Pooling and batch norm of floats with channels last: vectors of channels. Numbers are added in
// the order of the kernels for other layouts (nn.cpp), so the answers are the same to the bit.
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "backends/cpu/cpu.h"
#include "backends/cpu/lanes.h"
#include "backends/cpu/parallel.h"
#include "backends/cpu/windows.h"
#include "backends/ivdep.h"
#include "backends/tiles.h"

namespace sconce::SCONCE_ISA {

namespace {

using V = typename Vec<float>::type;
constexpr int64_t L = Vec<float>::lanes;
// Vectors that are worked on at once.
constexpr int kWide = 4;

V load(const float* p) { return *reinterpret_cast<const V*>(p); }
void store(float* p, V v) { *reinterpret_cast<V*>(p) = v; }

bool channels_last(const TensorView& v) {
  return v.dtype == kFloat && v.ndim >= 3 && v.sizes[1] > 1 && v.strides[1] == 1;
}

// One output of a pool: its window, as numbers of elements.
struct Window {
  int64_t size[3], step[3];
  float count;  // what a sum is divided by
};

// W vectors of channels. The window's columns are combined one by one, each from its top.
template <int W, bool max>
void pool_channels(const float* in, const Window& w, int64_t, float* out) {
  const V start = V{} + (max ? -std::numeric_limits<float>::infinity() : 0.0f);
  V res[W];
#pragma GCC unroll 4
  for (int v = 0; v < W; ++v) res[v] = start;
  for (int64_t k2 = 0; k2 < w.size[2]; ++k2) {
    V col[W];
#pragma GCC unroll 4
    for (int v = 0; v < W; ++v) col[v] = start;
    for (int64_t k0 = 0; k0 < w.size[0]; ++k0)
      for (int64_t k1 = 0; k1 < w.size[1]; ++k1) {
        const float* p = in + k0 * w.step[0] + k1 * w.step[1] + k2 * w.step[2];
#pragma GCC unroll 4
        for (int v = 0; v < W; ++v) {
          const V x = load(p + v * L);
          if (max)
            col[v] = ((x > col[v]) | (x != x)) ? x : col[v];
          else
            col[v] += x;
        }
      }
#pragma GCC unroll 4
    for (int v = 0; v < W; ++v) {
      if (max)
        res[v] = ((col[v] > res[v]) | (col[v] != col[v])) ? col[v] : res[v];
      else
        res[v] += col[v];
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < W; ++v) store(out + v * L, max ? res[v] : res[v] / w.count);
}

// Fewer channels than a vector.
void pool_few(const float* in, int64_t channels, bool max, const Window& w, float* out) {
  for (int64_t c = 0; c < channels; ++c, ++in) {
    const float start = max ? -std::numeric_limits<float>::infinity() : 0.0f;
    float res = start;
    for (int64_t k2 = 0; k2 < w.size[2]; ++k2) {
      float col = start;
      for (int64_t k0 = 0; k0 < w.size[0]; ++k0)
        for (int64_t k1 = 0; k1 < w.size[1]; ++k1) {
          const float x = in[k0 * w.step[0] + k1 * w.step[1] + k2 * w.step[2]];
          if (max)
            col = x > col || x != x ? x : col;
          else
            col += x;
        }
      if (max)
        res = col > res || col != col ? col : res;
      else
        res += col;
    }
    out[c] = max ? res : res / w.count;
  }
}

// The mean of n pixels that follow each other, added in the order of long_sum (lanes.h): 32 chains,
// in double from 2048 pixels on.
template <int W>
void whole_pool(const float* in, const Window& w, int64_t n, float* out) {
  constexpr int kLanes = 32;
  constexpr int64_t kChunk = 2048, kFloats = W * L;
  const int64_t step = w.step[2];
  double total[kFloats] = {};
  for (int64_t from = 0; from < n; from += kChunk) {
    const int64_t m = std::min(kChunk, n - from);
    V acc[kLanes][W] = {};
    int64_t i = 0;
    const float* p = in + from * step;
    for (; i + kLanes <= m; i += kLanes)
      for (int k = 0; k < kLanes; ++k, p += step)
        for (int v = 0; v < W; ++v) acc[k][v] += load(p + v * L);
    for (int half = kLanes / 2; half; half /= 2)
      for (int k = 0; k < half; ++k)
        for (int v = 0; v < W; ++v) acc[k][v] += acc[k + half][v];
    for (; i < m; ++i, p += step)
      for (int v = 0; v < W; ++v) acc[0][v] += load(p + v * L);
    for (int64_t k = 0; k < kFloats; ++k) total[k] += static_cast<double>(acc[0][k / L][k % L]);
  }
  for (int64_t k = 0; k < kFloats; ++k) out[k] = static_cast<float>(total[k]) / w.count;
}
void whole_pool_few(const float* in, int64_t channels, const Window& w, int64_t n, float* out) {
  for (int64_t c = 0; c < channels; ++c)
    out[c] = static_cast<float>(
                 long_sum<float>(n, [=, &w](int64_t i) { return in[i * w.step[2] + c]; })) /
             w.count;
}

}  // namespace

bool pool_channels_last(const PoolArgs& a) {
  if (a.indices.data || !channels_last(a.in) || !channels_last(a.out)) return false;
  const int nd = a.in.ndim - 2;
  auto size = [nd](const TensorView& v, int e) { return e < 3 - nd ? 1 : v.sizes[e + nd - 1]; };
  auto stride = [nd](const TensorView& v, int e) { return e < 3 - nd ? 0 : v.strides[e + nd - 1]; };
  const Windows w[3] = {{a, nd - 3, size(a.in, 0), size(a.out, 0)},
                        {a, nd - 2, size(a.in, 1), size(a.out, 1)},
                        {a, nd - 1, size(a.in, 2), size(a.out, 2)}};
  const int64_t channels = a.in.sizes[1], N = a.in.sizes[0];
  const bool max = a.op == Pool::max;
  const bool one_run = (w[1].in == 1 || stride(a.in, 1) == w[2].in * stride(a.in, 2)) &&
                       (w[0].in == 1 || stride(a.in, 0) == w[1].in * w[2].in * stride(a.in, 2));
  const bool may_be_whole = !max && a.adaptive && w[2].out == 1;
  if (may_be_whole && !one_run) return false;
  // Channels [c, c_to) of output i.
  auto output = [&](int64_t i, int64_t c, int64_t c_to, Interrupt& interrupt) {
    const int64_t o[3] = {i / w[2].out / w[1].out % w[0].out, i / w[2].out % w[1].out,
                          i % w[2].out},
                  n = i / w[2].out / w[1].out / w[0].out;
    const float* in = a.in.ptr<float>() + n * a.in.strides[0];
    float* out = a.out.ptr<float>() + n * a.out.strides[0];
    Window one;
    for (int d = 0; d < 3; ++d) {
      const auto at = static_cast<size_t>(o[d]);
      one.step[d] = stride(a.in, d) * w[d].step;
      one.size[d] = (std::max<int64_t>(w[d].hi[at] - w[d].lo[at], 0) + w[d].step - 1) / w[d].step;
      in += w[d].lo[at] * stride(a.in, d);
      out += o[d] * stride(a.out, d);
    }
    one.count = static_cast<float>(pool_count(a, w, o[0], o[1], o[2]));
    const int64_t pixels = one.size[0] * one.size[1] * one.size[2];
    interrupt.passed((pixels + 1) * (c_to - c));
    // Whole rows and one output of each are one run.
    const bool whole = may_be_whole && (one.size[0] == 1 || one.size[1] == w[1].in);
    if (channels < L)
      return whole ? whole_pool_few(in, channels, one, pixels, out)
                   : pool_few(in, channels, max, one, out);
    const auto wide = whole ? whole_pool<kWide>
                      : max ? pool_channels<kWide, true>
                            : pool_channels<kWide, false>,
               narrow = whole ? whole_pool<1>
                        : max ? pool_channels<1, true>
                              : pool_channels<1, false>;
    for (; c + kWide * L <= c_to; c += kWide * L) wide(in + c, one, pixels, out + c);
    for (; c + L <= c_to; c += L) narrow(in + c, one, pixels, out + c);
    // The last vector overlaps the one before.
    if (c < c_to) narrow(in + c_to - L, one, pixels, out + c_to - L);
  };
  const int64_t outputs = N * w[0].out * w[1].out * w[2].out, vectors = channels / L;
  const Interrupt limits(context());
  auto middle = [](const Windows& v) {
    const auto at = static_cast<size_t>(v.out / 2);
    return v.out > 0 ? static_cast<double>(v.hi[at] - v.lo[at]) / static_cast<double>(v.step) : 0;
  };
  constexpr double kNanosecondsEach = 0.05;  // of an input
  const double each =
      middle(w[0]) * middle(w[1]) * middle(w[2]) * static_cast<double>(channels) * kNanosecondsEach;
  // Neighbours, or, of few outputs, whole vectors of channels: no number is added in another order.
  if (outputs < 16 && vectors > 1)
    parallel_for(vectors, each * static_cast<double>(outputs) / static_cast<double>(vectors),
                 [&](int64_t from, int64_t to) {
                   Interrupt interrupt = limits;
                   for (int64_t i = 0; i < outputs; ++i)
                     output(i, from * L, to == vectors ? channels : to * L, interrupt);
                 });
  else
    parallel_for(outputs, each, [&](int64_t from, int64_t to) {
      Interrupt interrupt = limits;
      for (int64_t i = from; i < to; ++i) output(i, 0, channels, interrupt);
    });
  return true;
}

bool batch_norm_channels_last(const BatchNormArgs& a) {
  const bool rows = a.in.ndim == 2 && a.in.dtype == kFloat && a.out.dtype == kFloat &&
                    a.in.strides[1] == 1 && a.out.strides[1] == 1;
  if (!rows && (!channels_last(a.in) || !channels_last(a.out))) return false;
  const int64_t C = a.in.sizes[1];
  if (C == 0) return false;
  float* scratch = thread_scratch<float, 21>().get(static_cast<size_t>(6 * C));
  float *mean = scratch, *var = mean + C, *w = var + C, *b = w + C, *scale = b + C,
        *shift = scale + C;
  auto fetch = [C](const TensorView& v, float fallback, float* to) {
    if (!v.data) return void(std::fill(to, to + C, fallback));
    const auto es = static_cast<int64_t>(element_size(v.dtype));
    load_tile(v.dtype, static_cast<const char*>(v.data), v.strides[0] * es, C, to);
  };
  fetch(a.mean, 0, mean);
  fetch(a.var, 1, var);
  fetch(a.weight, 1, w);
  fetch(a.bias, 0, b);
  for (int64_t c = 0; c < C; ++c) {
    const auto inv = static_cast<float>(1 / std::sqrt(static_cast<double>(var[c]) + a.eps));
    scale[c] = inv * w[c];
    shift[c] = b[c] - mean[c] * scale[c];
  }
  const TensorView* v[] = {&a.out, &a.in};
  Loops<2> loops(v);
  const int last = loops.nd - 1;
  if (loops.sizes[last] % C != 0 || loops.strides[0][last] != 4 || loops.strides[1][last] != 4)
    return false;
  // A row is the channels of one pixel, or of several.
  const Interrupt limits(context());
  parallel_loops(
      loops, 0.1,
      [&](const Loops<2>& part) {
        Interrupt interrupt = limits;
        part.whole_rows([&](char** p, const int64_t*, int64_t n) {
          interrupt.passed(n);
          auto* y = reinterpret_cast<float*>(p[0]);
          auto* x = reinterpret_cast<const float*>(p[1]);
          // Of the loop's own: what is captured by reference would be read anew for each element.
          const float *factor = scale, *term = shift;
          const int64_t columns = C;
          for (const float* end = x + n; x < end; x += columns, y += columns)
            SCONCE_IVDEP  // y is x, or none of it
          for (int64_t c = 0; c < columns; ++c) y[c] = x[c] * factor[c] + term[c];
        });
      },
      C);
  return true;
}

}  // namespace sconce::SCONCE_ISA
