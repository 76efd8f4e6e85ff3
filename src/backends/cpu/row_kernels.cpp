// SPDX-License-Identifier: Apache-2.0
// Softmax and layer norms, row by row.
#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

#include "backends/cpu/lanes.h"
#include "backends/cpu/parallel.h"
#include "backends/cpu/row_sums.h"
#include "backends/cpu/rows.h"
#include "backends/cpu/vector_double.h"

namespace sconce::SCONCE_ISA {

namespace {

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
void softmax_row(const float* x, float* y, int64_t n, bool log) {
  const float max = largest(x, n);
  if (log) {
    const float l = std::log(exp_sum(x, nullptr, n, max)) + max;
    return map_floats(x, y, n, [=](Floats v) { return v - l; });
  }
  const float inverse = 1.0f / exp_sum(x, y, n, max);
  map_floats(y, y, n, [=](Floats v) { return v * inverse; });
}
void softmax_row(const double* x, double* y, int64_t n, bool log) {
  double max = -std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < n; ++i) max = x[i] > max ? x[i] : max;
  if (log) {
    const double l = std::log(exp_sum(x, nullptr, n, max)) + max;
    for (int64_t i = 0; i < n; ++i) y[i] = x[i] - l;
    return;
  }
  const double inverse = 1 / exp_sum(x, y, n, max);
  for (int64_t i = 0; i < n; ++i) y[i] *= inverse;
}

// The same along a dim that isn't the last, of halves that fill no block of 32 columns: there
// PyTorch's kernel keeps the exponentials in the tensor, so they are rounded before they are
// divided.
void softmax_row_in_place(const float* x, float* y, int64_t n, ScalarType dtype) {
  float max = -std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < n; ++i) max = x[i] > max || std::isnan(x[i]) ? x[i] : max;
  const float sum = exp_sum(x, y, n, max);
  std::vector<uint16_t> rounded(static_cast<size_t>(n));
  store_tile(dtype, reinterpret_cast<char*>(rounded.data()), 2, n, y);
  load_tile(dtype, reinterpret_cast<const char*>(rounded.data()), 2, n, y);
  for (int64_t i = 0; i < n; ++i) y[i] /= sum;
}

// The softmax of m columns of n elements, each row of them dense.
template <class T>
void softmax_columns(const T* x, int64_t x_step, T* y, int64_t y_step, int64_t n, int64_t m,
                     bool log) {
  constexpr int64_t kMost = 256;
  using V = std::conditional_t<std::is_same_v<T, float>, Floats, Doubles>;
  constexpr int64_t kLanes = Vec<T>::lanes;
  alignas(64) T max[kMost], sum[kMost];
  // f(k, load, store) for the vectors of a row.
  auto vectors = [](int64_t w, auto f) __attribute__((always_inline)) {
    int64_t k = 0;
    for (; k + kLanes <= w; k += kLanes)
      f(
          k, [](const T* p) { return load(p); }, [](T* p, V v) { store(p, v); });
    if (k < w)
      f(
          k, [=](const T* p) { return load_part(p, w - k); },
          [=](T* p, V v) { store_part(p, w - k, v); });
  };
  for (int64_t c = 0; c < m; c += kMost, x += kMost, y += kMost) {
    const int64_t w = std::min(kMost, m - c);
    std::fill(max, max + w, -std::numeric_limits<T>::infinity());
    std::fill(sum, sum + w, T(0));
    for (int64_t i = 0; i < n; ++i)
      vectors(w, [&](int64_t k, auto get, auto put) {
        put(max + k, at_least(get(max + k), get(x + i * x_step + k)));
      });
    for (int64_t i = 0; i < n; ++i)
      vectors(w, [&](int64_t k, auto get, auto put) {
        const V e = vexp_negative(get(x + i * x_step + k) - get(max + k));
        if (!log) put(y + i * y_step + k, e);
        put(sum + k, get(sum + k) + e);
      });
    vectors(w, [&](int64_t k, auto get, auto put) {
      put(sum + k, log ? vlog(get(sum + k)) + get(max + k) : T(1) / get(sum + k));
    });
    for (int64_t i = 0; i < n; ++i)
      vectors(w, [&](int64_t k, auto get, auto put) {
        put(y + i * y_step + k,
            log ? get(x + i * x_step + k) - get(sum + k) : get(y + i * y_step + k) * get(sum + k));
      });
  }
}

