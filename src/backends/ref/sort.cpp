// SPDX-License-Identifier: Apache-2.0
// Sort and top-k along the last dim; nan is the greatest. Where equal elements end is PyTorch's:
// its sort that needn't be stable is std::sort by key, but a long single row of integers goes
// through a radix sort, which is stable. What must be stable goes through ours.
//
// A row becomes entries: the number as an unsigned key in the same order (complemented to sort
// downwards) beside its place in the row, in one word where the keys need no more than half of it.
// Entries are compared and moved without a look at the row, so every algorithm of the standard
// library makes the comparisons that it would make of the numbers, and equals end where they would.
#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>
#include <vector>

#include "backends/median.h"
#include "backends/ref/ref.h"
#include "backends/tiles.h"
#include "core/interrupt.h"

namespace sconce::ref {

namespace {

// Quickselect with the median of three as pivot, in the order of PyTorch's comparisons and
// exchanges: among equals it leaves the same place. Source: Press et al., "Numerical recipes", 8.5.
template <class Greater, class Swap>
void quickselect(int64_t n, int64_t k, Greater greater, Swap swap) {
  int64_t left = 0, right = n - 1;
  while (right > left) {
    if (right == left + 1) {
      if (greater(left, right)) swap(left, right);
      return;
    }
    swap(left + (right - left) / 2, left + 1);
    if (greater(left + 1, right)) swap(left + 1, right);
    if (greater(left, right)) swap(left, right);
    if (greater(left + 1, left)) swap(left + 1, left);
    int64_t i = left + 1, j = right;
    for (;;) {
      do ++i;
      while (greater(left, i));
      do --j;
      while (greater(j, left));
      if (j < i) break;
      swap(i, j);
    }
    swap(left, j);
    if (j <= k) left = i;
    if (j >= k) right = j - 1;
  }
}

constexpr int64_t kRadixFrom = 32768;
// Of longer rows every comparison is told to the limits.
constexpr int64_t kLongRow = int64_t{1} << 18;

uint64_t order_key(int64_t x) { return static_cast<uint64_t>(x) ^ (uint64_t{1} << 63); }
// Both zeros are one key, and so is every nan.
template <class Bits, class F>
uint64_t order_key_of_float(F x) {
  constexpr Bits kSign = Bits{1} << (8 * sizeof(Bits) - 1);
  const auto bits = __builtin_bit_cast(Bits, x + F(0));
  return x != x ? static_cast<Bits>(~Bits{0}) : bits & kSign ? ~bits : bits | kSign;
}
uint64_t order_key(float x) { return order_key_of_float<uint32_t>(x); }
uint64_t order_key(double x) { return order_key_of_float<uint64_t>(x); }

struct Packed {  // keys and places of 32 bits
  uint64_t both;
  Packed() = default;
  Packed(uint64_t key, size_t place) : both(key << 32 | place) {}
  uint64_t key() const { return both >> 32; }
  size_t place() const { return both & UINT32_MAX; }
  friend bool operator<(Packed x, Packed y) { return x.both < y.both; }
};
struct Wide {
  uint64_t number;
  size_t at;
  Wide() = default;
  Wide(uint64_t key, size_t place) : number(key), at(place) {}
  uint64_t key() const { return number; }
  size_t place() const { return at; }
  friend bool operator<(Wide x, Wide y) {
    return x.number != y.number ? x.number < y.number : x.at < y.at;
  }
};
struct Bare {  // where nobody asks for places
  uint64_t number;
  Bare() = default;
  Bare(uint64_t key, size_t) : number(key) {}
  uint64_t key() const { return number; }
  friend bool operator<(Bare x, Bare y) { return x.number < y.number; }
};

// What the keys of a row are above, and how many bits they need from there.
struct Keys {
  uint64_t least = 0;
  int bits = 0;
};
template <class C>
Keys keys_of(const std::vector<C>& row) {
  if constexpr (std::is_floating_point_v<C>) return {0, static_cast<int>(8 * sizeof(C))};
  int64_t least = row[0], most = row[0];
  for (int64_t x : row) {
    least = std::min(least, x);
    most = std::max(most, x);
  }
  const uint64_t low = order_key(least);
  return {low, static_cast<int>(std::bit_width(order_key(most) - low))};
}

// Entries in their order, equals as they come: by digits of eleven bits of the keys, the lowest
// first.
template <class E>
void radix_sort(std::vector<E>& entries, std::vector<E>& next, int bits, Interrupt& interrupt) {
  constexpr int kDigit = 11;
  constexpr size_t kBuckets = 1 << kDigit;
  next.resize(entries.size());
  for (int shift = 0; shift < bits; shift += kDigit) {
    auto digit = [=](const E& e) { return static_cast<size_t>(e.key() >> shift) & (kBuckets - 1); };
    size_t start[kBuckets] = {}, at = 0;
    for (const E& e : entries) ++start[digit(e)];
    interrupt.passed(static_cast<int64_t>(entries.size()));
    if (start[digit(entries[0])] == entries.size()) continue;  // all have the same
    for (size_t& s : start) at += std::exchange(s, at);
    for (const E& e : entries) next[start[digit(e)]++] = e;
    entries.swap(next);
  }
}
template <class E>
void stable_sort(std::vector<E>& entries, std::vector<E>& next, int bits, Interrupt& interrupt) {
  constexpr size_t kShort = 256;
  if (entries.size() < kShort)
    std::sort(entries.begin(), entries.end());
  else
    radix_sort(entries, next, bits, interrupt);
}

// Puts the entries that are asked for first: all in their order, the k first, or the k-th alone.
template <class E>
void arrange(const SortArgs& a, int64_t k, bool stable, int bits, std::vector<E>& entries,
             std::vector<E>& next, Interrupt& interrupt) {
  const auto n = static_cast<int64_t>(entries.size());
  const bool look = n >= kLongRow;
  auto less = [&](const E& x, const E& y) {
    if (look) interrupt.passed(16);
    return x.key() < y.key();
  };
  const auto begin = entries.begin(), end = entries.end();
  if (a.only_kth && a.k < 0) {
    std::nth_element(begin, begin + k, end, [&](const E& x, const E& y) {
      if (look) interrupt.passed(16);
      return x < y;  // of equals the one that a stable sort puts there
    });
    std::swap(entries[0], begin[k]);
  } else if (a.only_kth) {
    quickselect(
        n, k, [&](int64_t x, int64_t y) { return less(begin[y], begin[x]); },
        [&](int64_t x, int64_t y) { std::swap(begin[x], begin[y]); });
    std::swap(entries[0], begin[k]);
  } else if (a.k < 0) {
    if (stable)
      stable_sort(entries, next, bits, interrupt);
    else
      std::sort(begin, end, less);
  } else if (k * 64 <= n) {
    // PyTorch's selection: partial sort when few are wanted, else nth_element and a sort of the
    // head.
    std::partial_sort(begin, begin + k, end, less);
  } else if (k > 0) {
    std::nth_element(begin, begin + k - 1, end, less);
    if (a.sorted) std::sort(begin, begin + k - 1, less);
  }
}

// Which element of a row in order is its median: the first nan where there is one, unless they are
// left out of account.
template <class C>
int64_t middle_of(const std::vector<C>& row, int64_t how) {
  int64_t nans = 0;
  if constexpr (std::is_floating_point_v<C>)
    for (C x : row) nans += x != x;
  const auto n = static_cast<int64_t>(row.size());
  return how == kNanMedian ? std::max<int64_t>(n - nans - 1, 0) / 2 : (n - 1) / 2;
}

template <class C>
void sort_as(const SortArgs& a) {
  int last = a.in.ndim - 1;
  int64_t n = a.in.sizes[last], k = a.only_kth ? 1 : a.k < 0 ? n : a.k, rows = 1;
  for (int d = 0; d < last; ++d) rows *= a.in.sizes[d];
  const bool radix =
      last == 0 && !a.descending && n >= kRadixFrom && is_integral(a.in.dtype, false);
  const bool stable = a.stable || radix;
  // Equal integers are the same: where they were doesn't matter.
  const bool bare = !a.indices.data && std::is_integral_v<C> && a.k < 0 && !a.only_kth;
  expect_memory(static_cast<double>(n) * (sizeof(C) + 2 * sizeof(Wide)) +
                static_cast<double>(k) * sizeof(C));
  std::vector<C> row(static_cast<size_t>(n)), res(static_cast<size_t>(k));
  std::vector<Packed> packed, more_packed;
  std::vector<Wide> wide, more_wide;
  std::vector<Bare> alone, more_alone;
  int64_t at[kMaxDims] = {0}, ia = 0, va = 0, xa = 0;
  Interrupt interrupt;
  auto bytes = [](const TensorView& v) { return static_cast<int64_t>(element_size(v.dtype)); };
  for (int64_t r = 0; r < rows; ++r) {
    load_tile(a.in.dtype, static_cast<const char*>(a.in.data) + ia * bytes(a.in),
              a.in.strides[last] * bytes(a.in), n, row.data());
    interrupt.passed(n + k);
    int64_t* index = a.indices.data ? a.indices.ptr<int64_t>() + xa : nullptr;
    const int64_t index_step = index ? a.indices.strides[last] : 0;
    auto run = [&](auto& entries, auto& next, const Keys& keys) {
      using E = typename std::remove_reference_t<decltype(entries)>::value_type;
      const uint64_t all = ~uint64_t{0} >> (64 - std::max(keys.bits, 1)),
                     turned = a.descending ? all : 0;
      entries.resize(static_cast<size_t>(n));
      for (size_t i = 0; i < row.size(); ++i)
        entries[i] = E((order_key(row[i]) - keys.least) ^ turned, i);
      const int64_t which = a.k < 0 ? middle_of(row, a.k) : a.k;
      // Where all elements are one nothing moves.
      if (a.in.strides[last] != 0 || a.only_kth || a.k >= 0)
        arrange(a, a.only_kth ? which : k, stable, keys.bits, entries, next, interrupt);
      for (int64_t i = 0; i < k; ++i) {
        const E& e = entries[static_cast<size_t>(i)];
        if constexpr (std::is_same_v<E, Bare>) {
          if constexpr (std::is_integral_v<C>)
            res[static_cast<size_t>(i)] =
                static_cast<C>(((e.number ^ turned) + keys.least) ^ (uint64_t{1} << 63));
        } else {
          res[static_cast<size_t>(i)] = row[e.place()];
          if (index) index[i * index_step] = static_cast<int64_t>(e.place());
        }
      }
    };
    size_t nan = row.size();  // the first, when it is the median
    if constexpr (std::is_floating_point_v<C>)
      if (a.only_kth && a.k == kMedian)
        nan = static_cast<size_t>(std::find_if(row.begin(), row.end(), [](C x) { return x != x; }) -
                                  row.begin());
    const Keys keys = n ? keys_of(row) : Keys();
    if (nan < row.size()) {
      res[0] = row[nan];
      if (index) *index = static_cast<int64_t>(nan);
    } else if (bare) {
      run(alone, more_alone, keys);
    } else if (keys.bits <= 32 && n <= UINT32_MAX) {
      run(packed, more_packed, keys);
    } else {
      run(wide, more_wide, keys);
    }
    if (a.values.data)
      store_tile(a.values.dtype, static_cast<char*>(a.values.data) + va * bytes(a.values),
                 a.values.strides[last] * bytes(a.values), k, res.data());
    for (int d = last - 1; d >= 0; --d) {
      ia += a.in.strides[d];
      if (a.values.data) va += a.values.strides[d];
      if (a.indices.data) xa += a.indices.strides[d];
      if (++at[d] < a.in.sizes[d]) break;
      ia -= a.in.strides[d] * a.in.sizes[d];
      if (a.values.data) va -= a.values.strides[d] * a.in.sizes[d];
      if (a.indices.data) xa -= a.indices.strides[d] * a.in.sizes[d];
      at[d] = 0;
    }
  }
}

void sort(const SortArgs& a) {
  if (is_integral(a.in.dtype, true))
    sort_as<int64_t>(a);
  else if (a.in.dtype == kDouble)
    sort_as<double>(a);
  else
    sort_as<float>(a);
}

// Bisection, with the comparisons of PyTorch's: what it finds in bounds that aren't sorted is the
// same.
void search(const SearchArgs& a) {
  const int64_t rows = a.out.sizes[0], m = a.out.sizes[1], n = a.bounds.sizes[1];
  Interrupt interrupt;
  auto run = [&](auto tag) {
    using C = decltype(tag);
    expect_memory(static_cast<double>(n) * sizeof(C) +
                  static_cast<double>(m) * (sizeof(C) + sizeof(int64_t)));
    std::vector<C> bounds(static_cast<size_t>(n)), values(static_cast<size_t>(m));
    std::vector<int64_t> found(static_cast<size_t>(m));
    auto load = [](const TensorView& v, int64_t row, std::vector<C>& to) {
      const auto es = static_cast<int64_t>(element_size(v.dtype));
      load_tile(v.dtype, static_cast<const char*>(v.data) + row * v.strides[0] * es,
                v.strides[1] * es, v.sizes[1], to.data());
    };
    for (int64_t r = 0; r < rows; ++r) {
      if (r == 0 || a.bounds.sizes[0] > 1) {
        load(a.bounds, r, bounds);
        interrupt.passed(n);
      }
      load(a.values, r, values);
      for (int64_t i = 0; i < m; ++i) {
        const C v = values[static_cast<size_t>(i)];
        interrupt.passed(16);
        int64_t lo = 0, hi = n;
        while (lo < hi) {
          const int64_t mid = lo + (hi - lo) / 2;
          const C b = bounds[static_cast<size_t>(mid)];
          if (a.right ? !(b > v) : !(b >= v))
            lo = mid + 1;
          else
            hi = mid;
        }
        found[static_cast<size_t>(i)] = lo;
      }
      const auto es = static_cast<int64_t>(element_size(a.out.dtype));
      store_tile(a.out.dtype, static_cast<char*>(a.out.data) + r * a.out.strides[0] * es,
                 a.out.strides[1] * es, m, found.data());
    }
  };
  if (is_integral(a.bounds.dtype, true))
    run(int64_t{});
  else
    run(double{});
}

}  // namespace

SCONCE_KERNEL(sort)
SCONCE_KERNEL(search)

}  // namespace sconce::ref
