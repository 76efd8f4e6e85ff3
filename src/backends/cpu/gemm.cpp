// SPDX-License-Identifier: Apache-2.0
// Matrix products. float and double: packed panels and a register tile (Goto & van de Geijn 2008);
// others: plain loops over converted rows.
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "backends/cpu/bfloat16_product.h"
#include "backends/cpu/parallel.h"
#include "backends/cpu/register_tiles.h"
#include "backends/ivdep.h"
#include "core/interrupt.h"
#include "backends/tiles.h"

namespace sconce::SCONCE_ISA {

namespace {

constexpr int64_t kMR = kTileRows, kKC = 256, kMC = 96, kNC = 2048;
constexpr int64_t kFewRows = 8;        // from which on packing pays
constexpr double kWorthThreads = 2e6;  // multiplications of a product that threads share

// Rows of A in strips of kMR: [strip][k][kMR], zero padded.
template <class T>
void pack_a(int64_t m, int64_t k, const T* a, int64_t s0, int64_t s1, T* out) {
  for (int64_t i = 0; i < m; i += kMR) {
    int64_t rows = std::min(kMR, m - i);
    for (int64_t p = 0; p < k; ++p) {
      for (int64_t r = 0; r < rows; ++r) out[r] = a[(i + r) * s0 + p * s1];
      for (int64_t r = rows; r < kMR; ++r) out[r] = T(0);
      out += kMR;
    }
  }
}
// Columns of B in panels of NR: [panel][k][NR], zero padded.
template <class T>
void pack_b(int64_t n, int64_t k, const T* b, int64_t s0, int64_t s1, T* out) {
  constexpr int64_t NR = 2 * Vec<T>::lanes;
  for (int64_t j = 0; j < n; j += NR) {
    int64_t cols = std::min(NR, n - j);
    if (s1 == 1 && cols == NR) {
      for (int64_t p = 0; p < k; ++p, out += NR) std::memcpy(out, b + p * s0 + j, NR * sizeof(T));
      continue;
    }
    if (s0 == 1) {
      for (int64_t c = 0; c < cols; ++c) {
        const T* col = b + (j + c) * s1;
        for (int64_t p = 0; p < k; ++p) out[p * NR + c] = col[p];
      }
      for (int64_t c = cols; c < NR; ++c)
        for (int64_t p = 0; p < k; ++p) out[p * NR + c] = T(0);
      out += k * NR;
      continue;
    }
    for (int64_t p = 0; p < k; ++p) {
      for (int64_t c = 0; c < cols; ++c) out[c] = b[p * s0 + (j + c) * s1];
      for (int64_t c = cols; c < NR; ++c) out[c] = T(0);
      out += NR;
    }
  }
}

// C tile [MR x 2 vectors] += A strip [k][kMR] * B panel [k][NR].
template <class T, int MR>
void micro(int64_t k, const T* a, const T* b, T* c, int64_t ldc, T alpha, bool first, T beta) {
  using V = typename Vec<T>::type;
  constexpr int64_t L = Vec<T>::lanes;
  V acc[MR][2];
#pragma GCC unroll 32
  for (int r = 0; r < MR; ++r) acc[r][0] = acc[r][1] = V{};
  for (int64_t p = 0; p < k; ++p) {
    V b0 = *reinterpret_cast<const V*>(b), b1 = *reinterpret_cast<const V*>(b + L);
#pragma GCC unroll 32
    for (int r = 0; r < MR; ++r) {
      V x = in_register(a[r]) - V{};  // a broadcast; adding 0 to -0 would be a sum
      acc[r][0] += x * b0;
      acc[r][1] += x * b1;
    }
    a += kMR;
    b += 2 * L;
  }
#pragma GCC unroll 32
  for (int r = 0; r < MR; ++r) {
    for (int h = 0; h < 2; ++h) {
      V* out = reinterpret_cast<V*>(c + r * ldc + h * L);
      V v = acc[r][h] * alpha;
      if (!first)
        v += *out;
      else if (beta != T(0))
        v += *out * beta;
      *out = v;
    }
  }
}

template <class T>
void tile(int64_t rows, int64_t cols, int64_t k, const T* a, const T* b, T* c, int64_t ldc, T alpha,
          bool first, T beta) {
  constexpr int64_t NR = 2 * Vec<T>::lanes;
  T buf[kMR * NR];
  T* out = c;
  int64_t ld = ldc;
  if (cols < NR) {
    out = buf;
    ld = NR;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = 0; j < NR; ++j)
        buf[r * NR + j] = j < cols && (!first || beta != T(0)) ? c[r * ldc + j] : T(0);
  }
  // micro<T, MR> for every number of rows.
  static constexpr auto kernels = []<int... R>(std::integer_sequence<int, R...>) {
    return std::array{&micro<T, R + 1>...};
  }
  (std::make_integer_sequence<int, kMR>{});
  kernels[static_cast<size_t>(rows - 1)](k, a, b, out, ld, alpha, first, beta);
  if (cols < NR)
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = 0; j < cols; ++j) c[r * ldc + j] = buf[r * NR + j];
}

