// SPDX-License-Identifier: Apache-2.0
// Convolution: float with 1 or 2 spatial dims as im2col and a packed product, depthwise directly,
// the rest as plain loops in the compute type.
#include <algorithm>
#include <vector>

#include "backends/cpu/cpu.h"
#include "backends/tiles.h"

namespace sconce::SCONCE_ISA {

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
                      if (a.transposed)
                        yo[qr + q2] += v * xi[pr + p2];
                      else
                        yo[pr + p2] += v * xi[qr + q2];
                    }
                  }
                }
              }
        }
  store_all(a.out, y.data());
}

// col: [cg * kh * kw][oh * ow] for rows [r0, r1) of the output.
void im2col(const float* x, const Shape& s, int64_t cg, int64_t r0, int64_t r1, float* col) {
  int64_t H = s.in[1], W = s.in[2], ow = s.out[2];
  for (int64_t c = 0; c < cg; ++c)
    for (int64_t k1 = 0; k1 < s.k[1]; ++k1)
      for (int64_t k2 = 0; k2 < s.k[2]; ++k2) {
        int64_t off = k2 * s.dil[2] - s.pad[2];
        // Output columns whose input column exists.
        int64_t lo = std::min(ow, std::max<int64_t>(0, (-off + s.stride[2] - 1) / s.stride[2]));
        int64_t hi = W - 1 - off < 0 ? 0 : std::min(ow, (W - 1 - off) / s.stride[2] + 1);
        hi = std::max(hi, lo);
        for (int64_t r = r0; r < r1; ++r, col += ow) {
          int64_t y = r * s.stride[1] - s.pad[1] + k1 * s.dil[1];
          if (y < 0 || y >= H) {
            std::fill(col, col + ow, 0.0f);
            continue;
          }
          const float* row = x + (c * H + y) * W;
          std::fill(col, col + lo, 0.0f);
          if (s.stride[2] == 1) {
            if (hi > lo)
              std::memcpy(col + lo, row + lo + off, static_cast<size_t>(hi - lo) * sizeof(float));
          } else {
            for (int64_t q = lo; q < hi; ++q) col[q] = row[q * s.stride[2] + off];
          }
          std::fill(col + hi, col + ow, 0.0f);
        }
      }
}

void depthwise(const ConvArgs& a, const Shape& s, const float* x, const float* w, const float* bias,
               float* y) {
  int64_t N = a.in.sizes[0], C = a.in.sizes[1], H = s.in[1], W = s.in[2], oh = s.out[1],
          ow = s.out[2];
  for (int64_t n = 0; n < N * C; ++n) {
    int64_t c = n % C;
    const float* xi = x + n * H * W;
    const float* k = w + c * s.k[1] * s.k[2];
    float* yo = y + n * oh * ow;
    for (int64_t r = 0; r < oh; ++r) {
      float* out = yo + r * ow;
      std::fill(out, out + ow, bias ? bias[c] : 0.0f);
      for (int64_t k1 = 0; k1 < s.k[1]; ++k1) {
        int64_t iy = r * s.stride[1] - s.pad[1] + k1 * s.dil[1];
        if (iy < 0 || iy >= H) continue;
        const float* row = xi + iy * W;
        for (int64_t k2 = 0; k2 < s.k[2]; ++k2) {
          float v = k[k1 * s.k[2] + k2];
          int64_t off = k2 * s.dil[2] - s.pad[2], st = s.stride[2];
          int64_t lo = std::min(ow, std::max<int64_t>(0, (-off + st - 1) / st));
          int64_t hi = W - 1 - off < 0 ? 0 : std::min(ow, (W - 1 - off) / st + 1);
          if (st == 1)
            for (int64_t q = lo; q < hi; ++q) out[q] += v * row[q + off];
          else
            for (int64_t q = lo; q < hi; ++q) out[q] += v * row[q * st + off];
        }
      }
    }
  }
}

