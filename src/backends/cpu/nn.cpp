// SPDX-License-Identifier: Apache-2.0
// Softmax, norms, pooling, attention, recurrent cells.
#include <algorithm>
#include <utility>
#include <vector>

#include "backends/cpu/cpu.h"
#include "backends/cpu/lanes.h"
#include "backends/cpu/vector_math.h"
#include "backends/tiles.h"

namespace sconce::SCONCE_ISA {

namespace {

// Calls f(offsets in elements of each view) for each row of the last dim; null views are left at 0.
template <int N, class F>
void for_rows(const TensorView* const* v, int lead, F f) {
  const int64_t* sizes = v[0]->sizes;
  int64_t n = 1;
  for (int d = 0; d < lead; ++d) n *= sizes[d];
  int64_t idx[kMaxDims] = {0}, at[N] = {0};
  for (int64_t i = 0; i < n; ++i) {
    f(at);
    for (int d = lead - 1; d >= 0; --d) {
      for (int k = 0; k < N; ++k)
        if (v[k]->data) at[k] += v[k]->strides[d];
      if (++idx[d] < sizes[d]) break;
      for (int k = 0; k < N; ++k)
        if (v[k]->data) at[k] -= v[k]->strides[d] * sizes[d];
      idx[d] = 0;
    }
  }
}
char* address(const TensorView& v, int64_t at) {
  return static_cast<char*>(v.data) + at * static_cast<int64_t>(element_size(v.dtype));
}
int64_t step(const TensorView& v, int d) {
  return v.strides[d] * static_cast<int64_t>(element_size(v.dtype));
}

// A row as C: where it stands if it is dense C, else in copy.
template <class C>
const C* row_of(const TensorView& v, int64_t at, int64_t n, std::vector<C>& copy) {
  const int last = v.ndim - 1;
  if (v.dtype == own_dtype<C>() && v.strides[last] == 1) return v.ptr<C>() + at;
  copy.resize(static_cast<size_t>(n));
  load_tile(v.dtype, address(v, at), step(v, last), n, copy.data());
  return copy.data();
}
// f(C*) makes the row, in place where it is dense C.
template <class C, class F>
void make_row(const TensorView& v, int64_t at, int64_t n, std::vector<C>& copy, F f) {
  const int last = v.ndim - 1;
  if (v.dtype == own_dtype<C>() && v.strides[last] == 1) return f(v.ptr<C>() + at);
  copy.resize(static_cast<size_t>(n));
  f(copy.data());
  store_tile(v.dtype, address(v, at), step(v, last), n, copy.data());
}

// A nan in the row makes the sum nan, and with it every result.
template <class C>
void softmax_row(const C* x, C* y, int64_t n, bool log) {
  constexpr int kLanes = 32;
  C max = -std::numeric_limits<C>::infinity(), lane[kLanes];
  for (C& l : lane) l = max;
  int64_t done = 0;
  for (; done + kLanes <= n; done += kLanes)
    for (int k = 0; k < kLanes; ++k) lane[k] = x[done + k] > lane[k] ? x[done + k] : lane[k];
  for (C l : lane) max = l > max ? l : max;
  for (; done < n; ++done) max = x[done] > max ? x[done] : max;
  auto shifted_exp = [=](int64_t i) {
    if constexpr (std::is_same_v<C, float>)
      return vexp_negative(x[i] - max);
    else
      return std::exp(x[i] - max);
  };
  if (log) {
    C l = static_cast<C>(std::log(long_sum<C>(n, shifted_exp))) + max;
    for (int64_t i = 0; i < n; ++i) y[i] = x[i] - l;
    return;
  }
  C inv = C(1) / static_cast<C>(long_sum<C>(n, [=](int64_t i) { return y[i] = shifted_exp(i); }));
  for (int64_t i = 0; i < n; ++i) y[i] *= inv;
}

// The same along a dim that isn't the last, of halves that fill no block of 32 columns: there
// PyTorch's kernel keeps the exponentials in the tensor, so they are rounded before they are
// divided.
void softmax_row_in_place(const float* x, float* y, int64_t n, ScalarType dtype) {
  float max = -std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < n; ++i) max = x[i] > max || std::isnan(x[i]) ? x[i] : max;
  const float sum = static_cast<float>(
      long_sum<float>(n, [=](int64_t i) { return y[i] = vexp_negative(x[i] - max); }));
  std::vector<uint16_t> rounded(static_cast<size_t>(n));
  store_tile(dtype, reinterpret_cast<char*>(rounded.data()), 2, n, y);
  load_tile(dtype, reinterpret_cast<const char*>(rounded.data()), 2, n, y);
  for (int64_t i = 0; i < n; ++i) y[i] /= sum;
}

// The softmax of m columns of n elements, each row of them dense.
void softmax_columns(const float* x, int64_t x_step, float* y, int64_t y_step, int64_t n, int64_t m,
                     bool log) {
  constexpr int64_t kMost = 256;
  float max[kMost], sum[kMost];
  for (int64_t c = 0; c < m; c += kMost, x += kMost, y += kMost) {
    const int64_t w = std::min(kMost, m - c);
    std::fill(max, max + w, -std::numeric_limits<float>::infinity());
    std::fill(sum, sum + w, 0.0f);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t k = 0; k < w; ++k) {
        float v = x[i * x_step + k];
        max[k] = v > max[k] ? v : max[k];
      }
    for (int64_t i = 0; i < n; ++i)
      for (int64_t k = 0; k < w; ++k) {
        float e = vexp_negative(x[i * x_step + k] - max[k]);
        if (!log) y[i * y_step + k] = e;
        sum[k] += e;
      }
    for (int64_t k = 0; k < w; ++k) sum[k] = log ? vlog(sum[k]) + max[k] : 1.0f / sum[k];
    for (int64_t i = 0; i < n; ++i)
      for (int64_t k = 0; k < w; ++k)
        y[i * y_step + k] = log ? x[i * x_step + k] - sum[k] : y[i * y_step + k] * sum[k];
  }
}

