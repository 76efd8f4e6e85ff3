// SPDX-License-Identifier: Apache-2.0
// What tiles.h declares, for the one file of each folder of kernels that holds it.
#pragma once
#include "backends/halves.h"
#include "backends/tiles.h"

namespace sconce::SCONCE_TILES {

namespace {

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

// Those that 32 bits hold go through them, which has vectors everywhere.
inline void store_longs(const float* in, int64_t n, int64_t* out) {
  for (int64_t from = 0; from < n; from += kTile) {
    const int64_t to = std::min(n, from + kTile);
    int32_t wide = 0;
    for (int64_t i = from; i < to; ++i) wide |= !(std::fabs(in[i]) < 2147483648.0f);
    if (wide)
      for (int64_t i = from; i < to; ++i) out[i] = convert<int64_t>(in[i]);
    else
      for (int64_t i = from; i < to; ++i) out[i] = static_cast<int32_t>(in[i]);
  }
}
}  // namespace

template <class C>
void load_tile(ScalarType t, const char* p, int64_t stride, int64_t n, C* out) {
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
    } else if (std::is_same_v<T, C> && stride == 2 * static_cast<int64_t>(sizeof(T))) {
      // Every second element, which vectors pick out of two.
      const T* q = reinterpret_cast<const T*>(p);
      for (int64_t i = 0; i < n; ++i) out[i] = convert<C>(q[2 * i]);
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
void store_tile(ScalarType t, char* p, int64_t stride, int64_t n, const C* in) {
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
      else if constexpr (std::is_same_v<T, int64_t> && std::is_same_v<C, float>)
        store_longs(in, n, q);
      else
        for (int64_t i = 0; i < n; ++i) q[i] = convert<T>(in[i]);
    } else {
      for (int64_t i = 0; i < n; ++i) *reinterpret_cast<T*>(p + i * stride) = convert<T>(in[i]);
    }
  });
}

#define SCONCE_TILES_OF(C)                                                   \
  template void load_tile<C>(ScalarType, const char*, int64_t, int64_t, C*); \
  template void store_tile<C>(ScalarType, char*, int64_t, int64_t, const C*);
SCONCE_TILES_OF(float)
SCONCE_TILES_OF(double)
SCONCE_TILES_OF(int64_t)
SCONCE_TILES_OF(std::complex<float>)
SCONCE_TILES_OF(std::complex<double>)
#ifndef SCONCE_ISA
SCONCE_TILES_OF(int32_t)  // LAPACK's integers
#endif
#undef SCONCE_TILES_OF
#ifdef SCONCE_ISA
template void load_tile<int32_t>(ScalarType, const char*, int64_t, int64_t, int32_t*);
#endif
template void load_tile<bool>(ScalarType, const char*, int64_t, int64_t, bool*);

}  // namespace sconce::SCONCE_TILES