// Four lanes, each the sum of every fourth of v's; zeros where v has two.
template <class V>
auto fold_to_four(V v) {
  constexpr size_t lanes = sizeof(V) / sizeof(v[0]);
  if constexpr (lanes == 16)
    return fold_to_four(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                        __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15));
  else if constexpr (lanes == 8)
    return __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
  else if constexpr (lanes == 2)
    return __builtin_shufflevector(v, V{}, 0, 1, 2, 3);
  else
    return v;
}
// The sums of four vectors' lanes.
template <class V>
auto sums_of_four(V a, V b, V c, V d) {
  auto p = fold_to_four(a), q = fold_to_four(b), r = fold_to_four(c), s = fold_to_four(d);
  auto pq = __builtin_shufflevector(p, q, 0, 4, 1, 5) + __builtin_shufflevector(p, q, 2, 6, 3, 7),
       rs = __builtin_shufflevector(r, s, 0, 4, 1, 5) + __builtin_shufflevector(r, s, 2, 6, 3, 7);
  return __builtin_shufflevector(pq, rs, 0, 1, 4, 5) + __builtin_shufflevector(pq, rs, 2, 3, 6, 7);
}

// R rows of a by four rows of b, as they stand: dot products along K. A single row has two sums for
// each row of b, by turns. Where b comes from memory (ahead, the distance of what will be read), a
// single row takes one row of b after the other, as memory is read fastest.
template <class T, int R>
SCONCE_INLINE void dots_of_four(int64_t k, T alpha, const T* a, int64_t as0, const T* b,
                                int64_t bs1, T beta, T* c, int64_t cs0, int64_t ahead = 0) {
  using V = typename Vec<T>::type;
  constexpr int64_t L = Vec<T>::lanes;
  auto at = [](const T* p) __attribute__((always_inline)) {
    return *reinterpret_cast<const V*>(p);
  };
  V sum[R][4];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int w = 0; w < 4; ++w) sum[r][w] = V{};
  int64_t p = 0;
  if constexpr (R == 1) {
    const int64_t whole = k / L * L;
    V odd[4]{};
    if (ahead) {
      for (int w = 0; w < 4; ++w) {
        const T* row = b + w * bs1;
        V s{}, t{};
        for (p = 0; p + 2 * L <= whole; p += 2 * L) {
          __builtin_prefetch(row + p + ahead);
          __builtin_prefetch(row + p + L + ahead);
          s += at(a + p) * at(row + p);
          t += at(a + p + L) * at(row + p + L);
        }
        sum[0][w] = s, odd[w] = t;
      }
    } else {
      for (; p + 2 * L <= whole; p += 2 * L) {
        const V x = at(a + p), y = at(a + p + L);
#pragma GCC unroll 4
        for (int w = 0; w < 4; ++w) {
          sum[0][w] += x * at(b + w * bs1 + p);
          odd[w] += y * at(b + w * bs1 + p + L);
        }
      }
    }
    for (; p < whole; p += L)
#pragma GCC unroll 4
      for (int w = 0; w < 4; ++w) sum[0][w] += at(a + p) * at(b + w * bs1 + p);
#pragma GCC unroll 4
    for (int w = 0; w < 4; ++w) sum[0][w] += odd[w];
  } else {
    for (; p + L <= k; p += L) {
      V y[4];
#pragma GCC unroll 4
      for (int w = 0; w < 4; ++w) y[w] = at(b + w * bs1 + p);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        const V x = at(a + r * as0 + p);
#pragma GCC unroll 4
        for (int w = 0; w < 4; ++w) sum[r][w] += x * y[w];
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    auto sums = sums_of_four<V>(sum[r][0], sum[r][1], sum[r][2], sum[r][3]);
    for (int64_t q = p; q < k; ++q)
      for (int w = 0; w < 4; ++w) sums[w] += a[r * as0 + q] * b[w * bs1 + q];
    sums *= alpha;
    T* to = c + r * cs0;
    if (beta != T(0)) {
      auto old = sums;
      std::memcpy(&old, to, 4 * sizeof(T));
      sums += old * beta;
    }
    std::memcpy(to, &sums, 4 * sizeof(T));
  }
}
template <class T>
void one_dot(int64_t k, T alpha, const T* x, const T* w, T beta, T& o) {
  using V = typename Vec<T>::type;
  constexpr int64_t L = Vec<T>::lanes;
  V sums[4] = {};  // none waits for another
  int64_t p = 0;
  for (; p + 4 * L <= k; p += 4 * L)
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q)
      sums[q] +=
          *reinterpret_cast<const V*>(x + p + q * L) * *reinterpret_cast<const V*>(w + p + q * L);
  for (; p + L <= k; p += L)
    sums[0] += *reinterpret_cast<const V*>(x + p) * *reinterpret_cast<const V*>(w + p);
  const auto four = fold_to_four((sums[0] + sums[1]) + (sums[2] + sums[3]));
  T r = (four[0] + four[2]) + (four[1] + four[3]);
  for (; p < k; ++p) r += x[p] * w[p];
  o = beta == T(0) ? alpha * r : alpha * r + beta * o;
}

