// SPDX-License-Identifier: Apache-2.0
// Powers of floats, computed in double: exp2(y log2(x)), less than 0.51 units in the last place
// from the true value.
#pragma once
#include <algorithm>
#include <cmath>

#include "backends/cpu/vector_double.h"
#include "backends/cpu/vector_math.h"

namespace sconce::SCONCE_ISA {
namespace {

// x: positive and finite, y: finite.
SCONCE_INLINE Doubles pow_wide(Doubles x, Doubles y) {
  constexpr uint64_t kOne = uint64_t{1023} << 52, kRoot = 0x3fe6a09e667f3bcd;  // 1, sqrt(1/2)
  // x = 2^n m with m in [sqrt(1/2), sqrt(2)); log2(m) by the series of atanh.
  const auto bits = __builtin_bit_cast(Unsigned, x), e = (bits + (kOne - kRoot)) >> 52;
  const Doubles n =
      __builtin_bit_cast(Doubles, e | 0x4330000000000000) - (4503599627370496.0 + 1023.0);
  const Doubles m = __builtin_bit_cast(Doubles, bits - (e << 52) + kOne);
  const Doubles s = (m - 1.0) / (m + 1.0), z = s * s, zz = z * z;
  constexpr double kLog = 2.8853900817779268;  // 2 / ln 2
  const Doubles series =
      (z * (kLog / 3) + kLog) + zz * (z * (kLog / 7) + kLog / 5) +
      zz * zz * ((z * (kLog / 11) + kLog / 9) + zz * (z * (kLog / 15) + kLog / 13));
  Doubles t = (s * series + n) * y;
  t = t > 1000.0 ? Doubles{} + 1000.0 : t;
  t = t < -1000.0 ? Doubles{} - 1000.0 : t;
  const Doubles shifted = t + 6755399441055744.0, f = t - (shifted - 6755399441055744.0);
  // 2^f, |f| <= 1/2: the series of exp to the ninth power.
  constexpr double c1 = 0.693147180559945309, c2 = c1 * c1 / 2, c3 = c2 * c1 / 3, c4 = c3 * c1 / 4,
                   c5 = c4 * c1 / 5, c6 = c5 * c1 / 6, c7 = c6 * c1 / 7, c8 = c7 * c1 / 8,
                   c9 = c8 * c1 / 9;
  const Doubles ff = f * f, f4 = ff * ff;
  const Doubles p = (f * c1 + 1.0) + ff * (f * c3 + c2) +
                    f4 * ((f * c5 + c4) + ff * (f * c7 + c6) + f4 * (f * c9 + c8));
  return p * __builtin_bit_cast(Doubles, (__builtin_bit_cast(Unsigned, shifted) << 52) + kOne);
}

// out[i] = x[i] ^ y[i * y_step], y_step 0 or 1; out may be x or y. Zeros, infinities, nan and what
// has no real power are left to std::pow.
inline bool pow_floats(const float* x, const float* y, int64_t y_step, float* out, int64_t n) {
  typedef float HalfFloats __attribute__((vector_size(kVectorBytes / 2)));
  typedef HalfFloats LooseHalf __attribute__((aligned(4), may_alias));
  constexpr int kHalf = static_cast<int>(kFloats) / 2;
  const Floats one = Floats{} + 1.0f;
  for (int64_t i = 0; i < n; i += kFloats) {
    const int64_t m = std::min(kFloats, n - i);
    const bool whole = m == kFloats;
    const Floats base = whole ? load(x + i) : keep_part(load_part(x + i, m), m, one);
    const Floats exponent = y_step == 0 ? one * *y
                            : whole     ? load(y + i)
                                        : keep_part(load_part(y + i, m), m, one);
    const Ints integer = __builtin_convertvector(exponent, Ints);
    const Floats size = vabs(base);
    const Ints ordinary = (size > 0.0f) & (size < INFINITY) & (vabs(exponent) < INFINITY) &
                          ((base > 0.0f) | (__builtin_convertvector(integer, Floats) == exponent));
    alignas(64) float parts[3][kFloats];
    store(parts[0], size);
    store(parts[1], exponent);
    for (int h = 0; h < 2; ++h) {
      const auto half = [&](const float* p) __attribute__((always_inline)) {
        return __builtin_convertvector(*reinterpret_cast<const LooseHalf*>(p + h * kHalf), Doubles);
      };
      *reinterpret_cast<LooseHalf*>(parts[2] + h * kHalf) =
          __builtin_convertvector(pow_wide(half(parts[0]), half(parts[1])), HalfFloats);
    }
    const Ints sign = bits_of(base) & (integer << 31) & INT32_MIN;
    Floats result = floats_of(bits_of(load(parts[2])) | sign);
    const Floats left = ordinary ? Floats{} : one;
    if (sum_of(left) != 0.0f)
      for (int k = 0; k < static_cast<int>(m); ++k)
        if (!ordinary[k]) result[k] = std::pow(base[k], exponent[k]);
    if (whole)
      store(out + i, result);
    else
      store_part(out + i, m, result);
  }
  return true;
}

}  // namespace
}  // namespace sconce::SCONCE_ISA
