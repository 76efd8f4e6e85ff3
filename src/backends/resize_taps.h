// SPDX-License-Identifier: Apache-2.0
// Which inputs make an output of resizing, and with what weights.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "backends/slots.h"

namespace sconce {
namespace {

struct Tap {
  int64_t at;
  double weight;
};

inline double sinc(double x) { return x == 0 ? 1 : std::sin(M_PI * x) / (M_PI * x); }
inline double cubic1(double x, double A) { return ((A + 2) * x - (A + 3)) * x * x + 1; }
inline double cubic2(double x, double A) { return ((A * x - 5 * A) * x + 8 * A) * x - 4 * A; }

// For each output index, the inputs and weights along one dim.
inline std::vector<std::vector<Tap>> resize_taps(const ResizeArgs& a, int64_t in, int64_t out,
                                                 double given) {
  std::vector<std::vector<Tap>> r(static_cast<size_t>(out));
  double scale;
  bool nearest = a.op == Resize::nearest || a.op == Resize::nearest_exact;
  if (nearest || !a.align_corners)
    scale = given > 0 ? 1.0 / given : static_cast<double>(in) / static_cast<double>(out);
  else
    scale = out > 1 ? static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0;
  bool single = a.in.dtype != kDouble && a.in.dtype != kByte;
  if (single) scale = static_cast<double>(static_cast<float>(scale));
  // As an integer, within limits; nan, of an infinite scale, is the least.
  auto whole = [](double p, int64_t least, int64_t most) {
    return p >= static_cast<double>(most)    ? most
           : p >= static_cast<double>(least) ? static_cast<int64_t>(p)
                                             : least;
  };
  auto clampi = [&](int64_t i) { return std::min(std::max<int64_t>(i, 0), in - 1); };
  for (int64_t o = 0; o < out; ++o) {
    auto& t = r[static_cast<size_t>(o)];
    if (nearest) {
      double p = a.op == Resize::nearest
                     ? std::floor(single ? static_cast<float>(o) * static_cast<float>(scale)
                                         : static_cast<double>(o) * scale)
                     : std::floor((static_cast<double>(o) + 0.5) * scale);
      t.push_back({whole(p, 0, in - 1), 1});
      continue;
    }
    if (a.antialias) {
      const double radius = a.op == Resize::lanczos ? 3 : a.op == Resize::cubic ? 2 : 1;
      double support = radius * std::max(scale, 1.0), inv = scale >= 1 ? 1 / scale : 1;
      double center = scale * (static_cast<double>(o) + 0.5);
      const int64_t lo = whole(center - support + 0.5, 0, in),
                    hi = whole(center + support + 0.5, 0, in);
      double sum = 0;
      for (int64_t i = lo; i < hi; ++i) {
        double x = std::fabs((static_cast<double>(i) - center + 0.5) * inv), w;
        if (a.op == Resize::linear)
          w = x < 1 ? 1 - x : 0;
        else if (a.op == Resize::lanczos)
          w = x < 3 ? sinc(x) * sinc(x / 3) : 0;
        else
          w = x < 1 ? cubic1(x, -0.5) : x < 2 ? cubic2(x, -0.5) : 0;
        t.push_back({i, w});
        sum += w;
      }
      for (auto& x : t) x.weight = sum != 0 ? x.weight / sum : x.weight;
      continue;
    }
    auto source = [&](auto at, auto step) {  // in the type that PyTorch computes places in
      using T = decltype(at);
      return static_cast<double>(a.align_corners ? step * at : step * (at + T(0.5)) - T(0.5));
    };
    double p = single ? source(static_cast<float>(o), static_cast<float>(scale))
                      : source(static_cast<double>(o), scale);
    if (a.op == Resize::linear) {
      if (!a.align_corners && p < 0) p = 0;
      const int64_t i = whole(p, 0, in - 1);
      double f = std::min(std::max(p - static_cast<double>(i), 0.0), 1.0);
      t.push_back({i, 1 - f});
      t.push_back({std::min(i + 1, in - 1), f});
    } else {
      double fl = std::floor(p), f = p - fl;
      const int64_t i = whole(fl, -2, in + 1);
      constexpr double A = -0.75;
      t.push_back({clampi(i - 1), cubic2(f + 1, A)});
      t.push_back({clampi(i), cubic1(f, A)});
      t.push_back({clampi(i + 1), cubic1(1 - f, A)});
      t.push_back({clampi(i + 2), cubic2(2 - f, A)});
    }
  }
  return r;
}

}  // namespace
}  // namespace sconce
