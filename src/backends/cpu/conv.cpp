// SPDX-License-Identifier: Apache-2.0
// Convolution. Floats: a product of the weights with shifted views of the padded image (an indirect
// convolution, Dukhan 2019, whose pointers are one offset a tap), which needs no copy of it for
// each tap. Transposed: a product, then col2im. Other numbers: plain loops in the compute type.
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "backends/cpu/cpu.h"
#include "backends/cpu/prepared.h"
#include "core/interrupt.h"
#include "core/thread_pool.h"
#include "backends/tiles.h"

namespace sconce::SCONCE_ISA {

bool move_elements(const CopyArgs& a);  // copy.cpp
void gemm_f64(int64_t m, int64_t n, int64_t k, const double* a, int64_t as0, const double* b,
              int64_t bs0, double* c, int64_t cs0);  // gemm.cpp: c += a b, dense rows

namespace {

struct Shape {
  int nd;
  int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1}, k[3] = {1, 1, 1}, stride[3] = {1, 1, 1},
          pad[3] = {0, 0, 0}, dil[3] = {1, 1, 1};
};

// Spatial dims moved to the end of three, missing ones are 1.
Shape shape_of(const ConvArgs& a) {
  Shape s;
  s.nd = a.in.ndim - 2;
  for (int d = 0; d < s.nd; ++d) {
    int e = d + 3 - s.nd;
    s.in[e] = a.in.sizes[d + 2];
    s.out[e] = a.out.sizes[d + 2];
    s.k[e] = a.weight.sizes[d + 2];
    s.stride[e] = a.stride[d];
    s.pad[e] = a.padding[d];
    s.dil[e] = a.dilation[d];
  }
  return s;
}

bool dense(const TensorView& v) {
  int64_t run = 1;
  for (int d = v.ndim - 1; d >= 0; --d) {
    if (v.sizes[d] != 1 && v.strides[d] != run) return false;
    run *= v.sizes[d];
  }
  return true;
}

// Reads v into a dense array of C.
template <class C>
std::vector<C> load_all(const TensorView& v) {
  expect_memory(detail::elements(v) * sizeof(C));
  std::vector<C> out(static_cast<size_t>(std::max<int64_t>(v.numel(), 0)));
  if (out.empty()) return out;
  int64_t idx[kMaxDims] = {0}, at = 0, es = static_cast<int64_t>(element_size(v.dtype));
  int64_t inner = v.ndim ? v.sizes[v.ndim - 1] : 1, st = v.ndim ? v.strides[v.ndim - 1] : 0;
  for (size_t i = 0; i < out.size(); i += static_cast<size_t>(inner)) {
    load_tile(v.dtype, static_cast<const char*>(v.data) + at * es, st * es, inner, out.data() + i);
    for (int d = v.ndim - 2; d >= 0; --d) {
      at += v.strides[d];
      if (++idx[d] < v.sizes[d]) break;
      at -= v.strides[d] * v.sizes[d];
      idx[d] = 0;
    }
  }
  return out;
}
template <class C>
void store_all(const TensorView& v, const C* in) {
  int64_t n = v.numel();
  if (n == 0) return;
  int64_t idx[kMaxDims] = {0}, at = 0, es = static_cast<int64_t>(element_size(v.dtype));
  int64_t inner = v.ndim ? v.sizes[v.ndim - 1] : 1, st = v.ndim ? v.strides[v.ndim - 1] : 0;
  for (int64_t i = 0; i < n; i += inner) {
    store_tile(v.dtype, static_cast<char*>(v.data) + at * es, st * es, inner, in + i);
    for (int d = v.ndim - 2; d >= 0; --d) {
      at += v.strides[d];
      if (++idx[d] < v.sizes[d]) break;
      at -= v.strides[d] * v.sizes[d];
      idx[d] = 0;
    }
  }
}

template <class C>
void conv_plain(const ConvArgs& a) {
  Shape s = shape_of(a);
  int64_t N = a.in.sizes[0], Ci = a.in.sizes[1], Co = a.out.sizes[1], G = a.groups, cg = Ci / G,
          og = Co / G;
  auto x = load_all<C>(a.in), w = load_all<C>(a.weight);
  std::vector<C> b;
  if (a.bias.data) b = load_all<C>(a.bias);
  int64_t is = s.in[0] * s.in[1] * s.in[2], os = s.out[0] * s.out[1] * s.out[2],
          ks = s.k[0] * s.k[1] * s.k[2];
  expect_memory(detail::elements(a.out) * sizeof(C));
  Interrupt interrupt;
  std::vector<C> y(static_cast<size_t>(N * Co * os), C(0));
  if (a.bias.data)
    for (int64_t n = 0; n < N; ++n)
      for (int64_t o = 0; o < Co; ++o)
        std::fill_n(y.begin() + (n * Co + o) * os, os, b[static_cast<size_t>(o)]);
  for (int64_t n = 0; n < N; ++n)
    for (int64_t g = 0; g < G; ++g)
      for (int64_t o = 0; o < og; ++o)
        for (int64_t c = 0; c < cg; ++c) {
          const C* xi = x.data() + (n * Ci + g * cg + c) * is;
          C* yo = y.data() + (n * Co + g * og + o) * os;
          const C* wk =
              w.data() + (a.transposed ? ((g * cg + c) * og + o) : ((g * og + o) * cg + c)) * ks;
          for (int64_t k0 = 0; k0 < s.k[0]; ++k0)
            for (int64_t k1 = 0; k1 < s.k[1]; ++k1)
              for (int64_t k2 = 0; k2 < s.k[2]; ++k2) {
                interrupt.passed(a.transposed ? is : os);
                C v = wk[(k0 * s.k[1] + k1) * s.k[2] + k2];
                // p: the strided side, q: the other one.
                const int64_t* P = a.transposed ? s.in : s.out;
                const int64_t* Q = a.transposed ? s.out : s.in;
                for (int64_t p0 = 0; p0 < P[0]; ++p0) {
                  int64_t q0 = p0 * s.stride[0] - s.pad[0] + k0 * s.dil[0];
                  if (q0 < 0 || q0 >= Q[0]) continue;
                  for (int64_t p1 = 0; p1 < P[1]; ++p1) {
                    int64_t q1 = p1 * s.stride[1] - s.pad[1] + k1 * s.dil[1];
                    if (q1 < 0 || q1 >= Q[1]) continue;
                    int64_t pr = (p0 * P[1] + p1) * P[2], qr = (q0 * Q[1] + q1) * Q[2];
                    for (int64_t p2 = 0; p2 < P[2]; ++p2) {
                      int64_t q2 = p2 * s.stride[2] - s.pad[2] + k2 * s.dil[2];
                      if (q2 < 0 || q2 >= Q[2]) continue;
                      C& sum = a.transposed ? yo[qr + q2] : yo[pr + p2];
                      const C x = a.transposed ? xi[pr + p2] : xi[qr + q2];
                      using U = Wrapping<C>;
                      sum = static_cast<C>(U(sum) + U(v) * U(x));
                    }
                  }
                }
              }
        }
  store_all(a.out, y.data());
}

// Doubles: of a block of outputs the inputs that each weight meets as rows of a matrix, by which
// the weights are multiplied.
void conv_columns(const ConvArgs& a, const Shape& s) {
  const int64_t N = a.in.sizes[0], Ci = a.in.sizes[1], Co = a.out.sizes[1], G = a.groups,
                cg = Ci / G, og = Co / G;
  const int64_t is = s.in[0] * s.in[1] * s.in[2], os = s.out[0] * s.out[1] * s.out[2],
                ks = s.k[0] * s.k[1] * s.k[2], rows = s.out[0] * s.out[1];
  const auto x = load_all<double>(a.in), w = load_all<double>(a.weight);
  std::vector<double> b;
  if (a.bias.data) b = load_all<double>(a.bias);
  // Outputs of a block: rows, or a part of one.
  constexpr int64_t kBlock = 512;
  const int64_t width = std::min(kBlock, s.out[2]), height = std::min(rows, kBlock / width);
  expect_memory((detail::elements(a.out) +
                 static_cast<double>(cg * ks) * static_cast<double>(width * height)) *
                sizeof(double));
  std::vector<double> y(static_cast<size_t>(N * Co * os)),
      columns(static_cast<size_t>(cg * ks * width * height));
  if (a.bias.data)
    for (int64_t o = 0; o < N * Co; ++o)
      std::fill_n(y.begin() + o * os, os, b[static_cast<size_t>(o % Co)]);
  Interrupt interrupt;
  // Outputs [from, to) of rows [row, row + count), as the tap k of a channel sees them.
  auto gather = [&](const double* plane, const int64_t* k, int64_t row, int64_t count, int64_t from,
                    int64_t to, double* out) {
    const int64_t st = s.stride[2], shift = k[2] * s.dil[2] - s.pad[2];
    auto limit = [&](int64_t n) {  // the first output whose input is n or beyond
      return std::min(std::max(n > shift ? (n - shift + st - 1) / st : 0, from), to);
    };
    const int64_t lo = limit(0), hi = std::max(lo, limit(s.in[2]));
    for (int64_t r = row; r < row + count; ++r, out += to - from) {
      const int64_t q0 = r / s.out[1] * s.stride[0] - s.pad[0] + k[0] * s.dil[0],
                    q1 = r % s.out[1] * s.stride[1] - s.pad[1] + k[1] * s.dil[1];
      if (q0 < 0 || q0 >= s.in[0] || q1 < 0 || q1 >= s.in[1]) {
        std::fill_n(out, to - from, 0.0);
        continue;
      }
      const double* line = plane + (q0 * s.in[1] + q1) * s.in[2];
      std::fill(out, out + (lo - from), 0.0);
      for (int64_t j = lo; j < hi; ++j) out[j - from] = line[j * st + shift];
      std::fill(out + (hi - from), out + (to - from), 0.0);
    }
  };
  for (int64_t n = 0; n < N; ++n)
    for (int64_t g = 0; g < G; ++g)
      for (int64_t row = 0; row < rows; row += height)
        for (int64_t from = 0; from < s.out[2]; from += width) {
          const int64_t count = std::min(height, rows - row), to = std::min(s.out[2], from + width),
                        size = count * (to - from);
          double* out = columns.data();
          for (int64_t c = 0; c < cg; ++c) {
            const double* plane = x.data() + (n * Ci + g * cg + c) * is;
            int64_t k[3];
            for (k[0] = 0; k[0] < s.k[0]; ++k[0])
              for (k[1] = 0; k[1] < s.k[1]; ++k[1])
                for (k[2] = 0; k[2] < s.k[2]; ++k[2], out += size)
                  gather(plane, k, row, count, from, to, out);
            interrupt.passed(ks * size);
          }
          gemm_f64(og, size, cg * ks, w.data() + g * og * cg * ks, cg * ks, columns.data(), size,
                   y.data() + (n * Co + g * og) * os + row * s.out[2] + from, os);
        }
  store_all(a.out, y.data());
}

// The image of one group with its padding, each channel as [phase][plane]: a stride of s makes s
// phases of a dim, phase i holding the indices i, i + s, ... So whatever the stride, the inputs of
// neighbouring outputs are neighbours, and a tap of the kernel is one offset.
struct Padded {
  int64_t extent[3];          // of the padded image, as far as outputs reach
  int64_t phase[3], size[3];  // numbers of phases; sizes of one phase's planes
  int64_t plane, channel;     // in elements