// Few rows and weights as stored [N][K], no packing. Every other call of a thread goes through the
// weights from their end: where calls follow each other with the same ones, as in recurrent
// networks, the caches have what was read last.
template <class T>
void small_rows(int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t as0, const T* b,
                int64_t bs1, T beta, T* c, int64_t cs0) {
  constexpr int kRows = kManyRegisters ? 4 : 2;
  static thread_local bool backwards = false;
  backwards = !backwards;
  const int64_t whole = n / 4 * 4, first = backwards ? whole - 4 : 0, by = backwards ? -4 : 4;
  constexpr int64_t kInCaches = int64_t{8} << 20;
  if (m == 1) {
    const bool far = n * bs1 > kInCaches / static_cast<int64_t>(sizeof(T));
    for (int64_t j = first, g = 0; g < whole; g += 4, j += by)
      dots_of_four<T, 1>(k, alpha, a, as0, b + j * bs1, bs1, beta, c + j, cs0,
                         far ? 2 * by * bs1 : 0);
  } else {
    for (int64_t j = first, g = 0; g < whole; g += 4, j += by)
      for (int64_t i = 0; i < m; i += kRows) {
        auto rows = [&](auto count) __attribute__((always_inline)) {
          dots_of_four<T, count()>(k, alpha, a + i * as0, as0, b + j * bs1, bs1, beta,
                                   c + i * cs0 + j, cs0);
        };
        switch (std::min<int64_t>(m - i, kRows)) {
          case 1: rows(std::integral_constant<int, 1>{}); break;
          case 2: rows(std::integral_constant<int, 2>{}); break;
          case 3: rows(std::integral_constant<int, 3>{}); break;
          default: rows(std::integral_constant<int, 4>{});
        }
      }
  }
  for (int64_t j = whole; j < n; ++j)
    for (int64_t i = 0; i < m; ++i)
      one_dot(k, alpha, a + i * as0, b + j * bs1, beta, c[i * cs0 + j]);
}

