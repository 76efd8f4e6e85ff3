// SPDX-License-Identifier: Apache-2.0
// Reductions: [out dims..., reduced dims...] to [out dims...]; sums of floats pairwise within
// tiles, in double across them.
#include <algorithm>
#include <optional>
#include <vector>

#include "backends/cpu/cpu.h"
#include "backends/cpu/lanes.h"
#include "backends/cpu/parallel.h"
#include "backends/cpu/row_sums.h"
#include "backends/cpu/vector_double.h"
#include "backends/ivdep.h"
#include "backends/scalar_math.h"
#include "backends/cpu/vector_math.h"
#include "backends/tiles.h"
#include "core/interrupt.h"

namespace sconce::SCONCE_ISA {

namespace {

// Elements of one output from which limits are looked at while it is made.
constexpr int64_t kLong = int64_t{1} << 20;

// f(output index as byte offset, rows of the reduced part) for every output element.
struct Walk {
  const TensorView &out, &in;
  int lead;
  template <class F>
  void each(F f) const {
    some(0, outputs(), f);
  }
  // The same on several threads: f keeps nothing between its calls.
  template <class F>
  void share(F f) const {
    parallel_for(outputs(), static_cast<double>(elements()) * 0.1,
                 [&](int64_t from, int64_t to) { some(from, to, f); });
  }

