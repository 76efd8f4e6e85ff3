// SPDX-License-Identifier: Apache-2.0
// Sums in independent chains, which the compiler turns into vector code.
#pragma once
#include <algorithm>
#include <complex>
#include <cstdint>
#include <type_traits>

#include "backends/tiles.h"

namespace sconce {
namespace {

// What sums and products of C are kept in.
template <class C>
struct Wide {
  using type = C;
};
template <>
struct Wide<float> {
  using type = double;
};
template <>
struct Wide<std::complex<float>> {
  using type = std::complex<double>;
};

// f(0) + ... + f(n - 1), added up as A; integers wrap around.
template <class A, class F>
inline A lane_sum(int64_t n, F f) {
  using U = Wrapping<A>;
  if constexpr (!std::is_same_v<A, U>)
    return static_cast<A>(lane_sum<U>(n, [f](int64_t i) { return static_cast<U>(f(i)); }));
  constexpr int kLanes = 32;
  A acc[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int k = 0; k < kLanes; ++k) acc[k] += static_cast<A>(f(i + k));
  for (int half = kLanes / 2; half; half /= 2)
    for (int k = 0; k < half; ++k) acc[k] += acc[k + half];
  A s = acc[0];
  for (; i < n; ++i) s += static_cast<A>(f(i));
  return s;
}

// The same, in double from 2048 terms on, so that the error doesn't grow with n.
template <class A, class F>
inline double long_sum(int64_t n, F f) {
  constexpr int64_t kChunk = 2048;
  double s = 0;
  for (int64_t i = 0; i < n; i += kChunk)
    s += static_cast<double>(
        lane_sum<A>(std::min(kChunk, n - i), [&f, i](int64_t k) { return f(i + k); }));
  return s;
}

}  // namespace
}  // namespace sconce