void softmax(const SoftmaxArgs& a) {
  int last = a.in.ndim - 1;
  int64_t n = a.in.sizes[last];
  if (a.out.numel() == 0) return;
  // Along a dim that isn't the dense one.
  int dense = last - 1;
  while (dense >= 0 && (a.in.strides[dense] != 1 || a.out.strides[dense] != 1)) --dense;
  if (dense >= 0 && a.in.dtype == kFloat && a.out.dtype == kFloat && a.in.sizes[dense] >= 8 &&
      n <= 65536) {
    // Dims that follow each other in both are one.
    std::vector<int64_t> sizes(a.in.sizes, a.in.sizes + last);
    int64_t m = std::exchange(sizes[static_cast<size_t>(dense)], 1);
    for (int d = last - 1; d >= 0; --d)
      if (sizes[static_cast<size_t>(d)] > 1 && a.in.strides[d] == m && a.out.strides[d] == m)
        m *= std::exchange(sizes[static_cast<size_t>(d)], 1), d = last;
    TensorView out = a.out, in = a.in;
    out.sizes = in.sizes = sizes.data();
    const TensorView* v[] = {&out, &in};
    for_rows<2>(v, last, [&](const int64_t* at) {
      softmax_columns(a.in.ptr<float>() + at[1], a.in.strides[last], a.out.ptr<float>() + at[0],
                      a.out.strides[last], n, m, a.log);
    });
    return;
  }
  auto run = [&](auto tag) {
    using C = decltype(tag);
    std::vector<C> in, out;
    const TensorView* v[] = {&a.out, &a.in};
    const int64_t columns = a.in.strides[last];
    const bool in_place = !a.log && columns > 1 && a.in.dtype == a.out.dtype &&
                          (a.in.dtype == kHalf || a.in.dtype == kBFloat16);
    for_rows<2>(v, last, [&](const int64_t* at) {
      const C* x = row_of(a.in, at[1], n, in);
      make_row(a.out, at[0], n, out, [&](C* y) {
        if constexpr (std::is_same_v<C, float>)
          if (in_place && at[1] % columns >= columns / 32 * 32)
            return softmax_row_in_place(x, y, n, a.in.dtype);
        softmax_row(x, y, n, a.log);
      });
    });
  };
  if (a.out.dtype == kDouble)
    run(double{});
  else
    run(float{});
}

