// SPDX-License-Identifier: Apache-2.0
// Running sums, products, extremes and log-sums along the last dim.
#include <algorithm>
#include <cmath>
#include <vector>

#include "backends/cpu/cpu.h"
#include "backends/cpu/lanes.h"
#include "backends/ivdep.h"
#include "backends/scalar_math.h"
#include "backends/tiles.h"
#include "core/interrupt.h"

namespace sconce::SCONCE_ISA {

namespace {

// One step: what is kept, with v. Integers wrap around; of extremes `better` says whether v, the
// later of equals, takes the place of what is kept, and a nan never leaves it but for another.
template <class W, class C>
W product(W kept, C v) {
  return static_cast<W>(static_cast<Wrapping<W>>(kept) * static_cast<Wrapping<W>>(v));
}
template <class W, class C>
W sum(W kept, C v) {
  return static_cast<W>(static_cast<Wrapping<W>>(kept) + static_cast<Wrapping<W>>(v));
}
template <bool Max, class C>
bool better(C v, C kept) {
  return (Max ? v >= kept : v <= kept) | (v != v);
}
template <class W, class C>
W log_sum(W kept, C v) {
  const W x = W(v);
  if constexpr (!std::is_arithmetic_v<C>) {
    return log_add_exp(kept, x);
  } else {
    const W most = std::max(kept, x);
    if (std::isinf(static_cast<double>(most))) return most;
    return static_cast<W>(most + std::log1p(std::exp(-std::fabs(static_cast<double>(kept - x)))));
  }
}

// Columns that lie side by side, a block at a time. False for other forms.
template <class C>
bool scan_columns(const ScanArgs& a) {
  const int last = a.in.ndim - 1;
  int dense = last - 1;
  while (dense >= 0 && (a.in.strides[dense] != 1 || a.out.strides[dense] != 1)) --dense;
  if (dense < 0 || a.op == Scan::logsumexp || a.in.dtype != own_dtype<C>() ||
      a.out.dtype != own_dtype<C>() || a.in.sizes[dense] < 8 ||
      (a.indices.data && a.indices.strides[dense] != 1))
    return false;
  const int64_t n = a.in.sizes[last], columns = a.in.sizes[dense], in_step = a.in.strides[last],
                out_step = a.out.strides[last];
  int64_t sizes[kMaxDims];
  std::copy_n(a.in.sizes, a.in.ndim, sizes);
  sizes[last] = sizes[dense] = 1;
  TensorView in = a.in, out = a.out, places = a.indices.data ? a.indices : a.out;
  in.sizes = out.sizes = places.sizes = sizes;
  const int64_t place_step = places.strides[last];
  const TensorView* v[] = {&out, &in, &places};
  Interrupt interrupt;
  Loops<3>(v).whole_rows([&](char** p, const int64_t* st, int64_t planes) {
    constexpr int64_t kBlock = 128;
    for (int64_t b = 0; b < planes; ++b)
      for (int64_t c = 0; c < columns; c += kBlock) {
        const int64_t m = std::min(kBlock, columns - c);
        const C* from = reinterpret_cast<const C*>(p[1] + b * st[1]) + c;
        C* to = reinterpret_cast<C*>(p[0] + b * st[0]) + c;
        int64_t* place = reinterpret_cast<int64_t*>(p[2] + b * st[2]) + c;
        typename Wide<C>::type sums[kBlock] = {};
        auto extreme = [&](auto max) __attribute__((always_inline)) {
          C best[kBlock];
          int64_t at[kBlock] = {};
          std::copy_n(from, m, best);
          for (int64_t i = 0; i < n; ++i, from += in_step, to += out_step, place += place_step) {
            SCONCE_IVDEP
            for (int64_t k = 0; k < m; ++k) {
              const bool now = better<max()>(from[k], best[k]);
              best[k] = now ? from[k] : best[k];
              at[k] = now ? i : at[k];
              to[k] = best[k];
            }
            if (a.indices.data) std::copy_n(at, m, place);
            interrupt.passed(m);
          }
        };
        if (a.op == Scan::max) {
          extreme(std::true_type{});
          continue;
        }
        if (a.op == Scan::min) {
          extreme(std::false_type{});
          continue;
        }
        if (a.op == Scan::prod) std::fill(sums, sums + m, 1);
        for (int64_t i = 0; i < n; ++i, from += in_step, to += out_step) {
          // The result is the operand's elements or none of them.
          if (a.op == Scan::sum) {
            SCONCE_IVDEP
            for (int64_t k = 0; k < m; ++k) to[k] = static_cast<C>(sums[k] = sum(sums[k], from[k]));
          } else {
            SCONCE_IVDEP
            for (int64_t k = 0; k < m; ++k)
              to[k] = static_cast<C>(sums[k] = product(sums[k], from[k]));
          }
          interrupt.passed(m);
        }
      }
  });
  return true;
}

// n > 0 elements of one row to theirs, elements x and y apart; places may be null.
template <class C, class R>
void scan_row(Scan op, int64_t n, const C* in, int64_t x, R* out, int64_t y, int64_t* places,
              int64_t place_step) {
  using W = typename Wide<C>::type;
  if (op == Scan::sum) {
    W kept{};
    for (int64_t k = 0; k < n; ++k) out[k * y] = static_cast<R>(kept = sum(kept, in[k * x]));
  } else if (op == Scan::prod) {
    W kept(1);
    for (int64_t k = 0; k < n; ++k) out[k * y] = static_cast<R>(kept = product(kept, in[k * x]));
  } else if (op == Scan::logsumexp) {
    W kept = W(in[0]);
    out[0] = static_cast<R>(kept);
    for (int64_t k = 1; k < n; ++k) out[k * y] = static_cast<R>(kept = log_sum(kept, in[k * x]));
  } else if constexpr (std::is_arithmetic_v<C>) {
    auto extreme = [&](auto max) __attribute__((always_inline)) {
      C best = in[0];
      int64_t at = 0;
      for (int64_t k = 0; k < n; ++k) {
        const C v = in[k * x];
        if (better<max()>(v, best)) {
          best = v;
          at = k;
        }
        out[k * y] = static_cast<R>(best);
        if (places) places[k * place_step] = at;
      }
    };
    if (op == Scan::max)
      extreme(std::true_type{});
    else
      extreme(std::false_type{});
  }
}

void scan(const ScanArgs& a) {
  const int lead = a.in.ndim - 1;
  const int64_t n = a.in.sizes[lead];
  visit_compute(a.compute, [&](auto tag) {
    using C = decltype(tag);
    if (n == 0) return;
    if constexpr (std::is_arithmetic_v<C>)
      if (scan_columns<C>(a)) return;
    using W = typename Wide<C>::type;
    const bool direct = a.in.dtype == own_dtype<C>() && a.out.dtype == own_dtype<C>();
    if (!direct) expect_memory(static_cast<double>(n) * (sizeof(C) + sizeof(W)));
    Interrupt interrupt;
    std::vector<C> row(static_cast<size_t>(direct ? 0 : n));
    std::vector<W> res(static_cast<size_t>(direct ? 0 : n));
    int64_t count = 1;
    for (int d = 0; d < lead; ++d) count *= a.in.sizes[d];
    int64_t idx[kMaxDims] = {0}, ia = 0, oa = 0, xa = 0;
    auto ies = static_cast<int64_t>(element_size(a.in.dtype)),
         oes = static_cast<int64_t>(element_size(a.out.dtype));
    const int64_t place_step = a.indices.data ? a.indices.strides[lead] : 0;
    for (int64_t i = 0; i < count; ++i) {
      interrupt.passed(n + 1);
      const char* from = static_cast<const char*>(a.in.data) + ia * ies;
      char* to = static_cast<char*>(a.out.data) + oa * oes;
      int64_t* places = a.indices.data ? a.indices.ptr<int64_t>() + xa : nullptr;
      if (direct) {
        scan_row(a.op, n, reinterpret_cast<const C*>(from), a.in.strides[lead],
                 reinterpret_cast<C*>(to), a.out.strides[lead], places, place_step);
      } else if (a.out.dtype == own_dtype<C>()) {
        load_tile(a.in.dtype, from, a.in.strides[lead] * ies, n, row.data());
        scan_row(a.op, n, row.data(), 1, reinterpret_cast<C*>(to), a.out.strides[lead], places,
                 place_step);
      } else {
        load_tile(a.in.dtype, from, a.in.strides[lead] * ies, n, row.data());
        scan_row(a.op, n, row.data(), 1, res.data(), 1, places, place_step);
        store_tile(a.out.dtype, to, a.out.strides[lead] * oes, n, res.data());
      }
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
    }
  });
}

}  // namespace

SCONCE_KERNEL(scan)

}  // namespace sconce::SCONCE_ISA