  explicit Padded(const Shape& s) {
    plane = 1;
    int64_t phases = 1;
    for (int d = 0; d < 3; ++d) {
      extent[d] = (s.out[d] - 1) * s.stride[d] + (s.k[d] - 1) * s.dil[d] + 1;
      phase[d] = std::min(s.stride[d], extent[d]);
      size[d] = (extent[d] + phase[d] - 1) / phase[d];
      plane *= size[d];
      phases *= phase[d];
    }
    // Whole cache lines, an odd number of them: channels don't compete for the same sets.
    int64_t lines = (plane * phases + 15) / 16;
    channel = (lines | 1) * 16;
  }
  // Where index i of the padded image lies in its channel.
  int64_t offset(const int64_t* i) const {
    int64_t which = 0, at = 0;
    for (int d = 0; d < 3; ++d) {
      which = which * phase[d] + i[d] % phase[d];
      at = at * size[d] + i[d] / phase[d];
    }
    return which * plane + at;
  }
  void fill(const Shape& s, const float* x, int64_t channels, float* out) const {
    std::fill(out, out + channels * channel, 0.0f);
    const int64_t W = s.in[2], st = phase[2];
    int64_t lo = s.pad[2], hi = std::min(extent[2], lo + W);  // columns of the row that exist
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t z = 0; z < s.in[0]; ++z)
        for (int64_t y = 0; y < s.in[1]; ++y) {
          int64_t i[3] = {z + s.pad[0], y + s.pad[1], 0};
          if (i[0] >= extent[0] || i[1] >= extent[1] || hi <= lo) continue;
          const float* row = x + ((c * s.in[0] + z) * s.in[1] + y) * W - lo;
          if (st == 1) {
            std::memcpy(out + c * channel + offset(i) + lo, row + lo,
                        static_cast<size_t>(hi - lo) * sizeof(float));
            continue;
          }
          for (int64_t f = 0; f < phase[2]; ++f) {
            i[2] = f;
            float* to = out + c * channel + offset(i);
            for (int64_t k = std::max<int64_t>(0, (lo - f + st - 1) / st); k * st + f < hi; ++k)
              to[k] = row[k * st + f];
          }
        }
  }
};