// Without packing, but where b's rows aren't dense or fill no vectors. Rows of a are dense, so is b
// in one of its dims; beta is 0 or 1.
void product_as_it_stands(int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t as0,
                          const float* b, int64_t bs0, int64_t bs1, float beta, float* c,
                          int64_t cs0) {
  const int64_t whole = n / kFloats * kFloats;
  const float* panels = nullptr;
  if (bs1 != 1) {
    float* to = thread_scratch<float, 1>().get(static_cast<size_t>(padded(n) * k));
    pack_transposed(b, bs1, n, k, to);
    panels = to;
  }
  TileResult result;
  result.scale = alpha;
  result.add = beta != 0.0f;
  for (int64_t j = 0; j < n;) {
    int64_t width = std::min(n - j, kPanel), step = bs0;
    const float* from = b + j;
    if (panels) {
      from = panels;
      step = padded(width);
      panels += step * k;
    } else if (j + width > whole) {
      // Whole vectors first, then what is left, from a copy.
      if (j < whole) {
        width = whole - j;
      } else {
        float* to = thread_scratch<float, 1>().get(static_cast<size_t>(kFloats * k));
        pack_rows(from, bs0, k, width, to, kFloats);
        from = to;
        step = kFloats;
      }
    }
    panel_product(m, width, k, a, as0, from, step, c + j, cs0, result);
    j += width;
  }
}
// For operands that the L2 cache holds, and few rows by rows of any number. False for others.
bool product_unpacked(int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t as0,
                      int64_t as1, const float* b, int64_t bs0, int64_t bs1, float beta, float* c,
                      int64_t cs0) {
  constexpr int64_t kMost = 96 * 1024;  // floats
  if (as1 != 1 || (bs1 != 1 && bs0 != 1) || (beta != 0.0f && beta != 1.0f)) return false;
  const double size = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  if (m <= kFewRows && bs1 == 1) {
    parallel_for(
        n, size / static_cast<double>(n) / 20,
        [&](int64_t from, int64_t to) {
          product_as_it_stands(m, to - from, k, alpha, a, as0, b + from, bs0, bs1, beta, c + from,
                               cs0);
        },
        kPanel);
    return true;
  }
  if (size >= kWorthThreads || n * k > kMost || m * k > kMost) return false;
  product_as_it_stands(m, n, k, alpha, a, as0, b, bs0, bs1, beta, c, cs0);
  return true;
}

template <class T>
void gemm_blocks(int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t as0, int64_t as1,
                 const T* b, int64_t bs0, int64_t bs1, T beta, T* c, int64_t cs0,
                 Interrupt interrupt) {
  constexpr int64_t NR = 2 * Vec<T>::lanes;
  Scratch<T>&sa = thread_scratch<T, 0>(), &sb = thread_scratch<T, 1>();
  for (int64_t jc = 0; jc < n; jc += kNC) {
    int64_t nc = std::min(kNC, n - jc);
    for (int64_t pc = 0; pc < k; pc += kKC) {
      int64_t kc = std::min(kKC, k - pc);
      T* bp = sb.get(static_cast<size_t>((nc + NR - 1) / NR * NR * kc));
      pack_b(nc, kc, b + pc * bs0 + jc * bs1, bs0, bs1, bp);
      for (int64_t ic = 0; ic < m; ic += kMC) {
        int64_t mc = std::min(kMC, m - ic);
        interrupt.passed(nc * kc);
        T* ap = sa.get(static_cast<size_t>((mc + kMR - 1) / kMR * kMR * kc));
        pack_a(mc, kc, a + ic * as0 + pc * as1, as0, as1, ap);
        for (int64_t j = 0; j < nc; j += NR)
          for (int64_t i = 0; i < mc; i += kMR)
            tile(std::min(kMR, mc - i), std::min(NR, nc - j), kc, ap + i * kc, bp + j * kc,
                 c + (ic + i) * cs0 + jc + j, cs0, alpha, pc == 0, beta);
      }
    }
  }
}

// Products too small for tiles, and those of a column and a row, each row of the result by itself.
template <class T>
void plain_rows(int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t as0, int64_t as1,
                const T* b, int64_t bs0, int64_t bs1, T beta, T* c, int64_t cs0) {
  for (int64_t i = 0; i < m; ++i, a += as0, c += cs0) {
    if (k == 1 && bs1 == 1 && beta == T(0)) {
      const T x = alpha * *a;
      SCONCE_IVDEP  // the result is no operand
      for (int64_t j = 0; j < n; ++j) c[j] = x * b[j];
      continue;
    }
    for (int64_t j = 0; j < n; ++j) {
      T sum(0);
      for (int64_t p = 0; p < k; ++p) sum += a[p * as1] * b[p * bs0 + j * bs1];
      c[j] = alpha * sum + (beta == T(0) ? T(0) : beta * c[j]);
    }
  }
}

