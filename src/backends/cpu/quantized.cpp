// SPDX-License-Identifier: Apache-2.0
// Floats to bytes and back; convolutions and products of bytes with exact 32-bit sums. A row is an
// output pixel: its window's bytes, a tap's channels side by side. Rows meet packed weights in
// register tiles: sums of four products of bytes (AVX512-VNNI), elsewhere of two products of 16-bit
// numbers.
#include <cstring>
#include <limits>

#include "backends/cpu/cpu.h"
#include "backends/cpu/parallel.h"
#include "backends/cpu/transpose.h"
#include "backends/ref/ref.h"
#include "backends/tiles.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sconce::SCONCE_ISA {

namespace {

#if defined(__AVX512F__)
constexpr int kSumBytes = 64;
constexpr int64_t kRows = 6, kMostVectors = 4;
#elif defined(__AVX2__)
constexpr int kSumBytes = 32;
constexpr int64_t kRows = 4, kMostVectors = 2;
#else
constexpr int kSumBytes = 16;
constexpr int64_t kRows = 4, kMostVectors = 2;
#endif
constexpr int64_t kSums = kSumBytes / 4, kWidth = kMostVectors * kSums;
typedef int32_t Sums __attribute__((vector_size(kSumBytes), aligned(4), may_alias));
typedef int16_t Pairs __attribute__((vector_size(kSumBytes), aligned(2), may_alias));

bool has_vnni() {
#if defined(__AVX512F__)
  static const bool has = __builtin_cpu_supports("avx512vnni");
  return has;
#else
  return false;
#endif
}

int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// ---- floats and bytes ----

// Both have their elements side by side, in one order.
bool dense_alike(const TensorView& a, const TensorView& b) {
  int64_t elements = 1, reach = 1;
  for (int d = 0; d < a.ndim; ++d) {
    if (a.sizes[d] == 1) continue;
    if (a.strides[d] != b.strides[d] || a.strides[d] < 1) return false;
    elements *= a.sizes[d], reach += (a.sizes[d] - 1) * a.strides[d];
  }
  return elements == reach;
}
// The integers nearest to floats below 2^22, halves to even ones. F: float, or a vector of them.
template <class F>
F rounded(F x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23
  return (x + kRound) - kRound;
}
// Floats of one scale to bytes and back. The loops are what quantize() does for one element.
// Copies of the numbers: a byte that is written may be anything, for all that the compiler knows.
template <class B>
void dequantize_piece(const B* __restrict x, float* __restrict y, int64_t n, float scale,
                      float zero) {
  for (int64_t i = 0; i < n; ++i) y[i] = (static_cast<float>(x[i]) - zero) * scale;
}
template <class B>
void quantize_piece(const float* __restrict x, B* __restrict y, int64_t n, float inverse,
                    float zero) {
  constexpr auto kLeast = static_cast<float>(std::numeric_limits<B>::min());
  constexpr auto kMost = static_cast<float>(std::numeric_limits<B>::max());
  for (int64_t i = 0; i < n; ++i) {
#ifdef __FMA__
    float t = __builtin_fmaf(x[i], inverse, zero);
#else
    auto t = static_cast<float>(static_cast<double>(x[i]) * static_cast<double>(inverse) +
                                static_cast<double>(zero));
#endif
    t = t > kLeast ? t : kLeast;
    t = t < kMost ? t : kMost;
    y[i] = static_cast<B>(static_cast<int32_t>(rounded(t)));
  }
}
template <class B>
void quantize_bytes(const QuantizeArgs& a) {
  const auto scale = static_cast<float>(a.scale), zero = static_cast<float>(a.zero_point);
  parallel_for(a.out.numel(), 0.1, [&](int64_t from, int64_t to) {
    constexpr int64_t kPiece = 4096;
    Interrupt interrupt;
    for (; from < to; from += kPiece) {
      const int64_t n = std::min(kPiece, to - from);
      interrupt.passed(n);
      if (a.dequantize)
        dequantize_piece(static_cast<const B*>(a.in.data) + from,
                         static_cast<float*>(a.out.data) + from, n, scale, zero);
      else
        quantize_piece(static_cast<const float*>(a.in.data) + from,
                       static_cast<B*>(a.out.data) + from, n, 1.0f / scale, zero);
    }
  });
}
void quantize(const QuantizeArgs& a) {
  const TensorView &stored = a.dequantize ? a.in : a.out, &real = a.dequantize ? a.out : a.in;
  constexpr int64_t kMostZero = int64_t{1} << 20;
  if (!a.scales.data && real.dtype == ScalarType::Float && dense_alike(a.out, a.in) &&
      a.zero_point <= kMostZero && a.zero_point >= -kMostZero) {
    if (stored.dtype == ScalarType::QUInt8) return quantize_bytes<uint8_t>(a);
    if (stored.dtype == ScalarType::QInt8) return quantize_bytes<int8_t>(a);
  }
  ref::quantize(a);
}

// ---- sizes ----

struct Shape {
  explicit Shape(const QuantizedConvArgs& a)
      : dims(a.in.ndim - 2),
        groups(a.groups),
        channels(a.weight.sizes[1]),
        outputs(a.weight.sizes[0]),
        rows(a.out.sizes[0]) {
    for (int d = 0; d < dims; ++d) {
      const int at = 3 - dims + d;
      in[at] = a.in.sizes[2 + d], in_step[at] = a.in.strides[2 + d];
      out[at] = a.out.sizes[2 + d], out_step[at] = a.out.strides[2 + d];
      kernel[at] = a.weight.sizes[2 + d], weight_step[at] = a.weight.strides[2 + d];
      stride[at] = a.stride[d], padding[at] = a.padding[d], dilation[at] = a.dilation[d];
    }
    for (int d = 0; d < 3; ++d) rows *= out[d], taps *= kernel[d];
    padded = up(channels, 4);
    depth = taps * padded;
    group_outputs = outputs / groups;
    blocks = (group_outputs + kWidth - 1) / kWidth;
    depthwise = channels == 1 && group_outputs == 1 && groups > 1;
  }
  int dims;
  int64_t groups, channels, outputs, rows;  // channels: of a group's input
  int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1}, kernel[3] = {1, 1, 1}, stride[3] = {1, 1, 1};
  int64_t padding[3] = {}, dilation[3] = {1, 1, 1};
  int64_t in_step[3] = {}, out_step[3] = {}, weight_step[3] = {};
  int64_t taps = 1, padded, depth, group_outputs, blocks;
  bool depthwise;
};