void layer_norm(const LayerNormArgs& a) {
  int last = a.in.ndim - 1;
  int64_t n = a.in.sizes[last];
  if (a.out.numel() == 0) return;
  auto run = [&](auto tag) {
    using C = decltype(tag);
    std::vector<C> in, out, w(static_cast<size_t>(n), C(1)), b(static_cast<size_t>(n), C(0));
    auto load = [&](const TensorView& v, std::vector<C>& to) {
      if (v.data) load_tile(v.dtype, static_cast<const char*>(v.data), step(v, 0), n, to.data());
    };
    load(a.weight, w);
    load(a.bias, b);
    const bool affine = a.weight.data || a.bias.data;
    const TensorView* v[] = {&a.out, &a.in, &a.mean, &a.rstd};
    for_rows<4>(v, last, [&](const int64_t* at) {
      const C* x = row_of(a.in, at[1], n, in);
      double s = a.rms ? 0 : long_sum<C>(n, [x](int64_t i) { return x[i]; });
      const C mean = static_cast<C>(s / static_cast<double>(n));
      double q = long_sum<C>(n, [=](int64_t i) { return (x[i] - mean) * (x[i] - mean); });
      const C rstd = static_cast<C>(1 / std::sqrt(q / static_cast<double>(n) + a.eps));
      make_row(a.out, at[0], n, out, [&](C* y) {
        const C *scale = w.data(), *shift = b.data();
        if (affine)
          for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * rstd * scale[i] + shift[i];
        else
          for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * rstd;
      });
      if (a.mean.data) store_tile(a.mean.dtype, address(a.mean, at[2]), 0, 1, &mean);
      if (a.rstd.data) store_tile(a.rstd.dtype, address(a.rstd, at[3]), 0, 1, &rstd);
    });
  };
  if (a.in.dtype == kDouble)
    run(double{});
  else
    run(float{});
}

void batch_norm(const BatchNormArgs& a) {
  int64_t N = a.in.sizes[0], C = a.in.sizes[1];
  auto run = [&](auto tag) {
    using T = decltype(tag);
    auto load = [&](const TensorView& v, T fallback) {
      std::vector<T> out(static_cast<size_t>(C), fallback);
      if (v.data) load_tile(v.dtype, static_cast<const char*>(v.data), step(v, 0), C, out.data());
      return out;
    };
    auto mean = load(a.mean, 0), var = load(a.var, 1), w = load(a.weight, 1), b = load(a.bias, 0);
    for (int64_t c = 0; c < C; ++c) {
      auto i = static_cast<size_t>(c);
      T inv = static_cast<T>(1 / std::sqrt(static_cast<double>(var[i]) + a.eps));
      T scale = inv * w[i], shift = b[i] - mean[i] * scale;
      TensorView out = a.out, in = a.in;
      for (int64_t n = 0; n < N; ++n) {
        out.data = address(a.out, n * a.out.strides[0] + c * a.out.strides[1]);
        in.data = address(a.in, n * a.in.strides[0] + c * a.in.strides[1]);
        out.sizes = a.out.sizes + 2;
        out.strides = a.out.strides + 2;
        in.sizes = a.in.sizes + 2;
        in.strides = a.in.strides + 2;
        out.ndim = in.ndim = a.in.ndim - 2;
        const TensorView* v[] = {&out, &in};
        Loops<2> loops(v);
        constexpr auto es = static_cast<int64_t>(sizeof(T));
        bool direct =
            in.dtype == (std::is_same_v<T, float> ? kFloat : kDouble) && out.dtype == in.dtype;
        loops.rows([&](char** p, const int64_t* st, int64_t m) {
          if (direct && st[0] == es && st[1] == es) {
            const T* x = reinterpret_cast<const T*>(p[1]);
            T* y = reinterpret_cast<T*>(p[0]);
            for (int64_t k = 0; k < m; ++k) y[k] = x[k] * scale + shift;
            return;
          }
          T buf[kTile];
          for (int64_t k = 0; k < m; k += kTile) {
            int64_t cnt = std::min(kTile, m - k);
            load_tile(in.dtype, p[1] + k * st[1], st[1], cnt, buf);
            for (int64_t j = 0; j < cnt; ++j) buf[j] = buf[j] * scale + shift;
            store_tile(out.dtype, p[0] + k * st[0], st[0], cnt, buf);
          }
        });
      }
    }
  };
  if (a.in.dtype == kDouble)
    run(double{});
  else
    run(float{});
}

