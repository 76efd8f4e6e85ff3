// SPDX-License-Identifier: Apache-2.0
// Where the windows of pooling lie.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "backends/slots.h"

namespace sconce {
namespace {

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

// What the sum of output (o0, o1, o2) is divided by; its windows along the three dims.
inline int64_t pool_count(const PoolArgs& a, const Windows* w, int64_t o0, int64_t o1, int64_t o2) {
  const auto i0 = static_cast<size_t>(o0), i1 = static_cast<size_t>(o1),
             i2 = static_cast<size_t>(o2);
  if (a.divisor) return a.divisor;
  if (!a.adaptive && a.count_include_pad) return w[0].size[i0] * w[1].size[i1] * w[2].size[i2];
  auto seen = [](const Windows& x, size_t i) { return std::max<int64_t>(x.hi[i] - x.lo[i], 0); };
  return seen(w[0], i0) * seen(w[1], i1) * seen(w[2], i2);
}

}  // namespace
}  // namespace sconce