void softmax(const SoftmaxArgs& a) {
  const int last = a.in.ndim - 1;
  const int64_t n = a.in.sizes[last];
  if (a.out.numel() == 0) return;
  // Along a dim that isn't the dense one.
  int dense = last - 1;
  while (dense >= 0 && (a.in.strides[dense] != 1 || a.out.strides[dense] != 1)) --dense;
  if (dense >= 0 && (a.in.dtype == kFloat || a.in.dtype == kDouble) && a.out.dtype == a.in.dtype &&
      a.in.sizes[dense] >= 8 && n <= 65536) {
    // Dims that follow each other in both are one.
    std::vector<int64_t> sizes(a.in.sizes, a.in.sizes + last);
    int64_t m = std::exchange(sizes[static_cast<size_t>(dense)], 1);
    for (int d = last - 1; d >= 0; --d)
      if (sizes[static_cast<size_t>(d)] > 1 && a.in.strides[d] == m && a.out.strides[d] == m)
        m *= std::exchange(sizes[static_cast<size_t>(d)], 1), d = last;
    TensorView out = a.out, in = a.in;
    out.sizes = in.sizes = sizes.data();
    const int64_t rows = count_rows(out, last);
    // Whole blocks of columns.
    constexpr int64_t kColumns = 256;
    const int64_t parts = (m + kColumns - 1) / kColumns;
    auto columns = [&](auto tag) {
      using T = decltype(tag);
      parallel_for(rows * parts, static_cast<double>(n * std::min(m, kColumns)) * 0.5,
                   [&](int64_t from, int64_t to) {
                     const TensorView* v[] = {&out, &in};
                     for (int64_t i = from; i < to; ++i)
                       for_rows<2>(v, last, i / parts, i / parts + 1, [&](const int64_t* at) {
                         const int64_t c = i % parts * kColumns;
                         softmax_columns(a.in.ptr<T>() + at[1] + c, a.in.strides[last],
                                         a.out.ptr<T>() + at[0] + c, a.out.strides[last], n,
                                         std::min(m - c, kColumns), a.log);
                       });
                   });
    };
    if (a.in.dtype == kDouble)
      columns(double{});
    else
      columns(float{});
    return;
  }
  auto run = [&](auto tag) {
    using C = decltype(tag);
    const TensorView* v[] = {&a.out, &a.in};
    const int64_t columns = a.in.strides[last];
    const bool in_place = !a.log && columns > 1 && a.in.dtype == a.out.dtype &&
                          (a.in.dtype == kHalf || a.in.dtype == kBFloat16);
    const Interrupt interrupt(context());
    parallel_for(count_rows(a.out, last), static_cast<double>(n) * 0.4,
                 [&](int64_t from, int64_t to) {
                   std::vector<C> in, out;
                   Interrupt mine = interrupt;
                   for_rows<2>(v, last, from, to, [&](const int64_t* at) {
                     mine.passed(n);
                     const C* x = row_of(a.in, at[1], n, in);
                     make_row(a.out, at[0], n, out, [&](C* y) {
                       if constexpr (std::is_same_v<C, float>)
                         if (in_place && at[1] % columns >= columns / 32 * 32)
                           return softmax_row_in_place(x, y, n, a.in.dtype);
                       softmax_row(x, y, n, a.log);
                     });
                   });
                 });
  };
  if (a.out.dtype == kDouble)
    run(double{});
  else
    run(float{});
}