// The windows of one dim: inputs [lo, hi) in steps, hi - lo of the window with its padding.
struct Windows {
  std::vector<int64_t> lo, hi, size;
  int64_t in, out, step, stride, pad, taps;

  Windows(const PoolArgs& a, int d, int64_t in_size, int64_t out_size)
      : in(in_size), out(out_size), step(1), stride(1), pad(0), taps(1) {
    if (d >= 0 && !a.adaptive) {
      stride = a.stride[d];
      pad = a.padding[d];
      step = a.dilation[d];
      taps = a.kernel[d];
    }
    for (int64_t o = 0; o < out; ++o) {
      int64_t from, to;
      if (a.adaptive) {
        from = o * in / out;
        to = ((o + 1) * in + out - 1) / out;
      } else {
        from = o * stride - pad;
        to = from + (taps - 1) * step + 1;
        if (a.op == Pool::avg) to = std::min(to, in + pad);
      }
      size.push_back(to - from);
      if (from < 0) from += (-from + step - 1) / step * step;  // the first tap inside
      lo.push_back(from);
      hi.push_back(std::min(to, in));
    }
  }
};

template <class C>
C larger(C x, C best) {  // or nan
  return x > best || x != x ? x : best;
}
template <class C>
constexpr C least() {
  return std::is_integral_v<C> ? std::numeric_limits<C>::min()
                               : -std::numeric_limits<C>::infinity();
}

// One row of outputs of a dense plane. First the rows of its windows are combined to one, then what
// a window has of that: a tap at a time for all outputs.
template <class C>
void pool_row(const PoolArgs& a, const Windows* w, const C* plane, int64_t o0, int64_t o1, C* col,
              C* res) {
  const bool max = a.op == Pool::max;
  const int64_t in1 = w[1].in, in2 = w[2].in, out = w[2].out;
  const C start = max ? least<C>() : C(0);
  const int64_t rows0 = std::max<int64_t>(w[0].hi[o0] - w[0].lo[o0], 0),
                rows1 = std::max<int64_t>(w[1].hi[o1] - w[1].lo[o1], 0);
  if (!max && a.adaptive && out == 1 && (rows0 == 1 || rows1 == in1)) {  // the rows are one run
    const C* from = plane + (w[0].lo[o0] * in1 + w[1].lo[o1]) * in2;
    res[0] =
        static_cast<C>(long_sum<C>(rows0 * rows1 * in2, [from](int64_t i) { return from[i]; }));
  } else {
    std::fill(col, col + in2, start);
    for (int64_t i0 = w[0].lo[o0]; i0 < w[0].hi[o0]; i0 += w[0].step)
      for (int64_t i1 = w[1].lo[o1]; i1 < w[1].hi[o1]; i1 += w[1].step) {
        const C* row = plane + (i0 * in1 + i1) * in2;
        if (max)
          for (int64_t i = 0; i < in2; ++i) col[i] = larger(row[i], col[i]);
        else
          for (int64_t i = 0; i < in2; ++i) col[i] += row[i];
      }
    std::fill(res, res + out, start);
    if (a.adaptive) {
      for (int64_t o = 0; o < out; ++o)
        for (int64_t i = w[2].lo[o]; i < w[2].hi[o]; ++i)
          res[o] = max ? larger(col[i], res[o]) : res[o] + col[i];
    } else {
      const int64_t st = w[2].stride;
      for (int64_t k = 0; k < w[2].taps; ++k) {
        const int64_t off = k * w[2].step - w[2].pad;
        const int64_t lo = off < 0 ? (-off + st - 1) / st : 0,
                      hi = off >= in2 ? 0 : std::min(out, (in2 - 1 - off) / st + 1);
        auto each = [&](int64_t stride) __attribute__((always_inline)) {
          if (max)
            for (int64_t o = lo; o < hi; ++o) res[o] = larger(col[o * stride + off], res[o]);
          else
            for (int64_t o = lo; o < hi; ++o) res[o] += col[o * stride + off];
        };
        st == 1 ? each(1) : st == 2 ? each(2) : each(st);
      }
    }
  }
  if (max) return;
  for (int64_t o = 0; o < out; ++o) {
    const int64_t seen = rows0 * rows1 * std::max<int64_t>(w[2].hi[o] - w[2].lo[o], 0),
                  whole = w[0].size[o0] * w[1].size[o1] * w[2].size[o];
    const int64_t count = a.divisor ? a.divisor : a.adaptive || !a.count_include_pad ? seen : whole;
    if constexpr (std::is_integral_v<C>)
      res[o] = static_cast<C>(static_cast<double>(res[o]) / static_cast<double>(count));
    else
      res[o] /= static_cast<C>(count);
  }
}