// ---- packed weights ----
// int32 sums of each output's weights, then, for each group and block of kWidth outputs,
// [depth / n][kWidth][n] numbers: n = 4 bytes, or 2 of 16 bits. Of depthwise ones [taps][outputs]
// of 16 bits.

size_t sums_bytes(const Shape& s) { return static_cast<size_t>(up(s.outputs, 16) + 16) * 4; }
size_t packed_bytes(const Shape& s) {
  const auto numbers = static_cast<size_t>(s.depthwise ? s.taps * s.outputs
                                                       : s.groups * s.blocks * kWidth * s.depth);
  return sums_bytes(s) + numbers * (s.depthwise || !has_vnni() ? 2 : 1) + 64;
}
// A byte of the weights as a signed one; unsigned ones are 128 less, as their zero points are.
int8_t weight_at(const TensorView& w, int64_t at) {
  const uint8_t b = static_cast<const uint8_t*>(w.data)[at];
  return static_cast<int8_t>(w.dtype == ScalarType::QUInt8 ? b ^ 0x80 : b);
}

int32_t sum_of_bytes(const int8_t* x, int64_t n) {
  int32_t sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i];
  return sum;
}

void pack(const QuantizedConvArgs& a, void* memory) {
  const Shape s(a);
  auto* sums = static_cast<int32_t*>(memory);
  auto* numbers = static_cast<unsigned char*>(memory) + sums_bytes(s);
  Interrupt interrupt;
  // A row of weights in the order of a row of bytes.
  int8_t* row = thread_scratch<int8_t, 41>().get(static_cast<size_t>(s.depth * kSums + 64));
  auto order = [&](int64_t o, int8_t* to) {
    int32_t sum = 0;
    int64_t at = o * a.weight.strides[0];
    int8_t* t = to;
    for (int64_t i = 0; i < s.kernel[0]; ++i)
      for (int64_t j = 0; j < s.kernel[1]; ++j)
        for (int64_t k = 0; k < s.kernel[2]; ++k, t += s.padded) {
          const int64_t tap =
              at + i * s.weight_step[0] + j * s.weight_step[1] + k * s.weight_step[2];
          for (int64_t c = 0; c < s.channels; ++c)
            sum += t[c] = weight_at(a.weight, tap + c * a.weight.strides[1]);
          for (int64_t c = s.channels; c < s.padded; ++c) t[c] = 0;
        }
    return sum;
  };
  if (s.depthwise) {
    auto* to = reinterpret_cast<int16_t*>(numbers);
    for (int64_t o = 0; o < s.outputs; ++o) {
      sums[o] = order(o, row);
      for (int64_t t = 0; t < s.taps; ++t) to[t * s.outputs + o] = row[t * s.padded];
    }
    return;
  }
  // The weights are such rows already, in words.
  const bool dense = has_vnni() && s.taps == 1 && s.padded == s.channels &&
                     a.weight.dtype == ScalarType::QInt8 && a.weight.strides[1] == 1 &&
                     a.weight.strides[0] == s.depth &&
                     reinterpret_cast<uintptr_t>(a.weight.data) % 4 == 0;  // words are read
  const int64_t block_numbers = kWidth * s.depth;
  for (int64_t g = 0; g < s.groups; ++g)
    for (int64_t b = 0; b < s.blocks; ++b) {
      interrupt.passed(block_numbers);
      unsigned char* block = numbers + (g * s.blocks + b) * block_numbers * (has_vnni() ? 1 : 2);
      for (int64_t from = 0; from < kWidth; from += kSums) {
        const int64_t output = g * s.group_outputs + b * kWidth + from;
        const int8_t* plain = static_cast<const int8_t*>(a.weight.data) + output * s.depth;
        const bool as_they_are = dense && b * kWidth + from + kSums <= s.group_outputs;
        for (int64_t i = 0; i < kSums; ++i) {
          const int64_t o = b * kWidth + from + i;
          int8_t* to = row + i * s.depth;
          if (as_they_are)
            sums[output + i] = sum_of_bytes(plain + i * s.depth, s.depth);
          else if (o < s.group_outputs)
            sums[g * s.group_outputs + o] = order(g * s.group_outputs + o, to);
          else
            std::memset(to, 0, static_cast<size_t>(s.depth));
        }
        if (has_vnni()) {
          auto* words = reinterpret_cast<const float*>(as_they_are ? plain : row);  // of four bytes
          auto* to = reinterpret_cast<float*>(block) + from;
          const int64_t n = s.depth / 4;
          int64_t k = 0;
          if constexpr (kSums == square_of<float>())
            for (; k + kSums <= n; k += kSums)
              transpose_square<float>(words + k, n, to + k * kWidth, kWidth);
          for (; k < n; ++k)
            for (int64_t i = 0; i < kSums; ++i)
              std::memcpy(to + k * kWidth + i, words + i * n + k, 4);
        } else {
          auto* to = reinterpret_cast<int16_t*>(block) + 2 * from;
          for (int64_t k = 0; k < s.depth / 2; ++k)
            for (int64_t i = 0; i < 2 * kSums; ++i)
              to[k * 2 * kWidth + i] = row[i / 2 * s.depth + 2 * k + i % 2];
        }
      }
    }
}