 private:
  int64_t outputs() const {
    int64_t n = 1;
    for (int d = 0; d < lead; ++d) n *= in.sizes[d];
    return n;
  }
  // Of one output, or very many.
  int64_t elements() const {
    int64_t each = 1;
    for (int d = lead; d < in.ndim; ++d)
      each = std::min(kLong, each * std::min(kLong, in.sizes[d]));
    return each;
  }
  template <class F>
  void some(int64_t from, int64_t to, F& f) const {
    int64_t idx[kMaxDims] = {0}, ia = 0, oa = 0;
    for (int64_t d = lead - 1, left = from; d >= 0 && left > 0; --d) {
      idx[d] = left % in.sizes[d];
      left /= in.sizes[d];
      ia += idx[d] * in.strides[d];
      if (out.data) oa += idx[d] * out.strides[d];
    }
    Interrupt interrupt;
    const int64_t each = elements();
    for (int64_t i = from; i < to; ++i) {
      f(oa, ia);
      interrupt.passed(each + 1);
      for (int d = lead - 1; d >= 0; --d) {
        ia += in.strides[d];
        if (out.data) oa += out.strides[d];
        if (++idx[d] < in.sizes[d]) break;
        ia -= in.strides[d] * in.sizes[d];
        if (out.data) oa -= out.strides[d] * in.sizes[d];
        idx[d] = 0;
      }
    }
  }
};

// The reduced elements that begin at element offset `at`, tile by tile: f(values, count).
template <class C, class F>
void reduced_tiles(const TensorView& in, int lead, int64_t at, F f) {
  auto es = static_cast<int64_t>(element_size(in.dtype));
  int nd = in.ndim - lead;
  const int64_t *sz = in.sizes + lead, *st = in.strides + lead;
  int64_t total = 1;
  for (int d = 0; d < nd; ++d) total *= sz[d];
  if (total == 0) return;
  int64_t inner = nd ? sz[nd - 1] : 1, ist = nd ? st[nd - 1] : 0;
  int64_t idx[kMaxDims] = {0};
  alignas(64) C buf[kTile];
  const char* base = static_cast<const char*>(in.data);
  bool direct = in.dtype == own_dtype<C>() && ist == 1;
  std::optional<Interrupt> interrupt;
  if (total > kLong) interrupt.emplace();
  for (int64_t done = 0; done < total; done += inner) {
    if (interrupt) interrupt->passed(std::min(inner, kTile));
    if (direct) {
      constexpr int64_t kRun = 8 * kTile;
      for (int64_t i = 0; i < inner; i += kRun) {
        if (interrupt) interrupt->passed(kRun);
        f(reinterpret_cast<const C*>(base) + at + i, std::min(kRun, inner - i));
      }
    } else {
      for (int64_t i = 0; i < inner; i += kTile) {
        int64_t m = std::min(kTile, inner - i);
        if (interrupt) interrupt->passed(m);
        load_tile(in.dtype, base + (at + i * ist) * es, ist * es, m, buf);
        f(buf, m);
      }
    }
    for (int d = nd - 2; d >= 0; --d) {
      at += st[d];
      if (++idx[d] < sz[d]) break;
      at -= st[d] * sz[d];
      idx[d] = 0;
    }
  }
}

template <class C>
struct Wide {
  using type = C;
};
template <>
struct Wide<float> {
  using type = double;
};
template <>
struct Wide<std::complex<float>> {
  using type = std::complex<double>;
};

template <class C>
C tile_sum(const C* v, int64_t n) {
  return lane_sum<C>(n, [v](int64_t i) { return v[i]; });
}

// The sum of a dense row of floats in the order of PyTorch's CPU kernel, so that its bits are the
// same: four chains of eight lanes, each a cascade of four levels; then what is left over, then the
// lanes. Source: cascade_sum of ATen's SumKernel.
float cascade_sum(const float* p, int64_t n) {
  constexpr int kLanes = 8, kChains = 4, kLevels = 4, kWidth = kLanes * kChains;
  if (n < kLanes) {  // too short for lanes: four chains of numbers
    float chain[kChains] = {};
    int64_t whole = n / kChains * kChains;
    for (int64_t k = 0; k < whole; ++k) chain[k % kChains] += p[k];
    for (int64_t k = whole; k < n; ++k) chain[0] += p[k];
    return ((chain[0] + chain[1]) + chain[2]) + chain[3];
  }
  int64_t vectors = n / kLanes, size = vectors / kChains;
  if (size == 0) {  // the chains are empty
    float lane[kLanes] = {}, s = 0;
    for (int64_t v = 0; v < vectors; ++v)
      for (int k = 0; k < kLanes; ++k) lane[k] += p[v * kLanes + k];
    for (int64_t k = vectors * kLanes; k < n; ++k) s += p[k];
    for (float l : lane) s += l;
    return s;
  }
  int log2 = 0;
  while ((int64_t{1} << log2) < size) ++log2;
  int power = std::max(4, log2 / kLevels);
  int64_t step = int64_t{1} << power, mask = step - 1, i = 0;
  float acc[kLevels][kWidth] = {};
  while (i + step <= size) {
    for (int64_t j = 0; j < step; ++j, ++i)
      for (int k = 0; k < kWidth; ++k) acc[0][k] += p[i * kWidth + k];
    for (int level = 1; level < kLevels; ++level) {
      for (int k = 0; k < kWidth; ++k) {
        acc[level][k] += acc[level - 1][k];
        acc[level - 1][k] = 0;
      }
      if ((i & (mask << (level * power))) != 0) break;
    }
  }
  for (; i < size; ++i)
    for (int k = 0; k < kWidth; ++k) acc[0][k] += p[i * kWidth + k];
  for (int level = 1; level < kLevels; ++level)
    for (int k = 0; k < kWidth; ++k) acc[0][k] += acc[level][k];
  float lane[kLanes];
  for (int k = 0; k < kLanes; ++k) lane[k] = acc[0][k];
  for (int64_t v = size * kChains; v < vectors; ++v)
    for (int k = 0; k < kLanes; ++k) lane[k] += p[v * kLanes + k];
  for (int c = 1; c < kChains; ++c)
    for (int k = 0; k < kLanes; ++k) lane[k] += acc[0][c * kLanes + k];
  float s = 0;
  for (int64_t k = vectors * kLanes; k < n; ++k) s += p[k];
  for (float l : lane) s += l;
  return s;
}
// The reduced part of in is one dense run.
bool reduces_dense_run(const TensorView& in, int lead) {
  int64_t run = 1;
  for (int d = in.ndim - 1; d >= lead; --d) {
    if (in.sizes[d] != 1 && in.strides[d] != run) return false;
    run *= in.sizes[d];
  }
  return true;
}

// Squares that C can't hold are infinite, as in PyTorch.
template <class C>
double tile_squares(const C* v, int64_t n) {
  if constexpr (std::is_same_v<C, float>) return sum_over(v, n, [](Floats x) { return x * x; });
  using A = std::conditional_t<std::is_floating_point_v<C>, C, double>;
  return static_cast<double>(lane_sum<A>(n, [v](int64_t i) {
    const A x = static_cast<A>(v[i]);
    return x * x;
  }));
}

// The largest (smallest) of best and the tile; *nan when one was met.
template <bool Max, class C>
C tile_extreme(const C* v, int64_t n, C best, bool* nan) {
  if constexpr (std::is_same_v<C, float>) return row_extreme<Max>(v, n, best, nan);
  constexpr int kLanes = 32;
  int64_t i = 0;
  bool bad = false;
  if (n >= kLanes) {
    C lane[kLanes];
    C seen[kLanes];  // the last nan
    for (int k = 0; k < kLanes; ++k) lane[k] = best, seen[k] = C(0);
    for (; i + kLanes <= n; i += kLanes)
      for (int k = 0; k < kLanes; ++k) {
        C x = v[i + k];
        if constexpr (std::is_floating_point_v<C>) seen[k] = x != x ? x : seen[k];
        lane[k] = (Max ? x > lane[k] : x < lane[k]) ? x : lane[k];
      }
    for (int k = 0; k < kLanes; ++k) {
      best = (Max ? lane[k] > best : lane[k] < best) ? lane[k] : best;
      bad |= seen[k] != seen[k];
    }
  }
  for (; i < n; ++i) {
    bad |= v[i] != v[i];
    best = (Max ? v[i] > best : v[i] < best) ? v[i] : best;
  }
  *nan |= bad;
  return best;
}

// total[k] += the sum over count rows of column k, as C over each 32 rows; W vectors of columns.
template <int W, class C>
void sum_columns(const C* in, int64_t count, int64_t step, double* total) {
  using V = typename Vec<C>::type;
  constexpr int64_t L = Vec<C>::lanes;
  for (int64_t r = 0; r < count; r += 32) {
    V acc[W] = {};
    for (int64_t i = r; i < std::min(count, r + 32); ++i)
#pragma GCC unroll 8
      for (int v = 0; v < W; ++v) acc[v] += *reinterpret_cast<const V*>(in + i * step + v * L);
    for (int64_t k = 0; k < W * L; ++k) total[k] += static_cast<double>(acc[k / L][k % L]);
  }
}
// The same for any number of columns.
template <class C>
void sum_rows(const C* in, int64_t count, int64_t step, int64_t columns, double* total) {
  constexpr int64_t L = Vec<C>::lanes;
  int64_t c = 0;
  for (; c + 8 * L <= columns; c += 8 * L) sum_columns<8>(in + c, count, step, total + c);
  for (; c + 2 * L <= columns; c += 2 * L) sum_columns<2>(in + c, count, step, total + c);
  for (; c + L <= columns; c += L) sum_columns<1>(in + c, count, step, total + c);
  for (; c < columns; ++c)
    for (int64_t r = 0; r < count; r += 32) {
      C part(0);
      for (int64_t i = r; i < std::min(count, r + 32); ++i) part += in[i * step + c];
      total[c] += static_cast<double>(part);
    }
}

// Sums and extremes over leading dims, where the last dim that stays is dense: whole rows are added
// to a block of results. Sums of floats go to double after 32 rows. False when the call has another
// form.
template <class C>
bool column_reduce(const ReduceArgs& a) {
  int lead = a.out.ndim, nd = a.in.ndim;
  bool sum = a.op == Reduce::sum || a.op == Reduce::mean, max = a.op == Reduce::max;
  const bool halves = std::is_same_v<C, float> && (a.in.dtype == kHalf || a.in.dtype == kBFloat16);
  if (!std::is_floating_point_v<C> || (a.in.dtype != own_dtype<C>() && !halves) ||
      a.out.dtype != a.in.dtype || lead == 0 || (!sum && !max && a.op != Reduce::min))
    return false;
  int64_t count = 1;
  for (int d = lead; d < nd; ++d) count *= a.in.sizes[d];
  int64_t columns = a.in.sizes[lead - 1], ostep = a.out.strides[lead - 1];
  if (a.in.strides[lead - 1] != 1 || columns < 8 || count < 2 ||
      (nd > lead && a.in.strides[nd - 1] == 1))
    return false;
  TensorView outer_out = a.out, outer_in = a.in;
  outer_out.ndim = lead - 1;
  constexpr int64_t kBlock = 256;
  Interrupt interrupt;
  // The rows lie at equal distances.
  int64_t step = 0, run = 1;
  bool even = true;
  for (int d = nd - 1; d >= lead; --d) {
    if (a.in.sizes[d] == 1) continue;
    if (run == 1) step = a.in.strides[d];
    even &= a.in.strides[d] == step * run;
    run *= a.in.sizes[d];
  }
  Walk{outer_out, outer_in, lead - 1}.each([&](int64_t oa, int64_t ia) {
    for (int64_t c0 = 0; c0 < columns; c0 += kBlock) {
      int64_t m = std::min(kBlock, columns - c0), idx[kMaxDims] = {0}, at = ia + c0;
      alignas(64) C part[kBlock];
      double total[kBlock];
      std::fill(total, total + m, 0.0);
      std::fill(part, part + m,
                sum   ? C(0)
                : max ? -std::numeric_limits<C>::infinity()
                      : std::numeric_limits<C>::infinity());
      const bool whole = sum && even && !halves;
      if (whole) {
        if constexpr (std::is_floating_point_v<C>)
          sum_rows(a.in.ptr<C>() + at, count, step, m, total);
        interrupt.passed(count * m);
      }
      for (int64_t r = whole ? count : 0; r < count; ++r) {
        alignas(64) C tile[kBlock];
        const C* row = halves ? tile : a.in.ptr<C>() + at;
        if (halves) {
          const auto es = static_cast<int64_t>(element_size(a.in.dtype));
          load_tile(a.in.dtype, static_cast<const char*>(a.in.data) + at * es, es, m, tile);
        }
        interrupt.passed(m);
        if (sum) {
          for (int64_t k = 0; k < m; ++k) part[k] += row[k];
          if (r % 32 == 31)
            for (int64_t k = 0; k < m; ++k) total[k] += static_cast<double>(part[k]), part[k] = 0;
        } else {
          // A nan stays: nothing is larger or smaller.
          if (max)
            for (int64_t k = 0; k < m; ++k)
              part[k] = ((row[k] > part[k]) | (row[k] != row[k])) ? row[k] : part[k];
          else
            for (int64_t k = 0; k < m; ++k)
              part[k] = ((row[k] < part[k]) | (row[k] != row[k])) ? row[k] : part[k];
        }
        for (int d = nd - 1; d >= lead; --d) {
          at += a.in.strides[d];
          if (++idx[d] < a.in.sizes[d]) break;
          at -= a.in.strides[d] * a.in.sizes[d];
          idx[d] = 0;
        }
      }
      for (int64_t k = 0; sum && k < m; ++k) {
        const double s = total[k] + static_cast<double>(part[k]);
        part[k] = static_cast<C>(a.op == Reduce::mean ? s / static_cast<double>(count) : s);
      }
      const auto es = static_cast<int64_t>(element_size(a.out.dtype));
      store_tile(a.out.dtype, static_cast<char*>(a.out.data) + (oa + c0 * ostep) * es, ostep * es,
                 m, part);
    }
  });
  return true;
}

template <class C>
bool is_nan(C v) {
  return v != v;
}

template <class C>
void reduce_as(const ReduceArgs& a) {
  int lead = a.out.ndim;
  auto oes = static_cast<int64_t>(element_size(a.out.dtype));
  using W = typename Wide<C>::type;
  constexpr bool complex = !std::is_arithmetic_v<C>;
  if constexpr (!complex)
    if (column_reduce<C>(a)) return;
  int64_t count = 1;
  for (int d = lead; d < a.in.ndim; ++d) count *= a.in.sizes[d];
  [[maybe_unused]] const bool exact_order =
      a.in.dtype == kFloat && a.out.dtype == kFloat && reduces_dense_run(a.in, lead);
  auto magnitude = [](C v) {
    if constexpr (complex)
      return static_cast<double>(std::abs(v));
    else
      return std::fabs(static_cast<double>(v));
  };
  Walk{a.out, a.in, lead}.share([&](int64_t oa, int64_t ia) {
    char* o = static_cast<char*>(a.out.data) + oa * oes;
    auto put = [&](W v) { store_tile(a.out.dtype, o, 0, 1, &v); };
    auto put_double = [&](double v) { store_tile(a.out.dtype, o, 0, 1, &v); };
    switch (a.op) {
      case Reduce::sum:
      case Reduce::mean: {
        if constexpr (std::is_same_v<C, float>)
          if (exact_order) {
            float s = cascade_sum(a.in.ptr<float>() + ia, count);
            if (a.op == Reduce::mean) s /= static_cast<float>(count);
            std::memcpy(o, &s, sizeof s);
            break;
          }
        W s{};
        reduced_tiles<C>(a.in, lead, ia, [&](const C* v, int64_t n) {
          if constexpr (std::is_same_v<C, float>)
            if (a.in.dtype == kHalf || a.in.dtype == kBFloat16) {
              s += sum_over(v, n, [](Floats x) { return x; });
              return;
            }
          s += W(tile_sum(v, n));
        });
        if constexpr (complex)
          put(a.op == Reduce::mean ? s / static_cast<double>(count) : s);
        else if (a.op == Reduce::mean)
          put_double(static_cast<double>(s) / static_cast<double>(count));
        else
          put(s);
        break;
      }
      case Reduce::nansum: {
        W s{};
        reduced_tiles<C>(a.in, lead, ia, [&](const C* v, int64_t n) {
          for (int64_t i = 0; i < n; ++i)
            if (!is_nan(v[i])) s += W(v[i]);
        });
        put(s);
        break;
      }
      case Reduce::prod: {
        // Integers wrap around.
        using P = std::conditional_t<std::is_same_v<C, int64_t>, uint64_t, W>;
        P s = P(1);
        reduced_tiles<C>(a.in, lead, ia, [&](const C* v, int64_t n) {
          constexpr int kLanes = 16;
          P lane[kLanes];
          std::fill(lane, lane + kLanes, P(1));
          int64_t i = 0;
          for (; i + kLanes <= n; i += kLanes)
            for (int k = 0; k < kLanes; ++k) lane[k] *= static_cast<P>(v[i + k]);
          for (; i < n; ++i) s *= static_cast<P>(v[i]);
          for (P l : lane) s *= l;
        });
        put(static_cast<W>(s));
        break;
      }
      case Reduce::max:
      case Reduce::min:
        if constexpr (!complex) {
          bool first = true, nan = false, max = a.op == Reduce::max;
          auto extreme = [&](auto tag) {
            using E = decltype(tag);
            E best{};
            reduced_tiles<E>(a.in, lead, ia, [&](const E* v, int64_t n) {
              if (first && n) best = v[0];
              first = false;
              best = max ? tile_extreme<true>(v, n, best, &nan)
                         : tile_extreme<false>(v, n, best, &nan);
            });
            if constexpr (std::is_floating_point_v<E>)
              if (nan) best = std::numeric_limits<E>::quiet_NaN();
            put(W(best));
          };
          const ScalarType t = a.in.dtype;
          if (std::is_same_v<C, int64_t> && (t == kInt || t == kShort || t == kChar || t == kByte))
            extreme(int32_t{});  // twice as many in a vector
          else
            extreme(C{});
        }
        break;
      case Reduce::any:
      case Reduce::all: {
        bool any = false, all = true;
        auto look = [&](const auto* v, int64_t n) {
          for (int64_t i = 0; i < n; ++i) {
            bool t = v[i] != std::remove_cvref_t<decltype(*v)>(0);
            any |= t;
            all &= t;
          }
        };
        if (a.in.dtype == kBool)
          reduced_tiles<bool>(a.in, lead, ia, look);
        else
          reduced_tiles<C>(a.in, lead, ia, look);
        put_double(a.op == Reduce::any ? any : all);
        break;
      }
      case Reduce::count_nonzero:
      case Reduce::norm0: {
        int64_t c = 0;
        auto count_tile = [&](const auto* v, int64_t n) {
          int32_t m = 0;
          for (int64_t i = 0; i < n; ++i) m += v[i] != std::remove_cvref_t<decltype(*v)>(0);
          c += m;
        };
        if (a.in.dtype == kBool)
          reduced_tiles<bool>(a.in, lead, ia, count_tile);
        else
          reduced_tiles<C>(a.in, lead, ia, count_tile);
        put_double(static_cast<double>(c));
        break;
      }
      case Reduce::norm1:
      case Reduce::norm2:
      case Reduce::normp:
      case Reduce::sum_squares: {
        double s = 0;
        reduced_tiles<C>(a.in, lead, ia, [&](const C* v, int64_t n) {
          if constexpr (!complex)
            if (a.op == Reduce::norm2 || a.op == Reduce::sum_squares) {
              s += tile_squares(v, n);
              return;
            }
          for (int64_t i = 0; i < n; ++i) {
            double m = magnitude(v[i]);
            s += a.op == Reduce::norm1 ? m : a.op == Reduce::normp ? std::pow(m, a.p) : m * m;
          }
        });
        put_double(a.op == Reduce::norm2   ? std::sqrt(s)
                   : a.op == Reduce::normp ? std::pow(s, 1 / a.p)
                                           : s);
        break;
      }
      case Reduce::norminf:
      case Reduce::normneginf: {
        bool max = a.op == Reduce::norminf, nan = false;
        double best = max ? 0 : HUGE_VAL;
        reduced_tiles<C>(a.in, lead, ia, [&](const C* v, int64_t n) {
          for (int64_t i = 0; i < n; ++i) {
            double m = magnitude(v[i]);
            nan |= m != m;
            best = max ? std::max(best, m) : std::min(best, m);
          }
        });
        put_double(nan ? NAN : best);
        break;
      }
      case Reduce::logsumexp:
        if constexpr (!complex) {
          double best = -HUGE_VAL, s = 0;
          bool nan = false;
          reduced_tiles<C>(a.in, lead, ia, [&](const C* v, int64_t n) {
            best = static_cast<double>(tile_extreme<true>(v, n, static_cast<C>(best), &nan));
          });
          double shift = std::isinf(best) ? 0 : best;
          reduced_tiles<C>(a.in, lead, ia, [&](const C* v, int64_t n) {
            if constexpr (std::is_same_v<C, float>)
              s += static_cast<double>(lane_sum<float>(
                  n, [=](int64_t i) { return vexp(v[i] - static_cast<float>(shift)); }));
            else if constexpr (std::is_same_v<C, double>)
              s += exp_sum(v, nullptr, n, shift);
            else
              for (int64_t i = 0; i < n; ++i) s += std::exp(static_cast<double>(v[i]) - shift);
          });
          put_double(nan ? NAN : std::log(s) + shift);
        }
        break;
    }
  });
}

// The reduced dims in the order of their strides: what is dense in memory is read as it lies.
void reduce(const ReduceArgs& given) {
  ReduceArgs a = given;
  int64_t sizes[kMaxDims], strides[kMaxDims];
  const int lead = a.out.ndim, nd = a.in.ndim;
  std::copy_n(a.in.sizes, nd, sizes);
  std::copy_n(a.in.strides, nd, strides);
  for (int d = lead + 1; d < nd; ++d)
    for (int k = d; k > lead && std::abs(strides[k - 1]) < std::abs(strides[k]); --k) {
      std::swap(sizes[k - 1], sizes[k]);
      std::swap(strides[k - 1], strides[k]);
    }
  a.in.sizes = sizes;
  a.in.strides = strides;
  visit_compute(a.compute, [&](auto tag) { reduce_as<decltype(tag)>(a); });
}

void arg_reduce(const ArgReduceArgs& a) {
  const TensorView& shape = a.indices.data ? a.indices : a.values;
  int lead = a.in.ndim - 1;
  auto es = static_cast<int64_t>(element_size(a.in.dtype));
  int64_t n = a.in.sizes[lead], st = a.in.strides[lead];
  int64_t va = 0;
  (void)va;
  auto run = [&](auto tag) {
    using C = decltype(tag);
    expect_memory(static_cast<double>(n) * sizeof(C));
    Interrupt interrupt;
    std::vector<C> row(static_cast<size_t>(n));
    int64_t count = 1;
    for (int d = 0; d < lead; ++d) count *= a.in.sizes[d];
    int64_t idx[kMaxDims] = {0}, ia = 0, oi = 0, ov = 0;
    for (int64_t i = 0; i < count; ++i) {
      interrupt.passed(n + 1);
      load_tile(a.in.dtype, static_cast<const char*>(a.in.data) + ia * es, st * es, n, row.data());
      int64_t best = 0;
      if (n) {
        // The extreme first, in lanes; then where it stands.
        bool nan = false;
        C extreme = a.max ? tile_extreme<true>(row.data(), n, row[0], &nan)
                          : tile_extreme<false>(row.data(), n, row[0], &nan);
        while (best < n && !(nan ? is_nan(row[static_cast<size_t>(best)])
                                 : row[static_cast<size_t>(best)] == extreme))
          ++best;
      }
      if (a.indices.data) a.indices.ptr<int64_t>()[oi] = best;
      if (a.values.data)
        store_tile(a.values.dtype,
                   static_cast<char*>(a.values.data) +
                       ov * static_cast<int64_t>(element_size(a.values.dtype)),
                   0, 1, &row[static_cast<size_t>(best)]);
      for (int d = lead - 1; d >= 0; --d) {
        ia += a.in.strides[d];
        if (a.indices.data) oi += a.indices.strides[d];
        if (a.values.data) ov += a.values.strides[d];
        if (++idx[d] < a.in.sizes[d]) break;
        ia -= a.in.strides[d] * a.in.sizes[d];
        if (a.indices.data) oi -= a.indices.strides[d] * a.in.sizes[d];
        if (a.values.data) ov -= a.values.strides[d] * a.in.sizes[d];
        idx[d] = 0;
      }
    }
  };
  (void)shape;
  if (is_integral(a.in.dtype, true))
    run(int64_t{});
  else if (a.in.dtype == kDouble)
    run(double{});
  else
    run(float{});
}

void var(const VarArgs& a) {
  const TensorView& out = a.var.data ? a.var : a.mean;
  int lead = out.ndim;
  int64_t count = 1;
  for (int d = lead; d < a.in.ndim; ++d) count *= a.in.sizes[d];
  auto run = [&](auto tag) {
    using C = decltype(tag);
    using W = typename Wide<C>::type;
    constexpr bool complex = !std::is_arithmetic_v<C>;
    int64_t mi = 0;
    Walk{out, a.in, lead}.each([&](int64_t oa, int64_t ia) {
      W s{};
      reduced_tiles<C>(a.in, lead, ia, [&](const C* v, int64_t n) {
        s += lane_sum<W>(n, [v](int64_t i) { return W(v[i]); });
      });
      W mean = s / static_cast<decltype(std::abs(W{}))>(count);
      double m2 = 0;
      reduced_tiles<C>(a.in, lead, ia, [&](const C* v, int64_t n) {
        m2 += lane_sum<double>(n, [v, mean](int64_t i) {
          const W d = W(v[i]) - mean;
          if constexpr (complex)
            return std::norm(d);
          else
            return d * d;
        });
      });
      double dof = static_cast<double>(count) - a.correction;
      double r = dof > 0                             ? m2 / dof
                 : (m2 == 0 && dof == 0) || dof <= 0 ? (dof < 0 ? m2 / 0.0 : m2 / dof)
                                                     : m2 / dof;
      if (a.take_sqrt) r = std::sqrt(r);
      if (a.var.data)
        store_tile(
            a.var.dtype,
            static_cast<char*>(a.var.data) + oa * static_cast<int64_t>(element_size(a.var.dtype)),
            0, 1, &r);
      if (a.mean.data)
        store_tile(a.mean.dtype,
                   static_cast<char*>(a.mean.data) +
                       (a.var.data ? mi : oa) * static_cast<int64_t>(element_size(a.mean.dtype)),
                   0, 1, &mean);
      ++mi;  // mean is dense when both are asked for
    });
  };
  switch (a.in.dtype) {
    case kDouble: return run(double{});
    case kComplexFloat: return run(std::complex<float>{});
    case kComplexDouble: return run(std::complex<double>{});
    default: return run(float{});
  }
}

// Running sums of columns that lie side by side. False for other forms.
template <class C>
bool scan_columns(const ScanArgs& a) {
  const int last = a.in.ndim - 1;
  int dense = last - 1;
  while (dense >= 0 && (a.in.strides[dense] != 1 || a.out.strides[dense] != 1)) --dense;
  if (dense < 0 || a.op != Scan::sum || a.in.dtype != own_dtype<C>() ||
      a.out.dtype != own_dtype<C>() || a.in.sizes[dense] < 8)
    return false;
  const int64_t n = a.in.sizes[last], columns = a.in.sizes[dense], in_step = a.in.strides[last],
                out_step = a.out.strides[last];
  int64_t sizes[kMaxDims];
  std::copy_n(a.in.sizes, a.in.ndim, sizes);
  sizes[last] = sizes[dense] = 1;
  TensorView in = a.in, out = a.out;
  in.sizes = out.sizes = sizes;
  const TensorView* v[] = {&out, &in};
  Interrupt interrupt;
  Loops<2>(v).whole_rows([&](char** p, const int64_t* st, int64_t planes) {
    constexpr int64_t kBlock = 128;
    for (int64_t b = 0; b < planes; ++b)
      for (int64_t c = 0; c < columns; c += kBlock) {
        const int64_t m = std::min(kBlock, columns - c);
        const C* from = reinterpret_cast<const C*>(p[1] + b * st[1]) + c;
        C* to = reinterpret_cast<C*>(p[0] + b * st[0]) + c;
        typename Wide<C>::type sum[kBlock] = {};
        for (int64_t i = 0; i < n; ++i, from += in_step, to += out_step) {
          SCONCE_IVDEP  // the result is the operand's elements or none of them
          for (int64_t k = 0; k < m; ++k) to[k] = static_cast<C>(sum[k] += from[k]);
          interrupt.passed(m);
        }
      }
  });
  return true;
}

void scan(const ScanArgs& a) {
  int lead = a.in.ndim - 1;
  int64_t n = a.in.sizes[lead];
  visit_compute(a.compute, [&](auto tag) {
    using C = decltype(tag);
    if constexpr (std::is_arithmetic_v<C>)
      if (scan_columns<C>(a)) return;
    const bool sums = a.op == Scan::sum;
    using W = typename Wide<C>::type;
    expect_memory(static_cast<double>(n) * (sizeof(C) + sizeof(W)));
    Interrupt interrupt;
    std::vector<C> row(static_cast<size_t>(n));
    std::vector<W> res(static_cast<size_t>(n));
    int64_t count = 1;
    for (int d = 0; d < lead; ++d) count *= a.in.sizes[d];
    int64_t idx[kMaxDims] = {0}, ia = 0, oa = 0, xa = 0;
    auto ies = static_cast<int64_t>(element_size(a.in.dtype)),
         oes = static_cast<int64_t>(element_size(a.out.dtype));
    auto next = [&] {
      for (int d = lead - 1; d >= 0; --d) {
        ia += a.in.strides[d];
        oa += a.out.strides[d];
        if (a.indices.data) xa += a.indices.strides[d];
        if (++idx[d] < a.in.sizes[d]) break;
        ia -= a.in.strides[d] * a.in.sizes[d];
        oa -= a.out.strides[d] * a.in.sizes[d];
        if (a.indices.data) xa -= a.indices.strides[d] * a.in.sizes[d];
        idx[d] = 0;
      }
    };
    for (int64_t i = 0; i < count; ++i) {
      interrupt.passed(n + 1);
      const bool own = a.in.dtype == own_dtype<C>() && a.in.strides[lead] == 1;
      if (!own)
        load_tile(a.in.dtype, static_cast<const char*>(a.in.data) + ia * ies,
                  a.in.strides[lead] * ies, n, row.data());
      if (sums && a.out.dtype == own_dtype<C>() && a.out.strides[lead] == 1) {
        const C* from = own ? a.in.ptr<C>() + ia : row.data();
        C* to = a.out.ptr<C>() + oa;
        W sum = W(0);
        for (int64_t k = 0; k < n; ++k) to[k] = static_cast<C>(sum += W(from[k]));
        next();
        continue;
      }
      if (own) std::copy_n(a.in.ptr<C>() + ia, n, row.data());
      W acc = a.op == Scan::prod ? W(1) : W(0);
      int64_t best = 0;
      for (int64_t k = 0; sums && k < n; ++k)
        res[static_cast<size_t>(k)] = acc += W(row[static_cast<size_t>(k)]);
      for (int64_t k = sums ? n : 0; k < n; ++k) {
        C v = row[static_cast<size_t>(k)];
        if (a.op == Scan::prod) {
          acc *= W(v);
        } else {
          if constexpr (!std::is_arithmetic_v<C>)
            if (a.op == Scan::logsumexp) acc = k == 0 ? W(v) : log_add_exp(acc, W(v));
          if constexpr (std::is_arithmetic_v<C>) {
            if (a.op == Scan::logsumexp) {
              W x = W(v);
              acc = k == 0 ? x
                           : (std::isinf(static_cast<double>(std::max(acc, x)))
                                  ? std::max(acc, x)
                                  : static_cast<W>(std::max(acc, x) +
                                                   std::log1p(std::exp(
                                                       -std::fabs(static_cast<double>(acc - x))))));
            } else {
              C cur = row[static_cast<size_t>(best)];
              bool better =
                  is_nan(v) || (!is_nan(cur) && (a.op == Scan::max ? v >= cur : v <= cur));
              if (k == 0 || better) best = k;
              acc = W(row[static_cast<size_t>(best)]);
              if (a.indices.data) a.indices.ptr<int64_t>()[xa + k * a.indices.strides[lead]] = best;
            }
          }
        }
        res[static_cast<size_t>(k)] = acc;
      }
      store_tile(a.out.dtype, static_cast<char*>(a.out.data) + oa * oes, a.out.strides[lead] * oes,
                 n, res.data());
      next();
    }
  });
}

}  // namespace

SCONCE_KERNEL(reduce)
SCONCE_KERNEL(arg_reduce)
SCONCE_KERNEL(var)
SCONCE_KERNEL(scan)

}  // namespace sconce::SCONCE_ISA