// A tile of MR outputs' channels times NV vectors of neighbouring outputs, summed over the taps:
// out[r][j] = bias[r] + sum of a(r, t) b[off[t] + j]. Weights packed: a(r, t) = a[t kTileRows + r],
// else a[r as + t].
template <int MR, int NV, bool kPacked>
void taps(int64_t count, const float* a, int64_t as, const float* b, const int64_t* off,
          const float* bias, float* out) {
  using V = typename Vec<float>::type;
  constexpr int64_t L = Vec<float>::lanes;
  V acc[MR][NV];
#pragma GCC unroll 32
  for (int r = 0; r < MR; ++r)
#pragma GCC unroll 32
    for (int v = 0; v < NV; ++v) acc[r][v] = V{} + (bias ? bias[r] : 0.0f);
  for (int64_t t = 0; t < count; ++t) {
    const float* p = b + off[t];
    V x[NV];
#pragma GCC unroll 32
    for (int v = 0; v < NV; ++v) x[v] = *reinterpret_cast<const V*>(p + v * L);
#pragma GCC unroll 32
    for (int r = 0; r < MR; ++r) {
      V w = in_register(kPacked ? a[r] : a[r * as]) -
            V{};  // a broadcast; adding 0 to -0 would be a sum
#pragma GCC unroll 32
      for (int v = 0; v < NV; ++v) acc[r][v] += w * x[v];
    }
    a += kPacked ? kTileRows : 1;
  }
#pragma GCC unroll 32
  for (int r = 0; r < MR; ++r)
#pragma GCC unroll 32
    for (int v = 0; v < NV; ++v) *reinterpret_cast<V*>(out + (r * NV + v) * L) = acc[r][v];
}
using Taps = void (*)(int64_t, const float*, int64_t, const float*, const int64_t*, const float*,
                      float*);