// ---- tiles ----

// sums[kRows][kWidth] = rows times the block's first V vectors.
#if defined(__AVX512F__)
template <int V>
__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni"))) void bytes_tile(
    const uint8_t* const* rows, const unsigned char* block, int64_t depth, int32_t* sums) {
  __m512i c[kRows][V];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) c[r][v] = _mm512_setzero_si512();
  for (int64_t k = 0; k < depth; k += 4, block += kWidth * 4) {
    __m512i b[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) b[v] = _mm512_loadu_si512(block + v * 64);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      int32_t four;
      std::memcpy(&four, rows[r] + k, 4);
      const __m512i x = _mm512_set1_epi32(four);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) c[r][v] = _mm512_dpbusd_epi32(c[r][v], x, b[v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) _mm512_storeu_si512(sums + r * kWidth + v * 16, c[r][v]);
}
#endif

// Sums of neighbouring products.
inline Sums products(Pairs a, Pairs b) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Sums>(
      _mm512_madd_epi16(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<Sums>(
      _mm256_madd_epi16(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__SSE2__)
  return reinterpret_cast<Sums>(
      _mm_madd_epi16(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
  Sums r;
  for (int i = 0; i < kSums; ++i) r[i] = a[2 * i] * b[2 * i] + a[2 * i + 1] * b[2 * i + 1];
  return r;
#endif
}
template <int V>
void pairs_tile(const int16_t* const* rows, const unsigned char* block, int64_t depth,
                int32_t* sums) {
  Sums c[kRows][V] = {};
  for (int64_t k = 0; k < depth; k += 2, block += kWidth * 4) {
    Pairs b[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) b[v] = *reinterpret_cast<const Pairs*>(block + v * kSumBytes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      int32_t two;
      std::memcpy(&two, rows[r] + k, 4);
      const Pairs x = reinterpret_cast<Pairs>(Sums{} + two);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) c[r][v] += products(x, b[v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) *reinterpret_cast<Sums*>(sums + r * kWidth + v * kSums) = c[r][v];
}

template <class T>
void tile(const T* const* rows, const unsigned char* block, int64_t depth, int64_t width,
          int32_t* sums) {
  const int64_t v = (width + kSums - 1) / kSums;
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 1) {
    v == 1   ? bytes_tile<1>(rows, block, depth, sums)
    : v == 2 ? bytes_tile<2>(rows, block, depth, sums)
    : v == 3 ? bytes_tile<3>(rows, block, depth, sums)
             : bytes_tile<4>(rows, block, depth, sums);
  } else
#endif
      if constexpr (sizeof(T) == 2) {
    if (v == 1) return pairs_tile<1>(rows, block, depth, sums);
    pairs_tile<kMostVectors>(rows, block, depth, sums);
  }
}

// ---- a call ----

struct Call {
  const QuantizedConvArgs& a;
  const Shape s;
  const uint8_t* in;  // bytes, a pixel's channels side by side
  int64_t in_image, in_step[3];
  int32_t in_zero;      // of those bytes
  const int32_t* sums;  // of weights
  const unsigned char* weights;
  const double *factors, *bias, *zeros;  // of each output; zeros: null where all are 0
  bool direct;                           // rows are the input's own bytes
  bool slack;                            // some bytes may be read behind the input's
  float inverse, least, most;            // of a quantised answer: of its scale; its dtype's numbers
};

// The place of an output pixel, and where its window begins.
struct Pixel {
  Pixel(const Call& c, int64_t row) {
    const Shape& s = c.s;
    int64_t at[3];
    for (int d = 2; d >= 0; --d) at[d] = row % s.out[d], row /= s.out[d];
    in = c.in + row * c.in_image;
    out = row * c.a.out.strides[0];
    for (int d = 0; d < 3; ++d) {
      out += at[d] * s.out_step[d];
      first[d] = at[d] * s.stride[d] - s.padding[d];
    }
  }
  // The tap's channels; null: it lies in the padding.
  const uint8_t* tap(const Call& c, int64_t i, int64_t j, int64_t k) const {
    const Shape& s = c.s;
    const int64_t at[3] = {first[0] + i * s.dilation[0], first[1] + j * s.dilation[1],
                           first[2] + k * s.dilation[2]};
    const uint8_t* p = in;
    for (int d = 0; d < 3; ++d) {
      if (at[d] < 0 || at[d] >= s.in[d]) return nullptr;
      p += at[d] * c.in_step[d];
    }
    return p;
  }
  const uint8_t* in;
  int64_t out, first[3];
};

template <class T>
void gather(const Call& c, const Pixel& p, int64_t group, T* to) {
  const Shape& s = c.s;
  for (int64_t i = 0; i < s.kernel[0]; ++i)
    for (int64_t j = 0; j < s.kernel[1]; ++j)
      for (int64_t k = 0; k < s.kernel[2]; ++k, to += s.padded) {
        const uint8_t* from = p.tap(c, i, j, k);
        if (!from)
          std::fill(to, to + s.padded, static_cast<T>(c.in_zero));
        else if (c.slack && sizeof(T) == 1 && s.padded == 4)
          std::memcpy(to, from + group * s.channels, 4);  // what is too much meets zeros
        else if (from += group * s.channels; sizeof(T) == 1)
          std::memcpy(to, from, static_cast<size_t>(s.channels));
        else
          for (int64_t x = 0; x < s.channels; ++x) to[x] = from[x];
        if (from && s.channels < s.padded && !(c.slack && sizeof(T) == 1 && s.padded == 4))
          std::fill(to + s.channels, to + s.padded, T{});
      }
}
template <class T>
int32_t sum_of(const Call& c, const T* row) {
  int32_t sum = 0;
  for (int64_t t = 0; t < c.s.taps; ++t)
    for (int64_t x = 0; x < c.s.channels; ++x) sum += row[t * c.s.padded + x];
  return sum;
}

// Both go through whole sixteens: all that they read and write is that long.
constexpr int64_t kSixteen = 16;
typedef int32_t Ints16 __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint32_t Words16 __attribute__((vector_size(64), aligned(4), may_alias));
typedef float Floats16 __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint8_t Bytes16 __attribute__((vector_size(16), aligned(1), may_alias));
typedef int32_t Ints8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float Floats8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef double Doubles8 __attribute__((vector_size(64), aligned(8), may_alias));
// y = (exact - zero * sum) * factor + bias; the difference fits 32 bits.
void to_real(const int32_t* exact, const int32_t* sums, uint32_t zero, const double* factors,
             const double* bias, int64_t n, float* y) {
  for (int64_t i = 0; i < n; i += kSixteen) {
    int32_t d[kSixteen];
    *reinterpret_cast<Words16*>(d) = *reinterpret_cast<const Words16*>(exact + i) -
                                     zero * *reinterpret_cast<const Words16*>(sums + i);
    for (int64_t h = 0; h < kSixteen; h += 8) {
      const Doubles8 x = __builtin_convertvector(*reinterpret_cast<const Ints8*>(d + h), Doubles8);
      *reinterpret_cast<Floats8*>(y + i + h) =
          __builtin_convertvector(x * *reinterpret_cast<const Doubles8*>(factors + i + h) +
                                      *reinterpret_cast<const Doubles8*>(bias + i + h),
                                  Floats8);
    }
  }
}
// Of numbers from -128 to 255.
inline void store_bytes(Ints16 x, uint8_t* to) {
#if defined(__SSE2__) && !defined(__AVX512F__)
  __m128i q[4];
  std::memcpy(q, &x, sizeof q);
  const __m128i low = _mm_set1_epi16(255);
  const __m128i a = _mm_and_si128(_mm_packs_epi32(q[0], q[1]), low),
                b = _mm_and_si128(_mm_packs_epi32(q[2], q[3]), low);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(a, b));
#else
  *reinterpret_cast<Bytes16*>(to) = __builtin_convertvector(x, Bytes16);
#endif
}
// As quantize() does it, but that the zero point is added to the rounded number.
void to_bytes(const float* y, float inverse, float lo, float hi, int32_t zero, int64_t n,
              uint8_t* to) {
  const Floats16 least = Floats16{} + lo, most = Floats16{} + hi;
  for (int64_t i = 0; i < n; i += kSixteen) {
    Floats16 t = *reinterpret_cast<const Floats16*>(y + i) * inverse;
    t = t > least ? t : least;
    t = t < most ? t : most;
    store_bytes(__builtin_convertvector(rounded(t), Ints16) + zero, to + i);
  }
}

// The answers of `n` outputs from `first` on, whose exact sums of bytes and weights are given.
// row_sum: of the bytes, where zero points of weights want it.
void finish(const Call& c, const int32_t* exact, int64_t first, int64_t n, int32_t row_sum,
            int64_t out) {
  const QuantizedConvArgs& a = c.a;
  float y[std::max(kWidth, kSixteen)];
  if (!c.zeros) {
    to_real(exact, c.sums + first, static_cast<uint32_t>(c.in_zero), c.factors + first,
            c.bias + first, n, y);
  } else {
    const double left =
        static_cast<double>(row_sum) - static_cast<double>(c.s.taps * c.s.channels) * c.in_zero;
    for (int64_t i = 0; i < n; ++i) {
      const double d = static_cast<double>(exact[i]) -
                       static_cast<double>(c.in_zero) * c.sums[first + i] -
                       c.zeros[first + i] * left;
      y[i] = static_cast<float>(d * c.factors[first + i] + c.bias[first + i]);
    }
  }
  if (a.relu)
    for (int64_t i = 0; i < n; ++i) y[i] = y[i] > 0 || y[i] != y[i] ? y[i] : 0.0f;
  const int64_t step = a.out.strides[1];
  if (a.out.dtype == ScalarType::Float) {
    float* to = static_cast<float*>(a.out.data) + out + first * step;
    for (int64_t i = 0; i < n; ++i) to[i * step] = y[i];
    return;
  }
  const auto zero = static_cast<int32_t>(a.out_zero);
  uint8_t bytes[std::max(kWidth, kSixteen)];
  to_bytes(y, c.inverse, c.least - static_cast<float>(zero), c.most - static_cast<float>(zero),
           zero, n, bytes);
  uint8_t* to = static_cast<uint8_t*>(a.out.data) + out + first * step;
  if (step == 1)
    std::memcpy(to, bytes, static_cast<size_t>(n));
  else
    for (int64_t i = 0; i < n; ++i) to[i * step] = bytes[i];
}

template <class T>
void run_rows(const Call& c, int64_t from, int64_t to, int64_t from_block, int64_t to_block) {
  const Shape& s = c.s;
  const int64_t own = c.direct ? 0 : s.depth;
  // So many rows that they stay in the cache while the weights go by.
  const int64_t some =
      std::clamp<int64_t>((192 << 10) / (s.depth * static_cast<int64_t>(sizeof(T))), kRows, 96) /
      kRows * kRows;
  const int64_t most = std::min(some, up(to - from, kRows));
  T* bytes = thread_scratch<T, 42>().get(static_cast<size_t>(most * own + 64));
  alignas(64) int32_t sums[kRows * kWidth + kSixteen];
  std::fill(std::begin(sums), std::end(sums), 0);
  const T* rows[96];
  int64_t places[96];
  int32_t row_sums[96];
  Interrupt interrupt;
  for (int64_t g = 0; g < s.groups; ++g)
    for (int64_t begin = from; begin < to; begin += some) {
      const int64_t n = std::min(some, to - begin);
      for (int64_t r = 0; r < n; ++r) {
        const Pixel p(c, begin + r);
        places[r] = p.out;
        if (c.direct) {
          rows[r] = reinterpret_cast<const T*>(p.tap(c, 0, 0, 0));
        } else {
          gather(c, p, g, bytes + r * own);
          rows[r] = bytes + r * own;
        }
        row_sums[r] = c.zeros ? sum_of(c, rows[r]) : 0;
      }
      for (int64_t r = n; r < up(n, kRows); ++r) rows[r] = rows[n - 1];
      for (int64_t b = from_block; b < to_block; ++b) {
        interrupt.passed(up(n, kRows) * s.depth / 8);
        const int64_t width = std::min(kWidth, s.group_outputs - b * kWidth);
        const unsigned char* block =
            c.weights + (g * s.blocks + b) * kWidth * s.depth * static_cast<int64_t>(sizeof(T));
        for (int64_t r = 0; r < n; r += kRows) {
          tile(rows + r, block, s.depth, width, sums);
          for (int64_t i = r; i < std::min(n, r + kRows); ++i)
            finish(c, sums + (i - r) * kWidth, g * s.group_outputs + b * kWidth, width, row_sums[i],
                   places[i]);
        }
      }
    }
}

typedef int16_t Middle __attribute__((vector_size(2 * kSums), aligned(2), may_alias));
// kSums bytes, and numbers of 16 bits (GCC's conversions go piece by piece).
inline Middle widened(const uint8_t* x) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Middle>(
      _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x))));
#elif defined(__AVX2__)
  return reinterpret_cast<Middle>(
      _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(x))));
