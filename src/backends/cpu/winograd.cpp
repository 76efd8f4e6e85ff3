// SPDX-License-Identifier: Apache-2.0
// Winograd's convolutions with 3x3 kernels (Lavin & Gray 2015): tiles of M x M outputs are made
// from (M + 2)^2 products instead of 9 M^2. Polynomials of the inputs are evaluated at some points,
// so that products of all channels are matrix products, one for each pair of points. F(2x2) takes
// the points 0, 1, -1; F(4x4) 0, 3/4, -3/4, 3/2, -3/2, whose sums cancel less than those of the
// usual 0, 1, -1, 2, -2: half of the error. An input that is inf or NaN reaches all outputs of its
// tiles.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cpu/prepared.h"
#include "backends/cpu/vectors.h"
#include "core/thread_pool.h"

namespace sconce::SCONCE_ISA {

namespace {

using V = Floats;
constexpr int64_t L = kFloats;

// Along one dim: `input` evaluates, `output` interpolates; kPoints without the one at infinity.
template <int M>
struct Transform;
template <>
struct Transform<2> {
  static constexpr int kPoints = 3;
  static constexpr double kPoint[kPoints] = {0, 1, -1};
  static __attribute__((always_inline)) void input(const V (&d)[4], V (&t)[4]) {
    t[0] = d[2] - d[0];
    t[1] = d[2] + d[1];
    t[2] = d[2] - d[1];
    t[3] = d[3] - d[1];
  }
  static __attribute__((always_inline)) void output(const V (&m)[4], V (&y)[2]) {
    y[0] = m[0] + (m[1] + m[2]);
    y[1] = (m[1] - m[2]) + m[3];
  }
};
template <>
struct Transform<4> {
  static constexpr int kPoints = 5;
  static constexpr double kPoint[kPoints] = {0, 0.75, -0.75, 1.5, -1.5};
  static __attribute__((always_inline)) void input(const V (&d)[6], V (&t)[6]) {
    t[0] = d[4] - 2.8125f * d[2] + 1.265625f * d[0];
    const V e1 = d[4] - 2.25f * d[2], o1 = 0.75f * (d[3] - 2.25f * d[1]);
    t[1] = e1 + o1;
    t[2] = e1 - o1;
    const V e2 = d[4] - 0.5625f * d[2], o2 = 1.5f * (d[3] - 0.5625f * d[1]);
    t[3] = e2 + o2;
    t[4] = e2 - o2;
    t[5] = d[5] - 2.8125f * d[3] + 1.265625f * d[1];
  }
  static __attribute__((always_inline)) void output(const V (&m)[6], V (&y)[4]) {
    const V s1 = m[1] + m[2], d1 = m[1] - m[2], s2 = m[3] + m[4], d2 = m[3] - m[4];
    y[0] = m[0] + (s1 + s2);
    y[1] = 0.75f * (d1 + 2.0f * d2);
    y[2] = 0.5625f * (s1 + 4.0f * s2);
    y[3] = 0.421875f * (d1 + 8.0f * d2) + m[5];
  }
};

struct Sizes {
  int64_t N, C, H, W, O, oh, ow, m, down, across;  // m: outputs of a tile's side
  Sizes(const PreparedConvArgs& a, int64_t side)
      : N(a.in.sizes[0]),
        C(a.in.sizes[1]),
        H(a.in.sizes[2]),
        W(a.in.sizes[3]),
        O(a.out.sizes[1]),
        oh(a.out.sizes[2]),
        ow(a.out.sizes[3]),
        m(side),
        down((oh + m - 1) / m),
        across((ow + m - 1) / m) {}
  int64_t tiles() const { return N * down * across; }
  int64_t places() const { return (m + 2) * (m + 2); }
  // Tiles that are done together: what is made of them stays in the cache, but the weights are read
  // once for each such block.
  int64_t block() const {
    constexpr int64_t kFloats = 160 * 1024;
    return std::clamp<int64_t>(kFloats / (places() * (C + O)) / 12 * 12, 24, 96);
  }
};
// Floats from one place's matrix to the next; not a multiple of what falls on the same lines of the
// cache.
int64_t matrix(int64_t rows, int64_t columns) { return rows * columns + 16; }

// A tile of the input, its rows and pixels at these distances: to[place * step + c].
template <int M>
void evaluate(const float* in, int64_t row, int64_t pixel, int64_t channels, float* to,
              int64_t step) {
  constexpr int A = M + 2;
  for (int64_t c = 0; c < channels; c += L) {
    V t[A][A];
#pragma GCC unroll 8
    for (int j = 0; j < A; ++j) {
      V d[A], e[A];
#pragma GCC unroll 8
      for (int i = 0; i < A; ++i) d[i] = load(in + i * row + j * pixel + c);
      Transform<M>::input(d, e);
#pragma GCC unroll 8
      for (int i = 0; i < A; ++i) t[i][j] = e[i];
    }
#pragma GCC unroll 8
    for (int i = 0; i < A; ++i) {
      V e[A];
      Transform<M>::input(t[i], e);
#pragma GCC unroll 8
      for (int j = 0; j < A; ++j) store(to + (i * A + j) * step + c, e[j]);
    }
  }
}

// What follows the sums; the activation unless it takes more than two bounds.
struct Finish {
  float low, high;
  bool heavy;
  Epilogue then;
  const float* bias;
};

// from[place * step + c] to rows x columns pixels of the output.
template <int M>
void interpolate(const float* from, int64_t step, const Finish& f, int64_t channels, int64_t rows,
                 int64_t columns, int64_t row, const float* residual, float* out) {
  constexpr int A = M + 2;
  const V low = V{} + f.low, high = V{} + f.high;
  for (int64_t c = 0; c < channels; c += L) {
    V t[M][A];
#pragma GCC unroll 8
    for (int j = 0; j < A; ++j) {
      V m[A], y[M];
#pragma GCC unroll 8
      for (int i = 0; i < A; ++i) m[i] = load(from + (i * A + j) * step + c);
      Transform<M>::output(m, y);
#pragma GCC unroll 8
      for (int i = 0; i < M; ++i) t[i][j] = y[i];
    }
    alignas(64) float buf[M * M * L];
    const V bias = f.bias ? load(f.bias + c) : V{};
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i) {
      V y[M];
      Transform<M>::output(t[i], y);
#pragma GCC unroll 8
      for (int j = 0; j < M; ++j) store(buf + (i * M + j) * L, y[j] + bias);
    }
    if (residual && !f.then.residual_last)
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j) {
          float* p = buf + (i * M + j) * L;
          store(p, load(p) + load(residual + i * row + j * channels + c));
        }
    if (f.heavy)
      apply_epilogue_tile(1, M * M * L, buf, M * M * L, nullptr, nullptr, 0, f.then, buf,
                          M * M * L);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        const int64_t at = i * row + j * channels + c;
        V x = at_most(at_least(load(buf + (i * M + j) * L), low), high);
        if (residual && f.then.residual_last) x += load(residual + at);
        store(out + at, x);
      }
  }
}

