// SPDX-License-Identifier: Apache-2.0
// Loops: the common walk over views of equal sizes.
#pragma once
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "core/interrupt.h"
#include "core/tensor_view.h"

namespace sconce {
namespace {

constexpr int kMaxDims = 64;

// Whether v's elements lie one after the other in the order of its dims.
inline bool is_dense(const TensorView& v) {
  int64_t run = 1;
  for (int d = v.ndim - 1; d >= 0; --d) {
    if (v.sizes[d] != 1 && v.strides[d] != run) return false;
    run *= v.sizes[d];
  }
  return true;
}

// Nested loops over views of equal sizes, with dims merged where all strides allow it. The last dim
// is the inner one.
template <int N>
struct Loops {
  int nd = 0;
  int64_t sizes[kMaxDims];
  int64_t strides[N][kMaxDims];  // in bytes
  char* base[N];

  explicit Loops(const TensorView* const* v) {
    for (int k = 0; k < N; ++k) base[k] = static_cast<char*>(v[k]->data);
    for (int d = 0; d < v[0]->ndim; ++d) {
      int64_t s = v[0]->sizes[d];
      if (s == 1) continue;
      int64_t st[N];
      for (int k = 0; k < N; ++k)
        st[k] = v[k]->strides[d] * static_cast<int64_t>(element_size(v[k]->dtype));
      bool merge = nd > 0;
      for (int k = 0; k < N && merge; ++k) merge = strides[k][nd - 1] == st[k] * s;
      if (merge) {
        sizes[nd - 1] *= s;
        for (int k = 0; k < N; ++k) strides[k][nd - 1] = st[k];
      } else {
        sizes[nd] = s;
        for (int k = 0; k < N; ++k) strides[k][nd] = st[k];
        ++nd;
      }
    }
    if (nd == 0) {
      nd = 1;
      sizes[0] = v[0]->numel();
      for (int k = 0; k < N; ++k) strides[k][0] = 0;
    }
    // Where the output is a permuted dense tensor, its fastest dim goes last.
    int fast = nd - 1;
    for (int d = 0; d < nd; ++d)
      if (sizes[d] > 1 && std::abs(strides[0][d]) < std::abs(strides[0][fast]) &&
          strides[0][d] != 0)
        fast = d;
    if (fast != nd - 1) {
      std::swap(sizes[fast], sizes[nd - 1]);
      for (int k = 0; k < N; ++k) std::swap(strides[k][fast], strides[k][nd - 1]);
    }
  }

  // f(pointers, inner strides in bytes, count) once per inner row; a long one in parts. Limits are
  // looked at between.
  template <class F>
  void rows(F f) const {
    constexpr int64_t kPart = int64_t{1} << 22;
    Interrupt interrupt;
    whole_rows([&](char** p, const int64_t* st, int64_t n) {
      if (n <= kPart) {
        f(p, st, n);
        return interrupt.passed(n);
      }
      char* q[N];
      for (int64_t i = 0; i < n; i += kPart) {
        for (int k = 0; k < N; ++k) q[k] = p[k] + i * st[k];
        f(q, st, std::min(kPart, n - i));
        interrupt.passed(kPart);
      }
    });
  }
  template <class F>
  void whole_rows(F f) const {
    for (int d = 0; d < nd; ++d)
      if (sizes[d] == 0) return;
    int64_t idx[kMaxDims] = {0};
    char* p[N];
    for (int k = 0; k < N; ++k) p[k] = base[k];
    int64_t inner[N];
    for (int k = 0; k < N; ++k) inner[k] = strides[k][nd - 1];
    for (;;) {
      f(p, inner, sizes[nd - 1]);
      int d = nd - 2;
      for (; d >= 0; --d) {
        for (int k = 0; k < N; ++k) p[k] += strides[k][d];
        if (++idx[d] < sizes[d]) break;
        idx[d] = 0;
        for (int k = 0; k < N; ++k) p[k] -= strides[k][d] * sizes[d];
      }
      if (d < 0) return;
    }
  }
};

}  // namespace
}  // namespace sconce