#else
  typedef uint8_t Few __attribute__((vector_size(kSums), aligned(1), may_alias));
  return __builtin_convertvector(*reinterpret_cast<const Few*>(x), Middle);
#endif
}
inline Sums widened(Middle x) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Sums>(_mm512_maskz_cvtepi16_epi32(0xffff, reinterpret_cast<__m256i>(x)));
#elif defined(__AVX2__)
  return reinterpret_cast<Sums>(_mm256_cvtepi16_epi32(reinterpret_cast<__m128i>(x)));
#else
  return __builtin_convertvector(x, Sums);
#endif
}

// A channel's own window: products of 16 bits, which a byte and a weight fit.
// sums[V * kSums] of channels from `first` on.
template <int V>
void depthwise_tile(const uint8_t* const* taps, int64_t n, const int16_t* weights, int64_t step,
                    int64_t first, int32_t* sums) {
  Sums c[V] = {};
  for (int64_t t = 0; t < n; ++t)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const Middle x = widened(taps[t] + first + v * kSums);
      const Middle w = *reinterpret_cast<const Middle*>(weights + t * step + first + v * kSums);
      c[v] += widened(x * w);
    }
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) *reinterpret_cast<Sums*>(sums + v * kSums) = c[v];
}
void run_depthwise(const Call& c, int64_t from, int64_t to) {
  const Shape& s = c.s;
  auto* weights = reinterpret_cast<const int16_t*>(c.weights);
  Scratch<uint8_t>& scratch = thread_scratch<uint8_t, 43>();
  const auto numbers = static_cast<size_t>(s.taps) * sizeof(int64_t);
  uint8_t* memory = scratch.get(2 * numbers + static_cast<size_t>(s.outputs));
  // What the window moves by to the next pixel of a line; 0 where it meets padding.
  auto* moves = reinterpret_cast<int64_t*>(memory);
  auto** taps = reinterpret_cast<const uint8_t**>(memory + numbers);
  uint8_t* nothing = memory + 2 * numbers;
  std::memset(nothing, c.in_zero, static_cast<size_t>(s.outputs));
  int32_t sums[kWidth + kSixteen] = {};
  const int64_t reach = (s.kernel[2] - 1) * s.dilation[2] + 1;
  int64_t n = 0, x = 0, first_x = 0, place = 0;
  bool inside = false;
  Interrupt interrupt;
  for (int64_t row = from; row < to; ++row) {
    interrupt.passed(s.taps * s.outputs / 4);
    // Inside of a line the window moves as a whole.
    const bool moved = inside && ++x < s.out[2] && (first_x += s.stride[2]) + reach <= s.in[2];
    if (moved) {
      for (int64_t t = 0; t < n; ++t) taps[t] += moves[t];
      place += s.out_step[2];
    } else {
      const Pixel p(c, row);
      n = 0;
      for (int64_t i = 0; i < s.kernel[0]; ++i)
        for (int64_t j = 0; j < s.kernel[1]; ++j)
          for (int64_t k = 0; k < s.kernel[2]; ++k, ++n) {
            const uint8_t* at = p.tap(c, i, j, k);
            taps[n] = at ? at : nothing;
            moves[n] = at ? s.stride[2] * c.in_step[2] : 0;
          }
      x = row % s.out[2], first_x = p.first[2], place = p.out;
      inside = first_x >= 0 && first_x + reach <= s.in[2];
    }
    for (int64_t first = 0; first < s.outputs; first += kWidth) {
      const int64_t width = std::min(kWidth, s.outputs - first);
      int64_t at = 0;
      if (width == kWidth) {
        depthwise_tile<kMostVectors>(taps, n, weights, s.outputs, first, sums);
        at = kWidth;
      }
      for (; at + kSums <= width; at += kSums)
        depthwise_tile<1>(taps, n, weights, s.outputs, first + at, sums + at);
      for (; at < width; ++at) {
        sums[at] = 0;
        for (int64_t t = 0; t < n; ++t)
          sums[at] += taps[t][first + at] * weights[t * s.outputs + first + at];
      }
      finish(c, sums, first, width, 0, place);
    }
  }
}

