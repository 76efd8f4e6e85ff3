// SPDX-License-Identifier: Apache-2.0
// Functions of vectors of doubles, without branches, within two units in the last place: what
// vector_math.h is to floats. Polynomials are the functions' own series, as long as their arguments
// are reduced to need.
#pragma once
#include <cmath>
#include <cstdint>

#include "backends/cpu/vector_math.h"
#include "backends/slots.h"

namespace sconce::SCONCE_ISA {
namespace {

typedef double Doubles __attribute__((vector_size(kVectorBytes)));
typedef int64_t Longs __attribute__((vector_size(kVectorBytes)));
typedef uint64_t Unsigned __attribute__((vector_size(kVectorBytes)));
constexpr int64_t kDoubles = Vec<double>::lanes;

SCONCE_INLINE Doubles load(const double* p) {
  return *reinterpret_cast<const Vec<double>::type*>(p);
}
SCONCE_INLINE void store(double* p, Doubles v) { *reinterpret_cast<Vec<double>::type*>(p) = v; }
// The first n lanes, 0 <= n < kDoubles; the others are zero and their memory isn't touched.
SCONCE_INLINE Doubles load_part(const double* p, int64_t n) {
  Doubles v{};
  for (int64_t i = 0; i < n; ++i) v[i] = p[i];
  return v;
}
SCONCE_INLINE void store_part(double* p, int64_t n, Doubles v) {
  for (int64_t i = 0; i < n; ++i) p[i] = v[i];
}
// out[i] = f(in[i]); out may be in. An element's result doesn't depend on its place.
template <class F>
SCONCE_INLINE void map_doubles(const double* in, double* out, int64_t n, F f) {
  int64_t i = 0;
  for (; i + kDoubles <= n; i += kDoubles) store(out + i, f(load(in + i)));
  if (i < n) store_part(out + i, n - i, f(load_part(in + i, n - i)));
}

}  // namespace
}  // namespace sconce::SCONCE_ISA

