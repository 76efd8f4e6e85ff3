// SPDX-License-Identifier: Apache-2.0
// Sort and top-k along the last dim; nan is the greatest. Where equal elements end is PyTorch's:
// its sort that needn't be stable is std::sort by key, but a long single row of integers goes
// through a radix sort, which is stable. What must be stable goes through ours.
#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

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

// Keys of 32 bits in the order of the numbers, with their places below them. False when one number
// needs more bits. *bits: how many of the keys differ.
bool keys_of(const std::vector<int64_t>& row, std::vector<uint64_t>& keys, int* bits) {
  const auto [least, most] = std::minmax_element(row.begin(), row.end());
  const auto low = static_cast<uint64_t>(*least), range = static_cast<uint64_t>(*most) - low;
  if (range >> 32) return false;
  for (*bits = 0; range >> *bits;) ++*bits;
  for (size_t i = 0; i < row.size(); ++i) keys[i] = (static_cast<uint64_t>(row[i]) - low) << 32 | i;
  return true;
}
bool keys_of(const std::vector<float>& row, std::vector<uint64_t>& keys, int* bits) {
  *bits = 32;
  for (size_t i = 0; i < row.size(); ++i) {
    uint32_t key;
    const float x = row[i] + 0.0f;  // both zeros are one
    std::memcpy(&key, &x, sizeof key);
    key = x != x ? UINT32_MAX : key >> 31 ? ~key : key | 0x80000000u;
    keys[i] = uint64_t{key} << 32 | i;
  }
  return true;
}
bool keys_of(const std::vector<double>&, std::vector<uint64_t>&, int*) { return false; }

// The places of a row's elements in their order, equals as they come: by digits of eleven bits,
// the lowest first. False for rows of other kinds.
template <class C>
bool radix_order(const std::vector<C>& row, bool descending, std::vector<int64_t>& places,
                 Interrupt& interrupt) {
  constexpr int kDigit = 11;
  constexpr size_t kShort = 256;
  if (row.size() < kShort || uint64_t{row.size()} >> 32 || std::is_same_v<C, double>) return false;
  expect_memory(static_cast<double>(row.size()) * 2 * sizeof(uint64_t));
  std::vector<uint64_t> keys(row.size()), next(row.size());
  int bits = 0;
  if (!keys_of(row, keys, &bits)) return false;
  for (int shift = 32; shift < 32 + bits; shift += kDigit) {
    auto digit = [=](uint64_t key) {
      return static_cast<size_t>((descending ? ~key : key) >> shift) & ((1 << kDigit) - 1);
    };
    size_t start[1 << kDigit] = {}, at = 0;
    for (uint64_t key : keys) ++start[digit(key)];
    for (size_t& s : start) at += std::exchange(s, at);
    for (uint64_t key : keys) next[start[digit(key)]++] = key;
    keys.swap(next);
    interrupt.passed(static_cast<int64_t>(row.size()));
  }
  for (size_t i = 0; i < keys.size(); ++i) places[i] = static_cast<int64_t>(keys[i] & UINT32_MAX);
  return true;
}

template <class C>
void sort_as(const SortArgs& a) {
  int last = a.in.ndim - 1;
  int64_t n = a.in.sizes[last], k = a.only_kth ? 1 : a.k < 0 ? n : a.k, rows = 1;
  for (int d = 0; d < last; ++d) rows *= a.in.sizes[d];
  const bool radix =
      last == 0 && !a.descending && n >= kRadixFrom && is_integral(a.in.dtype, false);
  const bool stable = a.stable || radix;
  expect_memory(static_cast<double>(n) * (sizeof(C) + sizeof(int64_t)) +
                static_cast<double>(k) * sizeof(C));
  std::vector<C> row(static_cast<size_t>(n)), res(static_cast<size_t>(k));
  std::vector<int64_t> idx(static_cast<size_t>(n));
  int64_t at[kMaxDims] = {0}, ia = 0, va = 0, xa = 0;
  Interrupt interrupt;
  auto bytes = [](const TensorView& v) { return static_cast<int64_t>(element_size(v.dtype)); };
  for (int64_t r = 0; r < rows; ++r) {
    load_tile(a.in.dtype, static_cast<const char*>(a.in.data) + ia * bytes(a.in),
              a.in.strides[last] * bytes(a.in), n, row.data());
    std::iota(idx.begin(), idx.end(), int64_t{0});
    auto less = [&](int64_t x, int64_t y) {
      interrupt.passed(16);
      C p = row[static_cast<size_t>(x)], q = row[static_cast<size_t>(y)];
      return (p < q) || (q != q && p == p);
    };
    auto greater = [&](int64_t x, int64_t y) { return less(y, x); };
    if (a.only_kth) {
      auto at = [&](int64_t x) -> int64_t& { return idx[static_cast<size_t>(x)]; };
      quickselect(
          n, a.k, [&](int64_t x, int64_t y) { return greater(at(x), at(y)); },
          [&](int64_t x, int64_t y) { std::swap(at(x), at(y)); });
      idx[0] = at(a.k);
    } else if (a.k >= 0) {
      // PyTorch's selection: partial sort when few are wanted, else nth_element and a sort of the
      // head.
      if (k * 64 <= n) {
        if (a.descending)
          std::partial_sort(idx.begin(), idx.begin() + k, idx.end(), greater);
        else
          std::partial_sort(idx.begin(), idx.begin() + k, idx.end(), less);
      } else if (k > 0) {
        if (a.descending) {
          std::nth_element(idx.begin(), idx.begin() + k - 1, idx.end(), greater);
          if (a.sorted) std::sort(idx.begin(), idx.begin() + k - 1, greater);
        } else {
          std::nth_element(idx.begin(), idx.begin() + k - 1, idx.end(), less);
          if (a.sorted) std::sort(idx.begin(), idx.begin() + k - 1, less);
        }
      }
    } else if (a.in.strides[last] == 0) {
      // all elements are one: nothing moves
    } else if (stable && radix_order(row, a.descending, idx, interrupt)) {
    } else if (stable) {
      if (a.descending)
        std::stable_sort(idx.begin(), idx.end(), greater);
      else
        std::stable_sort(idx.begin(), idx.end(), less);
    } else if (a.descending) {
      std::sort(idx.begin(), idx.end(), greater);
    } else {
      std::sort(idx.begin(), idx.end(), less);
    }
    interrupt.passed(n + k);
    for (int64_t i = 0; i < k; ++i) {
      res[static_cast<size_t>(i)] = row[static_cast<size_t>(idx[static_cast<size_t>(i)])];
      if (a.indices.data)
        a.indices.ptr<int64_t>()[xa + i * a.indices.strides[last]] = idx[static_cast<size_t>(i)];
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
