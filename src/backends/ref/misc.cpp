// SPDX-License-Identifier: Apache-2.0
// Sequences (arange, eye, triangles), Fourier transforms, quantisation, recursive filters.
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "backends/linspace.h"
#include "backends/ref/ref.h"
#include "backends/any_fft.h"
#include "backends/tiles.h"

namespace sconce::ref {

namespace {

char* address(const TensorView& v, int64_t at) {
  return static_cast<char*>(v.data) + at * static_cast<int64_t>(element_size(v.dtype));
}

}  // namespace

void any_sequence(const SequenceArgs& a) {
  auto es = static_cast<int64_t>(element_size(a.out.dtype));
  int64_t n = a.out.numel();
  char* out = static_cast<char*>(a.out.data);
  Interrupt interrupt;
  switch (a.op) {
    case Sequence::iota:
    case Sequence::arange: {
      int64_t st = a.out.ndim ? a.out.strides[0] * es : es;
      if (a.out.dtype == kLong) {
        constexpr int64_t kPart = int64_t{1} << 20;
        for (int64_t from = 0; from < n; from += kPart) {
          const int64_t to = std::min(n, from + kPart);
          int64_t v = a.start.i + from * a.step.i;
          for (int64_t i = from; i < to; ++i) {
            std::memcpy(out + i * st, &v, sizeof v);
            v = static_cast<int64_t>(static_cast<uint64_t>(v) + static_cast<uint64_t>(a.step.i));
          }
          interrupt.passed(kPart);
        }
        return;
      }
      if (is_integral(a.out.dtype, true)) {
        int64_t tile[kTile];
        for (int64_t from = 0; from < n; from += kTile) {
          const int64_t m = std::min(kTile, n - from);
          auto v = static_cast<uint64_t>(a.start.i) +
                   static_cast<uint64_t>(from) * static_cast<uint64_t>(a.step.i);
          for (int64_t i = 0; i < m; ++i, v += static_cast<uint64_t>(a.step.i))
            tile[i] = static_cast<int64_t>(v);
          store_tile(a.out.dtype, out + from * st, st, m, tile);
          interrupt.passed(m);
        }
        return;
      }
      // Blocks of W with one base each, as PyTorch's vector loop rounds.
      const int64_t W = a.out.dtype == kDouble ? 4 : 8,
                    whole = a.out.dtype == kDouble || a.out.dtype == kFloat ? n / W * W : 0;
      // Products of a step of a float's digits and places are exact: no need to fuse what adds
      // them.
      const bool exact =
          static_cast<double>(static_cast<float>(a.step.d)) == a.step.d && n < 1 << 28;
      auto at = [&](int64_t i, double base) {
        return exact ? a.step.d * static_cast<double>(i) + base
                     : std::fma(a.step.d, static_cast<double>(i), base);
      };
      double tile[kTile];
      for (int64_t from = 0; from < n; from += kTile) {
        const int64_t m = std::min(kTile, n - from);
        int64_t i = 0;
        for (; from + i < whole && i < m; i += W) {
          double base = at(from + i, a.start.d);
          if (a.out.dtype == kFloat) base = static_cast<double>(static_cast<float>(base));
          for (int64_t k = 0; k < W; ++k) tile[i + k] = at(k, base);
        }
        for (; i < m; ++i) tile[i] = at(from + i, a.start.d);
        store_tile(a.out.dtype, out + from * st, st, m, tile);
        interrupt.passed(m);
      }
      return;
    }
    case Sequence::linspace:
    case Sequence::logspace: {
      int64_t st = a.out.ndim ? a.out.strides[0] * es : es;
      auto run = [&](auto tag) {
        using C = decltype(tag);
        // Powers for integers are between integers.
        const bool whole = a.op == Sequence::logspace && is_integral(a.out.dtype, true);
        C s = static_cast<C>(whole ? std::trunc(a.start.d) : a.start.d),
          e = static_cast<C>(whole ? std::trunc(a.end.d) : a.end.d),
          step = n > 1 ? (e - s) / static_cast<C>(n - 1) : C(0);
        C tile[kTile];
        for (int64_t i = 0; i < n; ++i) {
          C v = i < n / 2 || n == 1 ? std::fma(step, static_cast<C>(i), s)
                                    : std::fma(-step, static_cast<C>(n - 1 - i), e);
          if (a.op == Sequence::logspace)
            v = static_cast<C>(std::pow(a.step.d, static_cast<double>(v)));
          tile[i % kTile] = v;
          if (i % kTile + 1 < kTile && i + 1 < n) continue;
          const int64_t from = i / kTile * kTile, m = i + 1 - from;
          store_tile(a.out.dtype, out + from * st, st, m, tile);
          interrupt.passed(m);
        }
      };
      if (a.out.dtype == kFloat)
        run(float{});
      else
        run(double{});
      return;
    }
    case Sequence::eye: {
      const double one = 1;
      const int64_t columns = a.out.sizes[1], step = a.out.strides[1];
      for (int64_t i = 0; i < a.out.sizes[0]; ++i) {
        char* row = address(a.out, i * a.out.strides[0]);
        if (step == 1)
          std::memset(row, 0, static_cast<size_t>(columns * es));
        else
          for (int64_t j = 0; j < columns; ++j)
            std::memset(row + j * step * es, 0, static_cast<size_t>(es));
        if (i < columns) store_tile(a.out.dtype, row + i * step * es, 0, 1, &one);
        interrupt.passed(columns);
      }
      return;
    }
    case Sequence::tril:
    case Sequence::triu: {
      int r = a.out.ndim - 2;
      int64_t batches = 1;
      for (int d = 0; d < r; ++d) batches *= a.out.sizes[d];
      int64_t idx[kMaxDims] = {0}, o = 0, x = 0;
      for (int64_t b = 0; b < batches; ++b) {
        for (int64_t i = 0; i < a.out.sizes[r]; ++i) {
          // Kept: columns [from, to).
          const int64_t n = a.out.sizes[r + 1], k = a.start.i;
          interrupt.passed(n + 8);
          auto column = [n, i](int64_t c) { return c >= n - i ? n : std::max<int64_t>(c + i, 0); };
          const bool lower = a.op == Sequence::tril;
          const int64_t from = lower ? 0 : column(k), to = lower && k < n ? column(k + 1) : n;
          char* row = address(a.out, o + i * a.out.strides[r]);
          const char* source = address(a.in, x + i * a.in.strides[r]);
          visit_element_size(static_cast<size_t>(es), [&](auto tag) {
            using T = decltype(tag);
            auto* y = reinterpret_cast<T*>(row);
            auto* v = reinterpret_cast<const T*>(source);
            const int64_t s = a.out.strides[r + 1], t = a.in.strides[r + 1];
            for (int64_t j = 0; j < from; ++j) y[j * s] = T{};
            for (int64_t j = from; j < to; ++j) y[j * s] = v[j * t];
            for (int64_t j = to; j < n; ++j) y[j * s] = T{};
          });
        }
        for (int d = r - 1; d >= 0; --d) {
          o += a.out.strides[d];
          x += a.in.strides[d];
          if (++idx[d] < a.out.sizes[d]) break;
          o -= a.out.strides[d] * a.out.sizes[d];
          x -= a.in.strides[d] * a.out.sizes[d];
          idx[d] = 0;
        }
      }
      return;
    }
  }
}

namespace {

using Cd = std::complex<double>;

// The product without the care of std::complex for infinities, which costs a call.
inline Cd times(Cd a, Cd b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

// e^(sign 2 pi i k / n) for k < n: of a multiple of 8 an eighth of the circle, mirrored.
std::vector<Cd> roots(int64_t n, double sign) {
  std::vector<Cd> w(static_cast<size_t>(n));
  const int64_t eighth = n % 8 == 0 ? n / 8 : n;
  auto at = [&](int64_t k) -> Cd& { return w[static_cast<size_t>(k)]; };
  for (int64_t k = 0; k < n && k <= eighth; ++k)
    at(k) = std::polar(1.0, sign * 2 * M_PI * static_cast<double>(k) / static_cast<double>(n));
  if (eighth == n) return w;
  for (int64_t k = eighth + 1; k <= n / 4; ++k) {  // about the diagonal
    const Cd v = at(n / 4 - k);
    at(k) = {sign * v.imag(), sign * v.real()};
  }
  for (int64_t k = n / 4 + 1; k < n; ++k) {  // a quarter further
    const Cd v = at(k - n / 4);
    at(k) = {-sign * v.imag(), sign * v.real()};
  }
  return w;
}

// Bluestein's algorithm: a transform of prime length n as a convolution of a power of two, m.
struct Prime {
  int64_t n = 0, m = 1;
  std::vector<Cd> chirp, other, forward, backward, a, spectrum;  // other: transformed
};
// What the rows of a call share.
struct FftWork {
  Interrupt interrupt;
  std::vector<Prime> primes;
};

// Cooley and Tukey's factorisation, decimation in time. w: the roots of the whole length, of which
// this level uses every step-th.
void fft_rec(const Cd* in, int64_t st, Cd* out, int64_t n, const Cd* w, int64_t step, double sign,
             FftWork& work);

Prime make_prime(int64_t n, double sign, FftWork& work) {
  Prime p;
  p.n = n;
  while (p.m < 2 * n - 1) p.m *= 2;
  expect_memory(static_cast<double>(6 * p.m + n) * sizeof(Cd));
  const auto m = static_cast<size_t>(p.m);
  p.chirp.resize(static_cast<size_t>(n));
  p.other.resize(m), p.a.resize(m), p.spectrum.resize(m);
  for (int64_t k = 0; k < n; ++k) {
    const auto i = static_cast<size_t>(k);
    p.chirp[i] = std::polar(
        1.0, sign * M_PI * static_cast<double>(k * k % (2 * n)) / static_cast<double>(n));
    p.a[i] = std::conj(p.chirp[i]);
    if (k) p.a[m - i] = p.a[i];
  }
  p.forward = roots(p.m, -1);
  p.backward = roots(p.m, 1);
  fft_rec(p.a.data(), 1, p.other.data(), p.m, p.forward.data(), 1, -1, work);
  return p;
}
void fft_prime(const Cd* in, int64_t st, Cd* out, int64_t n, double sign, FftWork& work) {
  auto found = std::find_if(work.primes.begin(), work.primes.end(),
                            [=](const Prime& p) { return p.n == n; });
  if (found == work.primes.end()) {
    Prime made = make_prime(n, sign, work);
    found = work.primes.insert(work.primes.end(), std::move(made));
  }
  Prime& p = *found;
  std::fill(p.a.begin(), p.a.end(), Cd());
  for (int64_t k = 0; k < n; ++k)
    p.a[static_cast<size_t>(k)] = times(in[k * st], p.chirp[static_cast<size_t>(k)]);
  fft_rec(p.a.data(), 1, p.spectrum.data(), p.m, p.forward.data(), 1, -1, work);
  for (size_t i = 0; i < p.a.size(); ++i) p.spectrum[i] = times(p.spectrum[i], p.other[i]);
  fft_rec(p.spectrum.data(), 1, p.a.data(), p.m, p.backward.data(), 1, 1, work);
  for (int64_t k = 0; k < n; ++k)
    out[k] = times(p.a[static_cast<size_t>(k)], p.chirp[static_cast<size_t>(k)]) /
             static_cast<double>(p.m);
}

void fft_rec(const Cd* in, int64_t st, Cd* out, int64_t n, const Cd* w, int64_t step, double sign,
             FftWork& work) {
  constexpr int64_t kLong = 4096;  // shorter ones are over soon
  if (n >= kLong) work.interrupt.passed(n);
  if (n == 1) {
    out[0] = in[0];
    return;
  }
  if (n == 2) {
    const Cd a = in[0], b = in[st];
    out[0] = a + b;
    out[1] = a - b;
    return;
  }
  if (n == 4) {
    const Cd even = in[0] + in[2 * st], odd = in[0] - in[2 * st], sum = in[st] + in[3 * st],
             d = in[st] - in[3 * st], turned(-sign * d.imag(), sign * d.real());
    out[0] = even + sum;
    out[1] = odd + turned;
    out[2] = even - sum;
    out[3] = odd - turned;
    return;
  }
  if (n % 4 == 0) {
    const int64_t m = n / 4;
    for (int64_t r = 0; r < 4; ++r)
      fft_rec(in + r * st, st * 4, out + r * m, m, w, step * 4, sign, work);
    for (int64_t k = 0; k < m; ++k) {
      const Cd a = out[k], b = times(w[k * step], out[k + m]),
               c = times(w[2 * k * step], out[k + 2 * m]),
               d = times(w[3 * k * step], out[k + 3 * m]), even = a + c, odd = a - c, sum = b + d,
               turned(-sign * (b.imag() - d.imag()),
                      sign * (b.real() - d.real()));  // sign i (b - d)
      out[k] = even + sum;
      out[k + m] = odd + turned;
      out[k + 2 * m] = even - sum;
      out[k + 3 * m] = odd - turned;
    }
    return;
  }
  int64_t p = 2;
  while (n % p != 0 && p * p <= n) ++p;
  if (n % p != 0) p = n;
  constexpr int64_t kDirect = 50;  // primes up to here are summed directly
  if (p > kDirect && p == n) return fft_prime(in, st, out, n, sign, work);
  int64_t m = n / p;
  for (int64_t r = 0; r < p; ++r)
    fft_rec(in + r * st, st * p, out + r * m, m, w, step * p, sign, work);
  if (p == 2) {
    for (int64_t k = 0; k < m; ++k) {
      Cd t = times(w[k * step], out[k + m]), e = out[k];
      out[k] = e + t;
      out[k + m] = e - t;
    }
    return;
  }
  if (p == 3) {
    const double turn = sign * std::sqrt(0.75);
    for (int64_t k = 0; k < m; ++k) {
      const Cd a = out[k], b = times(w[k * step], out[k + m]),
               c = times(w[2 * k * step], out[k + 2 * m]), sum = b + c, d = b - c,
               rest = a - sum * 0.5, turned(-turn * d.imag(), turn * d.real());
      out[k] = a + sum;
      out[k + m] = rest + turned;
      out[k + 2 * m] = rest - turned;
    }
    return;
  }
  Cd few[kDirect];
  std::vector<Cd> many(static_cast<size_t>(p > kDirect ? p : 0));
  Cd* part = p > kDirect ? many.data() : few;
  for (int64_t k = 0; k < m; ++k) {
    for (int64_t r = 0; r < p; ++r) part[r] = out[k + r * m];
    for (int64_t q = 0; q < p; ++q) {
      Cd s = 0;
      const int64_t by = k + q * m;
      for (int64_t r = 0, at = 0; r < p; ++r) {
        s += times(part[r], w[at * step]);
        at += by;
        if (at >= n) at -= n;
      }
      out[k + q * m] = s;
      if (p > kDirect) work.interrupt.passed(p);
    }
  }
}

// n real numbers, n even: the transform of half as many complex ones, x[2k] + i x[2k + 1], taken
// apart by its symmetry. w: the roots of n; z: room for n / 2 numbers.
void fft_real(const double* x, Cd* out, int64_t n, const Cd* w, double sign, Cd* z, FftWork& work) {
  const int64_t m = n / 2;
  for (int64_t k = 0; k < m; ++k) out[k] = Cd(x[2 * k], x[2 * k + 1]);
  fft_rec(out, 1, z, m, w, 2, sign, work);
  for (int64_t k = 0; k <= m; ++k) {
    const Cd a = z[k < m ? k : 0], b = std::conj(z[k ? m - k : 0]), even = (a + b) * 0.5,
             d = (a - b) * 0.5, odd(d.imag(), -d.real());
    const Cd v = k < m ? even + times(w[k], odd) : even - odd;
    out[k] = v;
    if (k > 0 && k < m) out[n - k] = std::conj(v);
  }
}

void fft(const FftArgs& a) {
  int last = a.in.ndim - 1;
  const bool to_real = !is_complex(a.out.dtype);
  int64_t n = to_real ? a.out.sizes[last] : a.in.sizes[last], rows = 1;
  for (int d = 0; d < last; ++d) rows *= a.in.sizes[d];
  double sign = a.inverse ? 1 : -1;
  const bool real = !is_complex(a.in.dtype) && n % 2 == 0;
  expect_memory(static_cast<double>(n) * (3 * sizeof(Cd) + sizeof(double)));
  FftWork work;
  std::vector<Cd> x(static_cast<size_t>(n)), y(static_cast<size_t>(n)), w = roots(n, sign);
  std::vector<double> reals(real ? static_cast<size_t>(n) : 0);
  int64_t idx[kMaxDims] = {0}, i = 0, o = 0;
  const int64_t in_step = a.in.strides[last] * static_cast<int64_t>(element_size(a.in.dtype));
  for (int64_t r = 0; r < rows; ++r) {
    if (real) {
      load_tile(a.in.dtype, address(a.in, i), in_step, n, reals.data());
      fft_real(reals.data(), y.data(), n, w.data(), sign, x.data(), work);
    } else {
      load_tile(a.in.dtype, address(a.in, i), in_step, a.in.sizes[last], x.data());
      // The other half of a spectrum mirrors the first, conjugated.
      for (int64_t k = a.in.sizes[last]; k < n; ++k)
        x[static_cast<size_t>(k)] = std::conj(x[static_cast<size_t>(n - k)]);
      fft_rec(x.data(), 1, y.data(), n, w.data(), 1, sign, work);
    }
    for (auto& v : y) v *= a.scale;
    work.interrupt.passed(4 * n);
    store_tile(a.out.dtype, address(a.out, o),
               a.out.strides[last] * static_cast<int64_t>(element_size(a.out.dtype)),
               a.out.sizes[last], y.data());
    for (int d = last - 1; d >= 0; --d) {
      if (a.in.sizes[d] == 1) continue;  // whose stride may be anything
      i += a.in.strides[d];
      o += a.out.strides[d];
      if (++idx[d] < a.in.sizes[d]) break;
      i -= a.in.strides[d] * a.in.sizes[d];
      o -= a.out.strides[d] * a.in.sizes[d];
      idx[d] = 0;
    }
  }
}

}  // namespace

void quantize(const QuantizeArgs& a) {
  int64_t n = a.out.numel();
  int64_t idx[kMaxDims] = {0}, o = 0, x = 0;
  ScalarType q = a.dequantize ? a.in.dtype : a.out.dtype;
  double lo = q == ScalarType::QUInt8  ? 0
              : q == ScalarType::QInt8 ? -128
                                       : -2147483648.0,
         hi = q == ScalarType::QUInt8  ? 255
              : q == ScalarType::QInt8 ? 127
                                       : 2147483647.0;
  Interrupt interrupt;
  for (int64_t i = 0; i < n; ++i) {
    interrupt.passed(4);
    double scale = a.scale, zp = static_cast<double>(a.zero_point), v;
    if (a.scales.data) {
      int64_t c = idx[a.axis];
      load_tile(a.scales.dtype, address(a.scales, c), 0, 1, &scale);
      load_tile(a.zero_points.dtype, address(a.zero_points, c), 0, 1, &zp);
    }
    load_tile(a.in.dtype, address(a.in, x), 0, 1, &v);
    if (a.dequantize)
      v = static_cast<double>(static_cast<float>(v - zp) * static_cast<float>(scale));
    else {
      // One rounding for product and sum in 8 bits (in double the product is exact), two by
      // channels and in 32.
      const float x32 = static_cast<float>(v), inverse = 1.0f / static_cast<float>(scale);
      const float steps =
          q == ScalarType::QInt32 || a.scales.data
              ? x32 * inverse + static_cast<float>(zp)
              : static_cast<float>(static_cast<double>(x32) * static_cast<double>(inverse) + zp);
      v = std::min(std::max(static_cast<double>(std::nearbyintf(steps)), lo), hi);
    }
    store_tile(a.out.dtype, address(a.out, o), 0, 1, &v);
    for (int d = a.out.ndim - 1; d >= 0; --d) {
      o += a.out.strides[d];
      x += a.in.strides[d];
      if (++idx[d] < a.out.sizes[d]) break;
      o -= a.out.strides[d] * a.out.sizes[d];
      x -= a.in.strides[d] * a.out.sizes[d];
      idx[d] = 0;
    }
  }
}

namespace {

struct Point {
  double x, y;
};
// The corners of a box x, y, w, h, degrees, one after the other.
std::array<Point, 4> corners(const double* box) {
  const double angle = box[4] * M_PI / 180, c = std::cos(angle) / 2, s = std::sin(angle) / 2;
  const double wx = c * box[2], wy = -s * box[2], hx = s * box[3], hy = c * box[3];
  return {{{box[0] + hx + wx, box[1] + hy + wy},
           {box[0] - hx + wx, box[1] - hy + wy},
           {box[0] - hx - wx, box[1] - hy - wy},
           {box[0] + hx - wx, box[1] + hy - wy}}};
}
double cross(Point a, Point b, Point c) {
  return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}
// What two boxes have in common: one's corners are cut by the other's edges (Sutherland and
// Hodgman).
double common_area(const double* p, const double* q) {
  const auto edges = corners(q);
  const double turn = cross(edges[0], edges[1], edges[2]) < 0 ? -1 : 1;
  auto first = corners(p);
  std::vector<Point> poly(first.begin(), first.end()), next;
  for (size_t e = 0; e < 4 && !poly.empty(); ++e) {
    const Point a = edges[e], b = edges[(e + 1) % 4];
    next.clear();
    for (size_t i = 0; i < poly.size(); ++i) {
      const Point u = poly[i], v = poly[(i + 1) % poly.size()];
      const double du = turn * cross(a, b, u), dv = turn * cross(a, b, v);
      if (du >= 0) next.push_back(u);
      if ((du > 0 && dv < 0) || (du < 0 && dv > 0)) {
        const double t = du / (du - dv);
        next.push_back({u.x + t * (v.x - u.x), u.y + t * (v.y - u.y)});
      }
    }
    poly.swap(next);
  }
  double area = 0;
  for (size_t i = 2; i < poly.size(); ++i) area += cross(poly[0], poly[i - 1], poly[i]);
  return std::fabs(area) / 2;
}
void rotated_iou(const RotatedIouArgs& a) {
  auto load = [](const TensorView& v) {
    expect_memory(static_cast<double>(v.sizes[0]) * 5 * sizeof(double));
    std::vector<double> boxes(static_cast<size_t>(v.sizes[0] * 5));
    for (int64_t i = 0; i < v.sizes[0]; ++i)
      load_tile(v.dtype, address(v, i * v.strides[0]),
                v.strides[1] * static_cast<int64_t>(element_size(v.dtype)), 5,
                &boxes[static_cast<size_t>(i * 5)]);
    return boxes;
  };
  const auto p = load(a.a), q = load(a.b);
  Interrupt interrupt;
  for (int64_t i = 0; i < a.out.sizes[0]; ++i)
    for (int64_t j = 0; j < a.out.sizes[1]; ++j) {
      interrupt.passed(64);
      double u[5], v[5];
      std::copy_n(&p[static_cast<size_t>(i * 5)], 5, u);
      std::copy_n(&q[static_cast<size_t>(j * 5)], 5, v);
      // Around their middle: far from the origin little would be left of the differences.
      for (int k = 0; k < 2; ++k) {
        const double middle = (u[k] + v[k]) / 2;
        u[k] -= middle;
        v[k] -= middle;
      }
      const double area_u = u[2] * u[3], area_v = v[2] * v[3];
      double iou = 0;
      if (area_u >= 1e-14 && area_v >= 1e-14) {
        const double common = common_area(u, v);
        iou = common / (area_u + area_v - common);
      }
      store_tile(a.out.dtype, address(a.out, i * a.out.strides[0] + j * a.out.strides[1]), 0, 1,
                 &iou);
    }
}

void recur(const RecurArgs& a) {
  const int64_t n = a.in.sizes[1], channels = a.weight.sizes[0], order = a.weight.sizes[1];
  Interrupt interrupt;
  auto run = [&](auto tag) {
    using T = decltype(tag);
    for (int64_t r = 0; r < a.in.sizes[0]; ++r) {
      const T* in = a.in.ptr<T>() + r * a.in.strides[0];
      const T* w = a.weight.ptr<T>() + r % channels * a.weight.strides[0];
      T* out = a.out.ptr<T>() + r * a.out.strides[0];
      const int64_t step = a.out.strides[1];
      for (int64_t i = 0; i < n; ++i) {
        T v = in[i * a.in.strides[1]];
        interrupt.passed(order + 1);
        for (int64_t j = 0; j < order; ++j) v -= out[(i + j) * step] * w[j * a.weight.strides[1]];
        out[(i + order - 1) * step] = v;
      }
    }
  };
  if (a.out.dtype == kDouble)
    run(double{});
  else
    run(float{});
}

}  // namespace

void set_sequence(Kernels& k) { k.sequence = any_sequence; }
SCONCE_KERNEL(fft)
void any_fft(const FftArgs& a) { fft(a); }
SCONCE_KERNEL(rotated_iou)
SCONCE_KERNEL(recur)

}  // namespace sconce::ref
