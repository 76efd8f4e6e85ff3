// SPDX-License-Identifier: Apache-2.0
// Numbers at equal distances, from both ends as PyTorch computes them, one rounding for each.
#pragma once
#include <algorithm>
#include <cmath>

#include "backends/tiles.h"

namespace sconce {

namespace ref {
// The slot, for whatever arguments.
void any_sequence(const SequenceArgs& a);
}  // namespace ref

namespace {

// Dense ones of floats or doubles. False for other calls.
inline bool linspace(const SequenceArgs& a) {
  const int64_t n = a.out.numel();
  if (a.op != Sequence::linspace || (a.out.dtype != kFloat && a.out.dtype != kDouble) || n < 2 ||
      n > int64_t{1} << 30 || a.out.ndim != 1 || a.out.strides[0] != 1)
    return false;
  auto run = [&](auto tag) {
    using C = decltype(tag);
    const C start = static_cast<C>(a.start.d), end = static_cast<C>(a.end.d),
            step = (end - start) / static_cast<C>(n - 1);
    C* out = a.out.ptr<C>();
    const auto half = static_cast<int32_t>(n / 2), count = static_cast<int32_t>(n);
    constexpr int32_t kPart = 1 << 16;
    Interrupt interrupt;
    for (int32_t from = 0; from < half; from += kPart) {
      const int32_t to = std::min(half - from, kPart) + from;
      for (int32_t i = from; i < to; ++i) out[i] = std::fma(step, static_cast<C>(i), start);
      interrupt.passed(kPart);
    }
    for (int32_t from = half; from < count; from += kPart) {
      const int32_t to = std::min(count - from, kPart) + from;
      for (int32_t i = from; i < to; ++i)
        out[i] = std::fma(-step, static_cast<C>(count - 1 - i), end);
      interrupt.passed(kPart);
    }
  };
  if (a.out.dtype == kFloat)
    run(float{});
  else
    run(double{});
  return true;
}

}  // namespace
}  // namespace sconce
