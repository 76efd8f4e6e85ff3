// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution with channels last: a register tile is a vector of channels of some
// neighbouring outputs, whose inputs are loaded once for all taps that read them. Inputs are named
// by offsets from a place in the image; those in the padding name a vector of zeros.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cpu/cpu.h"
#include "backends/cpu/parallel.h"
#include "backends/cpu/prepared.h"
#include "backends/cpu/vectors.h"
#include "core/interrupt.h"
#include "core/thread_pool.h"

namespace sconce::SCONCE_ISA {

namespace {

using V = Floats;
constexpr int64_t L = kFloats;
// Outputs of a tile: rows and columns, and columns where the kernel's size is no constant.
constexpr int64_t kRows = 2, kColumns = 4, kFlatColumns = 8;

struct Sizes {
  int64_t N, C, H, W, O, oh, ow, kh, kw;
  explicit Sizes(const PreparedConvArgs& a)
      : N(a.in.sizes[0]),
        C(a.in.sizes[1]),
        H(a.in.sizes[2]),
        W(a.in.sizes[3]),
        O(a.out.sizes[1]),
        oh(a.out.sizes[2]),
        ow(a.out.sizes[3]),
        kh(a.weight.sizes[2]),
        kw(a.weight.sizes[3]) {}
  int64_t blocks() const { return (O + L - 1) / L; }
};
// The first channel of a block: the last block overlaps the one before, so that nothing beyond a
// pixel is read. Fewer channels than a vector are made a vector of them.
int64_t block_channel(int64_t block, int64_t channels) {
  return std::max<int64_t>(0, std::min(block * L, channels - L));
}

struct Tile {
  const float* in;        // what offsets count from
  const int64_t* offset;  // of the tile's inputs, row by row
  uint64_t rows;          // bit i: not all of row i of the inputs is padding
  const float *weight, *bias, *residual;
  float* out;
  int64_t channels, blocks, out_row;  // out_row: elements between rows
  int64_t taps;                       // where the kernel's size is no constant
  float low, high;                    // the activation, unless heavy
  const Epilogue* then;
  bool heavy;
};

// What becomes of the sums of R x T outputs, for the channels from c on, of which lanes
// [from, from + count) are wanted.
template <int R, int T>
__attribute__((always_inline)) inline void finish(const Tile& a, int64_t c, int64_t from,
                                                  int64_t count, V (&acc)[R][T]) {
  auto add_residual = [&]() __attribute__((always_inline)) {
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 32
      for (int t = 0; t < T; ++t) {
        const float* p = a.residual + r * a.out_row + t * a.channels + c;
        V v{};
        if (a.channels >= L)
          v = load(p);
        else
          std::memcpy(&v, p, static_cast<size_t>(count) * sizeof(float));
        acc[r][t] += v;
      }
  };
  if (a.residual && !a.then->residual_last) add_residual();
  if (a.heavy) {
    alignas(64) float buf[R * T * L];
#pragma GCC unroll 32
    for (int i = 0; i < R * T; ++i) store(buf + i * L, acc[i / T][i % T]);
    Epilogue act = *a.then;
    act.residual_last = false;
    apply_epilogue_tile(1, R * T * L, buf, R * T * L, nullptr, nullptr, 0, act, buf, R * T * L);
#pragma GCC unroll 32
    for (int i = 0; i < R * T; ++i) acc[i / T][i % T] = load(buf + i * L);
  } else {
    const V low = V{} + a.low, high = V{} + a.high;
#pragma GCC unroll 32
    for (int i = 0; i < R * T; ++i)
      acc[i / T][i % T] = at_most(at_least(acc[i / T][i % T], low), high);
  }
  if (a.residual && a.then->residual_last) add_residual();
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 32
    for (int t = 0; t < T; ++t) {
      float* p = a.out + r * a.out_row + t * a.channels + c;
      if (count == L) {
        store(p, acc[r][t]);
      } else {
        alignas(64) float buf[L];
        store(buf, acc[r][t]);
        std::memcpy(p + from, buf + from, static_cast<size_t>(count) * sizeof(float));
      }
    }
}

// f(block, its first channel, the first wanted lane, how many).
template <class F>
__attribute__((always_inline)) inline void each_block(const Tile& a, F f) {
  for (int64_t b = 0; b < a.blocks; ++b) {
    const int64_t c = block_channel(b, a.channels), from = b * L - c;
    f(b, c, from, std::min(L - from, a.channels - b * L));
  }
}

template <int KH, int KW, int SH, int SW, int R, int T>
void tile(const Tile& a) {
  constexpr int kIn = (R - 1) * SH + KH, kAcross = (T - 1) * SW + KW;
  each_block(
      a, [&](int64_t b, int64_t c, int64_t from, int64_t count) __attribute__((always_inline)) {
        const float *x = a.in + c, *w = a.weight + b * KH * KW * L;
        const V start = a.bias ? load(a.bias + c) : V{};
        V acc[R][T];
#pragma GCC unroll 32
        for (int r = 0; r < R; ++r)
#pragma GCC unroll 32
          for (int t = 0; t < T; ++t) acc[r][t] = start;
#pragma GCC unroll 32
        for (int i = 0; i < kIn; ++i) {
          if (!(a.rows >> i & 1)) continue;
          V in[kAcross];
#pragma GCC unroll 32
          for (int j = 0; j < kAcross; ++j) in[j] = load(x + a.offset[i * kAcross + j]);
#pragma GCC unroll 32
          for (int r = 0; r < R; ++r) {
            const int k = i - r * SH;
            if (k < 0 || k >= KH) continue;
#pragma GCC unroll 32
            for (int l = 0; l < KW; ++l) {
              const V weight = load(w + (k * KW + l) * L);
#pragma GCC unroll 32
              for (int t = 0; t < T; ++t) acc[r][t] += in[t * SW + l] * weight;
            }
          }
        }
        finish<R, T>(a, c, from, count, acc);
      });
}

// Any kernel: offsets tap by tap.
template <int T>
void flat_tile(const Tile& a) {
  each_block(
      a, [&](int64_t b, int64_t c, int64_t from, int64_t count) __attribute__((always_inline)) {
        const float *x = a.in + c, *w = a.weight + b * a.taps * L;
        const V start = a.bias ? load(a.bias + c) : V{};
        V acc[1][T];
#pragma GCC unroll 32
        for (int t = 0; t < T; ++t) acc[0][t] = start;
        const int64_t* offset = a.offset;
        for (int64_t k = 0; k < a.taps; ++k, offset += T) {
          const V weight = load(w + k * L);
#pragma GCC unroll 32
          for (int t = 0; t < T; ++t) acc[0][t] += load(x + offset[t]) * weight;
        }
        finish<1, T>(a, c, from, count, acc);
      });
}

using TileKernel = void (*)(const Tile&);
template <int K, int S>
TileKernel square_tile(int64_t rows, int64_t columns) {
  static constexpr TileKernel table[kRows][kColumns] = {
      {tile<K, K, S, S, 1, 1>, tile<K, K, S, S, 1, 2>, tile<K, K, S, S, 1, 3>,
       tile<K, K, S, S, 1, 4>},
      {tile<K, K, S, S, 2, 1>, tile<K, K, S, S, 2, 2>, tile<K, K, S, S, 2, 3>,
       tile<K, K, S, S, 2, 4>}};
  return table[rows - 1][columns - 1];
}
TileKernel flat_kernel(int64_t columns) {
  static constexpr TileKernel table[kFlatColumns] = {flat_tile<1>, flat_tile<2>, flat_tile<3>,
                                                     flat_tile<4>, flat_tile<5>, flat_tile<6>,
                                                     flat_tile<7>, flat_tile<8>};
  return table[columns - 1];
}
// Null: none for these sizes.
using Square = TileKernel (*)(int64_t rows, int64_t columns);
Square square_of(const PreparedConvArgs& a, const Sizes& s) {
  if (s.kh != s.kw || a.stride[0] != a.stride[1] || a.dilation[0] != 1 || a.dilation[1] != 1)
    return nullptr;
  const bool one = a.stride[0] == 1, two = a.stride[0] == 2;
  switch (s.kh) {
    case 3: return one ? square_tile<3, 1> : two ? square_tile<3, 2> : nullptr;
    case 5: return one ? square_tile<5, 1> : two ? square_tile<5, 2> : nullptr;
    case 7: return one ? square_tile<7, 1> : two ? square_tile<7, 2> : nullptr;
    default: return nullptr;
  }
}

// Each of the channels m times, and zeros up to `channels` of them.
void spread_channels(const float* in, int64_t pixels, int64_t from, int64_t m, float* to,
                     int64_t channels) {
  for (int64_t p = 0; p < pixels; ++p, in += from, to += channels) {
    int64_t at = 0;
    for (int64_t c = 0; c < from; ++c)
      for (int64_t k = 0; k < m; ++k) to[at++] = in[c];
    std::fill(to + at, to + channels, 0.0f);
  }
}

// The outputs cut into tiles, numbered image by image and row by row.
struct Plan {
  const PreparedConvArgs& a;
  Sizes s;
  Square square;
  int64_t rows, pitch, downs, acrosses;  // of a tile; floats of an input's pixel; numbers of tiles
  const float *in, *weight, *zeros;
  const float *bias, *residual;

