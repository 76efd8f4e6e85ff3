// SPDX-License-Identifier: Apache-2.0
// Images and volumes of floats sampled at the points of a grid. Of a row of points, a block at a
// time, each axis is done by itself: which inputs along it are met and with what weight. Their
// products are the taps of a point, the same for every channel.
#include <algorithm>
#include <array>
#include <cmath>

#include "backends/any_grid_sample.h"
#include "backends/cpu/cpu.h"
#include "backends/cpu/parallel.h"
#include "backends/ivdep.h"
#include "core/interrupt.h"

namespace sconce::SCONCE_ISA {

namespace {

constexpr int64_t kPoints = 64;
constexpr int kMostAlong = 4, kMostTaps = 16;  // of a cubic: along an axis, and of a point

enum Mode { kLinear, kNearest, kCubic };
enum Padding { kZeros, kBorder, kReflection };

// Points of one axis of an image: x, as floats, is where they lie.
struct Axis {
  int32_t size, stride;
  bool align_corners, volume;
  Padding padding;

  // From [-1, 1] of the grid.
  void place(float* x, int64_t n) const {
    const auto s = static_cast<float>(size);
    for (int64_t i = 0; i < n; ++i) {
      const float from = x[i] + 1;
      if (volume)
        x[i] = align_corners ? from / 2 * (s - 1) : (from * s - 1) / 2;
      else
        x[i] = align_corners ? from * ((s - 1) / 2) : from * (s / 2) - 0.5f;
    }
  }
  // Back into the image, as the padding says. As in PyTorch's kernels, of which one is for images:
  // nan goes to the first element of an image, to the last of a volume.
  void fold(float* x, int64_t n) const {
    if (padding == kZeros) return;
    const float last = static_cast<float>(size) - 1;
    if (padding == kReflection) {
      const float low = align_corners ? 0.0f : -0.5f, span = align_corners ? last : last + 1;
      for (int64_t i = 0; i < n; ++i) {
        const float away = std::fabs(x[i] - low), twice = 2 * span;
        if (span <= 0)
          x[i] = 0;
        else if (volume)
          x[i] =
              low + (std::fmod(std::floor(away / span), 2.0f) == 0 ? std::fmod(away, span)
                                                                   : span - std::fmod(away, span));
        else
          x[i] = low + least(away - std::trunc(away / twice) * twice, twice);
      }
    }
    if (volume)
      for (int64_t i = 0; i < n; ++i) x[i] = x[i] < last ? (x[i] > 0 ? x[i] : 0.0f) : last;
    else
      for (int64_t i = 0; i < n; ++i) x[i] = std::min(x[i] > 0 ? x[i] : 0.0f, last);
  }
  // Of a place and the one that it mirrors.
  static float least(float extra, float twice) {
    return extra < twice - extra ? extra : twice - extra;
  }
  // Whole numbers as integers, those far outside, and nan, as -2.
  void indices(const float* x, int64_t n, int32_t* to) const {
    const auto s = static_cast<float>(size);
    SCONCE_IVDEP
    for (int64_t i = 0; i < n; ++i)
      to[i] = static_cast<int32_t>(((x[i] >= -2) & (x[i] <= s)) ? x[i] : -2.0f);
  }
};

// What is met along an axis: of each of `count` taps the index and the weight.
struct Along {
  int count;
  int32_t index[kMostAlong][kPoints];
  float weight[kMostAlong][kPoints];
};

// The integer that is nearest, of two the even one, for what isn't larger than kMostPixels; and the
// one below. In a form that becomes vectors.
constexpr int32_t kMostPixels = 1 << 22;
inline float nearest(float x) { return x + 3.0f * kMostPixels - 3.0f * kMostPixels; }
inline float below(float x) {
  const float n = nearest(x);
  return n > x ? n - 1 : n;
}

void meet(const Axis& axis, Mode mode, float* x, int64_t n, Along& to) {
  alignas(64) float whole[kPoints];
  axis.place(x, n);
  if (mode != kCubic) axis.fold(x, n);
  if (mode == kNearest) {
    for (int64_t i = 0; i < n; ++i) whole[i] = nearest(x[i]);
    axis.indices(whole, n, to.index[0]);
    std::fill_n(to.weight[0], n, 1.0f);
    to.count = 1;
    return;
  }
  for (int64_t i = 0; i < n; ++i) whole[i] = below(x[i]);
  if (mode == kLinear) {
    axis.indices(whole, n, to.index[0]);
    for (int64_t i = 0; i < n; ++i) {
      // nan where x isn't finite: so is the answer, but of a volume, where what is outside isn't
      // added
      const float up = axis.volume && to.index[0][i] == -2 ? 0.0f : x[i] - whole[i];
      to.index[1][i] = to.index[0][i] + 1;
      to.weight[0][i] = 1 - up;
      to.weight[1][i] = up;
    }
    to.count = 2;
    return;
  }
  constexpr float A = -0.75f;
  auto outer = [](float d) { return ((A * d - 5 * A) * d + 8 * A) * d - 4 * A; };
  auto inner = [](float d) { return ((A + 2) * d - (A + 3)) * d * d + 1; };
  for (int64_t i = 0; i < n; ++i) {
    const float t = x[i] - whole[i];
    to.weight[0][i] = outer(t + 1);
    to.weight[1][i] = inner(t);
    to.weight[2][i] = inner(1 - t);
    to.weight[3][i] = outer(2 - t);
  }
  for (int k = 0; k < 4; ++k) {
    alignas(64) float at[kPoints];
    for (int64_t i = 0; i < n; ++i) at[i] = whole[i] + static_cast<float>(k - 1);
    axis.fold(at, n);
    axis.indices(at, n, to.index[k]);
  }
  to.count = 4;
}

// The taps of a block of points: offsets of elements, weights, and whether they are inside.
struct Taps {
  int count = 1;
  bool all_inside = true;
  int32_t offset[kMostTaps][kPoints];
  float weight[kMostTaps][kPoints];
  int32_t inside[kMostTaps][kPoints];  // 0 or 1

