// SPDX-License-Identifier: Apache-2.0
// Tiles: strided elements of any dtype are converted to a compute type, some 512 at a time,
// computed and converted back.
#pragma once
#include <cmath>
#include <complex>
#include <cstring>

#if defined(__F16C__) && defined(__AVX__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "backends/kernels.h"
#include "backends/loops.h"

namespace sconce {
namespace {

constexpr int64_t kTile = 512;

template <class To, class From>
inline To convert(From v) {
  if constexpr (std::is_same_v<To, std::complex<float>> ||
                std::is_same_v<To, std::complex<double>>) {
    using R = typename To::value_type;
    if constexpr (std::is_same_v<From, std::complex<float>> ||
                  std::is_same_v<From, std::complex<double>>)
      return To(static_cast<R>(v.real()), static_cast<R>(v.imag()));
    else
      return To(static_cast<R>(v), R(0));
  } else if constexpr (std::is_same_v<From, std::complex<float>> ||
                       std::is_same_v<From, std::complex<double>>) {
    return convert<To>(v.real());
  } else if constexpr (std::is_same_v<To, Half> || std::is_same_v<To, BFloat16>) {
    return To(static_cast<float>(v));
  } else if constexpr (std::is_same_v<To, bool>) {
    return v != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    // Out of range and nan: the x86 answer, the least integer of 32 or 64 bits, then wrapped.
    if constexpr (sizeof(To) < 4 || std::is_same_v<To, int32_t>) {
      if (!(v >= From(-2147483648.0) && v < From(2147483648.0))) return static_cast<To>(INT32_MIN);
      return static_cast<To>(static_cast<int32_t>(v));
    }
    if (!(v >= From(-9223372036854775808.0) && v < From(9223372036854775808.0)))
      return static_cast<To>(INT64_MIN);
    return static_cast<To>(static_cast<int64_t>(v));
  } else {
    return static_cast<To>(v);
  }
}

inline float load_float8(uint8_t b, ScalarType t) {
  bool e5 = t == ScalarType::Float8_e5m2;
  int sign = b >> 7, m_bits = e5 ? 2 : 3;
  int e = (b & 0x7f) >> m_bits, m = b & ((1 << m_bits) - 1), bias = e5 ? 15 : 7;
  float v;
  if (e5 && e == 31)
    v = m ? NAN : INFINITY;
  else if (!e5 && e == 15 && m == 7)
    v = NAN;
  else if (e == 0)
    v = std::ldexp(static_cast<float>(m), 1 - bias - m_bits);
  else
    v = std::ldexp(1.0f + static_cast<float>(m) / static_cast<float>(1 << m_bits), e - bias);
  return sign ? -v : v;
}

// Dense halves to floats and back, eight or four at a time where the machine can.
inline void load_halves(const Half* in, int64_t n, float* out) {
  int64_t i = 0;
#if defined(__F16C__) && defined(__AVX__)
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(out + i,
                     _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i))));
#elif defined(__aarch64__)
  for (; i + 4 <= n; i += 4) {
    float16x4_t h;
    std::memcpy(&h, static_cast<const void*>(in + i), sizeof h);
    vst1q_f32(out + i, vcvt_f32_f16(h));
  }
#endif
  for (; i < n; ++i) out[i] = static_cast<float>(in[i]);
}
inline void store_halves(const float* in, int64_t n, Half* out) {
  int64_t i = 0;
#if defined(__F16C__) && defined(__AVX__)
  for (; i + 8 <= n; i += 8)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(in + i), 0));
#elif defined(__aarch64__)
  for (; i + 4 <= n; i += 4) {
    const float16x4_t h = vcvt_f16_f32(vld1q_f32(in + i));
    std::memcpy(static_cast<void*>(out + i), &h, sizeof h);
  }
#endif
  for (; i < n; ++i) out[i] = Half(in[i]);
}

// f(T{}) with the C++ type that dtype is stored as.
template <class F>
inline void visit_dtype(ScalarType t, F f) {
  switch (t) {
    case ScalarType::Byte:
    case ScalarType::QUInt8: return f(uint8_t{});
    case ScalarType::Char:
    case ScalarType::QInt8: return f(int8_t{});
    case ScalarType::Short: return f(int16_t{});
    case ScalarType::Int:
    case ScalarType::QInt32: return f(int32_t{});
    case ScalarType::Long: return f(int64_t{});
    case ScalarType::UInt16: return f(uint16_t{});
    case ScalarType::UInt32: return f(uint32_t{});
    case ScalarType::UInt64: return f(uint64_t{});
    case ScalarType::Half: return f(Half{});
    case ScalarType::BFloat16: return f(BFloat16{});
    case ScalarType::Float: return f(float{});
    case ScalarType::Double: return f(double{});
    case ScalarType::Bool: return f(bool{});
    case ScalarType::ComplexFloat: return f(std::complex<float>{});
    case ScalarType::ComplexDouble: return f(std::complex<double>{});
    default: raise<OpError>("no kernel for elements of type ", scalar_type_name(t));
  }
}