// 16 x 16 bytes.
void transpose_bytes(const uint8_t* from, int64_t from_step, uint8_t* to, int64_t to_step,
                     uint8_t flip) {
  typedef uint8_t R __attribute__((vector_size(16)));
  typedef uint8_t V __attribute__((vector_size(16), aligned(1), may_alias));
  constexpr auto lanes = std::make_integer_sequence<int, 16>{};
  R r[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) r[i] = *reinterpret_cast<const V*>(from + i * from_step) ^ flip;
  exchange<1, R>(r, lanes);
  exchange<2, R>(r, lanes);
  exchange<4, R>(r, lanes);
  exchange<8, R>(r, lanes);
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) *reinterpret_cast<V*>(to + i * to_step) = r[i];
}

// ---- few rows: weights are read as they stand ----

// The sum of products of n bytes and weights; the weights' own sum.
#if defined(__AVX512F__)
__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni"))) int32_t dot_vnni(const uint8_t* x,
                                                                                 const int8_t* w,
                                                                                 int64_t n,
                                                                                 int32_t* sum) {
  __m512i c = _mm512_setzero_si512(), s = c;
  const __m512i ones = _mm512_set1_epi8(1);
  for (; n > 0; n -= 64, x += 64, w += 64) {
    const __mmask64 m = n < 64 ? ~__mmask64{0} >> (64 - n) : ~__mmask64{0};
    const __m512i weights = _mm512_maskz_loadu_epi8(m, w);
    c = _mm512_dpbusd_epi32(c, _mm512_maskz_loadu_epi8(m, x), weights);
    s = _mm512_dpbusd_epi32(s, ones, weights);
  }
  int32_t lanes[2][16], total = 0;
  _mm512_storeu_si512(lanes[0], c);
  _mm512_storeu_si512(lanes[1], s);
  *sum = 0;
  for (int i = 0; i < 16; ++i) total += lanes[0][i], *sum += lanes[1][i];
  return total;
}
#endif
int32_t dot(const uint8_t* x, const int8_t* w, int64_t n, int32_t* sum) {
#if defined(__AVX512F__)
  if (has_vnni()) return dot_vnni(x, w, n, sum);
#endif
  int32_t c = 0, s = 0;
#if defined(__AVX2__)
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i products = _mm256_setzero_si256(), sums = products;
  for (; n >= 16; n -= 16, x += 16, w += 16) {
    const __m256i weights =
        _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w)));
    const __m256i bytes =
        _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)));
    products = _mm256_add_epi32(products, _mm256_madd_epi16(bytes, weights));
    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(ones, weights));
  }
  int32_t lanes[2][8];
  std::memcpy(lanes[0], &products, 32);
  std::memcpy(lanes[1], &sums, 32);
  for (int i = 0; i < 8; ++i) c += lanes[0][i], s += lanes[1][i];
