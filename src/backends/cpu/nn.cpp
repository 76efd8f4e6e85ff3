// SPDX-License-Identifier: Apache-2.0
// Batch norm, pooling.
#include <algorithm>
#include <vector>

#include "backends/cpu/cpu.h"
#include "backends/cpu/lanes.h"
#include "backends/cpu/rows.h"
#include "backends/cpu/vector_math.h"
#include "backends/cpu/windows.h"
#include "backends/tiles.h"
#include "backends/to_integer.h"

namespace sconce::SCONCE_ISA {

namespace {

void batch_norm(const BatchNormArgs& a) {
  if (batch_norm_channels_last(a)) return;
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

template <class C>
C larger(C x, C best) {  // or nan
  return x > best || x != x ? x : best;
}
template <class C>
constexpr C least() {
  return std::is_integral_v<C> ? std::numeric_limits<C>::min()
                               : -std::numeric_limits<C>::infinity();
}

// Integers wrap around.
template <class C>
C plus(C x, C y) {
  return static_cast<C>(static_cast<Wrapping<C>>(x) + static_cast<Wrapping<C>>(y));
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
          for (int64_t i = 0; i < in2; ++i) col[i] = plus(col[i], row[i]);
      }
    std::fill(res, res + out, start);
    if (a.adaptive) {
      for (int64_t o = 0; o < out; ++o)
        for (int64_t i = w[2].lo[o]; i < w[2].hi[o]; ++i)
          res[o] = max ? larger(col[i], res[o]) : plus(res[o], col[i]);
    } else {
      const int64_t st = w[2].stride;
      // Taps that only meet padding are left out: there may be as many as a number says.
      const int64_t apart = w[2].pad - (out - 1) * st,
                    first = apart > 0 ? (apart + w[2].step - 1) / w[2].step : 0,
                    end = std::min(w[2].taps, (in2 - 1 + w[2].pad) / w[2].step + 1);
      for (int64_t k = first; k < end; ++k) {
        const int64_t off = k * w[2].step - w[2].pad;
        const int64_t lo = off < 0 ? (-off + st - 1) / st : 0,
                      hi = off >= in2 ? 0 : std::min(out, (in2 - 1 - off) / st + 1);
        auto each = [&](int64_t stride) __attribute__((always_inline)) {
          if (max)
            for (int64_t o = lo; o < hi; ++o) res[o] = larger(col[o * stride + off], res[o]);
          else
            for (int64_t o = lo; o < hi; ++o) res[o] = plus(res[o], col[o * stride + off]);
        };
        st == 1 ? each(1) : st == 2 ? each(2) : each(st);
      }
    }
  }
  if (max) return;
  for (int64_t o = 0; o < out; ++o) {
    const int64_t count = pool_count(a, w, o0, o1, o);
    if constexpr (std::is_integral_v<C>)
      res[o] = to_integer<C>(static_cast<double>(res[o]) / static_cast<double>(count));
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

// About what a row of outputs takes, in elements.
int64_t pool_row_work(const PoolArgs& a, const Windows* w, int64_t o0, int64_t o1) {
  const auto i0 = static_cast<size_t>(o0), i1 = static_cast<size_t>(o1);
  const int64_t rows = std::max<int64_t>(w[0].hi[i0] - w[0].lo[i0], 0) / w[0].step *
                       (std::max<int64_t>(w[1].hi[i1] - w[1].lo[i1], 0) / w[1].step),
                taps = a.adaptive ? w[2].in / w[2].out + 2 : std::min(w[2].taps, w[2].in);
  return a.indices.data ? (rows + 1) * w[2].out * taps : (rows + 1) * w[2].in + w[2].out * taps;
}

void pool(const PoolArgs& a) {
  if (pool_channels_last(a)) return;
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
    expect_memory((dense ? 1 : static_cast<double>(rows) + 1) * static_cast<double>(length) *
                  sizeof(C));
    Interrupt interrupt;
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
        if (!dense) interrupt.passed(rows * length);
        for (int64_t o0 = 0; o0 < w[0].out; ++o0)
          for (int64_t o1 = 0; o1 < w[1].out; ++o1) {
            interrupt.passed(pool_row_work(a, w, o0, o1));
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

}  // namespace

SCONCE_KERNEL(batch_norm)
SCONCE_KERNEL(pool)

}  // namespace sconce::SCONCE_ISA
