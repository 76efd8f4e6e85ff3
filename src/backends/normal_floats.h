// SPDX-License-Identifier: Apache-2.0
// Normal numbers of floats and halves, bit for bit as PyTorch's AVX2 code makes them of uniform
// ones, sixteen at a time (Box and Muller). Without branches: where the machine has fused
// multiply-adds and vectors the compiler uses them; the bits are the same everywhere.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "backends/tiles.h"
#include "sconce/ivalue.h"

namespace sconce {

namespace ref {
// The slot, for whatever arguments.
void any_random(const RandomArgs& a);
}  // namespace ref

namespace {

// The natural logarithm and sine of Cephes with fused multiply-adds.
inline float log_ps(float v) {
  const auto bits = __builtin_bit_cast(uint32_t, v);
  const auto exponent = static_cast<float>(static_cast<int32_t>(bits >> 23) - 126);
  const auto m = __builtin_bit_cast(float, (bits & 0x007fffffu) | 0x3f000000u);
  const bool low = m < 0.707106781186547524f;
  const float e = low ? exponent - 1.0f : exponent, less = m - 1.0f, x = low ? less + m : less;
  const float z = x * x;
  float y = 7.0376836292E-2f;
  y = std::fma(y, x, -1.1514610310E-1f);
  y = std::fma(y, x, 1.1676998740E-1f);
  y = std::fma(y, x, -1.2420140846E-1f);
  y = std::fma(y, x, 1.4249322787E-1f);
  y = std::fma(y, x, -1.6668057665E-1f);
  y = std::fma(y, x, 2.0000714765E-1f);
  y = std::fma(y, x, -2.4999993993E-1f);
  y = std::fma(y, x, 3.3333331174E-1f);
  y = y * x;
  y = std::fma(y, z, e * -2.12194440e-4f);
  y = std::fma(-z, 0.5f, y);
  return std::fma(e, 0.693359375f, x + y);
}
inline void sincos_ps(float v, float* s, float* c) {
  const int j = (static_cast<int>(v * 1.27323954473516f) + 1) & ~1;
  const auto y = static_cast<float>(j);
  float x = std::fma(y, -0.78515625f, v);
  x = std::fma(y, -2.4187564849853515625e-4f, x);
  x = std::fma(y, -3.77489497744594108e-8f, x);
  const float z = x * x;
  float C = 2.443315711809948E-005f;
  C = std::fma(C, z, -1.388731625493765E-003f);
  C = std::fma(C, z, 4.166664568298827E-002f);
  C = C * z;
  C = std::fma(C, z, -(z * 0.5f));
  C = C + 1.0f;
  float S = -1.9515295891E-4f;
  S = std::fma(S, z, 8.3321608736E-3f);
  S = std::fma(S, z, -1.6666654611E-1f);
  S = S * z;
  S = std::fma(S, x, x);
  const bool swapped = (j & 2) != 0;
  const float sine = swapped ? C : S, cosine = swapped ? S : C;
  *s = (j & 4) != 0 ? -sine : sine;
  *c = ((j - 2) & 4) != 0 ? cosine : -cosine;
}

// Uniform numbers in blocks of sixteen, of which each pair that lies eight apart makes two.
inline void normal_blocks(float* d, int64_t blocks, float mean, float std) {
  constexpr int64_t kAtOnce = 32;
  float u1[kAtOnce * 8], u2[kAtOnce * 8];
  for (int64_t b = 0; b < blocks; b += kAtOnce) {
    const int64_t count = std::min(kAtOnce, blocks - b);
    float* p = d + b * 16;
    for (int64_t k = 0; k < count; ++k)
      for (int64_t j = 0; j < 8; ++j) {
        u1[k * 8 + j] = 1.0f - p[k * 16 + j];
        u2[k * 8 + j] = p[k * 16 + j + 8];
      }
    for (int64_t i = 0; i < count * 8; ++i) {
      const float r = std::sqrt(-2.0f * log_ps(u1[i]));
      float s, c;
      sincos_ps(6.283185307179586f * u2[i], &s, &c);
      u1[i] = std::fma(r * c, std, mean);
      u2[i] = std::fma(r * s, std, mean);
    }
    for (int64_t k = 0; k < count; ++k)
      for (int64_t j = 0; j < 8; ++j) {
        p[k * 16 + j] = u1[k * 8 + j];
        p[k * 16 + j + 8] = u2[k * 8 + j];
      }
  }
}

// Sixteen or more of them, dense. False for other calls. The generator is locked.
inline bool fill_normal_floats(const RandomArgs& a, Interrupt& interrupt) {
  const ScalarType t = a.out.dtype;
  const int64_t n = a.out.numel(), whole = n / 16 * 16;
  const bool halves = t == kHalf || t == kBFloat16;
  if (a.op != Random::normal || (t != kFloat && !halves) || n < 16 || !is_dense(a.out))
    return false;
  Generator& g = *a.generator;
  auto uniform = [&](float* to, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
      to[i] = static_cast<float>(g.random() & 0xffffffu) * 5.9604644775390625e-08f;
  };
  const auto mean = static_cast<float>(a.p), std = static_cast<float>(a.q);
  std::vector<float> copy;
  if (halves) {
    expect_memory(static_cast<double>(n) * sizeof(float));
    copy.resize(static_cast<size_t>(n));
  }
  float* d = halves ? copy.data() : a.out.ptr<float>();
  constexpr int64_t kPart = 4096;
  // What doesn't fill a block is drawn for floats, and lost: the last sixteen are drawn anew.
  const int64_t drawn = halves ? whole : n;
  for (int64_t from = 0; from < drawn; from += kPart) {
    const int64_t m = std::min(kPart, drawn - from);
    uniform(d + from, m);
    normal_blocks(d + from, m / 16, mean, std);
    interrupt.passed(5 * m);
  }
  if (n % 16 != 0) {
    uniform(d + n - 16, 16);
    normal_blocks(d + n - 16, 1, mean, std);
  }
  if (halves)
    SCONCE_TILES::store_tile(t, static_cast<char*>(a.out.data),
                             static_cast<int64_t>(element_size(t)), n, d);
  return true;
}

}  // namespace
}  // namespace sconce