  explicit Plan(const PreparedConvArgs& args)
      : a(args), s(args), square(square_of(args, s)), pitch(std::max(s.O, L)) {
    rows = square ? kRows : 1;
    const int64_t columns = square ? kColumns : kFlatColumns;
    downs = (s.oh + rows - 1) / rows;
    acrosses = (s.ow + columns - 1) / columns;
  }
  int64_t tiles() const { return s.N * downs * acrosses; }
  // The first column of tile i of a row: their numbers of columns differ by one at most.
  int64_t column(int64_t i) const { return i * (s.ow / acrosses) + std::min(i, s.ow % acrosses); }

  void run(int64_t from, int64_t to, Interrupt& interrupt) const;
};

void Plan::run(int64_t from, int64_t to, Interrupt& interrupt) const {
  const auto *st = a.stride, *pad = a.padding, *dil = a.dilation;
  const int64_t most =
      square ? (kRows * st[0] + s.kh) * (kColumns * st[1] + s.kw) : s.kh * s.kw * kFlatColumns;
  int64_t* offset = thread_scratch<int64_t, 0>().get(static_cast<size_t>(most));
  int64_t shared_rows = 0, shared_columns = 0;  // the tile within the image that offset holds

  Tile t;
  t.offset = offset;
  t.weight = weight;
  t.bias = bias;
  t.channels = s.O;
  t.blocks = s.blocks();
  t.out_row = s.ow * s.O;
  t.taps = s.kh * s.kw;
  t.then = &a.then;
  t.low = a.then.act == Activation::relu    ? 0.0f
          : a.then.act == Activation::clamp ? static_cast<float>(a.then.p)
                                            : -INFINITY;
  t.high = a.then.act == Activation::clamp ? static_cast<float>(a.then.q) : INFINITY;
  // Activations that take many instructions follow for a whole tile, unless something follows them.
  const bool heavy = a.then.act > Activation::clamp,
             later = heavy && !(residual && a.then.residual_last);
  t.heavy = heavy && !later;

  for (int64_t i = from; i < to; ++i) {
    const int64_t n = i / (downs * acrosses), down = i / acrosses % downs, across = i % acrosses;
    const int64_t oy = down * rows, R = std::min(rows, s.oh - oy), ox = column(across),
                  T = column(across + 1) - ox;
    const int64_t y0 = oy * st[0] - pad[0], x0 = ox * st[1] - pad[1];
    const int64_t y1 = y0 + (R - 1) * st[0] + (s.kh - 1) * dil[0],
                  x1 = x0 + (T - 1) * st[1] + (s.kw - 1) * dil[1];  // the last ones
    const float* image = in + n * s.H * s.W * pitch;
    const bool within = y0 >= 0 && x0 >= 0 && y1 < s.H && x1 < s.W;
    const int64_t to_zeros = static_cast<int64_t>(reinterpret_cast<intptr_t>(zeros) -
                                                  reinterpret_cast<intptr_t>(image)) /
                             static_cast<int64_t>(sizeof(float));
    auto place = [&](int64_t y, int64_t x) {
      if (within) return ((y - y0) * s.W + x - x0) * pitch;
      return y >= 0 && y < s.H && x >= 0 && x < s.W ? (y * s.W + x) * pitch : to_zeros;
    };
    if (!within || shared_rows != R || shared_columns != T) {
      int64_t* o = offset;
      if (square) {
        for (int64_t y = y0; y <= y1; ++y)
          for (int64_t x = x0; x <= x1; ++x) *o++ = place(y, x);
      } else {
        for (int64_t ky = 0; ky < s.kh; ++ky)
          for (int64_t kx = 0; kx < s.kw; ++kx)
            for (int64_t k = 0; k < T; ++k)
              *o++ = place(y0 + ky * dil[0], x0 + k * st[1] + kx * dil[1]);
      }
      shared_rows = within ? R : 0;
      shared_columns = within ? T : 0;
    }
    t.rows = 0;
    for (int64_t y = y0; square && y <= y1; ++y)
      t.rows |= static_cast<uint64_t>(y >= 0 && y < s.H) << (y - y0);
    t.in = within ? image + (y0 * s.W + x0) * pitch : image;
    const int64_t at = ((n * s.oh + oy) * s.ow + ox) * s.O;
    t.out = a.out.ptr<float>() + at;
    t.residual = residual ? residual + at : nullptr;
    (square ? square(R, T) : flat_kernel(T))(t);
    for (int64_t r = 0; later && r < R; ++r) {
      float* row = t.out + r * t.out_row;
      apply_epilogue_tile(1, T * s.O, row, T * s.O, nullptr, nullptr, 0, a.then, row, T * s.O);
    }
    interrupt.passed(R * T * s.O * t.taps);
  }
}

void run(const PreparedConvArgs& a) {
  if (a.out.numel() == 0) return;
  Plan plan(a);
  const Sizes& s = plan.s;
  const int64_t m = s.O / s.C, pixels = s.N * s.H * s.W;
  // Zeros, a bias that can be read in vectors, and the input where its channels aren't the
  // output's.
  const bool spread = plan.pitch != s.C;
  float* scratch = thread_scratch<float, 20>().get(
      static_cast<size_t>(2 * plan.pitch + (spread ? pixels * plan.pitch : 0)));
  std::fill(scratch, scratch + 2 * plan.pitch, 0.0f);
  plan.zeros = scratch;
  plan.bias = a.bias.ptr<float>();
  if (plan.bias && s.O < L) {
    std::copy_n(plan.bias, s.O, scratch + plan.pitch);
    plan.bias = scratch + plan.pitch;
  }
  plan.in = a.in.ptr<float>();
  if (spread) {
    float* to = scratch + 2 * plan.pitch;
    spread_channels(plan.in, pixels, s.C, m, to, plan.pitch);
    plan.in = to;
  }
  plan.weight = a.weight.ptr<float>();
  plan.residual = a.residual.ptr<float>();

  const int64_t tiles = plan.tiles();
  constexpr double kNanosecondsEach = 0.03;  // of a multiplication
  const Interrupt limits(context());
  const int64_t threads =
      parts_of(tiles, static_cast<double>(a.out.numel() * s.kh * s.kw) * kNanosecondsEach);
  if (threads > 1) {
    const int64_t parts = std::min<int64_t>(tiles, 4 * threads);
    context().pool->run(parts, [&](int64_t p) {
      Interrupt interrupt = limits;
      plan.run(tiles * p / parts, tiles * (p + 1) / parts, interrupt);
    });
  } else {
    Interrupt interrupt = limits;
    plan.run(0, tiles, interrupt);
  }
}

// [block][tap][lane], by the channels of block_channel.
void pack(const PreparedConvArgs& a, void* to) {
  const Sizes s(a);
  auto* p = static_cast<float*>(to);
  const auto* w = a.weight.ptr<float>();
  const int64_t* st = a.weight.strides;
  for (int64_t b = 0; b < s.blocks(); ++b)
    for (int64_t y = 0; y < s.kh; ++y)
      for (int64_t x = 0; x < s.kw; ++x)
        for (int64_t l = 0; l < L; ++l) {
          const int64_t o = block_channel(b, s.O) + l;
          *p++ = o < s.O ? w[o * st[0] + y * st[2] + x * st[3]] : 0.0f;
        }
}

ConvChoice choose(const PreparedConvArgs& a) {
  const Sizes s(a);
  ConvChoice c;
  if (a.groups != s.C || s.C < 2 || s.C > s.O || a.weight.sizes[1] != 1) return c;
  c.algorithm = 0;
  c.packed_bytes = static_cast<size_t>(s.blocks() * s.kh * s.kw * L) * sizeof(float);
  return c;
}

}  // namespace

const PreparedConvAlgorithm depthwise = {choose, pack, run};

}  // namespace sconce::SCONCE_ISA