// Large products are cut along n, or along m when n is short: every element is computed as it is on
// one thread.
template <class T>
void gemm_t(int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t as0, int64_t as1,
            const T* b, int64_t bs0, int64_t bs1, T beta, T* c, int64_t cs0) {
  if (m == 0 || n == 0) return;
  if (k == 0 || alpha == T(0)) {
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) c[i * cs0 + j] = beta == T(0) ? T(0) : c[i * cs0 + j] * beta;
    return;
  }
  constexpr int64_t kTiny = 64;  // multiplications
  if (k == 1 && bs1 == 1 && beta == T(0)) {
    return parallel_for(m, static_cast<double>(n) / 8, [=](int64_t from, int64_t to) {
      plain_rows(to - from, n, k, alpha, a + from * as0, as0, as1, b, bs0, bs1, beta,
                 c + from * cs0, cs0);
    });
  }
  if (m <= kTiny && n <= kTiny && k <= kTiny && m * n * k <= kTiny)
    return plain_rows(m, n, k, alpha, a, as0, as1, b, bs0, bs1, beta, c, cs0);
  // Each thread reads weights of its own, by fours.
  auto few = [=](int64_t rows, int64_t columns, const T* x, int64_t x_step, const T* w,
                 int64_t w_step, int64_t c_step) {
    parallel_for(
        columns, static_cast<double>(rows) * static_cast<double>(k) / 35,
        [=](int64_t from, int64_t to) {
          small_rows(rows, to - from, k, alpha, x, x_step, w + from * w_step, w_step, beta,
                     c + from, c_step);
        },
        4);
  };
  if (m <= kFewRows && bs0 == 1 && as1 == 1) return few(m, n, a, as0, b, bs1, cs0);
  // A matrix and a vector: the rows of a are the columns.
  if (n == 1 && cs0 == 1 && as1 == 1 && bs0 == 1) return few(1, m, b, 0, a, as0, m);
  // Or its columns are dense: they are rows, by which the vector as a row is multiplied.
  if (n == 1 && cs0 == 1 && as0 == 1 && as1 != 1 && bs0 == 1)
    return gemm_t(1, m, k, alpha, b, k, 1, a, as1, 1, beta, c, m);
  ThreadPool* pool = context().pool;
  const Interrupt interrupt(context());
  if constexpr (std::is_same_v<T, float>)
    if (product_unpacked(m, n, k, alpha, a, as0, as1, b, bs0, bs1, beta, c, cs0)) return;
  if (!pool ||
      static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) < kWorthThreads)
    return gemm_blocks(m, n, k, alpha, a, as0, as1, b, bs0, bs1, beta, c, cs0, interrupt);
  constexpr int64_t NR = 2 * Vec<T>::lanes;
  int64_t threads = pool->size();
  bool along_n = n >= threads * NR * 2;
  int64_t length = along_n ? n : m, unit = along_n ? NR : kMR;
  int64_t each = ((length + threads - 1) / threads + unit - 1) / unit * unit;
  pool->run((length + each - 1) / each, [&](int64_t i) {
    int64_t from = i * each, size = std::min(each, length - from);
    if (along_n)
      gemm_blocks(m, size, k, alpha, a, as0, as1, b + from * bs1, bs0, bs1, beta, c + from, cs0,
                  interrupt);
    else
      gemm_blocks(size, n, k, alpha, a + from * as0, as0, as1, b, bs0, bs1, beta, c + from * cs0,
                  cs0, interrupt);
  });
}

