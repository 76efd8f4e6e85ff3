// SPDX-License-Identifier: Apache-2.0
// Float functions without branches: of one float, or of a vector of them (the same bits). Targets:
// performance-design 13. Polynomials are least squares fits made minimax by reweighting, those of
// exp, log, sin and cos are Cephes'.
#pragma once
#include <cmath>
#include <cstdint>

#include "backends/cpu/vectors.h"

namespace sconce {
namespace {

template <class V>
struct BitsOf;
template <>
struct BitsOf<float> {
  using type = int32_t;
};
template <>
struct BitsOf<SCONCE_ISA::Floats> {
  using type = SCONCE_ISA::Ints;
};
template <class V>
SCONCE_INLINE typename BitsOf<V>::type bits_of(V x) {
  return __builtin_bit_cast(typename BitsOf<V>::type, x);
}
SCONCE_INLINE float floats_of(int32_t bits) { return __builtin_bit_cast(float, bits); }
SCONCE_INLINE SCONCE_ISA::Floats floats_of(SCONCE_ISA::Ints bits) {
  return __builtin_bit_cast(SCONCE_ISA::Floats, bits);
}
SCONCE_INLINE float to_floats(int32_t i) { return static_cast<float>(i); }
SCONCE_INLINE SCONCE_ISA::Floats to_floats(SCONCE_ISA::Ints i) {
  SCONCE_ISA::Floats v;
  for (int k = 0; k < static_cast<int>(SCONCE_ISA::kFloats); ++k) v[k] = static_cast<float>(i[k]);
  return v;
}
template <class V>
SCONCE_INLINE V vabs(V x) {
  return floats_of(bits_of(x) & 0x7fffffff);
}
// |x| with the sign of s.
template <class V>
SCONCE_INLINE V with_sign(V x, V s) {
  return floats_of((bits_of(x) & 0x7fffffff) | (bits_of(s) & ~0x7fffffff));
}
// c[0] + c[1] x + ...: pairs of terms, then a polynomial of x^2, so that chains are short.
template <class V, size_t N>
SCONCE_INLINE V polynomial(V x, const float (&c)[N]) {
  constexpr int kPairs = static_cast<int>(N / 2);
  const V xx = x * x;
  V p = N % 2 ? V{} + c[N - 1] : x * c[N - 1] + c[N - 2];
#pragma GCC unroll 16
  for (int i = kPairs - (N % 2 ? 1 : 2); i >= 0; --i) p = p * xx + (x * c[2 * i + 1] + c[2 * i]);
  return p;
}

// x = n ln 2 + r with |r| <= ln 2 / 2. The low bits of shifted are those of n + 127.
template <class V>
struct ExpParts {
  V shifted, n, r;
};
template <class V>
SCONCE_INLINE ExpParts<V> exp_parts(V x) {
  constexpr float kShift = 12582912.0f + 127.0f;  // adding 1.5 * 2^23 rounds to an integer
  const V shifted = x * 1.44269504088896341f + kShift, n = shifted - kShift;
  return {shifted, n, n * 2.12194440e-4f + (n * -0.693359375f + x)};
}
// exp(r) - 1 for |r| <= ln 2 / 2: degree 7 (Cephes expf).
template <class V>
SCONCE_INLINE V expm1_near_zero(V r) {
  constexpr float kC[] = {5.0000001201e-1f, 1.6666665459e-1f, 4.1665795894e-2f,
                          8.3334519073e-3f, 1.3981999507e-3f, 1.9875691500e-4f};
  return polynomial(r, kC) * (r * r) + r;
}
// 2^n for -126 <= n <= 127.
template <class V>
SCONCE_INLINE V exp_scale(const ExpParts<V>& e) {
  return floats_of(bits_of(e.shifted) << 23);
}

template <class V>
SCONCE_INLINE V vexp(V x) {
  const V c = SCONCE_ISA::at_most(SCONCE_ISA::at_least(x, V{} - 104.0f), V{} + 89.0f);
  const auto e = exp_parts(c);
  const V p = expm1_near_zero(e.r) + 1.0f;
#ifdef __AVX512F__
  if constexpr (sizeof(V) == 64)
    return reinterpret_cast<V>(
        _mm512_maskz_scalef_ps(0xffff, reinterpret_cast<__m512>(p), reinterpret_cast<__m512>(e.n)));
  else
#endif
  {  // in two steps: 2^n may be no normal number
    const auto i = bits_of(e.shifted) - bits_of(V{} + 12582912.0f) - 127, half = i >> 1;
    return p * floats_of((half + 127) << 23) * floats_of((i - half + 127) << 23);
  }
}

// exp for x <= 0, in fewer steps; results below the least normal number are 0.
template <class V>
SCONCE_INLINE V vexp_negative(V x) {
  const auto e = exp_parts(SCONCE_ISA::at_least(x, V{} - 87.3f));
  const V y = (expm1_near_zero(e.r) + 1.0f) * exp_scale(e);
  return x < -87.3f ? V{} : y;
}

// tanh(x) = m / (m + 2) with m = exp(2 x) - 1.
template <class V>
SCONCE_INLINE V vtanh(V x) {
  const auto e = exp_parts(SCONCE_ISA::at_most(vabs(x) * 2.0f, V{} + 20.0f));
  const V s = exp_scale(e), m = s * expm1_near_zero(e.r) + (s - 1.0f);
  return with_sign(m / (m + 2.0f), x);
}

template <class V>
SCONCE_INLINE V vsigmoid(V x) {
  return 1.0f / (vexp(-x) + 1.0f);
}
template <class V>
SCONCE_INLINE V vsilu(V x) {
  return x / (vexp(-x) + 1.0f);
}

// sinh and cosh of x >= 0 by h = exp(x) / 2, and sinh near 0 by exp(x) - 1.
template <bool Sinh, class V>
SCONCE_INLINE V vhyperbolic(V x) {
  const V a = vabs(x);
  const auto e = exp_parts(SCONCE_ISA::at_most(a, V{} + 90.0f));
  const V rest = expm1_near_zero(e.r), quarter = floats_of((bits_of(e.shifted) - 2) << 23);
  const V h = (rest + 1.0f) * quarter * 2.0f;
  if (!Sinh) return h + 0.25f / h;
  const V s = exp_scale(e), m = s * rest + (s - 1.0f);
  return with_sign(a < 1.0f ? 0.5f * (m + m / (m + 1.0f)) : h - 0.25f / h, x);
}

// erf: its odd series near 0, 1 - exp(log(erfc)) beyond.
template <class V>
SCONCE_INLINE V verf(V x) {
  constexpr float kNear[] = {1.283791661e-01f,  -3.761263490e-01f, 1.128371954e-01f,
                             -2.686075307e-02f, 5.204435904e-03f,  -8.181926678e-04f,
                             8.538836846e-05f};
  constexpr float kLogErfc[] = {1.562954130e-04f,  -1.129424930e+00f, -6.335318089e-01f,
                                -1.080735549e-01f, 2.498406917e-02f,  -4.119041841e-03f,
                                4.236125969e-04f,  -2.014800157e-05f};
  const V a = vabs(x), z = x * x;
  const V near = x * polynomial(z, kNear) + x;
  const V tail = vexp_negative(polynomial(SCONCE_ISA::at_most(a, V{} + 4.1f), kLogErfc));
  return a < 0.9f ? near : with_sign(1.0f - tail, x);
}

// x Phi(x), by the logarithm of Phi(-|x|) exp(x^2 / 2); nothing cancels for negative x.
template <class V>
SCONCE_INLINE V vgelu(V x) {
  constexpr float kLog[] = {-6.931445003e-01f, -7.979253531e-01f, 1.818951070e-01f,
                            -3.682262450e-02f, 5.413975567e-03f,  -4.407951492e-04f,
                            2.040364961e-07f,  2.184756340e-06f};
  const V a = vabs(x);
  const V log = polynomial(SCONCE_ISA::at_most(a, V{} + 7.8f), kLog) - x * x * 0.5f;
  const V phi = vexp_negative(log);
  return x > 0.0f ? x - SCONCE_ISA::at_most(x, V{} + 30.0f) * phi : x * phi;
}
// (1 + tanh(u)) / 2 is the sigmoid of 2 u.
template <class V>
SCONCE_INLINE V vgelu_tanh(V x) {
  const V u =
      x * (x * x * (2.0f * 0.79788456080286535588f * 0.044715f) + 2.0f * 0.79788456080286535588f);
  return x / (vexp(-u) + 1.0f);
}

// log and log2: mantissa in [sqrt(1/2), sqrt(2)), degree 8 polynomial (Cephes logf); the exponent
// times ln 2 in two parts, or as it is.
template <int Base, class V>
SCONCE_INLINE V vlog_base(V x) {
  using I = typename BitsOf<V>::type;
  const auto tiny = x < 1.17549435e-38f;
  const V y = tiny ? x * 8388608.0f : x;  // subnormal numbers are scaled up
  const I bits = bits_of(y);
  const I e = ((bits >> 23) & 0xff) - 126 - (tiny ? I{} + 23 : I{});
  V m = floats_of((bits & 0x007fffff) | 0x3f000000);
  const auto low = m < 0.707106781186547524f;
  const V n = to_floats(low ? e - 1 : e);
  m = low ? m + m - 1.0f : m - 1.0f;
  constexpr float kC[] = {3.3333331174e-1f,  -2.4999993993e-1f, 2.0000714765e-1f,
                          -1.6668057665e-1f, 1.4249322787e-1f,  -1.2420140846e-1f,
                          1.1676998740e-1f,  -1.1514610310e-1f, 7.0376836292e-2f};
  const V z = m * m;
  V r = polynomial(m, kC) * m * z;
  if constexpr (Base == 2) {
    r = z * -0.5f + r;
    // (m + r) log2(e), the part of log2(e) above 1 apart.
    r = m * 0.44269504089f + (r * 0.44269504089f + r) + m + n;
  } else {
    r = n * -2.12194440e-4f + r;
    r = z * -0.5f + r;
    r = r + m;
    r = n * 0.693359375f + r;
  }
  r = x == INFINITY ? x : r;
  r = x == 0.0f ? V{} - INFINITY : r;
  return x >= 0.0f ? r : V{} + NAN;
}
template <class V>
SCONCE_INLINE V vlog(V x) {
  return vlog_base<0>(x);
}

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
  s = x == 0.0f ? x : std::fma(s * z, r, r);  // -0 stays
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

// log(1 + x): the logarithm of the rounded sum, scaled by what rounding took (Kahan's way, as in
// HP's log1p).
template <class V>
SCONCE_INLINE V vlog1p(V x) {
  const V y = x + 1.0f, d = y - 1.0f;
  const V r = d == 0.0f ? x : vlog(y) * (x / d);
  return y == INFINITY ? y : r;
}

// exp(x) - 1 = 2 (2^(n-1) (exp(r) - 1) + 2^(n-1) - 1/2).
template <class V>
SCONCE_INLINE V vexpm1(V x) {
  const auto e = exp_parts(SCONCE_ISA::at_most(SCONCE_ISA::at_least(x, V{} - 20.0f), V{} + 89.0f));
  const V half = floats_of((bits_of(e.shifted) << 23) - (1 << 23));
  const V y = (half * expm1_near_zero(e.r) + (half - 0.5f)) * 2.0f;
  return x == 0.0f ? x : y;
}

// False when the function has no vector form.
inline bool vector_unary(Unary op, float p, float q, float r, const float* in, float* out,
                         int64_t n) {
  using SCONCE_ISA::map_floats;
  using V = SCONCE_ISA::Floats;
  auto map = [=](auto f) {
    map_floats(in, out, n, f);
    return true;
  };
  switch (op) {
    case Unary::log2: return map([](V x) { return vlog_base<2>(x); });
    case Unary::log1p: return map([](V x) { return vlog1p(x); });
    case Unary::expm1: return map([](V x) { return vexpm1(x); });
    case Unary::elu: return map([=](V x) { return x > 0.0f ? x * q : p * q * vexpm1(x * r); });
    case Unary::softplus: return map([=](V x) { return x * p > q ? x : vlog1p(vexp(x * p)) / p; });
    case Unary::logsigmoid:
      return map([](V x) { return (x < 0.0f ? x : V{}) - vlog1p(vexp_negative(-vabs(x))); });
    case Unary::mish:
      // With e = exp(x): tanh(log(1 + e)) = e (e + 2) / (e (e + 2) + 2).
      return map([](V x) {
        const V e = vexp(x > 20.0f ? V{} + 20.0f : x), m = e * (e + 2.0f);
        return x > 20.0f ? x : x * (m / (m + 2.0f));
      });
    case Unary::gelu_tanh: return map([](V x) { return vgelu_tanh(x); });
    case Unary::exp: return map([](V x) { return vexp(x); });
    case Unary::log: return map([](V x) { return vlog(x); });
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
    case Unary::tanh: return map([](V x) { return vtanh(x); });
    case Unary::sinh: return map([](V x) { return vhyperbolic<true>(x); });
    case Unary::cosh: return map([](V x) { return vhyperbolic<false>(x); });
    case Unary::sigmoid: return map([](V x) { return vsigmoid(x); });
    case Unary::silu: return map([](V x) { return vsilu(x); });
    case Unary::erf: return map([](V x) { return verf(x); });
    case Unary::gelu: return map([](V x) { return vgelu(x); });
    default: return false;
  }
}

// The remainder of a truncated division, exact: the quotient is off by one at most, and what it
// leaves is a number. Only for quotients of two digits less than T has and ordinary divisors.
template <class T>
SCONCE_INLINE T vfmod(T a, T b) {
  T r = std::fma(-std::trunc(a / b), b, a);
  T d = std::fabs(b);
  d = a < 0 ? -d : d;
  r = (r < 0) != (a < 0) && r != 0 ? r + d : r;
  r = std::fabs(r) >= std::fabs(b) ? r - d : r;
  return std::copysign(r, a);
}

// Quotients and remainders of floats or doubles. False for other functions, or when these numbers
// don't allow it.
template <class T>
inline bool divide_numbers(Binary op, const T* a, const T* b, T* out, int64_t n) {
  if (op != Binary::remainder && op != Binary::fmod && op != Binary::floor_div) return false;
  constexpr bool wide = sizeof(T) == 8;
  constexpr T kQuotient = wide ? T(2251799813685248.0) : T(4194304.0f);
  constexpr T kMost = wide ? T(1e300) : T(1e37f), kLeast = wide ? T(1e-270) : T(1e-30f);
  bool ok = true;
  for (int64_t i = 0; i < n; ++i) {
    const T quotient = std::fabs(a[i] / b[i]), divisor = std::fabs(b[i]);
    ok &= (quotient < kQuotient) & (divisor < kMost) & (divisor > kLeast);
  }
  if (!ok) return false;
  if (op == Binary::fmod) {
    for (int64_t i = 0; i < n; ++i) out[i] = vfmod(a[i], b[i]);
  } else if (op == Binary::remainder) {
    for (int64_t i = 0; i < n; ++i) {
      T y = b[i], r = vfmod(a[i], y);
      out[i] = r != 0 && (y < 0) != (r < 0) ? r + y : r;
    }
  } else {
    for (int64_t i = 0; i < n; ++i) {
      T x = a[i], y = b[i], r = vfmod(x, y), div = (x - r) / y;
      div = r != 0 && (y < 0) != (r < 0) ? div - 1 : div;
      T f = std::floor(div);
      f = div - f > T(0.5) ? f + 1 : f;
      T zero = std::copysign(T(0), x / y);
      out[i] = div == 0 ? zero : f;
    }
  }
  return true;
}

}  // namespace
}  // namespace sconce
