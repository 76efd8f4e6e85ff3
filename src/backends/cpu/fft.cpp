// SPDX-License-Identifier: Apache-2.0
// Fourier transforms of floats: as many rows at once as a vector has lanes, by Stockham's form of
// the factorisation, whose results come in order (Van Loan, "Computational frameworks for the fast
// Fourier transform", 1.7). A row of n real numbers is one of n / 2 complex ones. Lengths with
// other factors than 2, 3 and 5, long ones and few rows are left to the plain transform.
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstring>
#include <utility>

#include "backends/any_fft.h"
#include "backends/cpu/parallel.h"
#include "backends/cpu/rows.h"
#include "backends/cpu/transpose.h"
#include "backends/cpu/vectors.h"
#include "core/interrupt.h"

namespace sconce::SCONCE_ISA {

namespace {

constexpr int64_t L = kFloats;
constexpr int64_t kLongest = 4096;  // complex numbers of a row

struct Pair {  // a complex number of each row
  Floats re, im;
};
SCONCE_INLINE Pair operator+(Pair a, Pair b) { return {a.re + b.re, a.im + b.im}; }
SCONCE_INLINE Pair operator-(Pair a, Pair b) { return {a.re - b.re, a.im - b.im}; }
SCONCE_INLINE Pair operator*(Pair a, float s) { return {a.re * s, a.im * s}; }
SCONCE_INLINE Pair times(Pair a, const float* w) {
  return {a.re * w[0] - a.im * w[1], a.re * w[1] + a.im * w[0]};
}
SCONCE_INLINE Pair turned(Pair a) { return {a.im, -a.re}; }  // times -i

// The transform of R numbers, in place.
template <int R>
SCONCE_INLINE void butterfly(Pair* v) {
  if constexpr (R == 2) {
    const Pair d = v[0] - v[1];
    v[0] = v[0] + v[1];
    v[1] = d;
  } else if constexpr (R == 3) {
    const Pair sum = v[1] + v[2], d = turned(v[1] - v[2]) * 0.866025403784438647f,
               mid = v[0] - sum * 0.5f;
    v[0] = v[0] + sum;
    v[1] = mid + d;
    v[2] = mid - d;
  } else if constexpr (R == 4) {
    const Pair even = v[0] + v[2], odd = v[0] - v[2], sum = v[1] + v[3], d = turned(v[1] - v[3]);
    v[0] = even + sum;
    v[1] = odd + d;
    v[2] = even - sum;
    v[3] = odd - d;
  } else {
    constexpr float c1 = 0.309016994374947424f, c2 = -0.809016994374947424f,
                    s1 = 0.951056516295153572f, s2 = 0.587785252292473129f;
    const Pair p = v[1] + v[4], q = v[2] + v[3], r = turned(v[1] - v[4]), t = turned(v[2] - v[3]);
    const Pair m1 = v[0] + p * c1 + q * c2, m2 = v[0] + p * c2 + q * c1, n1 = r * s1 + t * s2,
               n2 = r * s2 - t * s1;
    v[0] = v[0] + p + q;
    v[1] = m1 + n1;
    v[2] = m2 + n2;
    v[3] = m2 - n2;
    v[4] = m1 - n1;
  }
}

// One factor R of the length n that is left, s numbers apart. w: roots, w_step from one of n to the
// next.
template <int R>
void stage(const Pair* x, Pair* y, int64_t n, int64_t s, const float* w, int64_t w_step) {
  const int64_t m = n / R;
  for (int64_t p = 0; p < m; ++p) {
    for (int64_t q = 0; q < s; ++q) {
      Pair v[R];
#pragma GCC unroll 5
      for (int j = 0; j < R; ++j) v[j] = x[q + s * (p + m * j)];
      butterfly<R>(v);
      y[q + s * R * p] = v[0];
#pragma GCC unroll 5
      for (int j = 1; j < R; ++j)
        y[q + s * (R * p + j)] = p == 0 ? v[j] : times(v[j], w + 2 * j * p * w_step);
    }
  }
}
int64_t factor_of(int64_t n) { return n % 4 == 0 ? 4 : n % 5 == 0 ? 5 : n % 3 == 0 ? 3 : 2; }
bool has_factors(int64_t n) {
  for (int64_t r : {2, 3, 5})
    while (n % r == 0) n /= r;
  return n == 1;
}
// The forward transform of x; it ends in x or in y, whose place is returned.
Pair* transform(Pair* x, Pair* y, int64_t length, const float* w, int64_t w_step) {
  for (int64_t n = length, s = 1; n > 1;) {
    const int64_t r = factor_of(n);
    (r == 4   ? stage<4>
     : r == 5 ? stage<5>
     : r == 3 ? stage<3>
              : stage<2>)(x, y, n, s, w, w_step * s);
    std::swap(x, y);
    n /= r;
    s *= r;
  }
  return x;
}

// e^(-2 pi i k / n) for k < n: this thread's, made anew for another n.
const float* roots(int64_t n) {
  thread_local int64_t length = 0;
  Scratch<float>& scratch = thread_scratch<float, 31>();
  if (n == length) return scratch.data.get();
  length = 0;
  float* w = scratch.get(static_cast<size_t>(2 * n));
  for (int64_t k = 0; k < n; ++k) {
    const double angle = -2 * M_PI * static_cast<double>(k) / static_cast<double>(n);
    w[2 * k] = static_cast<float>(std::cos(angle));
    w[2 * k + 1] = static_cast<float>(std::sin(angle));
  }
  length = n;
  return w;
}

// The spectrum [0, m] of 2 m real numbers from the transform z of m pairs of them, by its symmetry.
void spectrum_of(const Pair* z, Pair* out, int64_t m, const float* w) {
  for (int64_t k = 0; k <= m - k; ++k) {
    const Pair a = z[k], c = z[k ? m - k : 0], b = {c.re, -c.im};
    const Pair even = (a + b) * 0.5f, odd = times(turned((a - b) * 0.5f), w + 2 * k);
    const Pair first = even + odd, second = even - odd;
    out[k] = first;
    out[m - k] = {second.re, -second.im};
  }
}
// And back, for an inverse transform of m pairs that isn't scaled. The imaginary parts of the first
// and the last are none of a real signal's.
void pairs_of(Pair* x, Pair* z, int64_t m, const float* w) {
  x[0].im = x[m].im = Floats{};
  for (int64_t k = 0; k < m; ++k) {
    const Pair a = x[k], c = x[m - k], b = {c.re, -c.im};
    const float back[2] = {w[2 * k], -w[2 * k + 1]};
    z[k] = a + b - turned(times(a - b, back));
  }
}

// L rows of `width` floats, `step` apart, to a vector for each column, and back.
void load_rows(const float* rows, int64_t step, int64_t width, Floats* to) {
  int64_t c = 0;
  for (; c + L <= width; c += L)
    transpose_square(rows + c, step, reinterpret_cast<float*>(to + c), L);
  for (; c < width; ++c)
    for (int64_t r = 0; r < L; ++r) to[c][r] = rows[r * step + c];
}
void store_rows(const Floats* from, int64_t width, float* rows, int64_t step) {
  int64_t c = 0;
  for (; c + L <= width; c += L)
    transpose_square(reinterpret_cast<const float*>(from + c), L, rows + c, step);
  for (; c < width; ++c)
    for (int64_t r = 0; r < L; ++r) rows[r * step + c] = from[c][r];
}
void swap_parts(Pair* z, int64_t n) {
  for (int64_t k = 0; k < n; ++k) std::swap(z[k].re, z[k].im);
}

void fft(const FftArgs& a) {
  const int last = a.in.ndim - 1;
  const bool from_real = !is_complex(a.in.dtype), to_real = !is_complex(a.out.dtype);
  const int64_t n = from_real ? a.in.sizes[last] : a.out.sizes[last],
                m = from_real || to_real ? n / 2 : n, rows = count_rows(a.in, last);
  if (a.out.dtype == kComplexDouble || a.out.dtype == kDouble || a.in.dtype == kDouble ||
      a.in.dtype == kComplexDouble || rows < L / 2 || m > kLongest || m < 2 ||
      ((from_real || to_real) && n % 2 != 0) || (to_real && !a.inverse) || !has_factors(m))
    return ref::any_fft(a);
  const int64_t in_floats = a.in.sizes[last] * (from_real ? 1 : 2),
                out_floats = a.out.sizes[last] * (to_real ? 1 : 2), most = std::max(n, m + 1),
                // Rows of a power of two would all meet in the same lines of the cache.
      copy_step = std::max(in_floats, out_floats) + L;
  const Interrupt interrupt(context());
  const TensorView* v[] = {&a.out, &a.in};
  auto some = [&](int64_t first, int64_t end) {
    Interrupt mine = interrupt;
    const float* w = roots(n);
    auto* x = reinterpret_cast<Pair*>(
        thread_scratch<float, 32>().get(static_cast<size_t>(3 * 2 * most * L)));
    Pair *y = x + most, *spare = y + most;
    float* copy = thread_scratch<float, 33>().get(static_cast<size_t>(L * copy_step));
    auto each_row = [&](int64_t from, int64_t to, auto f) {
      int64_t r = 0;
      for_rows<2>(v, last, from, to, [&](const int64_t* at) { f(r++, at); });
    };
    for (int64_t batch = first; batch < end; ++batch) {
      const int64_t from = batch * L, to = std::min(rows, from + L);
      each_row(from, to, [&](int64_t r, const int64_t* at) {
        const char* p = address(a.in, at[1]);
        float* row = copy + r * copy_step;
        if (from_real)
          load_tile(a.in.dtype, p, step(a.in, last), in_floats, row);
        else
          load_tile(a.in.dtype, p, step(a.in, last), in_floats / 2,
                    reinterpret_cast<std::complex<float>*>(row));
      });
      std::fill(copy + (to - from) * copy_step, copy + L * copy_step, 0.0f);
      load_rows(copy, copy_step, in_floats, reinterpret_cast<Floats*>(x));
      Pair* z = x;
      if (to_real) {
        pairs_of(x, y, m, w);
        z = y;
      }
      // An inverse transform is a forward one of the parts exchanged; of real numbers, its
      // conjugate.
      if (a.inverse && !from_real) swap_parts(z, m);
      z = transform(z, z == x ? y : x, m, w, n / m);
      if (a.inverse && !from_real) swap_parts(z, m);
      int64_t made = m;
      if (from_real) {
        spectrum_of(z, spare, m, w);
        z = spare;
        made = a.out.sizes[last];
        for (int64_t k = m + 1; k < made; ++k) z[k] = {z[n - k].re, -z[n - k].im};
        for (int64_t k = 0; a.inverse && k < made; ++k) z[k].im = -z[k].im;
      }
      if (a.scale != 1)
        for (int64_t k = 0; k < made; ++k) z[k] = z[k] * static_cast<float>(a.scale);
      store_rows(reinterpret_cast<const Floats*>(z), out_floats, copy, copy_step);
      each_row(from, to, [&](int64_t r, const int64_t* at) {
        char* p = address(a.out, at[0]);
        const float* row = copy + r * copy_step;
        if (to_real)
          store_tile(a.out.dtype, p, step(a.out, last), out_floats, row);
        else
          store_tile(a.out.dtype, p, step(a.out, last), out_floats / 2,
                     reinterpret_cast<const std::complex<float>*>(row));
      });
      mine.passed(L * (m + 8));
    }
  };
  parallel_for((rows + L - 1) / L, static_cast<double>(m * L) * 1.5, some);
}

}  // namespace

void set_fft(Kernels& k) { k.fft = fft; }

}  // namespace sconce::SCONCE_ISA