// Few channels take wide tiles: as many independent sums as the registers hold.
constexpr int kWide = 4;
template <int NV, bool kPacked, int... R>
constexpr std::array<Taps, sizeof...(R)> taps_of(std::integer_sequence<int, R...>) {
  return {&taps<R + 1, NV, kPacked>...};
}
template <int NV, bool kPacked>
Taps taps_kernel(int64_t rows) {
  static constexpr auto table = taps_of<NV, kPacked>(
      std::make_integer_sequence<int, static_cast<int>(NV == kWide ? kTileRows / 2 : kTileRows)>{});
  return table[static_cast<size_t>(rows - 1)];
}
Taps taps_kernel(int64_t rows, int vectors, bool packed) {
  switch (vectors) {
    case 1: return packed ? taps_kernel<1, true>(rows) : taps_kernel<1, false>(rows);
    case 2: return packed ? taps_kernel<2, true>(rows) : taps_kernel<2, false>(rows);
    default: return packed ? taps_kernel<kWide, true>(rows) : taps_kernel<kWide, false>(rows);
  }
}

// The convolution of one group's dense image. Outputs are numbered as in the padded planes, so a
// run of them crosses the ends of rows: the few between two rows are computed and dropped.
void shifted_product(const Shape& s, const Padded& image, const std::vector<int64_t>& off,
                     const float* padded, int64_t og, const float* w, const float* packed,
                     const float* bias, float* y) {
  constexpr int64_t L = Vec<float>::lanes;
  const int64_t K = static_cast<int64_t>(off.size()), oh = s.out[1], ow = s.out[2],
                width = image.size[2], run = (oh - 1) * width + ow,
                slice =
                    image.size[1] * width;  // outputs of one slice of the first dim, and its step
  const int most = og <= kTileRows / 2 ? kWide : 2;
  const int64_t panel = most * L, panels = (run + panel - 1) / panel,
                strips = (og + kTileRows - 1) / kTileRows, total = panels * s.out[0];
  auto block = [&](int64_t strip, int64_t at) {
    const int64_t z = at / panels, p0 = at % panels * panel, cols = std::min(panel, run - p0),
                  o0 = strip * kTileRows, rows = std::min(kTileRows, og - o0);
    const int vectors = most == 2 && cols <= L ? 1 : most;
    alignas(64) float buf[kTileRows * 2 * L];
    taps_kernel(rows, vectors, packed != nullptr)(K, packed ? packed + o0 * K : w + o0 * K, K,
                                                  padded + z * slice + p0, off.data(),
                                                  bias ? bias + o0 : nullptr, buf);
    for (int64_t p = p0; p < p0 + cols;) {
      const int64_t row = p / width, x = p % width, next = std::min(p0 + cols, (row + 1) * width),
                    keep = std::min(next - p, ow - x);
      for (int64_t r = 0; r < rows && keep > 0; ++r)
        std::memcpy(y + (((o0 + r) * s.out[0] + z) * oh + row) * ow + x,
                    buf + r * vectors * L + (p - p0), static_cast<size_t>(keep) * sizeof(float));
      p = next;
    }
  };
  // Whichever of weights and image is larger is read once. Tasks for threads: the outer loop.
  const bool weights_outside =
      og * K > image.channel * (K / std::max<int64_t>(1, s.k[0] * s.k[1] * s.k[2]));
  const Interrupt limits(context());
  auto outer = [&](int64_t i, Interrupt& interrupt) {
    for (int64_t j = 0; j < (weights_outside ? total : strips); ++j) {
      weights_outside ? block(i, j) : block(j, i);
      interrupt.passed(K * kTileRows);
    }
  };
  const int64_t tasks = weights_outside ? strips : total;
  ThreadPool* pool = context().pool;
  constexpr double kWorthIt = 2e6;  // multiplications
  if (pool && static_cast<double>(og * K) * static_cast<double>(run * s.out[0]) > kWorthIt) {
    const int64_t each = (tasks + 4 * pool->size() - 1) / (4 * pool->size());
    pool->run((tasks + each - 1) / each, [&](int64_t t) {
      Interrupt interrupt = limits;
      for (int64_t i = t * each; i < std::min(tasks, (t + 1) * each); ++i) outer(i, interrupt);
    });
  } else {
    Interrupt interrupt = limits;
    for (int64_t i = 0; i < tasks; ++i) outer(i, interrupt);
  }
}

