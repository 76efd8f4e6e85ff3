// SPDX-License-Identifier: Apache-2.0
// Vectors of floats from dense halves and bfloat16, and back.
#pragma once
#include "backends/cpu/vectors.h"
#include "backends/halves.h"

namespace sconce::SCONCE_ISA {
namespace {

SCONCE_INLINE Floats load_wide(const float* p) { return load(p); }
SCONCE_INLINE Floats load_wide(const Half* p) {
  float t[kFloats];
  load_halves(p, kFloats, t);
  return load(t);
}
SCONCE_INLINE Floats load_wide(const BFloat16* p) {
  uint32_t t[kFloats];
  for (int64_t i = 0; i < kFloats; ++i) t[i] = static_cast<uint32_t>(p[i].bits) << 16;
  Floats v;
  std::memcpy(&v, t, sizeof v);
  return v;
}
// The first n lanes, 0 <= n < kFloats; the others are zero.
SCONCE_INLINE Floats load_wide_part(const float* p, int64_t n) { return load_part(p, n); }
template <class T>
SCONCE_INLINE Floats load_wide_part(const T* p, int64_t n) {
  alignas(64) float t[kFloats] = {};
  for (int64_t i = 0; i < n; ++i) t[i] = static_cast<float>(p[i]);
  return load(t);
}
SCONCE_INLINE void store_wide(Half* p, Floats v) {
  float t[kFloats];
  store(t, v);
  store_halves(t, kFloats, p);
}
SCONCE_INLINE void store_wide(BFloat16* p, Floats v) {
  typedef uint32_t Bits __attribute__((vector_size(kVectorBytes)));
  const Bits x = reinterpret_cast<Bits>(v), rounded = (x + 0x7fff + ((x >> 16) & 1)) >> 16,
             not_a_number = reinterpret_cast<Bits>(v != v),
             bits = (rounded & ~not_a_number) | (not_a_number & 0x7fc0);
#if defined(__AVX512F__)
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_maskz_cvtepi32_epi16(0xffff, reinterpret_cast<__m512i>(bits)));
#elif defined(__AVX2__)
  const auto low = reinterpret_cast<__m256i>(bits);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(_mm256_permute4x64_epi64(
                                                      _mm256_packus_epi32(low, low), 0x08)));
#else
  typedef uint16_t Upper __attribute__((vector_size(kVectorBytes / 2)));
  const Upper u = __builtin_convertvector(bits, Upper);
  std::memcpy(static_cast<void*>(p), &u, sizeof u);
#endif
}

}  // namespace
}  // namespace sconce::SCONCE_ISA
