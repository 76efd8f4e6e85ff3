// SPDX-License-Identifier: Apache-2.0
// Float functions as branch-free loops that the compiler turns into vector code. Targets:
// performance-design 13.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "backends/kernels.h"

namespace sconce {
namespace {

// c - n ln 2 in two constants.
inline float exp_remainder(float c, float n) {
  return std::fma(n, 2.12194440e-4f, std::fma(n, -0.693359375f, c));
}
// exp(r) - 1 for |r| <= ln 2 / 2: degree 6 (Cephes expf).
inline float expm1_near_zero(float r) {
  float p = 1.9875691500e-4f;
  p = std::fma(p, r, 1.3981999507e-3f);
  p = std::fma(p, r, 8.3334519073e-3f);
  p = std::fma(p, r, 4.1665795894e-2f);
  p = std::fma(p, r, 1.6666665459e-1f);
  p = std::fma(p, r, 5.0000001201e-1f);
  return std::fma(p, r * r, r);
}

// exp: n = rint(x log2 e), the polynomial of what remains, scale by the exponent in two steps.
inline float vexp(float x) {
  float c = x > 88.8f ? 88.8f : (x < -104.0f ? -104.0f : x);
  float n = std::nearbyint(c * 1.44269504088896341f);
  float p = expm1_near_zero(exp_remainder(c, n)) + 1.0f;
  auto i = static_cast<int32_t>(n);
  int32_t half = i >> 1;
  int32_t b1 = (half + 127) << 23, b2 = (i - half + 127) << 23;
  float s1, s2;
  std::memcpy(&s1, &b1, 4);
  std::memcpy(&s2, &b2, 4);
  float e = p * s1 * s2;
  e = x > 88.8f ? INFINITY : e;
  return x != x ? x : e;
}

// exp for x <= 0, in fewer steps; results below the least normal number are 0.
inline float vexp_negative(float x) {
  float c = x < -87.3f ? -87.3f : x;
  float n = std::nearbyint(c * 1.44269504088896341f);
  float p = expm1_near_zero(exp_remainder(c, n)) + 1.0f;
  int32_t bits;
  std::memcpy(&bits, &p, 4);
  bits += static_cast<int32_t>(static_cast<uint32_t>(static_cast<int32_t>(n)) << 23);
  std::memcpy(&p, &bits, 4);
  return x < -87.3f ? 0.0f : p;
}

// tanh(x) = 1 - 2 / (exp(2x) + 1), by its odd series near 0.
inline float vtanh(float x) {
  float a = std::fabs(x);
  float e = vexp(2.0f * (a > 10.0f ? 10.0f : a));
  float big = 1.0f - 2.0f / (e + 1.0f);
  float z = x * x;
  float p = -5.70498872745e-3f;
  p = std::fma(p, z, 2.06390887954e-2f);
  p = std::fma(p, z, -5.37397155531e-2f);
  p = std::fma(p, z, 1.33314422036e-1f);
  p = std::fma(p, z, -3.33332819422e-1f);
  float small = std::fma(p * z, a, a);
  float r = a < 0.625f ? small : big;
  r = x < 0.0f ? -r : r;
  return x != x ? x : r;
}

inline float vsigmoid(float x) { return 1.0f / (1.0f + vexp(-x)); }

// erf by Abramowitz & Stegun 7.1.26 refined: rational in t with exp for |x| >= 1, odd series below.
inline float verf(float x) {
  float a = std::fabs(x);
  float z = x * x;
  // |x| < 1: Cephes erff
  float p = 7.853861353153693e-5f;
  p = std::fma(p, z, -8.010193625184903e-4f);
  p = std::fma(p, z, 5.188327685732524e-3f);
  p = std::fma(p, z, -2.685381193529856e-2f);
  p = std::fma(p, z, 1.128358514861418e-1f);
  p = std::fma(p, z, -3.761262582423300e-1f);
  p = std::fma(p, z, 1.128379165726710e+0f);
  float small = x * p;
  // |x| >= 1: 1 - erfc, erfc(x) = exp(-x^2) / x * P(1/x^2) (Cephes erfcf)
  float c = a > 4.0f ? 4.0f : (a < 1.0f ? 1.0f : a);
  float q = 1.0f / c, y = q * q;
  float p1 = 2.326819970068386e-2f;
  p1 = std::fma(p1, y, -1.387039388740657e-1f);
  p1 = std::fma(p1, y, 3.687424674597105e-1f);
  p1 = std::fma(p1, y, -5.824733027278666e-1f);
  p1 = std::fma(p1, y, 6.210004621745983e-1f);
  p1 = std::fma(p1, y, -4.944515323274145e-1f);
  p1 = std::fma(p1, y, 3.404879937665872e-1f);
  p1 = std::fma(p1, y, -2.741127028184656e-1f);
  p1 = std::fma(p1, y, 5.638259427386472e-1f);
  float p2 = -1.047766399936249e+1f;
  p2 = std::fma(p2, y, 1.297719955372516e+1f);
  p2 = std::fma(p2, y, -7.495518717768503e+0f);
  p2 = std::fma(p2, y, 2.921019019210786e+0f);
  p2 = std::fma(p2, y, -1.015265279202700e+0f);
  p2 = std::fma(p2, y, 4.218463358204948e-1f);
  p2 = std::fma(p2, y, -2.820767439740514e-1f);
  p2 = std::fma(p2, y, 5.641895067754075e-1f);
  float big = 1.0f - vexp(-c * c) * q * (c < 2.0f ? p1 : p2);
  big = x < 0.0f ? -big : big;
  float r = a < 1.0f ? small : big;
  return x != x ? x : r;
}

// log and log2: mantissa in [sqrt(1/2), sqrt(2)), degree 8 polynomial (Cephes logf); the exponent
// times ln 2 in two parts, or as it is.
template <int Base>
inline float vlog_base(float x) {
  float y = x < 1.17549435e-38f ? x * 8388608.0f : x;  // subnormal numbers are scaled up
  int32_t bits;
  std::memcpy(&bits, &y, 4);
  int32_t e = ((bits >> 23) & 0xff) - 126 - (x < 1.17549435e-38f ? 23 : 0);
  bits = (bits & 0x007fffff) | 0x3f000000;
  float m;
  std::memcpy(&m, &bits, 4);
  bool low = m < 0.707106781186547524f;
  auto n = static_cast<float>(low ? e - 1 : e);
  m = low ? m + m - 1.0f : m - 1.0f;
  float z = m * m;
  float p = 7.0376836292e-2f;
  p = std::fma(p, m, -1.1514610310e-1f);
  p = std::fma(p, m, 1.1676998740e-1f);
  p = std::fma(p, m, -1.2420140846e-1f);
  p = std::fma(p, m, 1.4249322787e-1f);
  p = std::fma(p, m, -1.6668057665e-1f);
  p = std::fma(p, m, 2.0000714765e-1f);
  p = std::fma(p, m, -2.4999993993e-1f);
  p = std::fma(p, m, 3.3333331174e-1f);
  float r = p * m * z;
  if constexpr (Base == 2) {
    r = std::fma(z, -0.5f, r);
    // (m + r) log2(e), the part of log2(e) above 1 apart.
    r = std::fma(m, 0.44269504089f, std::fma(r, 0.44269504089f, r)) + m + n;
  } else {
    r = std::fma(n, -2.12194440e-4f, r);
    r = std::fma(z, -0.5f, r);
    r = r + m;
    r = std::fma(n, 0.693359375f, r);
  }
  r = x == INFINITY ? x : r;
  r = x == 0.0f ? -INFINITY : r;
  return x >= 0.0f ? r : NAN;
}
inline float vlog(float x) { return vlog_base<0>(x); }

// sin and cos for |x| < 8192: x minus the nearest multiple of pi/2 in three parts, then the
// polynomial of the quadrant (Cephes sinf, cosf).
inline float vsin_quadrant(float x, int32_t shift) {
  float n = std::nearbyint(x * 0.636619772367581343f);
  auto q = static_cast<int32_t>(n) + shift;
  float r = std::fma(n, -1.5703125f, x);
  r = std::fma(n, -4.837512969970703125e-4f, r);
  r = std::fma(n, -7.549789948768648e-8f, r);
  float z = r * r;
  float s = -1.9515295891e-4f;
  s = std::fma(s, z, 8.3321608736e-3f);
  s = std::fma(s, z, -1.6666654611e-1f);
  s = std::fma(s * z, r, r);
  float c = 2.443315711809948e-5f;
  c = std::fma(c, z, -1.388731625493765e-3f);
  c = std::fma(c, z, 4.166664568298827e-2f);
  c = std::fma(c * z, z, std::fma(z, -0.5f, 1.0f));
  float v = (q & 1) ? c : s;
  return (q & 2) ? -v : v;
}
inline bool all_below(const float* x, int64_t n, float limit) {
  bool ok = true;
  for (int64_t i = 0; i < n; ++i) ok &= std::fabs(x[i]) < limit;  // not so for nan
  return ok;
}

// x Phi(x) with erfc by Abramowitz & Stegun 7.1.26 (1.5e-7), taken as it is for negative x: nothing
// cancels.
inline float vgelu(float x) {
  float a = std::fabs(x) * 0.70710678118654752440f;
  float t = 1.0f / std::fma(0.3275911f, a, 1.0f);
  float p = 1.061405429f;
  p = std::fma(p, t, -1.453152027f);
  p = std::fma(p, t, 1.421413741f);
  p = std::fma(p, t, -0.284496736f);
  p = std::fma(p, t, 0.254829592f);
  float half = 0.5f * x, tail = half * (p * t * vexp_negative(-a * a));
  float above = x > 30.0f ? x : x - tail;
  return x < 0.0f ? tail : above;
}

// log(1 + x): the logarithm of the rounded sum, scaled by what rounding took (Kahan's way, as in
// HP's log1p).
inline float vlog1p(float x) {
  float y = 1.0f + x, d = y - 1.0f;
  float r = d == 0.0f ? x : vlog(y) * (x / d);
  return y == INFINITY ? y : r;
}

// exp(x) - 1: the polynomial of exp without its 1 near 0.
inline float vexpm1(float x) {
  float small = expm1_near_zero(x), big = vexp(x) - 1.0f;
  return std::fabs(x) < 0.34f ? small : big;
}

// False when the function has no vector form.
inline bool vector_unary(Unary op, float p, float q, float r, const float* in, float* out,
                         int64_t n) {
  switch (op) {
    case Unary::log2:
      for (int64_t i = 0; i < n; ++i) out[i] = vlog_base<2>(in[i]);
      return true;
    case Unary::log1p:
      for (int64_t i = 0; i < n; ++i) out[i] = vlog1p(in[i]);
      return true;
    case Unary::expm1:
      for (int64_t i = 0; i < n; ++i) out[i] = vexpm1(in[i]);
      return true;
    case Unary::elu:
      for (int64_t i = 0; i < n; ++i) {
        float x = in[i], e = p * q * vexpm1(x * r);
        out[i] = x > 0.0f ? x * q : e;
      }
      return true;
    case Unary::softplus:
      for (int64_t i = 0; i < n; ++i) {
        float x = in[i], s = vlog1p(vexp(x * p)) / p;
        out[i] = x * p > q ? x : s;
      }
      return true;
    case Unary::logsigmoid:
      for (int64_t i = 0; i < n; ++i) {
        float x = in[i], s = vlog1p(vexp_negative(-std::fabs(x)));
        out[i] = (x < 0.0f ? x : 0.0f) - s;
      }
      return true;
    case Unary::mish:
      // With e = exp(x): tanh(log(1 + e)) = e (e + 2) / (e (e + 2) + 2).
      for (int64_t i = 0; i < n; ++i) {
        float x = in[i], e = vexp(x > 20.0f ? 20.0f : x), m = e * (e + 2.0f);
        float y = x * (m / (m + 2.0f));
        out[i] = x > 20.0f ? x : y;
      }
      return true;
    case Unary::gelu_tanh:
      // (1 + tanh(u)) / 2 is the sigmoid of 2 u.
      for (int64_t i = 0; i < n; ++i) {
        float x = in[i], u = 0.79788456080286535588f * (x + 0.044715f * x * x * x);
        out[i] = x * vsigmoid(2.0f * u);
      }
      return true;
    case Unary::exp:
      for (int64_t i = 0; i < n; ++i) out[i] = vexp(in[i]);
      return true;
    case Unary::log:
      for (int64_t i = 0; i < n; ++i) out[i] = vlog(in[i]);
      return true;
    case Unary::sin:
    case Unary::cos: {
      int32_t shift = op == Unary::cos;
      if (all_below(in, n, 8192.0f)) {
        for (int64_t i = 0; i < n; ++i) out[i] = vsin_quadrant(in[i], shift);
        return true;
      }
      // Each element as it would be in any other company.
      for (int64_t i = 0; i < n; ++i) {
        const float x = in[i];
        out[i] = std::fabs(x) < 8192.0f ? vsin_quadrant(x, shift)
                 : shift                ? std::cos(x)
                                        : std::sin(x);
      }
      return true;
    }
    case Unary::tanh:
      for (int64_t i = 0; i < n; ++i) out[i] = vtanh(in[i]);
      return true;
    case Unary::sigmoid:
      for (int64_t i = 0; i < n; ++i) out[i] = vsigmoid(in[i]);
      return true;
    case Unary::silu:
      for (int64_t i = 0; i < n; ++i) out[i] = in[i] * vsigmoid(in[i]);
      return true;
    case Unary::erf:
      for (int64_t i = 0; i < n; ++i) out[i] = verf(in[i]);
      return true;
    case Unary::gelu:
      for (int64_t i = 0; i < n; ++i) out[i] = vgelu(in[i]);
      return true;
    default: return false;
  }
}

// The remainder of a truncated division, exact: the quotient is off by one at most, and what it
// leaves is a number. Only for quotients below 2^22 and ordinary divisors.
inline float vfmod(float a, float b) {
  float r = std::fma(-std::trunc(a / b), b, a);
  float d = std::fabs(b);
  d = a < 0.0f ? -d : d;
  r = (r < 0.0f) != (a < 0.0f) && r != 0.0f ? r + d : r;
  r = std::fabs(r) >= std::fabs(b) ? r - d : r;
  return std::copysign(r, a);
}

// False when the function has no vector form, or not for these numbers.
inline bool vector_binary(Binary op, const float* a, const float* b, float* out, int64_t n) {
  if (op != Binary::remainder && op != Binary::fmod && op != Binary::floor_div) return false;
  bool ok = true;
  for (int64_t i = 0; i < n; ++i)
    ok &=
        std::fabs(a[i] / b[i]) < 4194304.0f && std::fabs(b[i]) < 1e37f && std::fabs(b[i]) > 1e-30f;
  if (!ok) return false;
  if (op == Binary::fmod) {
    for (int64_t i = 0; i < n; ++i) out[i] = vfmod(a[i], b[i]);
  } else if (op == Binary::remainder) {
    for (int64_t i = 0; i < n; ++i) {
      float y = b[i], r = vfmod(a[i], y);
      out[i] = r != 0.0f && (y < 0.0f) != (r < 0.0f) ? r + y : r;
    }
  } else {
    for (int64_t i = 0; i < n; ++i) {
      float x = a[i], y = b[i], r = vfmod(x, y), div = (x - r) / y;
      div = r != 0.0f && (y < 0.0f) != (r < 0.0f) ? div - 1.0f : div;
      float f = std::floor(div);
      f = div - f > 0.5f ? f + 1.0f : f;
      float zero = std::copysign(0.0f, x / y);
      out[i] = div == 0.0f ? zero : f;
    }
  }
  return true;
}

}  // namespace
}  // namespace sconce