// col: [cg * taps][outputs], for images whose padding would be most of them.
void im2col(const float* x, const Shape& s, int64_t cg, float* col) {
  for (int64_t c = 0; c < cg; ++c)
    for (int64_t k0 = 0; k0 < s.k[0]; ++k0)
      for (int64_t k1 = 0; k1 < s.k[1]; ++k1)
        for (int64_t k2 = 0; k2 < s.k[2]; ++k2)
          for (int64_t o0 = 0; o0 < s.out[0]; ++o0)
            for (int64_t o1 = 0; o1 < s.out[1]; ++o1) {
              int64_t z = o0 * s.stride[0] - s.pad[0] + k0 * s.dil[0],
                      y = o1 * s.stride[1] - s.pad[1] + k1 * s.dil[1];
              bool inside = z >= 0 && z < s.in[0] && y >= 0 && y < s.in[1];
              const float* row = x + ((c * s.in[0] + z) * s.in[1] + y) * s.in[2];
              for (int64_t o2 = 0; o2 < s.out[2]; ++o2) {
                int64_t q = o2 * s.stride[2] - s.pad[2] + k2 * s.dil[2];
                *col++ = inside && q >= 0 && q < s.in[2] ? row[q] : 0.0f;
              }
            }
}

// Dense floats.
void conv_dense(const ConvArgs& a, const Shape& s, const float* x, const float* w,
                const float* bias, float* y) {
  const int64_t N = a.in.sizes[0], Ci = a.in.sizes[1], Co = a.out.sizes[1], G = a.groups,
                cg = Ci / G, og = Co / G;
  const int64_t is = s.in[0] * s.in[1] * s.in[2], os = s.out[0] * s.out[1] * s.out[2],
                ks = s.k[0] * s.k[1] * s.k[2], K = cg * ks;
  bool pointwise = ks == 1;
  for (int d = 0; d < 3; ++d) pointwise &= s.stride[d] == 1 && s.pad[d] == 0;
  const Padded image(s);
  const bool mostly_padding =
                 os < 8 || image.size[1] * image.size[2] > 2 * s.out[1] * s.out[2] + 64,
             huge = image.channel > 4 * (is + ks * os) + 4096;
  if (pointwise || (mostly_padding && og > 1) || huge) {
    Scratch<float>& scratch = thread_scratch<float, 5>();
    if (!pointwise) expect_memory(static_cast<double>(K) * static_cast<double>(os) * sizeof(float));
    float* col = pointwise ? nullptr : scratch.get(static_cast<size_t>(K * os));
    for (int64_t n = 0; n < N; ++n)
      for (int64_t g = 0; g < G; ++g) {
        const float* xi = x + (n * Ci + g * cg) * is;
        float* yo = y + (n * Co + g * og) * os;
        for (int64_t o = 0; bias && o < og; ++o) std::fill_n(yo + o * os, os, bias[g * og + o]);
        if (!pointwise) im2col(xi, s, cg, col);
        gemm_f32(og, os, K, 1, w + g * og * K, K, 1, pointwise ? xi : col, os, 1, bias ? 1.f : 0.f,
                 yo, os);
      }
    return;
  }
  expect_memory(
      (static_cast<double>(K) + static_cast<double>(image.channel) * static_cast<double>(cg)) *
      sizeof(int64_t));
  std::vector<int64_t> off;
  off.reserve(static_cast<size_t>(K));
  for (int64_t c = 0; c < cg; ++c)
    for (int64_t k0 = 0; k0 < s.k[0]; ++k0)
      for (int64_t k1 = 0; k1 < s.k[1]; ++k1)
        for (int64_t k2 = 0; k2 < s.k[2]; ++k2) {
          int64_t i[3] = {k0 * s.dil[0], k1 * s.dil[1], k2 * s.dil[2]};
          off.push_back(c * image.channel + image.offset(i));
        }
  // Packed weights pay once they are read several times.
  constexpr int64_t L = Vec<float>::lanes;
  const bool pack = og > 1 && N * os > 8 * 2 * L;
  const int64_t strips = (og + kTileRows - 1) / kTileRows;
  Scratch<float>&image_scratch = thread_scratch<float, 5>(),
  &weight_scratch = thread_scratch<float, 6>();
  // A tile reads beyond the last output.
  float* padded = image_scratch.get(static_cast<size_t>(cg * image.channel + kWide * L));
  std::fill_n(padded + cg * image.channel, kWide * L, 0.0f);
  float* packed = pack ? weight_scratch.get(static_cast<size_t>(strips * kTileRows * K)) : nullptr;
  for (int64_t g = 0; g < G; ++g) {
    const float* wg = w + g * og * K;
    if (pack)
      for (int64_t o = 0; o < og; ++o) {
        float* to = packed + o / kTileRows * kTileRows * K + o % kTileRows;
        for (int64_t t = 0; t < K; ++t) to[t * kTileRows] = wg[o * K + t];
      }
    for (int64_t n = 0; n < N; ++n) {
      image.fill(s, x + (n * Ci + g * cg) * is, cg, padded);
      shifted_product(s, image, off, padded, og, wg, packed, bias ? bias + g * og : nullptr,
                      y + (n * Co + g * og) * os);
    }
  }
}