// Any dtype: rows converted to C, accumulated in C. Integers wrap around.
template <class C>
void gemm_any(const GemmArgs& g, int64_t batch) {
  using U = Wrapping<C>;
  int64_t m = g.a.sizes[1], k = g.a.sizes[2], n = g.b.sizes[2];
  auto at = [](const TensorView& v, int64_t b, int64_t i, int64_t j) {
    return static_cast<char*>(v.data) + (b * v.strides[0] + i * v.strides[1] + j * v.strides[2]) *
                                            static_cast<int64_t>(element_size(v.dtype));
  };
  auto step = [](const TensorView& v, int d) {
    return v.strides[d] * static_cast<int64_t>(element_size(v.dtype));
  };
  expect_memory(static_cast<double>(k) * static_cast<double>(n) * sizeof(C));
  Interrupt interrupt;
  std::vector<C> bt(static_cast<size_t>(k * n)), row(static_cast<size_t>(k)),
      out(static_cast<size_t>(n)), bias(static_cast<size_t>(n));
  if (g.bias.data)
    load_tile(g.bias.dtype, static_cast<const char*>(g.bias.data),
              g.bias.strides[0] * static_cast<int64_t>(element_size(g.bias.dtype)), n, bias.data());
  for (int64_t p = 0; p < k; ++p) {
    load_tile(g.b.dtype, at(g.b, batch, p, 0), step(g.b, 2), n, bt.data() + p * n);
    interrupt.passed(n);
  }
  const C alpha = convert<C>(g.alpha), beta = convert<C>(g.beta);
  for (int64_t i = 0; i < m; ++i) {
    load_tile(g.a.dtype, at(g.a, batch, i, 0), step(g.a, 2), k, row.data());
    std::fill(out.begin(), out.end(), C(0));
    for (int64_t p = 0; p < k; ++p) {
      C x = row[static_cast<size_t>(p)];
      const C* w = bt.data() + p * n;
      interrupt.passed(n);
      for (int64_t j = 0; j < n; ++j)
        out[static_cast<size_t>(j)] =
            static_cast<C>(U(out[static_cast<size_t>(j)]) + U(x) * U(w[j]));
    }
    if (g.beta != 0) {
      std::vector<C> old(static_cast<size_t>(n));
      load_tile(g.out.dtype, at(g.out, batch, i, 0), step(g.out, 2), n, old.data());
      for (int64_t j = 0; j < n; ++j)
        out[static_cast<size_t>(j)] = static_cast<C>(U(alpha) * U(out[static_cast<size_t>(j)]) +
                                                     U(beta) * U(old[static_cast<size_t>(j)]));
    } else {
      for (auto& x : out) x = static_cast<C>(U(x) * U(alpha));
    }
    if (g.bias.data)
      for (int64_t j = 0; j < n; ++j)
        out[static_cast<size_t>(j)] =
            static_cast<C>(U(out[static_cast<size_t>(j)]) + U(bias[static_cast<size_t>(j)]));
    store_tile(g.out.dtype, at(g.out, batch, i, 0), step(g.out, 2), n, out.data());
  }
}

template <class T>
void gemm_dense(const GemmArgs& g, int64_t batch) {
  int64_t m = g.a.sizes[1], k = g.a.sizes[2], n = g.b.sizes[2];
  const T* a = g.a.ptr<T>() + batch * g.a.strides[0];
  const T* b = g.b.ptr<T>() + batch * g.b.strides[0];
  T* c = g.out.ptr<T>() + batch * g.out.strides[0];
  T beta = static_cast<T>(g.beta);
  if (g.bias.data && k > 0 && beta == T(0)) {
    const T* bias = g.bias.ptr<T>();
    for (int64_t i = 0; i < m; ++i) {
      T* row = c + i * g.out.strides[1];
      if (g.bias.strides[0] == 1)
        std::copy_n(bias, n, row);
      else
        for (int64_t j = 0; j < n; ++j) row[j] = bias[j * g.bias.strides[0]];
    }
    beta = T(1);
  }
  gemm_t<T>(m, n, k, static_cast<T>(g.alpha), a, g.a.strides[1], g.a.strides[2], b, g.b.strides[1],
            g.b.strides[2], beta, c, g.out.strides[1]);
  if (g.bias.data && k == 0)
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j)
        c[i * g.out.strides[1] + j] += g.bias.ptr<T>()[j * g.bias.strides[0]];
}

