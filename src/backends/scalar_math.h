// SPDX-License-Identifier: Apache-2.0
// Functions of one or two numbers that the standard library lacks or that PyTorch defines
// otherwise.
#pragma once
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <numeric>

#include "sconce/error.h"

// A device compiles these functions too (cuda/gpu.h); there they can't raise.
#ifndef SCONCE_MATH
#define SCONCE_MATH inline
#endif

namespace sconce {
namespace {

// The kernel that divided by zero tells of it.
template <class T>
SCONCE_MATH T zero_division() {
#ifdef SCONCE_DEVICE_MATH
  return 0;
#else
  raise<OpError>("ZeroDivisionError");
#endif
}

template <class T>
SCONCE_MATH T clamp_to(T x, T eps) {
  return eps < T(0) ? x : x < eps ? eps : x > T(1) - eps ? T(1) - eps : x;
}

// Inverse error function: Giles 2012, then two Newton steps in double.
// Euclid's, on magnitudes: std::gcd of negative numbers goes wrong in device code.
template <class T>
SCONCE_MATH T gcd_value(T a, T b) {
  uint64_t x = a < T(0) ? 0 - static_cast<uint64_t>(a) : static_cast<uint64_t>(a);
  uint64_t y = b < T(0) ? 0 - static_cast<uint64_t>(b) : static_cast<uint64_t>(b);
  while (y != 0) {
    const uint64_t rest = x % y;
    x = y;
    y = rest;
  }
  return static_cast<T>(x);
}
template <class T>
SCONCE_MATH T lcm_value(T a, T b) {
  const T g = gcd_value(a, b);
  if (g == T(0)) return T(0);
  const uint64_t m = static_cast<uint64_t>(a / g) * static_cast<uint64_t>(b);
  const T r = static_cast<T>(m);
  return r < T(0) ? static_cast<T>(0 - m) : r;
}
SCONCE_MATH double erfinv_value(double y) {
  if (y != y || y < -1 || y > 1) return std::numeric_limits<double>::quiet_NaN();
  if (y == 1 || y == -1) return y * std::numeric_limits<double>::infinity();
  double w = -std::log((1 - y) * (1 + y)), x;
  if (w < 5) {
    w -= 2.5;
    x = 2.81022636e-08;
    for (double c : {3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503,
                     -0.00417768164, 0.246640727, 1.50140941})
      x = c + x * w;
  } else {
    w = std::sqrt(w) - 3;
    x = -0.000200214257;
    for (double c : {0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613,
                     0.00943887047, 1.00167406, 2.83297682})
      x = c + x * w;
  }
  x *= y;
  for (int i = 0; i < 2; ++i) x -= (std::erf(x) - y) / (2.0 / std::sqrt(M_PI) * std::exp(-x * x));
  return x;
}

// Digamma by recurrence and asymptotic series (Abramowitz & Stegun 6.3.18).
SCONCE_MATH double digamma_value(double x) {
  if (x == 0) return std::copysign(std::numeric_limits<double>::infinity(), -x);
  if (x < 0) {
    if (x == std::floor(x)) return std::numeric_limits<double>::quiet_NaN();
    return digamma_value(1 - x) - M_PI / std::tan(M_PI * x);
  }
  double r = 0;
  for (; x < 10; x += 1) r -= 1 / x;
  if (x == 10) return r + 2.25175258906672110764;
  double i = 1 / (x * x);
  return r + std::log(x) - 0.5 / x -
         i * (1.0 / 12 - i * (1.0 / 120 - i * (1.0 / 252 - i * (1.0 / 240 - i * (1.0 / 132)))));
}

// Modified Bessel function I0 by its power series; large arguments by the asymptotic one.
SCONCE_MATH double i0_value(double x) {
  x = std::fabs(x);
  if (x > 30) {
    double t = 1, s = 1;
    for (int k = 1; k < 30; ++k) {
      double f = (2.0 * k - 1) * (2.0 * k - 1) / (8.0 * k * x);
      if (f >= 1) break;
      t *= f;
      s += t;
    }
    return std::exp(x) / std::sqrt(2 * M_PI * x) * s;
  }
  double t = 1, s = 1, h = x * x / 4;
  for (int k = 1; k < 200 && t > s * 1e-18; ++k) {
    t *= h / (static_cast<double>(k) * k);
    s += t;
  }
  return s;
}

// In the precision of T, as PyTorch: reflection below 1/2, recurrence, then the asymptotic series.
template <class T>
SCONCE_MATH T trigamma_value(T x) {
  T sign = 1, r = 0;
  if (x < T(0.5)) {
    const T s = std::sin(T(M_PI) * x);
    sign = -1;
    r -= T(M_PI) * T(M_PI) / (s * s);
    x = T(1) - x;
  }
  for (int i = 0; i < 6; ++i) {
    r += T(1) / (x * x);
    x += T(1);
  }
  const T y = T(1) / (x * x);
  r += (T(1) + T(1) / (T(2) * x) + y * (T(1) / T(6) - y * (T(1) / T(30) - y * (T(1) / T(42))))) / x;
  return sign * r;
}

template <class T>
SCONCE_MATH T floor_divide(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) return zero_division<T>();
    if (b == -1) return static_cast<T>(-static_cast<uint64_t>(a));
    T q = a / b;
    return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q;
  } else {
    if (b == T(0)) return a / b;
    T mod = std::fmod(a, b), div = (a - mod) / b;
    if (mod != T(0) && (b < T(0)) != (mod < T(0))) div -= T(1);
    if (div == T(0)) return std::copysign(T(0), a / b);
    T f = std::floor(div);
    return div - f > T(0.5) ? f + T(1) : f;
  }
}
#ifndef SCONCE_DEVICE_MATH
// Every step rounded to a half type H, as PyTorch divides tensors of halves.
template <class H, class T>
inline T floor_divide_rounded(T x, T y) {
  auto r = [](float v) { return static_cast<float>(H(v)); };
  const float a = static_cast<float>(x), b = static_cast<float>(y), plain = r(a / b);
  if (b == 0) return static_cast<T>(plain);
  const float mod = r(std::fmod(a, b));
  // The quotient may overflow where the dividend doesn't.
  const bool overflows = std::isinf(plain) && !std::isinf(a);
  float div = r((overflows ? a : r(a - mod)) / b);
  if (mod != 0 && (b < 0) != (mod < 0)) div = r(div - 1);
  if (div == 0) return static_cast<T>(std::copysign(0.0f, plain));
  const float f = std::floor(div);
  return static_cast<T>(r(div - f) > 0.5f ? r(f + 1) : f);
}
#endif
template <class T>
SCONCE_MATH T trunc_divide(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) return zero_division<T>();
    return b == -1 ? static_cast<T>(-static_cast<uint64_t>(a)) : a / b;
  } else {
    return std::trunc(a / b);
  }
}
template <class T>
SCONCE_MATH T remainder_value(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) return zero_division<T>();
    if (b == -1) return 0;
    T r = a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
  } else {
    T r = std::fmod(a, b);
    return r != T(0) && (b < T(0)) != (r < T(0)) ? r + b : r;
  }
}
template <class T>
SCONCE_MATH T fmod_value(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) return zero_division<T>();
    return b == -1 ? 0 : a % b;
  } else {
    return std::fmod(a, b);
  }
}
template <class T>
SCONCE_MATH T smooth_l1_value(T d, T beta) {
  T a = std::abs(d);
  return a < beta ? T(0.5) * a * a / beta : a - T(0.5) * beta;
}
template <class T>
SCONCE_MATH T huber_value(T d, T delta) {
  T a = std::abs(d);
  return a <= delta ? T(0.5) * a * a : delta * (a - T(0.5) * delta);
}
SCONCE_MATH int64_t shift_left(int64_t a, int64_t b) {
  return b < 0 || b >= 64 ? 0 : static_cast<int64_t>(static_cast<uint64_t>(a) << b);
}
SCONCE_MATH int64_t shift_right(int64_t a, int64_t b) {
  return b < 0 || b >= 64 ? (a < 0 ? -1 : 0) : a >> b;
}

#ifndef SCONCE_DEVICE_MATH
// log(exp(a) + exp(b)) of complex numbers, the larger real part taken out.
template <class T>
SCONCE_MATH std::complex<T> log_add_exp(std::complex<T> a, std::complex<T> b) {
  if (a != a || b != b) return {T(NAN), T(NAN)};
  if (a.real() > b.real()) std::swap(a, b);
  if (!std::isfinite(a.real()) && a.real() == b.real())
    return a.real() < 0 ? a : std::log(std::exp(a) + std::exp(b));
  const std::complex<T> e = std::exp(a - b);
  // log|1 + e| without the loss of 1 + e near 1.
  const T real = std::log1p(e.real() * (T(2) + e.real()) + e.imag() * e.imag()) / T(2);
  return b + std::complex<T>(real, std::atan2(e.imag(), T(1) + e.real()));
}
#endif

template <class T>
SCONCE_MATH T pow_value(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
    uint64_t r = 1, base = static_cast<uint64_t>(a);
    for (uint64_t e = static_cast<uint64_t>(b); e; e >>= 1) {
      if (e & 1) r *= base;
      base *= base;
    }
    return static_cast<T>(r);
  } else {
    return std::pow(a, b);
  }
}

}  // namespace
}  // namespace sconce