struct Moments {
  float mean, rstd;
};
Moments moments_of(const float* x, int64_t n, const LayerNormArgs& a) {
  const auto count = static_cast<double>(n);
  const float mean =
      a.rms ? 0.0f : static_cast<float>(sum_over(x, n, [](Floats v) { return v; }) / count);
  const double squares = sum_over(x, n, [=](Floats v) { return (v - mean) * (v - mean); });
  return {mean, static_cast<float>(1 / std::sqrt(squares / count + a.eps))};
}
// y = (x - mean) * rstd * scale + shift; scale and shift: null or dense.
void normalize(const float* x, float* y, int64_t n, Moments m, const float* scale,
               const float* shift) {
  auto each = [&](auto f) __attribute__((always_inline)) {
    int64_t i = 0;
    for (; i + kFloats <= n; i += kFloats)
      store(y + i, f((load(x + i) - m.mean) * m.rstd, [=](const float* p) { return load(p + i); }));
    if (i < n)
      store_part(y + i, n - i, f((load_part(x + i, n - i) - m.mean) * m.rstd, [=](const float* p) {
                   return load_part(p + i, n - i);
                 }));
  };
  if (scale && shift)
    each([=](Floats v, auto at) { return v * at(scale) + at(shift); });
  else if (scale)
    each([=](Floats v, auto at) { return v * at(scale); });
  else
    each([=](Floats v, auto at) { return shift ? v + at(shift) : v; });
}

struct WideMoments {
  double mean, rstd;
};
WideMoments moments_of(const double* x, int64_t n, const LayerNormArgs& a) {
  const auto count = static_cast<double>(n);
  const double mean = a.rms ? 0 : long_sum<double>(n, [x](int64_t i) { return x[i]; }) / count;
  const double squares =
      long_sum<double>(n, [=](int64_t i) { return (x[i] - mean) * (x[i] - mean); });
  return {mean, 1 / std::sqrt(squares / count + a.eps)};
}
void normalize(const double* x, double* y, int64_t n, WideMoments m, const double* scale,
               const double* shift) {
  for (int64_t i = 0; i < n; ++i)
    y[i] = (x[i] - m.mean) * m.rstd * (scale ? scale[i] : 1) + (shift ? shift[i] : 0);
}

void layer_norm(const LayerNormArgs& a) {
  const int last = a.in.ndim - 1;
  const int64_t n = a.in.sizes[last];
  if (a.out.numel() == 0) return;
  auto run = [&](auto tag) {
    using C = decltype(tag);
    std::vector<C> scale_copy, shift_copy;
    auto vector_of = [&](const TensorView& v, std::vector<C>& copy) -> const C* {
      return v.data ? row_of(v, 0, n, copy) : nullptr;
    };
    const C *scale = vector_of(a.weight, scale_copy), *shift = vector_of(a.bias, shift_copy);
    const TensorView* v[] = {&a.out, &a.in, &a.mean, &a.rstd};
    const Interrupt interrupt(context());
    parallel_for(
        count_rows(a.out, last), static_cast<double>(n) * 0.2, [&](int64_t from, int64_t to) {
          std::vector<C> in, out;
          Interrupt mine = interrupt;
          for_rows<4>(v, last, from, to, [&](const int64_t* at) {
            mine.passed(n);
            const C* x = row_of(a.in, at[1], n, in);
            const auto m = moments_of(x, n, a);
            make_row(a.out, at[0], n, out, [&](C* y) { normalize(x, y, n, m, scale, shift); });
            if (a.mean.data) store_tile(a.mean.dtype, address(a.mean, at[2]), 0, 1, &m.mean);
            if (a.rstd.data) store_tile(a.rstd.dtype, address(a.rstd, at[3]), 0, 1, &m.rstd);
          });
        });
  };
  if (a.in.dtype == kDouble)
    run(double{});
  else
    run(float{});
}

}  // namespace

SCONCE_KERNEL(softmax)
SCONCE_KERNEL(layer_norm)

}  // namespace sconce::SCONCE_ISA
