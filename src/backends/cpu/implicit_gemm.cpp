// SPDX-License-Identifier: Apache-2.0
// Convolutions as products of packed weights with rows that lie in the input (an indirect
// convolution, Dukhan 2019): a table says where the channels of each output pixel's taps begin,
// outside of the image is a row of zeros.
#include <algorithm>

#include "backends/cpu/prepared.h"
#include "backends/cpu/transpose.h"
#include "backends/cpu/transpose_four.h"
#include "core/thread_pool.h"

namespace sconce::SCONCE_ISA {

namespace {

struct Shape {
  int64_t images, C, H, W, O, OH, OW, cg, og, kh, kw, K, pixels;
  explicit Shape(const PreparedConvArgs& a)
      : images(a.in.sizes[0]),
        C(a.in.sizes[1]),
        H(a.in.sizes[2]),
        W(a.in.sizes[3]),
        O(a.out.sizes[1]),
        OH(a.out.sizes[2]),
        OW(a.out.sizes[3]),
        cg(a.weight.sizes[1]),
        og(O / a.groups),
        kh(a.weight.sizes[2]),
        kw(a.weight.sizes[3]),
        K(cg * kh * kw),
        pixels(images * OH * OW) {}
};

// Dims of size 1 may have any stride.
bool channels_last(const TensorView& v) {
  int64_t run = 1;
  for (const int d : {1, 3, 2, 0}) {
    if (v.sizes[d] != 1 && v.strides[d] != run) return false;
    run *= v.sizes[d];
  }
  return true;
}

// Few channels: lines of the input are copied to where their padding is, channels side by side, and
// a tap is a row of the kernel.
constexpr int64_t kFewChannels = 15;
bool may_take_lines(const PreparedConvArgs& a, const Shape& s) {
  return a.groups == 1 && s.C <= kFewChannels && (a.dilation[1] == 1 || s.kw == 1);
}

ConvChoice choose(const PreparedConvArgs& a) {
  if (a.in.ndim != 4 || a.in.dtype != kFloat || a.out.numel() == 0 || a.in.numel() == 0) return {};
  const Shape s(a);
  if (a.groups > 1 && (s.cg < 8 || s.og < 8)) return {};
  if (s.cg < 8 && !may_take_lines(a, s)) return {};
  // A few output channels would leave most of a register's lanes empty.
  if (s.og < 4 && s.kh * s.kw > 1 && s.pixels > 64) return {};
  ConvChoice c;
  c.algorithm = 0;
  c.plain_input = s.C <= 4 && may_take_lines(a, s);
  c.packed_bytes = static_cast<size_t>(a.groups * packed_floats(s.K, s.og)) * sizeof(float);
  return c;
}

// Panels of [kh, kw, cg] from weights [og, cg, kh, kw] of any strides.
void pack_taps_outer(const Shape& s, const float* w, const int64_t* step, float* to) {
  constexpr int64_t L = kPanelLanes, kChannels = 16, kSide = square_of<float>();
  const int64_t taps = s.kh * s.kw;
  const bool contiguous =
      step[3] == 1 && step[2] == s.kw && step[1] == taps && step[0] == s.cg * taps;
  const int64_t panels = (s.og + kPanelColumns - 1) / kPanelColumns;
  auto pack = [&](int64_t panel) {
    const int64_t o0 = panel * kPanelColumns, columns = std::min(kPanelColumns, s.og - o0),
                  width = (columns + L - 1) / L * L;
    float* out = to + o0 * s.K;
    if (columns < width) std::fill(out, out + s.K * width, 0.0f);
    if (contiguous && columns % kSide == 0) {
      // Number j of a filter is channel j / taps at tap j % taps.
      auto row = [&](int64_t j) { return out + (j % taps * s.cg + j / taps) * width; };
      int64_t j = 0;
      for (; j + kSide <= s.K; j += kSide) {
        float* rows[kSide];
        for (int64_t i = 0; i < kSide; ++i) rows[i] = row(j + i);
        for (int64_t o = 0; o < columns; o += kSide)
          transpose_square(w + (o0 + o) * s.K + j, s.K, [&](int i) { return rows[i] + o; });
      }
      for (; j < s.K; ++j)
        for (int64_t o = 0; o < columns; ++o) row(j)[o] = w[(o0 + o) * s.K + j];
      return;
    }
    for (int64_t c0 = 0; c0 < s.cg; c0 += kChannels)
      for (int64_t o = 0; o < columns; ++o)
        for (int64_t y = 0; y < s.kh; ++y)
          for (int64_t x = 0; x < s.kw; ++x) {
            const float* from = w + (o0 + o) * step[0] + y * step[2] + x * step[3];
            float* row = out + (y * s.kw + x) * s.cg * width + o;
            for (int64_t c = c0; c < std::min(s.cg, c0 + kChannels); ++c)
              row[c * width] = from[c * step[1]];
          }
  };
  ThreadPool* pool = context().pool;
  if (pool && s.og * s.K > 1 << 18)
    pool->run(panels, pack);
  else
    for (int64_t i = 0; i < panels; ++i) pack(i);
}

void pack(const PreparedConvArgs& a, void* to) {
  const Shape s(a);
  const float* w = a.weight.ptr<const float>();
  const int64_t* step = a.weight.strides;
  auto* out = static_cast<float*>(to);
  for (int64_t g = 0; g < a.groups; ++g, w += s.og * step[0], out += packed_floats(s.K, s.og)) {
    if (s.kh * s.kw == 1)
      pack_panels(s.K, s.og, w, step[1], step[0], out);
    else
      pack_taps_outer(s, w, step, out);
  }
}

void fill_rows(const float** rows, int64_t n, const float* first, int64_t step) {
  for (int64_t i = 0; i < n; ++i) rows[i] = first + i * step;
}

// What is the same for all parts of a call.
struct Call {
  const PreparedConvArgs& a;
  Shape s;
  // Where pixel 0's part of the output is, for a product over `rows`.
  RowsProduct product(int64_t first, int64_t m, int64_t taps, int64_t k,
                      const float* const* rows) const {
    return {m,
            s.og,
            taps,
            k,
            rows,
            m,
            0,
            a.weight.ptr<const float>(),
            0,
            s.og,
            a.out.ptr<float>() + first * s.O,
            s.O,
            a.bias.ptr<const float>(),
            a.residual.data ? a.residual.ptr<const float>() + first * s.O : nullptr,
            s.O,
            a.then};
  }
};

// rows[tap * (to - from) + i]: where the channels of pixel from + i's tap lie.
void find_rows(const Call& call, int64_t from, int64_t to, const float* zeros, const float** rows) {
  const PreparedConvArgs& a = call.a;
  const Shape& s = call.s;
  const float* in = a.in.ptr<const float>();
  const int64_t m = to - from, sw = a.stride[1];
  if (s.kh * s.kw == 1 && a.stride[0] == 1 && sw == 1 && a.padding[0] == 0 && a.padding[1] == 0)
    return fill_rows(rows, m, in + from * s.C, s.C);
  for (int64_t i = from; i < to;) {
    const int64_t x0 = i % s.OW, y0 = i / s.OW % s.OH, image = i / (s.OW * s.OH),
                  n = std::min(to - i, s.OW - x0);
    const float** r = rows + (i - from);
    for (int64_t ky = 0; ky < s.kh; ++ky) {
      const int64_t y = y0 * a.stride[0] - a.padding[0] + ky * a.dilation[0];
      for (int64_t kx = 0; kx < s.kw; ++kx, r += m) {
        if (y < 0 || y >= s.H) {
          fill_rows(r, n, zeros, 0);
          continue;
        }
        // Pixels lo to hi of the run are within the row.
        const int64_t x = x0 * sw - a.padding[1] + kx * a.dilation[1],
                      lo = std::min(n, x < 0 ? (-x + sw - 1) / sw : 0),
                      hi = std::max(lo, std::min(n, x < s.W ? (s.W - 1 - x) / sw + 1 : 0));
        fill_rows(r, lo, zeros, 0);
        fill_rows(r + lo, hi - lo, in + ((image * s.H + y) * s.W + x + lo * sw) * s.C, sw * s.C);
        fill_rows(r + hi, n - hi, zeros, 0);
      }
    }
    i += n;
  }
}

// Pixels [from, to) by the table. With groups the columns are whole groups'.
void table_part(const void* self, int64_t from, int64_t to, int64_t n_from, int64_t n_to,
                Interrupt& interrupt) {
  const auto& call = *static_cast<const Call*>(self);
  const Shape& s = call.s;
  const int64_t m = to - from, taps = s.kh * s.kw;
  float* zeros = thread_scratch<float, 8>().get(static_cast<size_t>(s.C));
  std::fill(zeros, zeros + s.C, 0.0f);
  const float** rows = thread_scratch<const float*, 0>().get(static_cast<size_t>(m * taps));
  find_rows(call, from, to, zeros, rows);
  RowsProduct p = call.product(from, m, taps, s.cg, rows);
  if (call.a.groups == 1) {
    p.n_from = n_from;
    p.n_to = n_to;
    return rows_product(p, interrupt);
  }
  const RowsProduct first = p;
  for (int64_t g = n_from / s.og; g < n_to / s.og; ++g) {
    p.from = g * s.cg;
    p.b = first.b + g * packed_floats(s.K, s.og);
    p.out = first.out + g * s.og;
    p.bias = first.bias ? first.bias + g * s.og : nullptr;
    p.residual = first.residual ? first.residual + g * s.og : nullptr;
    rows_product(p, interrupt);
  }
}

// to[i * n + c] = in[c * plane + i]; up to 4 - n floats beyond are written, too.
void interleave(const float* in, int64_t plane, int64_t n, int64_t columns, float* to) {
  int64_t i = 0;
#ifdef __AVX512F__
  // Three vectors of 16 columns each, taken from two planes, then the third.
  typedef float V __attribute__((vector_size(64), aligned(4), may_alias));
  auto at = [&](const float* p) { return *reinterpret_cast<const V*>(p); };
  auto put = [&](int64_t j, V x) { *reinterpret_cast<V*>(to + i * 3 + j * 16) = x; };
  for (; n == 3 && i + 16 <= columns; i += 16) {
    const V a = at(in + i), b = at(in + plane + i), c = at(in + 2 * plane + i);
    put(0, __builtin_shufflevector(
               __builtin_shufflevector(a, b, 0, 16, 0, 1, 17, 0, 2, 18, 0, 3, 19, 0, 4, 20, 0, 5),
               c, 0, 1, 16, 3, 4, 17, 6, 7, 18, 9, 10, 19, 12, 13, 20, 15));
    put(1, __builtin_shufflevector(
               __builtin_shufflevector(a, b, 21, 0, 6, 22, 0, 7, 23, 0, 8, 24, 0, 9, 25, 0, 10, 26),
               c, 0, 21, 2, 3, 22, 5, 6, 23, 8, 9, 24, 11, 12, 25, 14, 15));
    put(2, __builtin_shufflevector(__builtin_shufflevector(a, b, 0, 11, 27, 0, 12, 28, 0, 13, 29, 0,
                                                           14, 30, 0, 15, 31, 0),
                                   c, 26, 1, 2, 27, 4, 5, 28, 7, 8, 29, 10, 11, 30, 13, 14, 31));
  }
#endif
  for (; i + 4 <= columns; i += 4)
    transpose_four(load_four(in + i), n > 1 ? load_four(in + plane + i) : Four{},
                   n > 2 ? load_four(in + 2 * plane + i) : Four{},
                   n > 3 ? load_four(in + 3 * plane + i) : Four{}, to + i * n, n);
  for (; i < columns; ++i)
    for (int64_t c = 0; c < n; ++c) to[i * n + c] = in[c * plane + i];
}

// Columns [x, x + columns) of a line of the input, of n channels; zeros outside of the image. The
// channels lie side by side, or are planes apart.
void copy_line(const float* line, int64_t plane, int64_t n, int64_t width, int64_t x,
               int64_t columns, float* to) {
  const int64_t lo = std::clamp<int64_t>(-x, 0, columns),
                hi = std::clamp<int64_t>(width - x, lo, columns);
  std::fill(to, to + lo * n, 0.0f);
  if (plane == 1)
    std::copy(line + (x + lo) * n, line + (x + hi) * n, to + lo * n);
  else
    interleave(line + x + lo, plane, n, hi - lo, to + lo * n);
  std::fill(to + hi * n, to + columns * n, 0.0f);
}

// Pixels [from, to) by lines of the input.
void lines_part(const void* self, int64_t from, int64_t to, int64_t n_from, int64_t n_to,
                Interrupt& interrupt) {
  const auto& call = *static_cast<const Call*>(self);
  const PreparedConvArgs& a = call.a;
  const Shape& s = call.s;
  const int64_t sh = a.stride[0], sw = a.stride[1], span = (s.kh - 1) * a.dilation[0] + 1;
  const int64_t plane = channels_last(a.in) ? 1 : s.H * s.W, line = plane == 1 ? s.W * s.C : s.W;
  const bool in_place = a.padding[0] == 0 && a.padding[1] == 0 && plane == 1;
  for (int64_t i = from; i < to;) {
    const int64_t x0 = i % s.OW, y0 = i / s.OW % s.OH, n = std::min(to - i, s.OW - x0),
                  x = x0 * sw - a.padding[1], columns = (n - 1) * sw + s.kw;
    // Lines of several rows of outputs, while they stay in the cache.
    constexpr int64_t kFloats = int64_t{1} << 14;
    const int64_t fit = (kFloats / (columns * s.C) - span) / sh + 1,
                  outputs = n < s.OW
                                ? 1
                                : std::max<int64_t>(1, std::min({fit, (to - i) / s.OW, s.OH - y0})),
                  m = outputs * n, y = y0 * sh - a.padding[0];
    const float* first = a.in.ptr<const float>() + i / (s.OW * s.OH) * s.C * s.H * s.W;
    int64_t step = line;
    if (in_place) {
      first += y * line + x * s.C;
    } else {
      const int64_t lines = (outputs - 1) * sh + span;
      step = columns * s.C;
      float* copy = thread_scratch<float, 9>().get(static_cast<size_t>(lines * step + 4));
      for (int64_t j = 0; j < lines; ++j)
        if (y + j < 0 || y + j >= s.H)
          std::fill(copy + j * step, copy + (j + 1) * step, 0.0f);
        else
          copy_line(first + (y + j) * line, plane, s.C, s.W, x, columns, copy + j * step);
      first = copy;
    }
    const float** rows = thread_scratch<const float*, 0>().get(static_cast<size_t>(m * s.kh));
    for (int64_t t = 0; t < s.kh; ++t)
      for (int64_t j = 0; j < outputs; ++j)
        fill_rows(rows + t * m + j * n, n, first + (j * sh + t * a.dilation[0]) * step, sw * s.C);
    RowsProduct p = call.product(i, m, s.kh, s.kw * s.C, rows);
    p.n_from = n_from;
    p.n_to = n_to;
    rows_product(p, interrupt);
    i += m;
  }
}

void run(const PreparedConvArgs& a) {
  const Call call{a, Shape(a)};
  const Shape& s = call.s;
  if (s.pixels == 0 || s.O == 0) return;
  Share share;
  share.rows = s.pixels;
  share.n = s.O;
  share.unit = a.groups == 1 ? kPanelColumns : s.og;
  share.row_work = s.K;
  share.row_floats = std::max<int64_t>(1, s.images * s.C * s.H * s.W / s.pixels);
  share.weight_floats = s.O * s.K;
  // The table stays small.
  share.most_rows = std::clamp<int64_t>(8192 / (s.kh * s.kw), 48, 512);
  const bool lines = may_take_lines(a, s) && !(s.kh * s.kw == 1 && channels_last(a.in));
  share_out(share, &call, lines ? lines_part : table_part);
}

}  // namespace

const PreparedConvAlgorithm implicit_gemm{choose, pack, run};

}  // namespace sconce::SCONCE_ISA