// The same for maxima whose places are asked for.
template <class C>
void max_pool_row(const Windows* w, const C* plane, int64_t o0, int64_t o1, C* res,
                  int64_t* where) {
  const int64_t in1 = w[1].in, in2 = w[2].in;
  for (int64_t o = 0; o < w[2].out; ++o) {
    C best = least<C>();
    int64_t at = (w[0].lo[o0] * in1 + w[1].lo[o1]) * in2 + w[2].lo[o];
    for (int64_t i0 = w[0].lo[o0]; i0 < w[0].hi[o0]; i0 += w[0].step)
      for (int64_t i1 = w[1].lo[o1]; i1 < w[1].hi[o1]; i1 += w[1].step)
        for (int64_t i2 = w[2].lo[o]; i2 < w[2].hi[o]; i2 += w[2].step) {
          const int64_t p = (i0 * in1 + i1) * in2 + i2;
          if (plane[p] > best || plane[p] != plane[p]) {
            best = plane[p];
            at = p;
          }
        }
    res[o] = best;
    where[o] = at;
  }
}

void pool(const PoolArgs& a) {
  const int nd = a.in.ndim - 2;
  // Missing dims come first and have one element.
  auto size = [nd](const TensorView& v, int e) { return e < 3 - nd ? 1 : v.sizes[e + nd - 1]; };
  auto stride = [nd](const TensorView& v, int e) {
    return e < 3 - nd || !v.data ? 0 : v.strides[e + nd - 1];
  };
  Windows w[3] = {{a, nd - 3, size(a.in, 0), size(a.out, 0)},
                  {a, nd - 2, size(a.in, 1), size(a.out, 1)},
                  {a, nd - 1, size(a.in, 2), size(a.out, 2)}};
  const int64_t rows = w[0].in * w[1].in, length = w[2].in;
  auto run = [&](auto tag) {
    using C = decltype(tag);
    const bool dense = a.in.dtype == own_dtype<C>() && (length == 1 || stride(a.in, 2) == 1) &&
                       (w[1].in == 1 || stride(a.in, 1) == length) &&
                       (w[0].in == 1 || stride(a.in, 0) == length * w[1].in);
    std::vector<C> copy(static_cast<size_t>(dense ? 0 : rows * length)),
        col(static_cast<size_t>(length)), res(static_cast<size_t>(w[2].out));
    std::vector<int64_t> where(static_cast<size_t>(w[2].out));
    const int64_t out_step = stride(a.out, 2) * static_cast<int64_t>(element_size(a.out.dtype));
    for (int64_t n = 0; n < a.in.sizes[0]; ++n)
      for (int64_t c = 0; c < a.in.sizes[1]; ++c) {
        const int64_t first = n * a.in.strides[0] + c * a.in.strides[1];
        for (int64_t r = 0; !dense && r < rows; ++r)
          load_tile(
              a.in.dtype,
              address(a.in, first + r / w[1].in * stride(a.in, 0) + r % w[1].in * stride(a.in, 1)),
              stride(a.in, 2) * static_cast<int64_t>(element_size(a.in.dtype)), length,
              copy.data() + r * length);
        const C* plane = dense ? a.in.ptr<C>() + first : copy.data();
        for (int64_t o0 = 0; o0 < w[0].out; ++o0)
          for (int64_t o1 = 0; o1 < w[1].out; ++o1) {
            auto at = [&](const TensorView& v) {
              return n * v.strides[0] + c * v.strides[1] + o0 * stride(v, 0) + o1 * stride(v, 1);
            };
            if (a.indices.data) {
              max_pool_row(w, plane, o0, o1, res.data(), where.data());
              store_tile(kLong, address(a.indices, at(a.indices)), stride(a.indices, 2) * 8,
                         w[2].out, where.data());
            } else {
              pool_row(a, w, plane, o0, o1, col.data(), res.data());
            }
            store_tile(a.out.dtype, address(a.out, at(a.out)), out_step, w[2].out, res.data());
          }
      }
  };
  if (a.in.dtype == kDouble)
    run(double{});
  else if (is_integral(a.in.dtype, true))
    run(int64_t{});
  else
    run(float{});
}