// Whatever the dtypes and strides: computed in dense floats.
template <class F>
void with_dense_floats(const ConvArgs& a, F f) {
  std::vector<float> xs, ws, ys, bias;
  auto in = [](const TensorView& v, std::vector<float>& copy) {
    if (v.dtype == kFloat && dense(v)) return static_cast<const float*>(v.data);
    copy = load_all<float>(v);
    return static_cast<const float*>(copy.data());
  };
  const float *x = in(a.in, xs), *w = in(a.weight, ws),
              *b = a.bias.data ? in(a.bias, bias) : nullptr;
  if (a.out.dtype == kFloat && dense(a.out)) return f(x, w, b, a.out.ptr<float>());
  expect_memory(detail::elements(a.out) * sizeof(float));
  ys.resize(static_cast<size_t>(a.out.numel()));
  f(x, w, b, ys.data());
  store_all(a.out, ys.data());
}

// A transposed convolution is a product, then its columns are added where they belong: col2im.
void conv_transposed_dense(const ConvArgs& a, const Shape& s, const float* x, const float* w,
                           const float* bias, float* y) {
  const int64_t N = a.in.sizes[0], Ci = a.in.sizes[1], Co = a.out.sizes[1], G = a.groups,
                cg = Ci / G, og = Co / G;
  const int64_t is = s.in[0] * s.in[1] * s.in[2], os = s.out[0] * s.out[1] * s.out[2],
                ks = s.k[0] * s.k[1] * s.k[2];
  for (int64_t n = 0; n < N; ++n)
    for (int64_t o = 0; o < Co; ++o) std::fill_n(y + (n * Co + o) * os, os, bias ? bias[o] : 0.0f);
  Scratch<float>& scratch = thread_scratch<float, 5>();
  expect_memory(static_cast<double>(og) * static_cast<double>(ks) * static_cast<double>(is) *
                sizeof(float));
  float* col = scratch.get(static_cast<size_t>(og * ks * is));
  const int64_t st = s.stride[2];
  for (int64_t n = 0; n < N; ++n)
    for (int64_t g = 0; g < G; ++g) {
      // [og ks, is] = [cg, og ks]^T [cg, is]
      gemm_f32(og * ks, is, cg, 1, w + g * cg * og * ks, 1, og * ks, x + (n * Ci + g * cg) * is, is,
               1, 0, col, is);
      const float* from = col;
      for (int64_t o = 0; o < og; ++o)
        for (int64_t k0 = 0; k0 < s.k[0]; ++k0)
          for (int64_t k1 = 0; k1 < s.k[1]; ++k1)
            for (int64_t k2 = 0; k2 < s.k[2]; ++k2) {
              float* to = y + (n * Co + g * og + o) * os;
              // The inputs whose place lies within the output's row.
              int64_t shift = k2 * s.dil[2] - s.pad[2];
              int64_t lo = shift < 0 ? (-shift + st - 1) / st : 0;
              int64_t hi =
                  shift >= s.out[2] ? 0 : std::min(s.in[2], (s.out[2] - 1 - shift) / st + 1);
              for (int64_t i0 = 0; i0 < s.in[0]; ++i0)
                for (int64_t i1 = 0; i1 < s.in[1]; ++i1, from += s.in[2]) {
                  int64_t q0 = i0 * s.stride[0] - s.pad[0] + k0 * s.dil[0],
                          q1 = i1 * s.stride[1] - s.pad[1] + k1 * s.dil[1];
                  if (q0 < 0 || q0 >= s.out[0] || q1 < 0 || q1 >= s.out[1]) continue;
                  float* row = to + (q0 * s.out[1] + q1) * s.out[2] + shift;
                  for (int64_t i2 = lo; i2 < hi; ++i2) row[i2 * st] += from[i2];
                }
            }
    }
}