// f(a value of a type of es bytes): what moves elements need not know their dtype.
template <class F>
inline void visit_element_size(size_t es, F f) {
  switch (es) {
    case 1: return f(uint8_t{});
    case 2: return f(uint16_t{});
    case 4: return f(uint32_t{});
    case 8: return f(uint64_t{});
    default: return f(std::complex<double>{});
  }
}

template <class C>
inline void load_tile(ScalarType t, const char* p, int64_t stride, int64_t n, C* out) {
  if (t == ScalarType::ComplexHalf) {
    for (int64_t i = 0; i < n; ++i) {
      auto* q = reinterpret_cast<const Half*>(p + i * stride);
      out[i] = convert<C>(std::complex<float>(static_cast<float>(q[0]), static_cast<float>(q[1])));
    }
    return;
  }
  if (is_float8(t)) {
    for (int64_t i = 0; i < n; ++i)
      out[i] = convert<C>(load_float8(static_cast<uint8_t>(p[i * stride]), t));
    return;
  }
  if (t == kBool) {  // a file's bytes may be any
    for (int64_t i = 0; i < n; ++i)
      out[i] = convert<C>(*reinterpret_cast<const uint8_t*>(p + i * stride) != 0);
    return;
  }
  visit_dtype(t, [&](auto tag) {
    using T = decltype(tag);
    if (stride == static_cast<int64_t>(sizeof(T))) {
      const T* q = reinterpret_cast<const T*>(p);
      if constexpr (std::is_same_v<T, Half> && std::is_same_v<C, float>)
        load_halves(q, n, out);
      else
        for (int64_t i = 0; i < n; ++i) out[i] = convert<C>(q[i]);
    } else if (stride == 0) {
      if (n <= 0) return;
      const C v = convert<C>(*reinterpret_cast<const T*>(p));
      for (int64_t i = 0; i < n; ++i) out[i] = v;
    } else {
      for (int64_t i = 0; i < n; ++i)
        out[i] = convert<C>(*reinterpret_cast<const T*>(p + i * stride));
    }
  });
}
template <class C>
inline void store_tile(ScalarType t, char* p, int64_t stride, int64_t n, const C* in) {
  if (t == ScalarType::ComplexHalf) {
    for (int64_t i = 0; i < n; ++i) {
      auto v = convert<std::complex<float>>(in[i]);
      auto* q = reinterpret_cast<Half*>(p + i * stride);
      q[0] = Half(v.real());
      q[1] = Half(v.imag());
    }
    return;
  }
  visit_dtype(t, [&](auto tag) {
    using T = decltype(tag);
    if (stride == static_cast<int64_t>(sizeof(T))) {
      T* q = reinterpret_cast<T*>(p);
      if constexpr (std::is_same_v<T, Half> && std::is_same_v<C, float>)
        store_halves(in, n, q);
      else
        for (int64_t i = 0; i < n; ++i) q[i] = convert<T>(in[i]);
    } else {
      for (int64_t i = 0; i < n; ++i) *reinterpret_cast<T*>(p + i * stride) = convert<T>(in[i]);
    }
  });
}

// The dtype whose elements are C.
template <class C>
constexpr ScalarType own_dtype() {
  return std::is_same_v<C, float>                  ? kFloat
         : std::is_same_v<C, double>               ? kDouble
         : std::is_same_v<C, int64_t>              ? kLong
         : std::is_same_v<C, bool>                 ? kBool
         : std::is_same_v<C, std::complex<float>>  ? kComplexFloat
         : std::is_same_v<C, std::complex<double>> ? kComplexDouble
                                                   : ScalarType::Undefined;
}

// f(C{}) with the compute type.
template <class F>
inline void visit_compute(Compute c, F f) {
  switch (c) {
    case Compute::F32: return f(float{});
    case Compute::F64: return f(double{});
    case Compute::I64: return f(int64_t{});
    case Compute::C64: return f(std::complex<float>{});
    case Compute::C128: return f(std::complex<double>{});
  }
}
template <class C>
inline C number_as(const Number& n) {
  if constexpr (std::is_same_v<C, int64_t>)
    return n.i;
  else if constexpr (std::is_floating_point_v<C>)
    return static_cast<C>(n.d);
  else
    return C(static_cast<typename C::value_type>(n.d), static_cast<typename C::value_type>(n.im));
}

}  // namespace
}  // namespace sconce