template <int M>
void run_tiles(const PreparedConvArgs& a, const Sizes& s, const Finish& f, int64_t from,
               int64_t to) {
  constexpr int A = M + 2;
  const int64_t n = to - from, in_step = matrix(n, s.C), out_step = matrix(n, s.O);
  float* evaluated =
      thread_scratch<float, 22>().get(static_cast<size_t>(A * A * (in_step + out_step + s.C)));
  float *products = evaluated + A * A * in_step, *patch = products + A * A * out_step;
  const int64_t row = s.W * s.C;
  auto place = [&](int64_t i, int64_t& image, int64_t& y, int64_t& x) {
    image = i / (s.down * s.across);
    y = i / s.across % s.down * M;
    x = i % s.across * M;
  };
  for (int64_t i = 0; i < n; ++i) {
    int64_t image, y, x;
    place(from + i, image, y, x);
    y -= a.padding[0];
    x -= a.padding[1];
    const float* in = a.in.ptr<float>() + image * s.H * row;
    float* out = evaluated + i * s.C;
    if (y >= 0 && x >= 0 && y + A <= s.H && x + A <= s.W) {
      evaluate<M>(in + y * row + x * s.C, row, s.C, s.C, out, in_step);
      continue;
    }
    for (int64_t v = 0; v < A; ++v)
      for (int64_t u = 0; u < A; ++u) {
        float* p = patch + (v * A + u) * s.C;
        if (y + v >= 0 && y + v < s.H && x + u >= 0 && x + u < s.W)
          std::memcpy(p, in + (y + v) * row + (x + u) * s.C,
                      static_cast<size_t>(s.C) * sizeof(float));
        else
          std::fill(p, p + s.C, 0.0f);
      }
    evaluate<M>(patch, A * s.C, s.C, s.C, out, in_step);
  }
  PanelProduct p{};
  p.m = n;
  p.n = p.out_pitch = s.O;
  p.k = p.a_pitch = s.C;
  for (int k = 0; k < A * A; ++k) {
    p.a = evaluated + k * in_step;
    p.b = a.weight.ptr<float>() + k * packed_floats(s.C, s.O);
    p.out = products + k * out_step;
    panel_product(p);
  }
  for (int64_t i = 0; i < n; ++i) {
    int64_t image, y, x;
    place(from + i, image, y, x);
    const int64_t at = ((image * s.oh + y) * s.ow + x) * s.O;
    interpolate<M>(products + i * s.O, out_step, f, s.O, std::min<int64_t>(M, s.oh - y),
                   std::min<int64_t>(M, s.ow - x), s.ow * s.O,
                   a.residual.data ? a.residual.ptr<float>() + at : nullptr,
                   a.out.ptr<float>() + at);
  }
}

