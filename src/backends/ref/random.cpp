// SPDX-License-Identifier: Apache-2.0
// Random numbers as PyTorch's CPU generator gives them (compat.md section 11); float normals bit
// for bit as on AVX2.
#include <algorithm>
#include <cmath>
#include <vector>

#include "backends/normal_floats.h"
#include "backends/ref/ref.h"
#include "backends/tiles.h"

namespace sconce::ref {

namespace {

double uniform_float(Generator& g) {
  return static_cast<double>(static_cast<float>(g.random() & 0xffffffu) * 5.9604644775390625e-08f);
}
double uniform_double(Generator& g) {
  return static_cast<double>(g.random64() & ((uint64_t{1} << 53) - 1)) * 1.1102230246251565e-16;
}

double normal_double(Generator& g) {
  if (g.has_next_normal) {
    g.has_next_normal = false;
    return g.next_normal;
  }
  double u1 = uniform_double(g), u2 = uniform_double(g);
  double r = std::sqrt(-2 * std::log1p(-u2)), t = 2 * M_PI * u1;
  g.next_normal = r * std::sin(t);
  g.has_next_normal = true;
  return r * std::cos(t);
}

void normal_block_double(double* d, double mean, double std) {
  for (int j = 0; j < 8; ++j) {
    double u1 = 1 - d[j], u2 = d[j + 8], r = std::sqrt(-2 * std::log(u1)), t = 2 * M_PI * u2;
    d[j] = r * std::cos(t) * std + mean;
    d[j + 8] = r * std::sin(t) * std + mean;
  }
}
void fill_normal(double* d, int64_t n, double mean, double std, Generator& g,
                 Interrupt& interrupt) {
  for (int64_t i = 0; i < n; ++i) {
    interrupt.passed(1);
    d[i] = uniform_double(g);
  }
  for (int64_t i = 0; i + 15 < n; i += 16) {
    interrupt.passed(64);
    normal_block_double(d + i, mean, std);
  }
  if (n % 16) {
    double* tail = d + n - 16;
    for (int i = 0; i < 16; ++i) tail[i] = uniform_double(g);
    normal_block_double(tail, mean, std);
  }
}

// Gamma numbers of any shape (Marsaglia and Tsang 2000); some constants are floats in PyTorch.
double gamma_number(double alpha, Generator& g, Interrupt& interrupt) {
  if (alpha == 0) return 0;
  double scale = 1;
  if (alpha < 1) {
    scale = std::pow(1 - uniform_double(g), 1 / alpha);
    alpha += 1;
  }
  const double d = alpha - static_cast<double>(1.0f / 3.0f), c = 1 / std::sqrt(9 * d);
  for (;;) {
    double x, y;
    do {
      interrupt.passed(4);
      x = normal_double(g);
      y = 1 + c * x;
    } while (y <= 0);
    const double v = y * y * y, u = 1 - uniform_double(g), xx = x * x;
    if (u < 1 - static_cast<double>(0.0331f) * xx * xx ||
        std::log(u) < 0.5 * xx + d * (1 - v + std::log(v)))
      return scale * d * v;
  }
}

// Poisson numbers: products of uniform ones for small rates, else transformed rejection (Hoermann
// 1993, PTRS).
double poisson_number(double rate, Generator& g, Interrupt& interrupt) {
  if (!(rate >= 0)) raise<OpError>("invalid Poisson rate, expected rate to be non-negative");
  if (rate == 0) return 0;
  if (rate < 10) {
    const double least = std::exp(-rate);
    double product = uniform_double(g), k = 0;
    for (; product > least; ++k) product *= uniform_double(g);
    return k;
  }
  const double log_rate = std::log(rate), b = 0.931 + 2.53 * std::sqrt(rate),
               a = -0.059 + 0.02483 * b, inv_alpha = 1.1239 + 1.1328 / (b - 3.4),
               v_r = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    interrupt.passed(4);
    const double u = uniform_double(g) - 0.5, v = uniform_double(g), us = 0.5 - std::fabs(u),
                 k = std::floor((2 * a / us + b) * u + rate + 0.43);
    if (us >= 0.07 && v <= v_r) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    if (std::log(v) + std::log(inv_alpha) - std::log(a / (us * us) + b) <=
        -rate + k * log_rate - std::lgamma(k + 1))
      return k;
  }
}

// What Stirling's formula leaves of log k!.
template <class T>
T stirling_rest(T k) {
  static const T small[] = {T(0.0810614667953272),  T(0.0413406959554092), T(0.0276779256849983),
                            T(0.02079067210376509), T(0.0166446911898211), T(0.0138761288230707),
                            T(0.0118967099458917),  T(0.0104112652619720), T(0.00925546218271273),
                            T(0.00833056343336287)};
  if (k <= 9) return small[static_cast<size_t>(k)];
  const T n = (k + 1) * (k + 1);
  return (T(1.0 / 12) - (T(1.0 / 360) - T(1.0 / 1260) / n) / n) / (k + 1);
}
// Binomial numbers for p <= 1/2: sums of geometric ones where few are expected, else transformed
// rejection (Hoermann 1993, BTRS, with the logarithm that the paper's step 3.1 lacks).
template <class T>
T binomial_number(T count, T p, Generator& g, Interrupt& interrupt) {
  if (count * p < 10) {
    const T log_q = std::log1p(-p);
    T sum = 0, k = 0;
    for (;;) {
      interrupt.passed(4);
      sum += std::ceil(static_cast<T>(std::log(static_cast<T>(uniform_double(g)))) / log_q);
      if (!(sum <= count)) return k;
      ++k;
    }
  }
  const T dev = std::sqrt(count * p * (1 - p)), b = T(1.15) + T(2.53) * dev,
          a = T(-0.0873) + T(0.0248) * b + T(0.01) * p, c = count * p + T(0.5),
          v_r = T(0.92) - T(4.2) / b, r = p / (1 - p), alpha = (T(2.83) + T(5.1) / b) * dev,
          m = std::floor((count + 1) * p);
  for (;;) {
    interrupt.passed(4);
    const T u = static_cast<T>(uniform_double(g)) - T(0.5);
    T v = static_cast<T>(uniform_double(g));
    const T us = T(0.5) - std::fabs(u), k = std::floor((2 * a / us + b) * u + c);
    if (k < 0 || k > count) continue;
    if (us >= T(0.07) && v <= v_r) return k;
    v = std::log(v * alpha / (a / (us * us) + b));
    const T bound = (m + T(0.5)) * std::log((m + 1) / (r * (count - m + 1))) +
                    (count + 1) * std::log((count - m + 1) / (count - k + 1)) +
                    (k + T(0.5)) * std::log(r * (count - k + 1) / (k + 1)) + stirling_rest(m) +
                    stirling_rest(count - m) - stirling_rest(k) - stirling_rest(count - k);
    if (v <= bound) return k;
  }
}
template <class T>
T any_binomial_number(T count, T p, Generator& g, Interrupt& interrupt) {
  if (count <= 0 || p <= 0) return 0;
  if (p >= 1) return count;
  if (p <= T(0.5)) return binomial_number(count, p, g, interrupt);
  return p > T(0.5) ? count - binomial_number(count, 1 - p, g, interrupt) : p;
}

// The dims of the output, fastest first, in the order in which PyTorch walks the views: by strides,
// where the views before give none, by sizes.
void walk_order(const RandomArgs& a, int* order) {
  const int n = a.out.ndim;
  auto compare = [&](int x, int y) {
    for (const TensorView* v : {&a.out, &a.in, &a.in2}) {
      if (!v->data || v->strides[x] == 0 || v->strides[y] == 0) continue;
      if (v->strides[x] != v->strides[y]) return v->strides[x] < v->strides[y] ? -1 : 1;
      if (a.out.sizes[x] > a.out.sizes[y]) return 1;
    }
    return 0;
  };
  for (int i = 0; i < n; ++i) order[i] = n - 1 - i;
  for (int i = 1; i < n; ++i)
    for (int at = i, k = i - 1; k >= 0; --k) {
      const int c = compare(order[k], order[at]);
      if (c < 0) break;
      if (c == 0) continue;
      std::swap(order[k], order[at]);
      at = k;
    }
}

}  // namespace