#endif
  for (int64_t i = 0; i < n; ++i) c += x[i] * w[i], s += w[i];
  *sum = s;
  return c;
}

// A product of few rows whose weights would be packed for this call alone.
bool suits_few_rows(const QuantizedConvArgs& a, const Shape& s) {
  return !a.packed.data && s.dims == 0 && s.rows <= 3 && s.groups == 1 &&
         a.weight.dtype == ScalarType::QInt8 && (a.weight.strides[1] == 1 || s.channels == 1);
}
void run_few_rows(const Call& c, int32_t* sums) {
  const Shape& s = c.s;
  auto* weights = static_cast<const int8_t*>(c.a.weight.data);
  const double each = static_cast<double>(s.rows * s.channels * kWidth) * 0.01;
  parallel_for(s.blocks, each, [&](int64_t from, int64_t to) {
    Interrupt interrupt;
    for (int64_t b = from; b < to; ++b) {
      const int64_t first = b * kWidth, n = std::min(kWidth, s.outputs - first);
      int32_t exact[kWidth + kSixteen] = {};
      for (int64_t r = 0; r < s.rows; ++r) {
        interrupt.passed(n * s.channels / 4);
        const uint8_t* row = c.in + r * c.in_image;
        int32_t row_sum = 0;
        if (c.zeros)
          for (int64_t i = 0; i < s.channels; ++i) row_sum += row[i];
        for (int64_t i = 0; i < n; ++i)
          exact[i] =
              dot(row, weights + (first + i) * c.a.weight.strides[0], s.channels, sums + first + i);
        finish(c, exact, first, n, row_sum, r * c.a.out.strides[0]);
      }
    }
  });
}