  void start(int64_t n) {
    count = 1;
    std::fill_n(offset[0], n, 0);
    std::fill_n(weight[0], n, 1.0f);
    std::fill_n(inside[0], n, 1);
  }
  // Each tap once for each of an axis. The later tap first, so that none is needed after it was
  // overwritten.
  void times(const Axis& axis, const Along& along, int64_t n) {
    const auto size = static_cast<uint32_t>(axis.size), stride = static_cast<uint32_t>(axis.stride);
    for (int k = along.count - 1; k >= 0; --k)
      for (int t = 0; t < count; ++t) {
        const int32_t *index = along.index[k], *offsets = offset[t], *in_before = inside[t];
        const float *weights = along.weight[k], *weight_before = weight[t];
        int32_t *new_offset = offset[k * count + t], *new_inside = inside[k * count + t];
        float* new_weight = weight[k * count + t];
        SCONCE_IVDEP  // what is read is what is written in the same place, if at all
        for (int64_t i = 0; i < n; ++i) {
          const auto at = static_cast<uint32_t>(index[i]);
          const uint32_t in = at < size ? 1 : 0;
          new_offset[i] =
              static_cast<int32_t>(static_cast<uint32_t>(offsets[i]) + ((at * stride) & (0u - in)));
          new_inside[i] = in_before[i] & static_cast<int32_t>(in);
          new_weight[i] = weight_before[i] * weights[i];
        }
      }
    count *= along.count;
  }
  void look(int64_t n) {
    int32_t all = 1;
    for (int t = 0; t < count; ++t)
      for (int64_t i = 0; i < n; ++i) all &= inside[t][i];
    all_inside = all != 0;
  }
};

template <int count, bool all_inside>
void sample(const Taps& taps, const float* in, int64_t n, float* out, int64_t step) {
  for (int64_t i = 0; i < n; ++i) {
    float v = 0;
#pragma GCC unroll 16
    for (int t = 0; t < count; ++t) {
      const float x = in[taps.offset[t][i]];
      const float seen = all_inside || taps.inside[t][i] != 0 ? x : 0.0f;
      v += count == 1 ? seen : taps.weight[t][i] * seen;
    }
    out[i * step] = v;
  }
}
template <bool all_inside>
void sample_any(const Taps& taps, const float* in, int64_t n, float* out, int64_t step) {
  switch (taps.count) {
    case 1: return sample<1, all_inside>(taps, in, n, out, step);
    case 4: return sample<4, all_inside>(taps, in, n, out, step);
    case 8: return sample<8, all_inside>(taps, in, n, out, step);
    default: return sample<16, all_inside>(taps, in, n, out, step);
  }
}

// Whether 32 bits are enough for the distances within a channel, and floats for its places.
bool near(const TensorView& v) {
  double reach = 0;
  for (int d = 2; d < v.ndim; ++d) {
    if (v.sizes[d] > kMostPixels) return false;
    reach += static_cast<double>(v.sizes[d]) * std::fabs(static_cast<double>(v.strides[d]));
  }
  return reach < INT32_MAX;
}

void grid_sample(const GridSampleArgs& a) {
  if (a.in.dtype != kFloat || a.grid.dtype != kFloat || a.out.dtype != kFloat ||
      a.in.numel() == 0 || (a.in.ndim == 5 && a.mode == kCubic) || !near(a.in))
    return ref::any_grid_sample(a);
  const int nd = a.in.ndim - 2;
  const auto mode = static_cast<Mode>(a.mode);
  int64_t rows = 1;
  for (int d = 0; d + 1 < nd; ++d) rows *= a.out.sizes[d + 2];
  const int64_t columns = a.out.sizes[nd + 1], channels = a.out.sizes[1];
  // The last dim of the grid counts axes from the last of the image.
  std::array<Axis, 3> axes{};
  for (int d = 0; d < nd; ++d) {
    const int from = a.in.ndim - 1 - d;
    axes[static_cast<size_t>(d)] = {static_cast<int32_t>(a.in.sizes[from]),
                                    static_cast<int32_t>(a.in.strides[from]), a.align_corners,
                                    nd == 3, static_cast<Padding>(a.padding)};
  }
  const Interrupt interrupt(context());
  const double each = static_cast<double>(columns) * static_cast<double>(channels + 8);
  parallel_for(a.out.sizes[0] * rows, each, [&](int64_t first, int64_t end) {
    Interrupt mine = interrupt;
    Along along;
    Taps taps;
    alignas(64) float x[kPoints];
    for (int64_t r = first; r < end; ++r) {
      int64_t grid_at = r / rows * a.grid.strides[0], out_at = r / rows * a.out.strides[0];
      for (int64_t d = nd - 2, left = r % rows; d >= 0; --d) {
        const int64_t i = left % a.out.sizes[d + 2];
        left /= a.out.sizes[d + 2];
        grid_at += i * a.grid.strides[d + 1];
        out_at += i * a.out.strides[d + 2];
      }
      const float* in = a.in.ptr<float>() + r / rows * a.in.strides[0];
      const int64_t grid_step = a.grid.strides[nd], out_step = a.out.strides[nd + 1];
      for (int64_t c0 = 0; c0 < columns; c0 += kPoints) {
        const int64_t n = std::min(kPoints, columns - c0);
        taps.start(n);
        for (int d = 0; d < nd; ++d) {
          const float* g =
              a.grid.ptr<float>() + grid_at + c0 * grid_step + d * a.grid.strides[nd + 1];
          for (int64_t i = 0; i < n; ++i) x[i] = g[i * grid_step];
          meet(axes[static_cast<size_t>(d)], mode, x, n, along);
          taps.times(axes[static_cast<size_t>(d)], along, n);
        }
        taps.look(n);
        for (int64_t c = 0; c < channels; ++c) {
          float* out = a.out.ptr<float>() + out_at + c * a.out.strides[1] + c0 * out_step;
          const float* plane = in + c * a.in.strides[1];
          taps.all_inside ? sample_any<true>(taps, plane, n, out, out_step)
                          : sample_any<false>(taps, plane, n, out, out_step);
          mine.passed(n * taps.count);
        }
      }
    }
  });
}

}  // namespace

void set_grid_sample(Kernels& k) { k.grid_sample = grid_sample; }

}  // namespace sconce::SCONCE_ISA