// Halves of either kind: the operands become dense floats, the result is rounded once.
void gemm_halves(const GemmArgs& g, int64_t batch) {
  const int64_t m = g.a.sizes[1], k = g.a.sizes[2], n = g.b.sizes[2];
  // The product takes the first two.
  Scratch<float>&sa = thread_scratch<float, 2>(), &sb = thread_scratch<float, 3>(),
  &sc = thread_scratch<float, 4>();
  auto at = [](const TensorView& v, int64_t i) {
    return static_cast<char*>(v.data) + i * static_cast<int64_t>(element_size(v.dtype));
  };
  // Rows along whichever dim is dense; the strides of the copy.
  struct Dense {
    float* data;
    int64_t s0, s1;
  };
  auto load = [&](const TensorView& v, Scratch<float>& scratch) -> Dense {
    const int64_t rows = v.sizes[1], cols = v.sizes[2];
    const auto es = static_cast<int64_t>(element_size(v.dtype));
    expect_memory(static_cast<double>(rows) * static_cast<double>(cols) * sizeof(float));
    float* p = scratch.get(static_cast<size_t>(rows * cols));
    const bool by_column = v.strides[1] == 1 && v.strides[2] != 1;
    const int outer = by_column ? 2 : 1, inner = by_column ? 1 : 2;
    for (int64_t i = 0; i < v.sizes[outer]; ++i)
      load_tile(v.dtype, at(v, batch * v.strides[0] + i * v.strides[outer]), v.strides[inner] * es,
                v.sizes[inner], p + i * v.sizes[inner]);
    return by_column ? Dense{p, 1, rows} : Dense{p, cols, 1};
  };
  float* c = sc.get(static_cast<size_t>(m * n));
  auto row = [&](int64_t i) { return at(g.out, batch * g.out.strides[0] + i * g.out.strides[1]); };
  const int64_t step = g.out.strides[2] * static_cast<int64_t>(element_size(g.out.dtype));
  if (g.beta != 0)
    for (int64_t i = 0; i < m; ++i) load_tile(g.out.dtype, row(i), step, n, c + i * n);
  if (!bfloat16_product(g, batch, c)) {
    const Dense a = load(g.a, sa), b = load(g.b, sb);
    gemm_t<float>(m, n, k, static_cast<float>(g.alpha), a.data, a.s0, a.s1, b.data, b.s0, b.s1,
                  static_cast<float>(g.beta), c, n);
  }
  if (g.bias.data) {
    std::vector<float> bias(static_cast<size_t>(n));
    load_tile(g.bias.dtype, at(g.bias, 0),
              g.bias.strides[0] * static_cast<int64_t>(element_size(g.bias.dtype)), n, bias.data());
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) c[i * n + j] += bias[static_cast<size_t>(j)];
  }
  for (int64_t i = 0; i < m; ++i) store_tile(g.out.dtype, row(i), step, n, c + i * n);
}

void gemm_one(const GemmArgs& g, int64_t b) {
  const ScalarType t = g.out.dtype;
  const bool same = g.a.dtype == t && g.b.dtype == t && (!g.bias.data || g.bias.dtype == t) &&
                    g.out.strides[2] == 1;
  const bool with_bias_and_beta = g.bias.data && g.beta != 0;
  if (same && t == kFloat && !with_bias_and_beta)
    gemm_dense<float>(g, b);
  else if (same && t == kDouble && !with_bias_and_beta)
    gemm_dense<double>(g, b);
  else if (t == kDouble)
    gemm_any<double>(g, b);
  else if (t == kComplexFloat)
    gemm_any<std::complex<float>>(g, b);
  else if (t == kComplexDouble)
    gemm_any<std::complex<double>>(g, b);
  else if (is_integral(t, true))
    gemm_any<int64_t>(g, b);
  else
    gemm_halves(g, b);
}

// Threads share a large product, or a batch of small ones.
void gemm(const GemmArgs& g) {
  const int64_t batch = g.out.sizes[0];
  const double each = static_cast<double>(g.a.sizes[1]) * static_cast<double>(g.a.sizes[2]) *
                      static_cast<double>(g.b.sizes[2]);
  if (batch == 1) return gemm_one(g, 0);
  const Interrupt interrupt(context());
  auto products = [&](int64_t from, int64_t to) {
    Interrupt mine = interrupt;
    for (int64_t b = from; b < to; ++b) {
      gemm_one(g, b);
      mine.passed(static_cast<int64_t>(std::min(each, kWorthThreads)) / 8);
    }
  };
  if (each < kWorthThreads)
    parallel_for(batch, each / 40, products);
  else
    products(0, batch);
}

}  // namespace

void gemm_f32(int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t as0,
              int64_t as1, const float* b, int64_t bs0, int64_t bs1, float beta, float* c,
              int64_t cs0) {
  gemm_t<float>(m, n, k, alpha, a, as0, as1, b, bs0, bs1, beta, c, cs0);
}

void gemm_f64(int64_t m, int64_t n, int64_t k, const double* a, int64_t as0, const double* b,
              int64_t bs0, double* c, int64_t cs0) {
  gemm_t<double>(m, n, k, 1, a, as0, 1, b, bs0, 1, 1, c, cs0);
}

SCONCE_KERNEL(gemm)

}  // namespace sconce::SCONCE_ISA