// A depthwise convolution in two dims by the kernel of prepared calls, its tensors with channels
// last meanwhile. False for other forms.
bool conv_depthwise(const ConvArgs& a) {
  constexpr int64_t kFewChannels = 16;
  if (a.transposed || a.in.ndim != 4 || a.groups != a.in.sizes[1] || a.groups < kFewChannels ||
      a.in.dtype != kFloat || a.weight.dtype != kFloat || a.out.dtype != kFloat ||
      (a.bias.data && (a.bias.dtype != kFloat || a.bias.strides[0] != 1)))
    return false;
  PreparedConvArgs p{};
  p.out = a.out;
  p.in = a.in;
  p.bias = a.bias;
  p.weight = a.weight;
  p.groups = a.groups;
  for (int d = 0; d < 2; ++d) {
    p.stride[d] = a.stride[d];
    p.padding[d] = a.padding[d];
    p.dilation[d] = a.dilation[d];
  }
  const ConvChoice choice = depthwise.choose(p);
  if (choice.algorithm < 0) return false;
  int64_t strides[2][4];
  // True when v's elements have to be moved to the memory that it names now.
  auto channels_last = [](TensorView& v, int64_t* st, Scratch<float>& memory) {
    st[1] = 1;
    st[3] = v.sizes[1];
    st[2] = st[3] * v.sizes[3];
    st[0] = st[2] * v.sizes[2];
    if (std::equal(st, st + 4, v.strides)) return false;
    expect_memory(detail::elements(v) * sizeof(float));
    v.data = memory.get(static_cast<size_t>(v.numel()));
    v.strides = st;
    return true;
  };
  float* packed = thread_scratch<float, 36>().get(choice.packed_bytes / sizeof(float));
  depthwise.pack(p, packed);
  p.weight.data = packed;
  if (channels_last(p.in, strides[0], thread_scratch<float, 34>())) move_elements({p.in, a.in});
  const bool moved = channels_last(p.out, strides[1], thread_scratch<float, 35>());
  depthwise.run(p);
  if (moved) move_elements({a.out, p.out});
  return true;
}

void conv(const ConvArgs& a) {
  if (a.out.numel() == 0) return;
  Shape s = shape_of(a);
  ScalarType t = a.in.dtype;
  if (t == kDouble && !a.transposed && a.in.numel() > 0 && a.out.sizes[1] / a.groups >= 4)
    conv_columns(a, s);
  else if (t == kDouble)
    conv_plain<double>(a);
  else if (t == kComplexFloat)
    conv_plain<std::complex<float>>(a);
  else if (t == kComplexDouble)
    conv_plain<std::complex<double>>(a);
  else if (is_integral(t, true))
    conv_plain<int64_t>(a);
  else if (a.in.numel() == 0)
    conv_plain<float>(a);
  else if (!conv_depthwise(a))
    with_dense_floats(a, [&](const float* x, const float* w, const float* b, float* y) {
      (a.transposed ? conv_transposed_dense : conv_dense)(a, s, x, w, b, y);
    });
}

}  // namespace

SCONCE_KERNEL(conv)

}  // namespace sconce::SCONCE_ISA
