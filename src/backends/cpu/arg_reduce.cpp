// SPDX-License-Identifier: Apache-2.0
// The largest (smallest) elements of rows and where they stand: the first of equals, the first nan
// where there is one.
#include <algorithm>
#include <vector>

#include "backends/cpu/cpu.h"
#include "backends/cpu/parallel.h"
#include "backends/cpu/row_sums.h"
#include "backends/ivdep.h"
#include "backends/tiles.h"

namespace sconce::SCONCE_ISA {

namespace {

// A tile of rows at a time, element by element, where rows lie side by side or are short. False for
// other forms.
template <class C>
bool arg_tiles(const ArgReduceArgs& a) {
  const int lead = a.in.ndim - 1, dim = tile_dim(a.in, lead, a.in.sizes[lead]);
  const int64_t n = a.in.sizes[lead];
  if (dim < 0 || n < 1 || n > INT32_MAX) return false;
  const int64_t rows = a.in.sizes[dim], st = a.in.strides[lead], step = a.in.strides[dim],
                value_step = a.values.data ? a.values.strides[dim] : 0,
                index_step = a.indices.data ? a.indices.strides[dim] : 0;
  const auto es = static_cast<int64_t>(element_size(a.in.dtype));
  const bool direct = a.in.dtype == own_dtype<C>() && step == 1;
  // The dims around, of both outputs; one that is absent follows the other.
  int64_t sizes[kMaxDims];
  std::copy_n(a.in.sizes, lead, sizes);
  sizes[dim] = 1;
  TensorView in = a.in, values = a.values.data ? a.values : a.indices,
             indices = a.indices.data ? a.indices : a.values;
  in.sizes = values.sizes = indices.sizes = sizes;
  in.ndim = values.ndim = indices.ndim = lead;
  const TensorView* v[] = {&values, &indices, &in};
  const Interrupt interrupt(context());
  Loops<3>(v).whole_rows([&](char** p, const int64_t* strides, int64_t planes) {
    for (int64_t b = 0; b < planes; ++b) {
      char* to = p[0] + b * strides[0];
      auto* places = reinterpret_cast<int64_t*>(p[1] + b * strides[1]);
      const char* plane = p[2] + b * strides[2];
      constexpr int64_t kBlock = 128;
      parallel_for(
          rows, static_cast<double>(n) * 0.5,
          [&](int64_t first, int64_t end) {
            Interrupt mine = interrupt;
            using I = std::conditional_t<sizeof(C) == 4, int32_t, int64_t>;
            for (int64_t r = first; r < end; r += kBlock) {
              const int64_t m = std::min(kBlock, end - r);
              alignas(64) C tile[kBlock], kept[kBlock];
              alignas(64) I at[kBlock] = {};
              for (int64_t k = 0; k < n; ++k) {
                const char* from = plane + (r * step + k * st) * es;
                if (!direct) load_tile(a.in.dtype, from, step * es, m, tile);
                const C* x = direct ? reinterpret_cast<const C*>(from) : tile;
                if (k == 0) std::copy_n(x, m, kept);
                const auto place = static_cast<I>(k);
                auto look = [&](auto max) __attribute__((always_inline)) {
                  SCONCE_IVDEP
                  for (int64_t i = 0; i < m; ++i) {
                    const bool now = (max() ? x[i] > kept[i] : x[i] < kept[i]) |
                                     ((x[i] != x[i]) & (kept[i] == kept[i]));
                    kept[i] = now ? x[i] : kept[i];
                    at[i] = now ? place : at[i];
                  }
                };
                a.max ? look(std::true_type{}) : look(std::false_type{});
                mine.passed(m);
              }
              if (a.values.data)
                store_tile(a.values.dtype, to + r * value_step * es, value_step * es, m, kept);
              if (a.indices.data)
                for (int64_t i = 0; i < m; ++i) places[(r + i) * index_step] = at[i];
            }
          },
          kBlock);
    }
  });
  return true;
}

void arg_reduce(const ArgReduceArgs& a) {
  int lead = a.in.ndim - 1;
  auto es = static_cast<int64_t>(element_size(a.in.dtype));
  int64_t n = a.in.sizes[lead], st = a.in.strides[lead];
  auto run = [&](auto tag) {
    using C = decltype(tag);
    if (arg_tiles<C>(a)) return;
    expect_memory(static_cast<double>(n) * sizeof(C));
    Interrupt interrupt;
    std::vector<C> row(static_cast<size_t>(n));
    int64_t count = 1;
    for (int d = 0; d < lead; ++d) count *= a.in.sizes[d];
    int64_t idx[kMaxDims] = {0}, ia = 0, oi = 0, ov = 0;
    for (int64_t i = 0; i < count; ++i) {
      interrupt.passed(n + 1);
      int64_t best = 0;
      load_tile(a.in.dtype, static_cast<const char*>(a.in.data) + ia * es, st * es, n, row.data());
      if (n) {
        // The extreme first, in lanes; then where it stands.
        bool nan = false;
        C extreme = a.max ? tile_extreme<true>(row.data(), n, row[0], &nan)
                          : tile_extreme<false>(row.data(), n, row[0], &nan);
        while (best < n && !(nan ? row[static_cast<size_t>(best)] != row[static_cast<size_t>(best)]
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
  if (is_integral(a.in.dtype, true))
    run(int64_t{});
  else if (a.in.dtype == kDouble)
    run(double{});
  else
    run(float{});
}

}  // namespace

SCONCE_KERNEL(arg_reduce)

}  // namespace sconce::SCONCE_ISA
