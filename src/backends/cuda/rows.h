// SPDX-License-Identifier: Apache-2.0
// Rows of the last dim, and what is gathered from one.
#pragma once
#include "backends/cuda/gpu.h"

namespace sconce::cuda {

// The slot.
bool reduce(int index, const ReduceArgs& a);

namespace {

// Views of the dims before the last, and its step. Row numbers are row-major.
struct RowView {
  View lead;
  int64_t step = 0;  // in bytes
  SCONCE_BOTH explicit operator bool() const { return static_cast<bool>(lead); }
  template <class C>
  SCONCE_GPU C get(int64_t row, int64_t i) const {
    return lead.get<C>(lead.at(row) + i * step);
  }
  template <class C>
  SCONCE_GPU void set(int64_t row, int64_t i, C v) const {
    lead.set<C>(lead.at(row) + i * step, v);
  }
};
// False as view(); an absent operand is absent here too.
inline bool rows_of(const TensorView& v, RowView& r) {
  if (!v.data) {
    r = RowView{};
    return true;
  }
  if (v.ndim < 1) return false;
  TensorView lead = v;
  lead.ndim = v.ndim - 1;
  r.step = v.strides[v.ndim - 1] * static_cast<int64_t>(element_size(v.dtype));
  return view(lead, r.lead);
}
inline int64_t row_count(const TensorView& v) {
  int64_t n = 1;
  for (int d = 0; d + 1 < v.ndim; ++d) n *= v.sizes[d];
  return n;
}

// The largest and the sum of exponentials relative to it, merged as Milakov and Gimelshein 2018.
template <class C>
struct ExpSum {
  C max = -std::numeric_limits<C>::infinity(), sum = 0;
  SCONCE_GPU void merge(const ExpSum& o) {
    if (o.sum == C(0)) return;
    // Equal ones first: infinities would be subtracted from each other.
    const C m = max > o.max ? max : o.max;
    const C a = sum == C(0) || max == m ? sum : sum * std::exp(max - m);
    const C b = o.max == m ? o.sum : o.sum * std::exp(o.max - m);
    max = m;
    sum = a + b;
  }
};

// Mean and sum of squared differences, merged as Chan, Golub and LeVeque 1979.
template <class C>
struct Moments {
  C mean = 0, m2 = 0, count = 0;
  SCONCE_GPU void add(C v) {
    count += C(1);
    const C d = v - mean;
    mean += d / count;
    m2 += d * (v - mean);
  }
  SCONCE_GPU void merge(const Moments& o) {
    if (o.count == C(0)) return;
    const C n = count + o.count, d = o.mean - mean;
    mean += d * (o.count / n);
    m2 += o.m2 + d * d * (count * o.count / n);
    count = n;
  }
};

}  // namespace
}  // namespace sconce::cuda