// The variants.
int64_t side_of(int32_t variant) { return variant == 0 ? 2 : 4; }

void run(const PreparedConvArgs& a) {
  const Sizes s(a, side_of(conv_variant(a)));
  const int64_t tiles = s.tiles();
  if (tiles == 0) return;
  Finish f;
  f.then = a.then;
  f.heavy = a.then.act > Activation::clamp;
  f.low = a.then.act == Activation::relu    ? 0.0f
          : a.then.act == Activation::clamp ? static_cast<float>(a.then.p)
                                            : -INFINITY;
  f.high = a.then.act == Activation::clamp ? static_cast<float>(a.then.q) : INFINITY;
  f.bias = a.bias.ptr<float>();
  ThreadPool* pool = context().pool;
  int64_t blocks = (tiles + s.block() - 1) / s.block();
  const Interrupt limits(context());
  auto part = [&](int64_t i) {
    Interrupt interrupt = limits;
    const int64_t from = tiles * i / blocks, to = tiles * (i + 1) / blocks;
    (s.m == 2 ? run_tiles<2> : run_tiles<4>)(a, s, f, from, to);
    interrupt.passed((to - from) * s.places() * s.C * s.O);
  };
  if (pool) {
    blocks = std::min(tiles, (blocks + pool->size() - 1) / pool->size() * pool->size());
    pool->run(blocks, part);
  } else {
    for (int64_t i = 0; i < blocks; ++i) part(i);
  }
}