namespace sconce {
namespace {

using SCONCE_ISA::Doubles;
using SCONCE_ISA::Unsigned;

SCONCE_INLINE Unsigned bits_of(Doubles x) { return __builtin_bit_cast(Unsigned, x); }
SCONCE_INLINE Doubles doubles_of(Unsigned x) { return __builtin_bit_cast(Doubles, x); }
constexpr uint64_t kSignBit = uint64_t{1} << 63;
SCONCE_INLINE Doubles vabs(Doubles x) { return doubles_of(bits_of(x) & ~kSignBit); }
// |x| with the sign of s.
SCONCE_INLINE Doubles with_sign(Doubles x, Doubles s) {
  return doubles_of((bits_of(x) & ~kSignBit) | (bits_of(s) & kSignBit));
}
// c[0] + c[1] x + ...: pairs of terms, then a polynomial of x^2.
template <size_t N>
SCONCE_INLINE Doubles polynomial(Doubles x, const double (&c)[N]) {
  constexpr int kPairs = static_cast<int>(N / 2);
  const Doubles xx = x * x;
  Doubles p = N % 2 ? Doubles{} + c[N - 1] : x * c[N - 1] + c[N - 2];
#pragma GCC unroll 16
  for (int i = kPairs - (N % 2 ? 1 : 2); i >= 0; --i) p = p * xx + (x * c[2 * i + 1] + c[2 * i]);
  return p;
}

// x = n ln 2 + r with |r| <= ln 2 / 2, for -1000 < n < 1100; the low twelve bits of shifted are
// those of n + 2048. rest: exp(r) - 1.
struct WideExp {
  Doubles shifted, rest;
};
constexpr double kExpShift = 6755399441055744.0 + 2048.0;
SCONCE_INLINE Doubles expm1_near_zero(Doubles r) {
  constexpr double kC[] = {1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
                           1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                           1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0};
  return polynomial(r, kC) * (r * r) + r;
}
SCONCE_INLINE WideExp exp_of(Doubles x) {
  const Doubles shifted = x * 1.4426950408889634074 + kExpShift, n = shifted - kExpShift;
  return {shifted,
          expm1_near_zero(n * -1.90821492927058770002e-10 + (n * -6.93147180369123816490e-01 + x))};
}
// v 2^(n + more) in two steps: the power may be no normal number.
SCONCE_INLINE Doubles scale(Doubles v, const WideExp& e, int64_t more = 0) {
  const Unsigned n = (bits_of(e.shifted) & 4095) + static_cast<uint64_t>(more), half = n >> 1;
  return v * doubles_of((half - 1) << 52) * doubles_of((n - half - 1) << 52);
}

SCONCE_INLINE Doubles vexp(Doubles x) {
  Doubles c = x > 710.0 ? Doubles{} + 710.0 : x;
  c = c < -746.0 ? Doubles{} - 746.0 : c;
  const WideExp e = exp_of(c);
  return scale(e.rest + 1.0, e);
}

SCONCE_INLINE Doubles vexp_negative(Doubles x) { return vexp(x); }
SCONCE_INLINE Doubles vexp2(Doubles x) {
  Doubles c = x > 1025.0 ? Doubles{} + 1025.0 : x;
  c = c < -1080.0 ? Doubles{} - 1080.0 : c;
  const Doubles shifted = c + kExpShift, n = shifted - kExpShift;
  const WideExp e = {shifted, expm1_near_zero((c - n) * 0.693147180559945309417)};
  return scale(e.rest + 1.0, e);
}

// log(x), with the exponent's part apart: x = 2^n (1 + f), 1 + f in [sqrt(1/2), sqrt(2)).
SCONCE_INLINE Doubles vlog(Doubles x) {
  constexpr uint64_t kOne = uint64_t{1023} << 52, kRoot = 0x3fe6a09e667f3bcd;  // 1, sqrt(1/2)
  const auto tiny = x < 2.2250738585072014e-308;
  const Unsigned bits = bits_of(tiny ? x * 18014398509481984.0 : x),
                 e = (bits + (kOne - kRoot)) >> 52;
  const Doubles n = doubles_of(e | 0x4330000000000000) - (4503599627370496.0 + 1023.0) -
                    (tiny ? Doubles{} + 54.0 : Doubles{});
  const Doubles f = doubles_of(bits - (e << 52) + kOne) - 1.0;
  const Doubles s = f / (f + 2.0), z = s * s, half = f * f * 0.5;
  // log(1 + f) = f - f^2 / 2 + s (f^2 / 2 + z (2/3 + 2/5 z + ...))
  constexpr double kC[] = {2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9, 2.0 / 11,
                           2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19};
  const Doubles tail = s * (polynomial(z, kC) * z + half) + n * 1.90821492927058770002e-10;
  Doubles r = n * 6.93147180369123816490e-01 - ((half - tail) - f);
  r = x == static_cast<double>(INFINITY) ? x : r;
  r = x == 0.0 ? Doubles{} - static_cast<double>(INFINITY) : r;
  return x >= 0.0 ? r : Doubles{} + static_cast<double>(NAN);
}

// log(1 + x), as of floats.
SCONCE_INLINE Doubles vlog1p(Doubles x) {
  const Doubles y = x + 1.0, d = y - 1.0;
  const Doubles r = d == 0.0 ? x : vlog(y) * (x / d);
  return y == static_cast<double>(INFINITY) ? y : r;
}
// exp(x) - 1 for x <= 709.
SCONCE_INLINE Doubles vexpm1(Doubles x) {
  const Doubles c = x < -40.0 ? Doubles{} - 40.0 : x > 710.0 ? Doubles{} + 710.0 : x;
  const WideExp e = exp_of(c);
  const Doubles half = scale(Doubles{} + 1.0, e, -1);  // 2^(n-1): 2^n may overflow
  const Doubles y = (half * e.rest + (half - 0.5)) * 2.0;
  return x == 0.0 ? x : y;
}
SCONCE_INLINE Doubles vtanh(Doubles x) {
  const Doubles a = vabs(x), m = vexpm1(a > 22.0 ? Doubles{} + 44.0 : a + a);
  return with_sign(m / (m + 2.0), x);
}
// sinh and cosh of x >= 0 by h = exp(x) / 2, and sinh near 0 by exp(x) - 1.
template <bool Sinh>
SCONCE_INLINE Doubles vhyperbolic(Doubles x) {
  const Doubles a = vabs(x);
  const WideExp e = exp_of(a > 712.0 ? Doubles{} + 712.0 : a);
  const Doubles h = scale(e.rest + 1.0, e, -1);
  if (!Sinh) return h + 0.25 / h;
  const Doubles s = scale(Doubles{} + 1.0, e, -1) * 2.0, m = s * e.rest + (s - 1.0);
  return with_sign(a < 1.0 ? 0.5 * (m + m / (m + 1.0)) : h - 0.25 / h, x);
}
// sin and cos for |x| < 2^20: x minus the nearest multiple of pi/2, which is given in three parts
// whose products are exact, then the series of the quadrant.
constexpr double kWideTrig = 1048576.0;
SCONCE_INLINE Doubles vsin_quadrant(Doubles x, uint64_t shift) {
  constexpr double kShift = 6755399441055744.0;
  const Doubles shifted = x * 6.36619772367581382433e-01 + kShift, n = shifted - kShift;
  const Unsigned q = bits_of(shifted) + shift;
  const Doubles r = n * -2.02226624871116645580e-21 +
                    (n * -6.07710050630396597660e-11 + (n * -1.57079632673412561417e+00 + x));
  const Doubles z = r * r;
  constexpr double kSin[] = {
      -1.0 / 6,        1.0 / 120,          -1.0 / 5040,           1.0 / 362880,
      -1.0 / 39916800, 1.0 / 6227020800.0, -1.0 / 1307674368000.0};
  constexpr double kCos[] = {
      1.0 / 24,          -1.0 / 720,           1.0 / 40320,           -1.0 / 3628800.0,
      1.0 / 479001600.0, -1.0 / 87178291200.0, 1.0 / 20922789888000.0};
  const Doubles s = r == 0.0 ? r : polynomial(z, kSin) * z * r + r;  // -0 stays
  const Doubles c = 1.0 - (z * 0.5 - polynomial(z, kCos) * (z * z));
  const Doubles v = (q & 1) != 0 ? c : s;
  return doubles_of(bits_of(v) ^ (q & 2) << 62);
}

// Inverse functions: Cephes' rational approximations near 0, the rest by identities.
constexpr double kWideHalfPi = 1.57079632679489661923, kWidePi = 3.14159265358979323846;
SCONCE_INLINE Doubles varc_tangent(Doubles x) {
  constexpr double kP[] = {-6.485021904942025371773e1, -1.228866684490136173410e2,
                           -7.500855792314704667340e1, -1.615753718733365076637e1,
                           -8.750608600031904122785e-1};
  constexpr double kQ[] = {1.945506571482613964425e2, 4.853903996359136964868e2,
                           4.328810604912902668951e2, 1.650270098316988542046e2,
                           2.485846490142306297962e1, 1.0};
  const Doubles a = vabs(x), none{};
  const auto steep = a > 2.41421356237309504880, middle = a > 0.66;
  const Doubles y = steep ? -1.0 / a : middle ? (a - 1.0) / (a + 1.0) : a, z = y * y;
  // Of pi / 2 and pi / 4, what a double leaves.
  const Doubles rest = steep    ? none + 6.123233995736765886e-17
                       : middle ? none + 3.061616997868382943e-17
                                : none;
  const Doubles r = y * (z * polynomial(z, kP) / polynomial(z, kQ)) + rest + y;
  return with_sign(r + (steep ? none + kWideHalfPi : middle ? none + kWideHalfPi / 2 : none), x);
}
SCONCE_INLINE Doubles varc_tangent(Doubles y, Doubles x) {
  const Doubles u = vabs(y), v = vabs(x), small = u < v ? u : v, large = u < v ? v : u;
  // Equal ones, zeros and infinities among them, have a quotient of 1 or 0.
  const Doubles q = large == 0.0 ? Doubles{} : small == large ? Doubles{} + 1.0 : small / large;
  Doubles r = varc_tangent(q);
  r = u > v ? kWideHalfPi - r : r;
  r = (bits_of(x) >> 63) != 0 ? kWidePi - r : r;
  return ((x != x) | (y != y)) ? x + y : with_sign(r, y);
}
// asin(a) for 0 <= a <= 1/2.
SCONCE_INLINE Doubles varc_sine_near_zero(Doubles a) {
  constexpr double kP[] = {-8.198089802484824371615e0,  1.956261983317594739197e1,
                           -1.626247967210700244449e1,  5.444622390564711410273e0,
                           -6.019598008014123785661e-1, 4.253011369004428248960e-3};
  constexpr double kQ[] = {-4.918853881490881290097e1, 1.395105614657485689735e2,
                           -1.471791292232726029859e2, 7.049610280856842141659e1,
                           -1.474091372988853791896e1, 1.0};
  const Doubles z = a * a;
  return a * (z * polynomial(z, kP) / polynomial(z, kQ)) + a;
}
SCONCE_INLINE Doubles vroot(Doubles x) {
  Doubles r;
  for (int k = 0; k < static_cast<int>(SCONCE_ISA::kDoubles); ++k) r[k] = std::sqrt(x[k]);
  return r;
}
// asin, or acos.
template <bool Cosine>
SCONCE_INLINE Doubles varc_sine(Doubles x) {
  const Doubles a = vabs(x);
  const auto far = a > 0.5;
  const Doubles r = varc_sine_near_zero(far ? vroot(0.5 - 0.5 * a) : a);
  if (!Cosine) return with_sign(far ? kWideHalfPi - (2.0 * r - 6.123233995736765886e-17) : r, x);
  const Doubles beyond = x < 0.0 ? kWidePi - (2.0 * r - 1.2246467991473531772e-16) : 2.0 * r;
  return far ? beyond : kWideHalfPi - (with_sign(r, x) - 6.123233995736765886e-17);
}

// False when the function has no vector form, or not for these numbers.
inline bool double_unary(Unary op, double p, double q, double r, const double* in, double* out,
                         int64_t n) {
  using V = Doubles;
  auto map = [=](auto f) __attribute__((always_inline)) {
    SCONCE_ISA::map_doubles(in, out, n, f);
    return true;
  };
  switch (op) {
    case Unary::exp: return map([](V x) { return vexp(x); });
    case Unary::exp2: return map([](V x) { return vexp2(x); });
    case Unary::log: return map([](V x) { return vlog(x); });
    case Unary::log2: return map([](V x) { return vlog(x) * 1.44269504088896340736; });
    case Unary::log10: return map([](V x) { return vlog(x) * 0.434294481903251827651; });
    case Unary::log1p: return map([](V x) { return vlog1p(x); });
    case Unary::expm1: return map([](V x) { return vexpm1(x); });
    case Unary::sigmoid: return map([](V x) { return 1.0 / (vexp(-x) + 1.0); });
    case Unary::silu: return map([](V x) { return x / (vexp(-x) + 1.0); });
    case Unary::tanh: return map([](V x) { return vtanh(x); });
    case Unary::sinh: return map([](V x) { return vhyperbolic<true>(x); });
    case Unary::cosh: return map([](V x) { return vhyperbolic<false>(x); });
    case Unary::atanh:
      return map([](V x) {
        const V a = vabs(x);
        return with_sign(0.5 * vlog1p((a + a) / (1.0 - a)), x);
      });
    case Unary::atan: return map([](V x) { return varc_tangent(x); });
    case Unary::asin: return map([](V x) { return varc_sine<false>(x); });
    case Unary::acos: return map([](V x) { return varc_sine<true>(x); });
    case Unary::elu: return map([=](V x) { return x > 0.0 ? x * q : p * q * vexpm1(x * r); });
    case Unary::softplus: return map([=](V x) { return x * p > q ? x : vlog1p(vexp(x * p)) / p; });
    case Unary::logsigmoid:
      return map([](V x) { return (x < 0.0 ? x : V{}) - vlog1p(vexp(-vabs(x))); });
    case Unary::logit:
      return map([=](V x) {
        const V low = x < p ? V{} + p : x;
        const V z = p < 0.0 ? x : low > 1.0 - p ? V{} + (1.0 - p) : low;
        return vlog(z / (1.0 - z));
      });
    case Unary::sin:
    case Unary::cos:
    case Unary::tan: {
      bool ok = true;
      for (int64_t i = 0; i < n; ++i) ok &= std::fabs(in[i]) < kWideTrig;  // not so for nan
      if (!ok) {  // each element as it would be in any other company
        for (int64_t i = 0; i < n; ++i) {
          if (std::fabs(in[i]) < kWideTrig)
            double_unary(op, p, q, r, in + i, out + i, 1);
          else
            out[i] = op == Unary::sin   ? std::sin(in[i])
                     : op == Unary::cos ? std::cos(in[i])
                                        : std::tan(in[i]);
        }
        return true;
      }
      if (op == Unary::tan)
        return map([](V x) { return vsin_quadrant(x, 0) / vsin_quadrant(x, 1); });
      const uint64_t shift = op == Unary::cos ? 1 : 0;
      return map([=](V x) { return vsin_quadrant(x, shift); });
    }
    default: return false;
  }
}
inline bool double_binary(Binary op, const double* a, const double* b, double* out, int64_t n) {
  auto map = [=](auto f) __attribute__((always_inline)) {
    using SCONCE_ISA::kDoubles, SCONCE_ISA::load, SCONCE_ISA::load_part, SCONCE_ISA::store,
        SCONCE_ISA::store_part;
    int64_t i = 0;
    for (; i + kDoubles <= n; i += kDoubles) store(out + i, f(load(a + i), load(b + i)));
    if (i < n) store_part(out + i, n - i, f(load_part(a + i, n - i), load_part(b + i, n - i)));
    return true;
  };
  switch (op) {
    case Binary::atan2: return map([](Doubles y, Doubles x) { return varc_tangent(y, x); });
    case Binary::logaddexp:
      return map([](Doubles x, Doubles y) {
        const Doubles most = x > y ? x : y, sum = most + vlog1p(vexp(-vabs(x - y)));
        return ((x == y) & (vabs(x) == static_cast<double>(INFINITY))) ? x : sum;
      });
    case Binary::hypot:
      for (int64_t i = 0; i < n; ++i) {
        // Squares that neither overflow nor lose digits.
        const double x = std::fabs(a[i]), y = std::fabs(b[i]), most = x < y ? y : x;
        out[i] = std::sqrt(a[i] * a[i] + b[i] * b[i]);
        if (!(most > 1e-140 && most < 1e150)) out[i] = std::hypot(a[i], b[i]);
      }
      return true;
    default: return false;
  }
}

}  // namespace
}  // namespace sconce