void conv_f32(const ConvArgs& a, const Shape& s) {
  int64_t N = a.in.sizes[0], Ci = a.in.sizes[1], Co = a.out.sizes[1], G = a.groups, cg = Ci / G,
          og = Co / G;
  int64_t is = s.in[1] * s.in[2], os = s.out[1] * s.out[2], ks = s.k[1] * s.k[2], K = cg * ks;
  std::vector<float> xs, ws;
  const float *x = a.in.ptr<float>(), *w = a.weight.ptr<float>();
  if (!dense(a.in)) {
    xs = load_all<float>(a.in);
    x = xs.data();
  }
  if (!dense(a.weight)) {
    ws = load_all<float>(a.weight);
    w = ws.data();
  }
  std::vector<float> bias;
  if (a.bias.data) bias = load_all<float>(a.bias);
  bool out_dense = dense(a.out);
  std::vector<float> ys;
  float* y = a.out.ptr<float>();
  if (!out_dense) {
    ys.resize(static_cast<size_t>(N * Co * os));
    y = ys.data();
  }
  if (cg == 1 && og == 1) {
    depthwise(a, s, x, w, a.bias.data ? bias.data() : nullptr, y);
  } else {
    bool pointwise =
        ks == 1 && s.stride[1] == 1 && s.stride[2] == 1 && s.pad[1] == 0 && s.pad[2] == 0;
    // Rows of the output at once: the columns stay in L2.
    int64_t rows =
        pointwise
            ? s.out[1]
            : std::max<int64_t>(
                  1, std::min(s.out[1], (int64_t{1} << 17) / std::max<int64_t>(1, K * s.out[2])));
    thread_local std::vector<float> col;
    if (!pointwise) col.resize(static_cast<size_t>(K * rows * s.out[2]));
    for (int64_t n = 0; n < N; ++n)
      for (int64_t g = 0; g < G; ++g) {
        const float* xi = x + (n * Ci + g * cg) * is;
        float* yo = y + (n * Co + g * og) * os;
        if (a.bias.data)
          for (int64_t o = 0; o < og; ++o)
            std::fill_n(yo + o * os, os, bias[static_cast<size_t>(g * og + o)]);
        float beta = a.bias.data ? 1.0f : 0.0f;
        const float* wg = w + g * og * K;
        if (pointwise) {
          gemm_f32(og, os, K, 1, wg, K, 1, xi, is, 1, beta, yo, os);
          continue;
        }
        for (int64_t r = 0; r < s.out[1]; r += rows) {
          int64_t e = std::min(s.out[1], r + rows), cols = (e - r) * s.out[2];
          im2col(xi, s, cg, r, e, col.data());
          gemm_f32(og, cols, K, 1, wg, K, 1, col.data(), cols, 1, beta, yo + r * s.out[2], os);
        }
      }
  }
  if (!out_dense) store_all(a.out, y);
}

// A transposed convolution is a product, then its columns are added where they belong: col2im.
void conv_transposed_f32(const ConvArgs& a, const Shape& s) {
  int64_t N = a.in.sizes[0], Ci = a.in.sizes[1], Co = a.out.sizes[1], G = a.groups, cg = Ci / G,
          og = Co / G;
  auto x = load_all<float>(a.in), w = load_all<float>(a.weight);
  std::vector<float> b;
  if (a.bias.data) b = load_all<float>(a.bias);
  int64_t is = s.in[1] * s.in[2], os = s.out[1] * s.out[2], ks = s.k[1] * s.k[2];
  std::vector<float> y(static_cast<size_t>(N * Co * os), 0.f),
      col(static_cast<size_t>(og * ks * is));
  if (a.bias.data)
    for (int64_t n = 0; n < N; ++n)
      for (int64_t o = 0; o < Co; ++o)
        std::fill_n(y.begin() + (n * Co + o) * os, os, b[static_cast<size_t>(o)]);
  for (int64_t n = 0; n < N; ++n)
    for (int64_t g = 0; g < G; ++g) {
      // [og ks, is] = [cg, og ks]^T [cg, is]
      gemm_f32(og * ks, is, cg, 1, w.data() + g * cg * og * ks, 1, og * ks,
               x.data() + (n * Ci + g * cg) * is, is, 1, 0, col.data(), is);
      for (int64_t o = 0; o < og; ++o)
        for (int64_t k1 = 0; k1 < s.k[1]; ++k1)
          for (int64_t k2 = 0; k2 < s.k[2]; ++k2) {
            const float* from = col.data() + ((o * s.k[1] + k1) * s.k[2] + k2) * is;
            float* to = y.data() + (n * Co + g * og + o) * os;
            // The inputs whose place lies within the output's row.
            int64_t shift = k2 * s.dil[2] - s.pad[2], st = s.stride[2];
            int64_t lo = shift < 0 ? (-shift + st - 1) / st : 0;
            int64_t hi = shift >= s.out[2] ? 0 : std::min(s.in[2], (s.out[2] - 1 - shift) / st + 1);
            for (int64_t i1 = 0; i1 < s.in[1]; ++i1) {
              int64_t q1 = i1 * s.stride[1] - s.pad[1] + k1 * s.dil[1];
              if (q1 < 0 || q1 >= s.out[1]) continue;
              for (int64_t i2 = lo; i2 < hi; ++i2)
                to[q1 * s.out[2] + i2 * st + shift] += from[i1 * s.in[2] + i2];
            }
          }
    }
  store_all(a.out, y.data());
}

void conv(const ConvArgs& a) {
  if (a.out.numel() == 0) return;
  Shape s = shape_of(a);
  ScalarType t = a.in.dtype;
  if (t == kFloat && !a.transposed && s.nd <= 2 && a.in.numel() > 0) return conv_f32(a, s);
  if (t == kFloat && a.transposed && s.nd <= 2 && a.in.numel() > 0)
    return conv_transposed_f32(a, s);
  if (t == kDouble)
    conv_plain<double>(a);
  else if (t == kComplexFloat)
    conv_plain<std::complex<float>>(a);
  else if (t == kComplexDouble)
    conv_plain<std::complex<double>>(a);
  else if (is_integral(t, true))
    conv_plain<int64_t>(a);
  else
    conv_plain<float>(a);
}

}  // namespace

void add_conv(Kernels& k) { k.conv = conv; }

}  // namespace sconce::SCONCE_ISA
