// SPDX-License-Identifier: Apache-2.0
// Slots that work on rows of the last dim: the walk over them, rows as dense floats, and softmax.
#pragma once
#include <algorithm>
#include <limits>

#include "backends/cpu/vector_math.h"
#include "backends/tiles.h"

namespace sconce::SCONCE_ISA {
namespace {

inline char* address(const TensorView& v, int64_t at) {
  return static_cast<char*>(v.data) + at * static_cast<int64_t>(element_size(v.dtype));
}
inline int64_t step(const TensorView& v, int d) {
  return v.strides[d] * static_cast<int64_t>(element_size(v.dtype));
}

// f(offsets in elements of each view) for the rows [from, to) of the first `lead` dims; null views
// are left at 0.
template <int N, class F>
void for_rows(const TensorView* const* v, int lead, int64_t from, int64_t to, F f) {
  const int64_t* sizes = v[0]->sizes;
  int64_t idx[kMaxDims], at[N] = {0};
  for (int64_t d = lead - 1, left = from; d >= 0; --d) {
    idx[d] = left % sizes[d];
    left /= sizes[d];
    for (int k = 0; k < N; ++k)
      if (v[k]->data) at[k] += idx[d] * v[k]->strides[d];
  }
  for (int64_t i = from; i < to; ++i) {
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
inline int64_t count_rows(const TensorView& v, int lead) {
  int64_t n = 1;
  for (int d = 0; d < lead; ++d) n *= v.sizes[d];
  return n;
}

// The largest of n >= 0 numbers, nan left out; -inf of none.
inline float largest(const float* x, int64_t n) {
  const Floats low = Floats{} - std::numeric_limits<float>::infinity();
  Floats a = low, b = low;
  int64_t i = 0;
  for (; i + 2 * kFloats <= n; i += 2 * kFloats) {
    a = at_least(a, load(x + i));
    b = at_least(b, load(x + i + kFloats));
  }
  if (i + kFloats <= n) {
    a = at_least(a, load(x + i));
    i += kFloats;
  }
  if (i < n) b = at_least(b, keep_part(load_part(x + i, n - i), n - i, low));
  return max_of(a > b ? a : b);
}

// y = exp(x - shift) and its sum; y may be x, or null: the sum alone. Sums go to double after each
// two thousand, so that the error doesn't grow with n.
inline float exp_sum(const float* x, float* y, int64_t n, float shift) {
  constexpr int64_t kChunk = 2048;
  double total = 0;
  for (int64_t from = 0; from < n; from += kChunk) {
    const int64_t to = std::min(n, from + kChunk);
    Floats a{}, b{};
    int64_t i = from;
    auto at = [&](int64_t p) __attribute__((always_inline)) {
      const Floats e = vexp_negative(load(x + p) - shift);
      if (y) store(y + p, e);
      return e;
    };
    for (; i + 2 * kFloats <= to; i += 2 * kFloats) {
      a += at(i);
      b += at(i + kFloats);
    }
    if (i + kFloats <= to) {
      a += at(i);
      i += kFloats;
    }
    if (i < to) {
      const Floats e = vexp_negative(load_part(x + i, to - i) - shift);
      if (y) store_part(y + i, to - i, e);
      b += keep_part(e, to - i, Floats{});
    }
    total += static_cast<double>(sum_of(a + b));
  }
  return static_cast<float>(total);
}

}  // namespace
}  // namespace sconce::SCONCE_ISA