void attention(const AttentionArgs& a) {
  int64_t B = a.q.sizes[0], L = a.q.sizes[1], E = a.q.sizes[2], S = a.k.sizes[1], D = a.v.sizes[2];
  auto run = [&](auto tag) {
    using C = decltype(tag);
    std::vector<C> q(static_cast<size_t>(L * E)), k(static_cast<size_t>(S * E)),
        v(static_cast<size_t>(S * D)), s(static_cast<size_t>(S)), o(static_cast<size_t>(D)),
        m(static_cast<size_t>(S));
    auto load = [&](const TensorView& t, int64_t b, std::vector<C>& out) {
      int64_t rows = t.sizes[1], cols = t.sizes[2];
      for (int64_t r = 0; r < rows; ++r)
        load_tile(t.dtype, address(t, b * t.strides[0] + r * t.strides[1]), step(t, 2), cols,
                  out.data() + r * cols);
    };
    for (int64_t b = 0; b < B; ++b) {
      load(a.q, b, q);
      load(a.k, b, k);
      load(a.v, b, v);
      std::vector<C> scores;
      if constexpr (std::is_same_v<C, float>) {
        scores.resize(static_cast<size_t>(L * S));
        gemm_f32(L, S, E, static_cast<float>(a.scale), q.data(), E, 1, k.data(), 1, E, 0,
                 scores.data(), S);
      }
      for (int64_t i = 0; i < L; ++i) {
        if constexpr (std::is_same_v<C, float>) {
          std::copy_n(scores.data() + i * S, S, s.data());
        } else {
          for (int64_t j = 0; j < S; ++j) {
            C d = 0;
            for (int64_t e = 0; e < E; ++e)
              d += q[static_cast<size_t>(i * E + e)] * k[static_cast<size_t>(j * E + e)];
            s[static_cast<size_t>(j)] = d * static_cast<C>(a.scale);
          }
        }
        if (a.mask.data) {
          load_tile(a.mask.dtype, address(a.mask, b * a.mask.strides[0] + i * a.mask.strides[1]),
                    step(a.mask, 2), S, m.data());
          for (int64_t j = 0; j < S; ++j) s[static_cast<size_t>(j)] += m[static_cast<size_t>(j)];
        }
        if (a.causal)
          for (int64_t j = i + 1; j < S; ++j)
            s[static_cast<size_t>(j)] = -std::numeric_limits<C>::infinity();
        bool all_masked = (a.mask.data || a.causal) && !a.plain_softmax &&
                          std::all_of(s.begin(), s.end(),
                                      [](C x) { return x == -std::numeric_limits<C>::infinity(); });
        if (all_masked)
          std::fill(s.begin(), s.end(), C(0));  // a row that sees nothing gives zeros
        else
          softmax_row(s.data(), s.data(), S, false);
        if constexpr (std::is_same_v<C, float>) {
          std::copy_n(s.data(), S, scores.data() + i * S);
        } else {
          std::fill(o.begin(), o.end(), C(0));
          for (int64_t j = 0; j < S; ++j)
            for (int64_t d = 0; d < D; ++d)
              o[static_cast<size_t>(d)] +=
                  s[static_cast<size_t>(j)] * v[static_cast<size_t>(j * D + d)];
          store_tile(a.out.dtype, address(a.out, b * a.out.strides[0] + i * a.out.strides[1]),
                     step(a.out, 2), D, o.data());
        }
      }
      if constexpr (std::is_same_v<C, float>) {
        std::vector<float> res(static_cast<size_t>(L * D));
        gemm_f32(L, D, S, 1, scores.data(), S, 1, v.data(), D, 1, 0, res.data(), D);
        for (int64_t i = 0; i < L; ++i)
          store_tile(a.out.dtype, address(a.out, b * a.out.strides[0] + i * a.out.strides[1]),
                     step(a.out, 2), D, res.data() + i * D);
      }
    }
  };
  if (a.q.dtype == kDouble)
    run(double{});
  else
    run(float{});
}