void any_random(const RandomArgs& a) {
  Generator& g = *a.generator;
  std::lock_guard<std::mutex> lock(g.mutex);
  int64_t n = a.out.numel();
  if (n == 0) return;
  const bool dense = is_dense(a.out);
  ScalarType t = a.out.dtype;
  Interrupt interrupt;
  if (fill_normal_floats(a, interrupt)) return;
  if (a.op == Random::normal && dense && n >= 16 && t == kDouble)
    return fill_normal(a.out.ptr<double>(), n, a.p, a.q, g, interrupt);
  auto uniform = [&] {
    const auto lo = static_cast<float>(a.p), hi = static_cast<float>(a.q);
    const auto u = static_cast<float>(uniform_float(g));
    // The product is rounded once either way.
    const float v = lo == 0 ? u * hi : std::fma(u, hi - lo, lo);
    if (v < hi - std::fabs(hi) / 64 - 1e-6f) return v;  // no half that it is rounded to is hi
    if (t == kHalf && static_cast<float>(Half(v)) >= hi) return lo;
    if (t == kBFloat16 && static_cast<float>(BFloat16(v)) >= hi) return lo;
    return v;
  };
  auto uniform_wide = [&] {
    const double u = uniform_double(g);
    return a.p == 0 ? u * a.q : std::fma(u, a.q - a.p, a.p);
  };
  auto integer = [&] {
    const uint64_t range = static_cast<uint64_t>(a.hi) - static_cast<uint64_t>(a.lo) + 1;
    const uint64_t r = range >= (uint64_t{1} << 28)
                           ? g.random64() % range
                           : uint64_t{g.random() % static_cast<uint32_t>(range)};
    return static_cast<int64_t>(r + static_cast<uint64_t>(a.lo));
  };
  // Numbers that lie one after another, without a look at where each one goes.
  auto tiles = [&](auto next) {
    decltype(next()) tile[kTile];
    const auto es = static_cast<int64_t>(element_size(t));
    for (int64_t from = 0; from < n; from += kTile) {
      const int64_t m = std::min(kTile, n - from);
      for (int64_t i = 0; i < m; ++i) tile[i] = next();
      store_tile(t, static_cast<char*>(a.out.data) + from * es, es, m, tile);
      interrupt.passed(4 * m);
    }
  };
  if (dense) switch (a.op) {
      case Random::uniform: return t == kDouble ? tiles(uniform_wide) : tiles(uniform);
      case Random::bernoulli: return tiles([&] { return uniform_double(g) < a.p ? 1.0f : 0.0f; });
      case Random::randint: return tiles(integer);
      default: break;
    }
  if (a.op == Random::randperm) {
    expect_memory(static_cast<double>(n) * sizeof(int64_t));
    std::vector<int64_t> p(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) p[static_cast<size_t>(i)] = i;
    for (int64_t i = 0; i < n - 1; ++i) {
      interrupt.passed(4);
      int64_t z = static_cast<int64_t>(g.random() % static_cast<uint64_t>(n - i));
      std::swap(p[static_cast<size_t>(i)], p[static_cast<size_t>(i + z)]);
    }
    store_tile(t, static_cast<char*>(a.out.data),
               a.out.strides[0] * static_cast<int64_t>(element_size(t)), n, p.data());
    return;
  }
  int order[kMaxDims];
  walk_order(a, order);
  int64_t idx[kMaxDims] = {0}, at = 0, in_at = 0, in2_at = 0;
  auto parameter = [](const TensorView& v, int64_t i) {
    double p;
    load_tile(v.dtype,
              static_cast<const char*>(v.data) + i * static_cast<int64_t>(element_size(v.dtype)), 0,
              1, &p);
    return p;
  };
  auto es = static_cast<int64_t>(element_size(t));
  for (int64_t i = 0; i < n; ++i) {
    interrupt.passed(4);
    char* o = static_cast<char*>(a.out.data) + at * es;
    auto put = [&](double v) { store_tile(t, o, 0, 1, &v); };
    auto put_int = [&](int64_t v) { store_tile(t, o, 0, 1, &v); };
    switch (a.op) {
      case Random::uniform:
        put(t == kDouble ? uniform_wide() : static_cast<double>(uniform()));
        break;
      case Random::normal: put(normal_double(g) * a.q + a.p); break;
      case Random::bernoulli: put(uniform_double(g) < a.p ? 1 : 0); break;
      case Random::standard_gamma: {
        const double least = t == kDouble ? std::numeric_limits<double>::min()
                                          : static_cast<double>(std::numeric_limits<float>::min());
        put(std::max(least, gamma_number(parameter(a.in, in_at), g, interrupt)));
        break;
      }
      case Random::poisson: put(poisson_number(parameter(a.in, in_at), g, interrupt)); break;
      case Random::binomial: {
        const double count = parameter(a.in, in_at), p = parameter(a.in2, in2_at);
        put(t == kDouble ? any_binomial_number(count, p, g, interrupt)
                         : static_cast<double>(any_binomial_number(
                               static_cast<float>(count), static_cast<float>(p), g, interrupt)));
        break;
      }
      case Random::bernoulli_tensor: {
        const double p = parameter(a.in, in_at);
        if (!(p >= 0 && p <= 1))
          raise<OpError>("Expected p_in >= 0 && p_in <= 1 to be true, but got false.");
        put((a.in.dtype == kDouble ? uniform_double(g) : uniform_float(g)) < p ? 1 : 0);
        break;
      }
      case Random::exponential: put(-std::log1p(-uniform_double(g)) / a.p); break;
      case Random::geometric: put(std::ceil(std::log(uniform_double(g)) / std::log1p(-a.p))); break;
      case Random::cauchy: put(a.p + a.q * std::tan(M_PI * (uniform_double(g) - 0.5))); break;
      case Random::log_normal: put(std::exp(normal_double(g) * a.q + a.p)); break;
      case Random::randint: put_int(integer()); break;
      case Random::random_bits: put_int(static_cast<int64_t>(g.random64())); break;
      case Random::random_full:
        if (t == kLong)
          put_int(static_cast<int64_t>(g.random64() % (uint64_t{1} << 63)));
        else if (t == kDouble)
          put(static_cast<double>(g.random64() % ((uint64_t{1} << 53) + 1)));
        else if (t == kFloat)
          put(static_cast<double>(g.random() % ((1u << 24) + 1)));
        else if (t == kHalf)
          put(static_cast<double>(g.random() % ((1u << 11) + 1)));
        else if (t == kBFloat16)
          put(static_cast<double>(g.random() % ((1u << 8) + 1)));
        else if (t == kBool)
          put_int(g.random() & 1);
        else
          put_int(static_cast<int64_t>(g.random() % (t == kByte    ? 256u
                                                     : t == kChar  ? 128u
                                                     : t == kShort ? 32768u
                                                                   : 2147483648u)));
        break;
      default: break;
    }
    for (int k = 0; k < a.out.ndim; ++k) {
      const int d = order[k];
      at += a.out.strides[d];
      if (a.in.data) in_at += a.in.strides[d];
      if (a.in2.data) in2_at += a.in2.strides[d];
      if (++idx[d] < a.out.sizes[d]) break;
      at -= a.out.strides[d] * a.out.sizes[d];
      if (a.in.data) in_at -= a.in.strides[d] * a.out.sizes[d];
      if (a.in2.data) in2_at -= a.in2.strides[d] * a.out.sizes[d];
      idx[d] = 0;
    }
  }
}

void set_random(Kernels& k) { k.random = any_random; }

}  // namespace sconce::ref
