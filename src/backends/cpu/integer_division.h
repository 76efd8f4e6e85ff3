// SPDX-License-Identifier: Apache-2.0
// Division of integers in vectors of doubles. No processor divides vectors of integers.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "backends/ivdep.h"
#include "backends/slots.h"
#include "backends/cpu/vectors.h"

namespace sconce::SCONCE_ISA {
namespace {

// Integers below 2^51 as doubles and back: added to 1.5 * 2^52 they stand in its low bits.
constexpr int64_t kMagicBits = 0x4338000000000000;
constexpr double kMagic = 6755399441055744.0;
SCONCE_INLINE double small_to_double(int64_t v) {
  return __builtin_bit_cast(double, v + kMagicBits) - kMagic;
}
SCONCE_INLINE int64_t double_to_small(double v) {
  return __builtin_bit_cast(int64_t, v + kMagic) - kMagicBits;
}

// Quotients and remainders, exact: of numbers below 2^50, a quotient that isn't whole is further
// from the next whole number than its rounding can move it. False for other functions and when the
// numbers are larger, or a divisor is zero.
inline bool divide_integers([[maybe_unused]] Binary op, [[maybe_unused]] const int64_t* a,
                            [[maybe_unused]] const int64_t* b, [[maybe_unused]] int64_t* out,
                            [[maybe_unused]] int64_t n) {
#ifdef __AVX2__
  const bool floor = op == Binary::floor_div || op == Binary::remainder,
             quotient = op == Binary::floor_div || op == Binary::trunc_div;
  if (!floor && !quotient && op != Binary::fmod) return false;
  constexpr uint64_t kHalf = uint64_t{1} << 50;
  uint64_t wide = 0, zero = 0;
  for (int64_t i = 0; i < n; ++i) {
    wide |= (static_cast<uint64_t>(a[i]) + kHalf) | (static_cast<uint64_t>(b[i]) + kHalf);
    zero |= b[i] == 0 ? 1 : 0;
  }
  if ((wide >> 51) != 0 || zero != 0) return false;
  auto each = [&](auto f) __attribute__((always_inline)) {
    SCONCE_IVDEP  // the result is none of the operands, or the same elements
    for (int64_t i = 0; i < n; ++i)
      out[i] = double_to_small(f(small_to_double(a[i]), small_to_double(b[i])));
  };
  if (floor && quotient)
    each([](double x, double y) { return std::floor(x / y); });
  else if (floor)
    each([](double x, double y) { return std::fma(-std::floor(x / y), y, x); });
  else if (quotient)
    each([](double x, double y) { return std::trunc(x / y); });
  else
    each([](double x, double y) { return std::fma(-std::trunc(x / y), y, x); });
  return true;
#else
  return false;
#endif
}

}  // namespace
}  // namespace sconce::SCONCE_ISA