namespace sconce::SCONCE_ISA {
namespace {

// As of floats: the larger number; v where it is nan.
SCONCE_INLINE Doubles at_least(Doubles v, Doubles limit) { return v < limit ? limit : v; }

// exp(x - shift) and its sum, in y unless that is null; y may be x.
inline double exp_sum(const double* x, double* y, int64_t n, double shift) {
  Doubles sum[2] = {};
  int64_t i = 0;
  for (; i + 2 * kDoubles <= n; i += 2 * kDoubles)
#pragma GCC unroll 2
    for (int k = 0; k < 2; ++k) {
      const Doubles e = vexp(load(x + i + k * kDoubles) - shift);
      if (y) store(y + i + k * kDoubles, e);
      sum[k] += e;
    }
  sum[0] += sum[1];
  double total = 0;
  for (int k = 0; k < static_cast<int>(kDoubles); ++k) total += sum[0][k];
  for (; i < n; i += kDoubles) {
    const int64_t m = n - i < kDoubles ? n - i : kDoubles;
    const Doubles e = vexp(load_part(x + i, m) - shift);
    if (y) store_part(y + i, m, e);
    for (int64_t k = 0; k < m; ++k) total += e[k];
  }
  return total;
}

}  // namespace
}  // namespace sconce::SCONCE_ISA