// The input as unsigned bytes, a pixel's channels side by side.
const uint8_t* side_by_side(const QuantizedConvArgs& a, Call& c) {
  const Shape& s = c.s;
  const int64_t channels = a.in.sizes[1];
  auto* data = static_cast<const uint8_t*>(a.in.data);
  if (a.in.dtype == ScalarType::QUInt8 && (a.in.strides[1] == 1 || channels == 1)) {
    c.in_image = a.in.strides[0];
    std::copy(s.in_step, s.in_step + 3, c.in_step);
    return data;
  }
  c.slack = true;
  const uint8_t flip = a.in.dtype == ScalarType::QInt8 ? 0x80 : 0;
  c.in_step[2] = channels;
  c.in_step[1] = channels * s.in[2];
  c.in_step[0] = c.in_step[1] * s.in[1];
  c.in_image = c.in_step[0] * s.in[0];
  uint8_t* to =
      thread_scratch<uint8_t, 44>().get(static_cast<size_t>(c.in_image * a.in.sizes[0]) + 64);
  // Lines of pixels in one step: of a dense picture all of it.
  int64_t inner = s.in[2], middle = s.in[1], outer = s.in[0], step = s.in_step[2];
  if (s.in_step[1] == inner * step) {
    inner *= middle, middle = 1;
    if (s.in_step[0] == inner * step) inner *= outer, outer = 1;
  }
  constexpr int64_t kPiece = 256;
  const int64_t pieces = (inner + kPiece - 1) / kPiece,
                lines = a.in.sizes[0] * outer * middle * pieces;
  const double each = static_cast<double>(std::min(inner, kPiece) * channels) * 0.1;
  parallel_for(lines, each, [&](int64_t from, int64_t end) {
    for (int64_t l = from; l < end; ++l) {
      const int64_t begin = l % pieces * kPiece, n = std::min(kPiece, inner - begin);
      const int64_t line = l / pieces, image = line / (outer * middle);
      const uint8_t* x = data + image * a.in.strides[0] + line / middle % outer * s.in_step[0] +
                         line % middle * s.in_step[1] + begin * step;
      uint8_t* out = to + (line * inner + begin) * channels;
      int64_t ch = 0;
      if (step == 1)
        for (; ch + 16 <= channels; ch += 16) {
          const uint8_t* lanes = x + ch * a.in.strides[1];
          int64_t i = 0;
          for (; i + 16 <= n; i += 16)
            transpose_bytes(lanes + i, a.in.strides[1], out + i * channels + ch, channels, flip);
          for (; i < n; ++i)
            for (int64_t k = 0; k < 16; ++k)
              out[i * channels + ch + k] = lanes[k * a.in.strides[1] + i] ^ flip;
        }
      for (; ch < channels; ++ch)
        for (int64_t i = 0; i < n; ++i)
          out[i * channels + ch] = x[ch * a.in.strides[1] + i * step] ^ flip;
    }
  });
  return to;
}