// Values of the kernel's polynomials at all pairs of points, over what interpolation divides by.
template <int M>
void pack_weights(const PreparedConvArgs& a, float* to) {
  constexpr int A = M + 2, P = Transform<M>::kPoints;
  const int64_t C = a.weight.sizes[1], O = a.weight.sizes[0];
  double g[A][3] = {};
  for (int i = 0; i < P; ++i) {
    const double x = Transform<M>::kPoint[i];
    double divisor = 1;
    for (int k = 0; k < P; ++k)
      if (k != i) divisor *= x - Transform<M>::kPoint[k];
    g[i][0] = 1 / divisor;
    g[i][1] = x / divisor;
    g[i][2] = x * x / divisor;
  }
  g[P][2] = 1;
  const float* w = a.weight.ptr<float>();
  const int64_t* st = a.weight.strides;
  const int64_t matrix_floats = packed_floats(C, O);
  // Some outputs of a panel, some channels at a time.
  constexpr int64_t kOut = kPanelLanes, kIn = 8;
  auto part = [&](int64_t part_index) {
    const int64_t o0 = part_index * kOut, panel = o0 / kPanelColumns * kPanelColumns,
                  width = std::min(kPanelColumns, (O - panel + kOut - 1) / kOut * kOut);
    float block[A * A][kIn][kOut];
    for (int64_t c0 = 0; c0 < C; c0 += kIn) {
      for (int64_t o = 0; o < kOut; ++o) {
        const float* from = w + (o0 + o) * st[0] + c0 * st[1];
        double k[3][3][kIn], r[A][3][kIn];
        for (int y = 0; y < 3; ++y)
          for (int x = 0; x < 3; ++x)
            for (int64_t c = 0; c < kIn; ++c)
              k[y][x][c] = static_cast<double>(from[c * st[1] + y * st[2] + x * st[3]]);
        for (int i = 0; i < A; ++i)
          for (int x = 0; x < 3; ++x)
            for (int64_t c = 0; c < kIn; ++c)
              r[i][x][c] = g[i][0] * k[0][x][c] + g[i][1] * k[1][x][c] + g[i][2] * k[2][x][c];
        for (int i = 0; i < A; ++i)
          for (int j = 0; j < A; ++j)
            for (int64_t c = 0; c < kIn; ++c)
              block[i * A + j][c][o] = static_cast<float>(
                  g[j][0] * r[i][0][c] + g[j][1] * r[i][1][c] + g[j][2] * r[i][2][c]);
      }
      for (int i = 0; i < A * A; ++i)
        for (int64_t c = 0; c < kIn; ++c)
          std::memcpy(to + i * matrix_floats + panel * C + (c0 + c) * width + (o0 - panel),
                      block[i][c], sizeof block[i][c]);
    }
  };
  const int64_t parts = O / kOut;
  if (ThreadPool* pool = context().pool)
    pool->run(parts, part);
  else
    for (int64_t i = 0; i < parts; ++i) part(i);
}
void pack(const PreparedConvArgs& a, void* to) {
  (conv_variant(a) == 0 ? pack_weights<2> : pack_weights<4>)(a, static_cast<float*>(to));
}

// Cycles of one thread, about. The direct way: its multiplications, or reading its weights.
// Winograd's: the products, the weights, which come from memory and then again for each block of
// tiles, the transforms.
#if defined __AVX512F__
constexpr double kProducts = 0.8 * 32;
#elif defined __AVX2__
constexpr double kProducts = 0.8 * 16;
#elif defined __aarch64__
constexpr double kProducts = 0.8 * 8;
#else
constexpr double kProducts = 0.8 * 4;
#endif
// Bytes a cycle: from memory, from the last cache and from one's own.
constexpr double kMemoryBytes = 4, kFarBytes = 16, kNearBytes = 24;
double direct_cycles(const Sizes& s) {
  const auto weights = static_cast<double>(9 * s.C * s.O);
  return std::max(weights * static_cast<double>(s.N * s.oh * s.ow) / kProducts,
                  4 * weights / kMemoryBytes);
}
double winograd_cycles(const Sizes& s) {
  const auto weights = static_cast<double>(s.places() * s.C * s.O),
             tiles = static_cast<double>(s.tiles()),
             blocks = std::ceil(tiles / static_cast<double>(s.block()));
  const double transforms =
      tiles * static_cast<double>((s.places() * 2 + s.m * s.m * 2) * (s.C + s.O)) * 4 / kNearBytes;
  return weights * tiles / kProducts + 4 * weights / kMemoryBytes +
         4 * weights * (blocks - 1) / kFarBytes + transforms;
}

ConvChoice choose(const PreparedConvArgs& a) {
  ConvChoice c;
  if (a.in.ndim != 4 || a.in.dtype != kFloat || a.groups != 1 || a.out.numel() == 0) return c;
  for (int d = 0; d < 2; ++d)
    if (a.weight.sizes[d + 2] != 3 || a.stride[d] != 1 || a.dilation[d] != 1) return c;
  const Sizes two(a, 2), four(a, 4);
  if (two.C < 32 || two.O < 32 || two.C % L != 0 || two.O % L != 0) return c;
  const double times[] = {winograd_cycles(two), winograd_cycles(four)};
  const int32_t best = 1.15 * times[1] < times[0];  // twice the weights must pay
  if (1.1 * times[best] > direct_cycles(two)) return c;
  c.algorithm = best;
  c.packed_bytes = static_cast<size_t>((best ? four : two).places() * packed_floats(two.C, two.O)) *
                   sizeof(float);
  return c;
}

}  // namespace

const PreparedConvAlgorithm winograd{choose, pack, run};

}  // namespace sconce::SCONCE_ISA
