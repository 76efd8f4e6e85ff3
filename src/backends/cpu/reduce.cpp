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
#include "backends/cpu/transpose.h"
#include "backends/cpu/vector_double.h"
#include "backends/ivdep.h"
#include "backends/scalar_math.h"
#include "backends/cpu/vector_math.h"
#include "backends/cpu/vector_pow.h"
#include "backends/cpu/wide.h"
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
// The sums of kFloats rows of fewer than 32 elements, each in cascade_sum's order: element k of row
// i is t[k * kFloats + i].
Floats short_sums(const float* t, int64_t n) {
  constexpr int kLanes = 8, kChains = 4;
  auto column = [=](int64_t k) __attribute__((always_inline)) { return load(t + k * kFloats); };
  if (n < kLanes) {
    Floats chain[kChains] = {};
    const int64_t whole = n / kChains * kChains;
    for (int64_t k = 0; k < whole; ++k) chain[k % kChains] += column(k);
    for (int64_t k = whole; k < n; ++k) chain[0] += column(k);
    return ((chain[0] + chain[1]) + chain[2]) + chain[3];
  }
  Floats lane[kLanes] = {}, s{};
  int64_t k = 0;
  for (; k + kLanes <= n; k += kLanes)
    for (int l = 0; l < kLanes; ++l) lane[l] += column(k + l);
  for (; k < n; ++k) s += column(k);
  for (const Floats& l : lane) s += l;
  return s;
}
// Sums and means of many short dense rows, kFloats at a time. False for other forms.
bool short_row_sums(const ReduceArgs& a, int64_t count) {
  constexpr int64_t kShort = 32;
  const int lead = a.out.ndim;
  if (count < 2 || count >= kShort || lead == 0 || a.in.sizes[lead - 1] < kFloats) return false;
  TensorView outer_out = a.out, outer_in = a.in;
  outer_out.ndim = lead - 1;
  const int64_t rows = a.in.sizes[lead - 1], step = a.in.strides[lead - 1],
                out_step = a.out.strides[lead - 1];
  const Interrupt limits(context());
  Walk{outer_out, outer_in, lead - 1}.each([&](int64_t oa, int64_t ia) {
    const float* in = a.in.ptr<float>() + ia;
    float* out = a.out.ptr<float>() + oa;
    parallel_for(
        rows, static_cast<double>(count) * 0.1,
        [=](int64_t from, int64_t to) {
          Interrupt interrupt = limits;
          alignas(64) float t[kShort * kFloats] = {};
          const int64_t covered = (count + kFloats - 1) / kFloats * kFloats;
          for (int64_t r = from; r < to; r += kFloats) {
            const int64_t m = std::min(kFloats, to - r);
            const float* x = in + r * step;
            interrupt.passed(m * count);
            // Squares may reach beyond a row, but not beyond the last one.
            if (m == kFloats && step > 0 &&
                (r + kFloats - 1) * step + covered <= (rows - 1) * step + count)
              for (int64_t k = 0; k < covered; k += kFloats)
                transpose_square(x + k, step, t + k * kFloats, kFloats);
            else
              for (int64_t i = 0; i < m; ++i)
                for (int64_t k = 0; k < count; ++k) t[k * kFloats + i] = x[i * step + k];
            Floats s = short_sums(t, count);
            if (a.op == Reduce::mean) s /= static_cast<float>(count);
            alignas(64) float sums[kFloats];
            store(sums, s);
            for (int64_t i = 0; i < m; ++i) out[(r + i) * out_step] = sums[i];
          }
        },
        kFloats);
  });
  return true;
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

SCONCE_INLINE auto load_wide(const double* p) {
  return *reinterpret_cast<const Vec<double>::type*>(p);
}
SCONCE_INLINE auto load_wide(const uint64_t* p) {
  return *reinterpret_cast<const Vec<uint64_t>::type*>(p);
}
// total[k] += the sum over count rows of column k, as C over each 32 rows; W vectors of columns.
template <int W, class C, class T, class S>
void sum_columns(const T* in, int64_t count, int64_t step, S* total) {
  using V = typename Vec<C>::type;
  constexpr int64_t L = Vec<C>::lanes;
  for (int64_t r = 0; r < count; r += 32) {
    V acc[W] = {};
    for (int64_t i = r; i < std::min(count, r + 32); ++i)
#pragma GCC unroll 8
      for (int v = 0; v < W; ++v) acc[v] += load_wide(in + i * step + v * L);
    for (int64_t k = 0; k < W * L; ++k) total[k] += static_cast<S>(acc[k / L][k % L]);
  }
}
// The same for any number of columns.
template <class C, class T, class S>
void sum_rows(const T* in, int64_t count, int64_t step, int64_t columns, S* total) {
  constexpr int64_t L = Vec<C>::lanes;
  int64_t c = 0;
  for (; c + 8 * L <= columns; c += 8 * L) sum_columns<8, C>(in + c, count, step, total + c);
  for (; c + 2 * L <= columns; c += 2 * L) sum_columns<2, C>(in + c, count, step, total + c);
  for (; c + L <= columns; c += L) sum_columns<1, C>(in + c, count, step, total + c);
  for (; c < columns; ++c)
    for (int64_t r = 0; r < count; r += 32) {
      C part(0);
      for (int64_t i = r; i < std::min(count, r + 32); ++i)
        part += static_cast<C>(in[i * step + c]);
      total[c] += static_cast<S>(part);
    }
}

// How far apart the rows lie that the dims from lead on reduce, when that is one number; else -1.
int64_t even_rows(const TensorView& in, int lead) {
  int64_t step = 0, run = 1;
  for (int d = in.ndim - 1; d >= lead; --d) {
    if (in.sizes[d] == 1) continue;
    if (run == 1) step = in.strides[d];
    if (in.strides[d] != step * run) return -1;
    run *= in.sizes[d];
  }
  return step;
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
  const int64_t step = even_rows(a.in, lead);
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
      const bool whole = sum && step >= 0;
      if constexpr (std::is_floating_point_v<C>)
        if (whole) {
          if (a.in.dtype == kHalf)
            sum_rows<float>(a.in.ptr<Half>() + at, count, step, m, total);
          else if (a.in.dtype == kBFloat16)
            sum_rows<float>(a.in.ptr<BFloat16>() + at, count, step, m, total);
          else
            sum_rows<C>(a.in.ptr<C>() + at, count, step, m, total);
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

// acc[k] = what is left of acc[k] and x[k]; first: x[k] alone.
template <class T, class W>
void fold_tile(Reduce op, const T* x, int64_t m, bool first, W* acc) {
  using U = Wrapping<W>;
  auto each = [=](W start, auto f) {
    if (first) std::fill(acc, acc + m, start);
    SCONCE_IVDEP  // acc is nobody else's
    for (int64_t k = 0; k < m; ++k) acc[k] = static_cast<W>(f(static_cast<U>(acc[k]), x[k]));
  };
  auto size = [](T v) {
    if constexpr (std::is_floating_point_v<T>)
      return std::fabs(static_cast<W>(v));
    else
      return static_cast<U>(v);
  };
  switch (op) {
    case Reduce::any:
      return each(0, [](U s, T v) { return static_cast<U>((s != 0) | (v != T(0))); });
    case Reduce::all:
      return each(1, [](U s, T v) { return static_cast<U>((s != 0) & (v != T(0))); });
    case Reduce::norm0:
    case Reduce::count_nonzero:
      return each(0, [](U s, T v) { return s + static_cast<U>(v != T(0)); });
    default: break;
  }
  if constexpr (!std::is_same_v<T, bool>) switch (op) {
      case Reduce::max:
      case Reduce::min:
        if (first)
          for (int64_t k = 0; k < m; ++k) acc[k] = static_cast<W>(x[k]);
        else if (op == Reduce::max)
          for (int64_t k = 0; k < m; ++k) {
            const auto v = static_cast<W>(x[k]);
            acc[k] = ((v > acc[k]) | (v != v)) ? v : acc[k];  // nan stays
          }
        else
          for (int64_t k = 0; k < m; ++k) {
            const auto v = static_cast<W>(x[k]);
            acc[k] = ((v < acc[k]) | (v != v)) ? v : acc[k];
          }
        return;
      case Reduce::prod: return each(1, [](U s, T v) { return s * static_cast<U>(v); });
      case Reduce::nansum:
        return each(0, [](U s, T v) { return v == v ? s + static_cast<U>(v) : s; });
      case Reduce::norm1: return each(0, [=](U s, T v) { return s + size(v); });
      case Reduce::norm2:
      case Reduce::sum_squares: return each(0, [=](U s, T v) { return s + size(v) * size(v); });
      default: return each(0, [](U s, T v) { return s + static_cast<U>(v); });
    }
}

// Every kind of reduction but those by powers and logarithms: a tile of results at a time, each
// from its own elements in their order. T: what the elements are read as. False for other forms.
template <class T, class C>
bool tile_reduce(const ReduceArgs& given, int64_t count) {
  using W = typename Wide<C>::type;
  switch (given.op) {
    case Reduce::normp:
    case Reduce::norminf:
    case Reduce::normneginf:
    case Reduce::logsumexp: return false;
    default: break;
  }
  const int dim = tile_dim(given.in, given.out.ndim, count), lead = given.out.ndim,
            nd = given.in.ndim;
  if (dim < 0 || count == 0) return false;
  ReduceArgs a = given;
  int64_t sizes[kMaxDims], in_strides[kMaxDims], out_strides[kMaxDims];
  std::copy_n(a.in.sizes, nd, sizes);
  std::copy_n(a.in.strides, nd, in_strides);
  std::copy_n(a.out.strides, lead, out_strides);
  std::swap(sizes[dim], sizes[lead - 1]);
  std::swap(in_strides[dim], in_strides[lead - 1]);
  std::swap(out_strides[dim], out_strides[lead - 1]);
  a.in.sizes = a.out.sizes = sizes;
  a.in.strides = in_strides;
  a.out.strides = out_strides;
  a.out.ndim = lead - 1;
  const auto ies = static_cast<int64_t>(element_size(a.in.dtype)),
             oes = static_cast<int64_t>(element_size(a.out.dtype));
  const int64_t step = in_strides[lead - 1], out_step = out_strides[lead - 1];
  const bool direct = a.in.dtype == own_dtype<T>() && step == 1 && !std::is_same_v<T, bool>;
  // Sums of integers take whole columns of rows that are so far apart.
  const int64_t row_step =
      direct && std::is_same_v<T, int64_t> && a.op == Reduce::sum ? even_rows(a.in, lead) : -1;
  constexpr int64_t kBlock = 256;
  const Interrupt interrupt(context());
  Walk{a.out, a.in, lead - 1}.each([&](int64_t oa, int64_t ia) {
    parallel_for(
        sizes[lead - 1], static_cast<double>(std::min(count, kLong)) * 0.3,
        [&](int64_t from, int64_t to) {
          Interrupt mine = interrupt;
          for (int64_t c = from; c < to; c += kBlock) {
            const int64_t m = std::min(kBlock, to - c);
            int64_t idx[kMaxDims] = {0}, at = ia + c * step;
            alignas(64) T tile[kBlock];
            alignas(64) W acc[kBlock];
            const bool whole = row_step >= 0;
            if constexpr (std::is_same_v<T, int64_t>)
              if (whole) {
                std::fill(acc, acc + m, 0);
                sum_rows<uint64_t>(a.in.ptr<uint64_t>() + at, count, row_step, m,
                                   reinterpret_cast<uint64_t*>(acc));
                mine.passed(count * m);
              }
            for (int64_t r = whole ? count : 0; r < count; ++r) {
              const char* p = static_cast<const char*>(a.in.data) + at * ies;
              if (!direct) load_tile(a.in.dtype, p, step * ies, m, tile);
              fold_tile(a.op, direct ? reinterpret_cast<const T*>(p) : tile, m, r == 0, acc);
              mine.passed(m);
              for (int d = nd - 1; d >= lead; --d) {
                at += in_strides[d];
                if (++idx[d] < sizes[d]) break;
                at -= in_strides[d] * sizes[d];
                idx[d] = 0;
              }
            }
            if constexpr (std::is_floating_point_v<W>)
              for (int64_t k = 0; k < m; ++k) {
                if (a.op == Reduce::mean) acc[k] /= static_cast<W>(count);
                if (a.op == Reduce::norm2) acc[k] = std::sqrt(acc[k]);
              }
            store_tile(a.out.dtype, static_cast<char*>(a.out.data) + (oa + c * out_step) * oes,
                       out_step * oes, m, acc);
          }
        },
        kBlock);
  });
  return true;
}

// Whether one of n elements is (not) zero.
template <bool Zero, class T>
bool has(const T* v, int64_t n) {
  using I = std::conditional_t<sizeof(T) == 8, int64_t,
                               std::conditional_t<sizeof(T) == 4, int32_t, uint8_t>>;
  constexpr int64_t kChunk = 2048;
  for (int64_t from = 0; from < n; from += kChunk) {
    I found = 0;
    for (int64_t i = from; i < std::min(n, from + kChunk); ++i)
      found |= static_cast<I>((v[i] == T(0)) == Zero);
    if (found) return true;
  }
  return false;
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
  const bool sums = a.op == Reduce::sum || a.op == Reduce::mean;
  const bool exact_order =
      sums && a.in.dtype == kFloat && a.out.dtype == kFloat && reduces_dense_run(a.in, lead);
  [[maybe_unused]] const bool dense_halves =
      sums && (a.in.dtype == kHalf || a.in.dtype == kBFloat16) && reduces_dense_run(a.in, lead);
  if constexpr (!complex) {
    [[maybe_unused]] const bool truth = a.op == Reduce::any || a.op == Reduce::all ||
                                        a.op == Reduce::count_nonzero || a.op == Reduce::norm0;
    if constexpr (std::is_same_v<C, int64_t>)
      if (a.in.dtype == kBool && truth && tile_reduce<bool, C>(a, count)) return;
    if constexpr (std::is_same_v<C, float>)
      if (exact_order && short_row_sums(a, count)) return;
    if (!exact_order && tile_reduce<C, C>(a, count)) return;
  }
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
        bool summed = false;
        if constexpr (std::is_same_v<C, float>)
          if (dense_halves) {
            auto same = [](Floats x) { return x; };
            s = a.in.dtype == kHalf ? sum_over(a.in.ptr<Half>() + ia, count, same)
                                    : sum_over(a.in.ptr<BFloat16>() + ia, count, same);
            summed = true;
          }
        if (!summed)
          reduced_tiles<C>(a.in, lead, ia, [&](const C* v, int64_t n) { s += W(tile_sum(v, n)); });
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
          s += lane_sum<W>(n, [v](int64_t i) { return is_nan(v[i]) ? W{} : W(v[i]); });
        });
        put(s);
        break;
      }
      case Reduce::prod: {
        using P = std::conditional_t<std::is_same_v<C, int64_t>, uint64_t, W>;
        P s = P(1);
        reduced_tiles<C>(a.in, lead, ia, [&](const C* v, int64_t n) {
          constexpr int kLanes = 32;
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
          if (a.op == Reduce::any)
            any = any || has<false>(v, n);
          else
            all = all && !has<true>(v, n);
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
          if constexpr (!complex)
            if (a.op == Reduce::norm1) {
              if constexpr (std::is_same_v<C, float>)
                s += sum_over(v, n, [](Floats x) { return vabs(x); });
              else
                s += lane_sum<double>(
                    n, [v](int64_t i) { return std::fabs(static_cast<double>(v[i])); });
              return;
            }
          if constexpr (std::is_same_v<C, float>)
            if (a.op == Reduce::normp) {
              const auto p = static_cast<float>(a.p);
              alignas(64) float powers[kTile];
              for (int64_t i = 0; i < n; i += kTile) {
                const int64_t m = std::min(kTile, n - i);
                for (int64_t k = 0; k < m; ++k) powers[k] = std::fabs(v[i + k]);
                pow_floats(powers, &p, 0, powers, m);
                s += lane_sum<double>(m, [&](int64_t k) { return powers[k]; });
              }
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
  // Those that follow each other without a gap are one.
  int last = lead;
  for (int d = lead + 1; d < nd; ++d) {
    if (strides[last] == strides[d] * sizes[d] || sizes[last] == 1)
      sizes[last] *= sizes[d];
    else
      sizes[++last] = sizes[d];
    strides[last] = strides[d];
  }
  if (nd > lead) a.in.ndim = last + 1;
  a.in.sizes = sizes;
  a.in.strides = strides;
  visit_compute(a.compute, [&](auto tag) { reduce_as<decltype(tag)>(a); });
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

}  // namespace

SCONCE_KERNEL(reduce)
SCONCE_KERNEL(var)

}  // namespace sconce::SCONCE_ISA