void quantized_conv(const QuantizedConvArgs& a) {
  if (a.out.numel() == 0) return;
  Call c{a,       Shape(a), nullptr, 0,     {},    0, nullptr, nullptr,
         nullptr, nullptr,  nullptr, false, false, 0, 0,       0};
  const Shape& s = c.s;
  const bool is_signed = a.out.dtype == ScalarType::QInt8;
  c.inverse = 1.0f / static_cast<float>(a.out_scale);
  c.least = is_signed ? -128.0f : 0.0f, c.most = is_signed ? 127.0f : 255.0f;
  c.in_zero = static_cast<int32_t>(a.in_zero) + (a.in.dtype == ScalarType::QInt8 ? 128 : 0);
  c.in = side_by_side(a, c);
  const void* packed = a.packed.data;
  const bool few_rows = suits_few_rows(a, s);
  int32_t* sums = nullptr;
  if (few_rows) {
    packed = sums =
        reinterpret_cast<int32_t*>(thread_scratch<unsigned char, 45>().get(sums_bytes(s)));
    std::fill(sums + s.outputs, sums + sums_bytes(s) / 4, 0);
  } else if (!packed) {
    void* memory = thread_scratch<unsigned char, 45>().get(packed_bytes(s));
    pack(a, memory);
    packed = memory;
  }
  c.sums = static_cast<const int32_t*>(packed);
  c.weights = static_cast<const unsigned char*>(packed) + sums_bytes(s);

  const auto n = static_cast<size_t>(s.outputs);
  const size_t room = n + 2 * kSixteen;
  double* numbers = thread_scratch<double, 46>().get(3 * room);
  double *factors = numbers, *bias = numbers + room, *zeros = numbers + 2 * room;
  std::fill(numbers, numbers + 3 * room, 0.0);
  auto load = [&](const TensorView& v, double fallback, double* to) {
    if (!v.data)
      std::fill(to, to + n, fallback);
    else
      load_tile(v.dtype, static_cast<const char*>(v.data),
                v.strides[0] * static_cast<int64_t>(element_size(v.dtype)), s.outputs, to);
  };
  load(a.scales, a.weight_scale, factors);
  load(a.bias, 0, bias);
  load(a.zeros, static_cast<double>(a.weight_zero), zeros);
  const double shift = a.weight.dtype == ScalarType::QUInt8 ? 128 : 0;
  bool any = false;
  for (size_t i = 0; i < n; ++i) {
    factors[i] *= a.in_scale;
    zeros[i] -= shift;
    any |= zeros[i] != 0;
  }
  c.factors = factors, c.bias = bias, c.zeros = any ? zeros : nullptr;
  if (few_rows) return run_few_rows(c, sums);
  if (s.depthwise && !any) {
    parallel_for(s.rows, static_cast<double>(s.taps * s.outputs) * 0.05,
                 [&](int64_t from, int64_t to) { run_depthwise(c, from, to); });
    return;
  }
  c.direct = has_vnni() && s.taps == 1 && s.groups == 1 && s.padded == s.channels &&
             s.padding[0] == 0 && s.padding[1] == 0 && s.padding[2] == 0;
  auto part = [&](int64_t from, int64_t to, int64_t from_block, int64_t to_block) {
    if (has_vnni())
      run_rows<uint8_t>(c, from, to, from_block, to_block);
    else
      run_rows<int16_t>(c, from, to, from_block, to_block);
  };
  const double each = static_cast<double>(s.depth * s.outputs) * (has_vnni() ? 0.004 : 0.02);
  if (s.rows > 2 * kRows || s.blocks < 2)
    parallel_for(
        s.rows, each, [&](int64_t from, int64_t to) { part(from, to, 0, s.blocks); }, kRows);
  else
    parallel_for(s.blocks, each * static_cast<double>(s.rows) / static_cast<double>(s.blocks),
                 [&](int64_t from, int64_t to) { part(0, s.rows, from, to); });
}

size_t packed_quantized_bytes(const QuantizedConvArgs& a) { return packed_bytes(Shape(a)); }

}  // namespace

SCONCE_KERNEL(quantize)

void set_quantized_conv(Kernels& k) {
  k.quantized_conv = quantized_conv;
  k.packed_quantized_bytes = packed_quantized_bytes;
  k.pack_quantized = pack;
}

}  // namespace sconce::SCONCE_ISA
