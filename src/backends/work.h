// SPDX-License-Identifier: Apache-2.0
// What a slot's call takes, before it is made: the elements of its largest view times the passes
// over them, to within a small factor. Limits::operator_work is compared with it.
#pragma once
#include <algorithm>
#include <cmath>

#include "backends/slots.h"

namespace sconce {

namespace detail {
// In double: a product of sizes may not fit an integer.
inline double elements(const TensorView& v) {
  if (!v.sizes) return 0;
  double n = 1;
  for (int32_t i = 0; i < v.ndim; ++i) n *= static_cast<double>(v.sizes[i]);
  return n;
}
inline double size(const TensorView& v, int32_t i) {
  return v.sizes && i >= 0 && i < v.ndim ? static_cast<double>(v.sizes[i]) : 1;
}
inline double last(const TensorView& v) { return std::max(1.0, size(v, v.ndim - 1)); }
}  // namespace detail

template <class A>
double slot_work(const A& a) {
  auto* views = reinterpret_cast<const TensorView*>(&a);
  double most = 0;
  for (uint16_t i = 0; i < A::kViews; ++i) most = std::max(most, detail::elements(views[i]));
  return most;
}
inline double slot_work(const GemmArgs& a) {
  return std::max(detail::elements(a.out), 1.0) * detail::last(a.a);
}
inline double slot_work(const ConvArgs& a) {
  using detail::elements;
  const double channels =
      std::max(1.0, detail::size(a.transposed ? a.in : a.weight, a.transposed ? 1 : 0));
  return elements(a.transposed ? a.in : a.out) * std::max(1.0, elements(a.weight) / channels);
}
inline double slot_work(const QuantizedConvArgs& a) {
  return detail::elements(a.out) *
         std::max(1.0, detail::elements(a.weight) / std::max(1.0, detail::size(a.weight, 0)));
}
inline double slot_work(const PoolArgs& a) {
  double window = 1;
  if (!a.adaptive)
    for (int32_t d = 0; d < std::min(3, a.out.ndim - 2); ++d)
      window *= static_cast<double>(std::max<int64_t>(1, a.kernel[d]));
  return detail::elements(a.in) + detail::elements(a.out) * window;
}
inline double slot_work(const AttentionArgs& a) {
  return detail::elements(a.q) * detail::size(a.k, a.k.ndim - 2) * 2 + detail::elements(a.out);
}
inline double slot_work(const SortArgs& a) {
  return detail::elements(a.in) * std::log2(detail::last(a.in) + 2);
}
inline double slot_work(const FftArgs& a) {
  return detail::elements(a.out) * 2 * std::log2(detail::last(a.out) + 2);
}
inline double slot_work(const ResizeArgs& a) {
  return (detail::elements(a.in) + detail::elements(a.out)) * (a.op == Resize::nearest ? 1 : 8);
}
inline double slot_work(const SearchArgs& a) {
  return detail::elements(a.values) * std::log2(detail::last(a.bounds) + 2);
}
inline double slot_work(const RecurArgs& a) {
  return detail::elements(a.out) * detail::last(a.weight);
}
inline double slot_work(const LinalgArgs& a) {
  double most = 0;
  for (const TensorView& v : a.in)
    most = std::max(most,
                    detail::elements(v) * std::max(detail::last(v), detail::size(v, v.ndim - 2)));
  for (const TensorView& v : a.out)
    most = std::max(most,
                    detail::elements(v) * std::max(detail::last(v), detail::size(v, v.ndim - 2)));
  return a.op == Linalg::permutation ? most / std::max(1.0, detail::last(a.in[0])) : most;
}

}  // namespace sconce
