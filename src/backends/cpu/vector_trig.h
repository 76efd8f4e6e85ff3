// SPDX-License-Identifier: Apache-2.0
// More float functions without branches, loops that the compiler turns into vectors: inverse and
// hyperbolic functions, tangents, logarithms and powers of other bases. Polynomials are Cephes'.
#pragma once
#include <cmath>

#include "backends/cpu/vector_math.h"
#include "backends/ivdep.h"

namespace sconce::SCONCE_ISA {
namespace {

constexpr float kHalfPi = 1.57079632679489662f, kPi = 3.14159265358979324f;

SCONCE_INLINE float arc_tangent(float x) {
  const float a = std::fabs(x);
  const bool steep = a > 2.414213562373095f, middle = a > 0.4142135623730950f;
  const float y = steep ? -1.0f / a : middle ? (a - 1.0f) / (a + 1.0f) : a, z = y * y;
  const float p =
      ((8.05374449538e-2f * z - 1.38776856032e-1f) * z + 1.99777106478e-1f) * z - 3.33329491539e-1f;
  const float r = p * z * y + y + (steep ? kHalfPi : middle ? kHalfPi / 2 : 0.0f);
  return std::copysign(r, x);
}
SCONCE_INLINE float arc_tangent(float y, float x) {
  const float u = std::fabs(y), v = std::fabs(x);
  const float small = u < v ? u : v, large = u < v ? v : u;
  // Equal ones, zeros and infinities among them, have a quotient of 1 or 0.
  const float q = large == 0.0f ? 0.0f : small == large ? 1.0f : small / large;
  float r = arc_tangent(q);
  r = u > v ? kHalfPi - r : r;
  r = std::signbit(x) ? kPi - r : r;
  return x != x || y != y ? x + y : std::copysign(r, y);
}
// asin(a) for 0 <= a <= 1/2.
SCONCE_INLINE float arc_sine_near_zero(float a, float z) {
  const float p =
      (((4.2163199048e-2f * z + 2.4181311049e-2f) * z + 4.5470025998e-2f) * z + 7.4953002686e-2f) *
          z +
      1.6666752422e-1f;
  return p * z * a + a;
}
SCONCE_INLINE float arc_sine(float x) {
  const float a = std::fabs(x);
  const bool far = a > 0.5f;
  const float z = far ? 0.5f * (1.0f - a) : a * a,
              r = arc_sine_near_zero(far ? std::sqrt(z) : a, z);
  return std::copysign(far ? kHalfPi - 2.0f * r : r, x);
}
SCONCE_INLINE float arc_cosine(float x) {
  const float a = std::fabs(x);
  const bool far = a > 0.5f;
  const float z = far ? 0.5f * (1.0f - a) : a * a,
              r = arc_sine_near_zero(far ? std::sqrt(z) : a, z);
  const float beyond = x < 0.0f ? kPi - 2.0f * r : 2.0f * r;
  return far ? beyond : kHalfPi - std::copysign(r, x);
}
SCONCE_INLINE Floats log_ten(Floats x) { return vlog_base<2>(x) * 0.301029995663981195f; }
// 2^x: x as a whole number and a rest.
SCONCE_INLINE Floats power_of_two(Floats x) {
  const Floats c = at_most(at_least(x, Floats{} - 151.0f), Floats{} + 129.0f);
  const Floats shifted = c + 12582912.0f, n = shifted - 12582912.0f;
  const Floats p = expm1_near_zero((c - n) * 0.693147180559945309f) + 1.0f;
  const auto i = bits_of(shifted) - bits_of(Floats{} + 12582912.0f), half = i >> 1;
  return p * floats_of((half + 127) << 23) * floats_of((i - half + 127) << 23);
}

// log((1 + x) / (1 - x)) / 2
SCONCE_INLINE Floats area_tangent(Floats x) {
  const Floats a = vabs(x);
  return with_sign(0.5f * vlog1p((a + a) / (1.0f - a)), x);
}
// log(x / (1 - x)); x between eps and 1 - eps unless eps is negative.
SCONCE_INLINE Floats log_odds(Floats x, float eps) {
  const Floats low = x < eps ? Floats{} + eps : x;
  const Floats z = eps < 0.0f ? x : low > 1.0f - eps ? Floats{} + (1.0f - eps) : low;
  return vlog(z / (1.0f - z));
}
// log(exp(a) + exp(b))
SCONCE_INLINE Floats vlog_add_exp(Floats a, Floats b) {
  const Floats most = a > b ? a : b, sum = most + vlog1p(vexp(-vabs(a - b)));
  return ((a == b) & (vabs(a) == INFINITY)) ? a : sum;
}

// False when the function isn't one of these.
inline bool more_binary(Binary op, const float* a, const float* b, float* out, int64_t n) {
  if (op == Binary::hypot) {
    SCONCE_IVDEP  // the result is none of the operands, or the same elements
    for (int64_t i = 0; i < n; ++i) {
      // Squares of floats are exact in double, and none overflows.
      const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
      const float r = static_cast<float>(std::sqrt(x * x + y * y));
      const float of_a = std::fabs(a[i]), of_b = std::fabs(b[i]);
      out[i] = ((of_a == INFINITY) | (of_b == INFINITY)) ? INFINITY : r;
    }
    return true;
  }
  if (op != Binary::logaddexp) return false;
  int64_t i = 0;
  for (; i + kFloats <= n; i += kFloats) store(out + i, vlog_add_exp(load(a + i), load(b + i)));
  if (i < n)
    store_part(out + i, n - i, vlog_add_exp(load_part(a + i, n - i), load_part(b + i, n - i)));
  return true;
}

// False when the function isn't one of these, or not for these numbers.
inline bool more_unary(Unary op, float p, const float* in, float* out, int64_t n) {
  auto map = [=](auto f) __attribute__((always_inline)) {
    SCONCE_IVDEP  // the result is the operand, or none of it
    for (int64_t i = 0; i < n; ++i) out[i] = f(in[i]);
    return true;
  };
  auto vectors = [=](auto f) __attribute__((always_inline)) {
    map_floats(in, out, n, f);
    return true;
  };
  switch (op) {
    case Unary::atan: return map([](float x) { return arc_tangent(x); });
    case Unary::asin: return map([](float x) { return arc_sine(x); });
    case Unary::acos: return map([](float x) { return arc_cosine(x); });
    case Unary::atanh: return vectors([](Floats x) { return area_tangent(x); });
    case Unary::logit: return vectors([=](Floats x) { return log_odds(x, p); });
    case Unary::exp2: return vectors([](Floats x) { return power_of_two(x); });
    case Unary::log10: return vectors([](Floats x) { return log_ten(x); });
    case Unary::tan: {
      // An element's result doesn't depend on its neighbours.
      if (all_below(in, n, 8192.0f))
        return map([](float x) { return vsin_quadrant(x, 0) / vsin_quadrant(x, 1); });
      for (int64_t i = 0; i < n; ++i)
        out[i] = std::fabs(in[i]) < 8192.0f ? vsin_quadrant(in[i], 0) / vsin_quadrant(in[i], 1)
                                            : std::tan(in[i]);
      return true;
    }
    default: return false;
  }
}

}  // namespace
}  // namespace sconce::SCONCE_ISA
