// SPDX-License-Identifier: Apache-2.0
// Vectors of floats: loads and stores of a part, sums and maxima of their lanes.
#pragma once
#include <cstring>

#include "backends/cpu/cpu.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

#define SCONCE_INLINE inline __attribute__((always_inline))

namespace sconce::SCONCE_ISA {
namespace {

typedef float Floats __attribute__((vector_size(kVectorBytes)));
typedef int32_t Ints __attribute__((vector_size(kVectorBytes)));
constexpr int64_t kFloats = Vec<float>::lanes;

SCONCE_INLINE Floats load(const float* p) { return *reinterpret_cast<const Vec<float>::type*>(p); }
SCONCE_INLINE void store(float* p, Floats v) { *reinterpret_cast<Vec<float>::type*>(p) = v; }

// The first n lanes, 0 <= n < kFloats; the others are zero and their memory isn't touched.
SCONCE_INLINE Floats load_part(const float* p, int64_t n) {
#ifdef __AVX512F__
  return reinterpret_cast<Floats>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p));
#else
  Floats v{};
  for (int64_t i = 0; i < n; ++i) v[i] = p[i];
  return v;
#endif
}
SCONCE_INLINE void store_part(float* p, int64_t n, Floats v) {
#ifdef __AVX512F__
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), reinterpret_cast<__m512>(v));
#else
  for (int64_t i = 0; i < n; ++i) p[i] = v[i];
#endif
}
// v's first n lanes, the others as in rest.
SCONCE_INLINE Floats keep_part(Floats v, int64_t n, Floats rest) {
  Ints lane;
  for (int i = 0; i < static_cast<int>(kFloats); ++i) lane[i] = i;
  return lane < static_cast<int32_t>(n) ? v : rest;
}

// The smaller or larger number; v where it is nan.
SCONCE_INLINE Floats at_most(Floats v, Floats limit) {
#if defined(__AVX512F__)
  return reinterpret_cast<Floats>(
      _mm512_maskz_min_ps(0xffff, reinterpret_cast<__m512>(limit), reinterpret_cast<__m512>(v)));
#elif defined(__AVX2__)
  return reinterpret_cast<Floats>(
      _mm256_min_ps(reinterpret_cast<__m256>(limit), reinterpret_cast<__m256>(v)));
#else
  return v > limit ? limit : v;
#endif
}
SCONCE_INLINE Floats at_least(Floats v, Floats limit) {
#if defined(__AVX512F__)
  return reinterpret_cast<Floats>(
      _mm512_maskz_max_ps(0xffff, reinterpret_cast<__m512>(limit), reinterpret_cast<__m512>(v)));
#elif defined(__AVX2__)
  return reinterpret_cast<Floats>(
      _mm256_max_ps(reinterpret_cast<__m256>(limit), reinterpret_cast<__m256>(v)));
#else
  return v < limit ? limit : v;
#endif
}
SCONCE_INLINE float at_most(float v, float limit) { return v > limit ? limit : v; }
SCONCE_INLINE float at_least(float v, float limit) { return v < limit ? limit : v; }

// f over the lanes of v, by halves.
template <class V, class F>
SCONCE_INLINE float fold(V v, F f) {
  constexpr size_t lanes = sizeof(V) / sizeof(float);
  if constexpr (lanes == 16)
    return fold(f(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7),
                  __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15)),
                f);
  else if constexpr (lanes == 8)
    return fold(
        f(__builtin_shufflevector(v, v, 0, 1, 2, 3), __builtin_shufflevector(v, v, 4, 5, 6, 7)), f);
  else
    return f(f(v[0], v[2]), f(v[1], v[3]));
}
SCONCE_INLINE float sum_of(Floats v) {
  return fold(
      v, [](auto a, auto b) __attribute__((always_inline)) { return a + b; });
}
// Without regard to nan.
SCONCE_INLINE float max_of(Floats v) {
  return fold(
      v, [](auto a, auto b) __attribute__((always_inline)) { return a > b ? a : b; });
}

// out[i] = f(in[i]) for vectors of floats; out may be in. An element's result doesn't depend on its
// place.
template <class F>
SCONCE_INLINE void map_floats(const float* in, float* out, int64_t n, F f) {
  int64_t i = 0;
  for (; i + kFloats <= n; i += kFloats) store(out + i, f(load(in + i)));
  if (i < n) store_part(out + i, n - i, f(load_part(in + i, n - i)));
}

}  // namespace
}  // namespace sconce::SCONCE_ISA