void rnn_cell(const RnnCellArgs& a) {
  int64_t B = a.h.sizes[0], H = a.h.sizes[1];
  auto run = [&](auto tag) {
    using C = decltype(tag);
    auto sig = [](C x) {
      if constexpr (std::is_same_v<C, float>)
        return vsigmoid(x);
      else
        return C(1) / (C(1) + std::exp(-x));
    };
    auto th = [](C x) {
      if constexpr (std::is_same_v<C, float>)
        return vtanh(x);
      else
        return std::tanh(x);
    };
    int64_t G = a.gru ? 3 : 4;
    std::vector<C> g(static_cast<size_t>(G * H)), u(static_cast<size_t>(G * H)),
        p(static_cast<size_t>(H)), h(static_cast<size_t>(H)), c(static_cast<size_t>(H));
    for (int64_t b = 0; b < B; ++b) {
      load_tile(a.gates.dtype, address(a.gates, b * a.gates.strides[0]), step(a.gates, 1), G * H,
                g.data());
      if (a.hidden_gates.data)
        load_tile(a.hidden_gates.dtype, address(a.hidden_gates, b * a.hidden_gates.strides[0]),
                  step(a.hidden_gates, 1), G * H, u.data());
      if (a.gru) {
        load_tile(a.h_prev.dtype, address(a.h_prev, b * a.h_prev.strides[0]), step(a.h_prev, 1), H,
                  p.data());
        for (int64_t i = 0; i < H; ++i) {
          auto k = static_cast<size_t>(i), z = static_cast<size_t>(H + i),
               n = static_cast<size_t>(2 * H + i);
          C r = sig(g[k] + u[k]), zz = sig(g[z] + u[z]), nn = th(g[n] + r * u[n]);
          h[k] = (p[k] - nn) * zz + nn;
        }
      } else {
        load_tile(a.c_prev.dtype, address(a.c_prev, b * a.c_prev.strides[0]), step(a.c_prev, 1), H,
                  p.data());
        if (a.hidden_gates.data)
          for (size_t k = 0; k < g.size(); ++k) g[k] += u[k];
        for (int64_t i = 0; i < H; ++i) {
          auto k = static_cast<size_t>(i);
          C in = sig(g[k]), f = sig(g[static_cast<size_t>(H + i)]),
            cell = th(g[static_cast<size_t>(2 * H + i)]),
            out = sig(g[static_cast<size_t>(3 * H + i)]);
          c[k] = f * p[k] + in * cell;
          h[k] = out * th(c[k]);
        }
        store_tile(a.c.dtype, address(a.c, b * a.c.strides[0]), step(a.c, 1), H, c.data());
      }
      store_tile(a.h.dtype, address(a.h, b * a.h.strides[0]), step(a.h, 1), H, h.data());
    }
  };
  if (a.h.dtype == kDouble)
    run(double{});
  else
    run(float{});
}

}  // namespace

void add_nn(Kernels& k) {
  k.softmax = softmax;
  k.layer_norm = layer_norm;
  k.batch_norm = batch_norm;
  k.pool = pool;
  k.attention = attention;
  k.rnn_cell = rnn_cell;
}

}  // namespace sconce::SCONCE_ISA
