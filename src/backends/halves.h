// SPDX-License-Identifier: Apache-2.0
// Dense halves to floats and back by the machine's own instructions.
#pragma once
#include "backends/tiles.h"

#if defined(__F16C__) && defined(__AVX__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace sconce::SCONCE_TILES {
namespace {

// Dense halves to floats and back, eight or four at a time where the machine can.
inline void load_halves(const Half* in, int64_t n, float* out) {
  int64_t i = 0;
#ifdef __AVX512F__
  for (; i + 16 <= n; i += 16)
    _mm512_storeu_ps(out + i,
                     _mm512_maskz_cvtph_ps(
                         0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + i))));
#endif
#if defined(__F16C__) && defined(__AVX__)
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(out + i,
                     _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i))));
#endif
#ifdef __aarch64__
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
#ifdef __AVX512F__
  for (; i + 16 <= n; i += 16)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i),
                        _mm512_maskz_cvtps_ph(0xffff, _mm512_loadu_ps(in + i), 0));
#endif
#if defined(__F16C__) && defined(__AVX__)
  for (; i + 8 <= n; i += 8)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(in + i), 0));
#endif
#ifdef __aarch64__
  for (; i + 4 <= n; i += 4) {
    const float16x4_t h = vcvt_f16_f32(vld1q_f32(in + i));
    std::memcpy(static_cast<void*>(out + i), &h, sizeof h);
  }
#endif
  for (; i < n; ++i) out[i] = Half(in[i]);
}

}  // namespace
}  // namespace sconce::SCONCE_TILES
