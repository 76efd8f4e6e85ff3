// SPDX-License-Identifier: Apache-2.0
// Sorting by counting who goes before (short rows), searching in sorted bounds, the places of what
// is not zero.
#include "backends/cuda/rows.h"

namespace sconce::cuda {

namespace {

template <class C>
SCONCE_GPU bool less(C a, C b) {  // nan is the greatest
  return a < b || (b != b && a == a);
}

// Element i of a row goes to the place that is the number of elements before it; equals keep their
// order. n comparisons a thread: for rows of a few thousands.
template <class C>
struct RankSort {
  RowView in, values, indices;
  int64_t n, k;
  bool descending;
  SCONCE_GPU void operator()(int64_t t) const {
    const int64_t row = t / n, i = t % n;
    const C v = in.get<C>(row, i);
    int64_t rank = 0;
    for (int64_t j = 0; j < n; ++j) {
      const C w = in.get<C>(row, j);
      const bool before = descending ? less(v, w) : less(w, v),
                 after = descending ? less(w, v) : less(v, w);
      rank += before || (!after && j < i);
    }
    if (rank >= k) return;
    if (values) values.set<C>(row, rank, v);
    if (indices) indices.set<int64_t>(row, rank, i);
  }
};
bool sort(int index, const SortArgs& a) {
  constexpr int64_t kLongest = 4096;
  const int lead = a.in.ndim - 1;
  if (a.only_kth || lead < 0 || a.in.sizes[lead] > kLongest) return false;
  auto run = [&](auto tag) {
    using C = decltype(tag);
    RankSort<C> f;
    if (!rows_of(a.in, f.in) || !rows_of(a.values, f.values) || !rows_of(a.indices, f.indices))
      return false;
    f.n = a.in.sizes[lead];
    f.k = a.k < 0 ? f.n : a.k;
    f.descending = a.descending;
    for_each(gpu(index), row_count(a.in) * f.n, f);
    return true;
  };
  if (is_integral(a.in.dtype, true)) return run(int64_t{});
  return a.in.dtype == kDouble ? run(double{}) : run(float{});
}

// The CPU's bisection, comparison for comparison.
template <class C>
struct Bisect {
  View out, bounds, values;
  bool right;
  SCONCE_GPU void operator()(int64_t i) const {
    const int64_t m = out.sizes[1], row = i / m, column = i % m;
    const C v = values.get<C>(row * values.strides[0] + column * values.strides[1]);
    const int64_t base = bounds.sizes[0] > 1 ? row * bounds.strides[0] : 0;
    int64_t lo = 0, hi = bounds.sizes[1];
    while (lo < hi) {
      const int64_t mid = lo + (hi - lo) / 2;
      const C b = bounds.get<C>(base + mid * bounds.strides[1]);
      if (right ? !(b > v) : !(b >= v))
        lo = mid + 1;
      else
        hi = mid;
    }
    out.set<int64_t>(row * out.strides[0] + column * out.strides[1], lo);
  }
};
bool search(int index, const SearchArgs& a) {
  auto run = [&](auto tag) {
    Bisect<decltype(tag)> f;
    if (!view(a.out, f.out) || !view(a.bounds, f.bounds) || !view(a.values, f.values)) return false;
    f.right = a.right;
    for_each(gpu(index), a.out.numel(), f);
    return true;
  };
  return is_integral(a.bounds.dtype, true) ? run(int64_t{}) : run(double{});
}

// Pieces of the input: each counts, the counts are summed up, each writes behind those before it.
constexpr int64_t kPiece = 1024;
struct CountPiece {
  View in;
  int64_t n;
  int64_t* counts;
  SCONCE_GPU void operator()(int64_t piece) const {
    int64_t c = 0;
    for (int64_t i = piece * kPiece; i < n && i < (piece + 1) * kPiece; ++i)
      c += in.get<double>(in.at(i)) != 0;
    counts[piece] = c;
  }
};
struct SumCounts {
  int64_t pieces;
  int64_t* counts;
  SCONCE_GPU void operator()(int64_t) const {
    int64_t s = 0;
    for (int64_t p = 0; p < pieces; ++p) {
      const int64_t c = counts[p];
      counts[p] = s;
      s += c;
    }
  }
};
struct WritePlaces {
  View in, out;
  int64_t n;
  const int64_t* counts;
  SCONCE_GPU void operator()(int64_t piece) const {
    int64_t row = counts[piece];
    for (int64_t i = piece * kPiece; i < n && i < (piece + 1) * kPiece; ++i) {
      if (in.get<double>(in.at(i)) == 0) continue;
      if (row >= out.sizes[0]) return;
      in.coordinates(i, [&](int d, int64_t c) {
        out.set<int64_t>(row * out.strides[0] + d * out.strides[1], c);
      });
      ++row;
    }
  }
};
bool nonzero(int index, const NonzeroArgs& a) {
  View in, out;
  // int64 would lose bits as double, and none to zero.
  if (!view(a.in, in) || !view(a.out, out)) return false;
  const int64_t n = a.in.numel(), pieces = (n + kPiece - 1) / kPiece;
  Gpu& g = gpu(index);
  Temporary<int64_t> memory(g, pieces);
  if (!memory) return true;
  int64_t* counts = reachable(memory.get());
  for_each(g, pieces, CountPiece{in, n, counts});
  for_each(g, 1, SumCounts{pieces, counts});
  for_each(g, pieces, WritePlaces{in, out, n, counts});
  return true;
}

}  // namespace

void add_sort(DevicePlugin& p) {
  p.sort = sort;
  p.search = search;
  p.nonzero = nonzero;
}

}  // namespace sconce::cuda
