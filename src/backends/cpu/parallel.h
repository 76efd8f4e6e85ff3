// SPDX-License-Identifier: Apache-2.0
// Rows of a slot's call shared between the threads of the context's pool. Every element must be
// computed as it is when one thread does all: then the bits don't depend on the number of threads.
#pragma once
#include <algorithm>
#include <cstdint>

#include "backends/loops.h"
#include "core/context.h"
#include "core/thread_pool.h"

namespace sconce {
namespace {

// What a call must take before it is shared, in nanoseconds: waking a thread costs some
// microseconds, what a thread that watches needs is one.
constexpr double kWorthWaking = 20e3, kWorthSharing = 4e3;

// How many parts a call of so many nanoseconds, of at most `most` parts, is cut into.
inline int64_t parts_of(int64_t most, double nanoseconds) {
  ThreadPool* pool = context().pool;
  if (!pool || most < 2 || nanoseconds < kWorthSharing) return 1;
  if (nanoseconds < kWorthWaking && !pool->watches()) return 1;
  return std::min<int64_t>(most, pool->size());
}

// f(from, to) for parts of [0, n), on several threads where all of it takes long enough. Parts
// begin at multiples of `unit`.
template <class F>
inline void parallel_for(int64_t n, double nanoseconds_each, F f, int64_t unit = 1) {
  const int64_t units = (n + unit - 1) / unit;
  const int64_t parts = parts_of(units, static_cast<double>(n) * nanoseconds_each);
  if (parts < 2) {
    if (n > 0) f(int64_t{0}, n);
    return;
  }
  const int64_t each = (units + parts - 1) / parts * unit;
  context().pool->run((n + each - 1) / each,
                      [&](int64_t i) { f(i * each, std::min(n, (i + 1) * each)); });
}

// f(loops of a part), for parts of nested loops: rows where there are enough, else pieces of the
// inner dim that begin at multiples of `unit`.
template <int N, class F>
inline void parallel_loops(const Loops<N>& loops, double nanoseconds_each, F f,
                           int64_t unit = 512) {
  double total = nanoseconds_each;
  int cut = loops.nd - 1;
  for (int d = loops.nd - 1; d >= 0; --d) {
    total *= static_cast<double>(loops.sizes[d]);
    const bool inner = d == loops.nd - 1;
    if (!inner && (loops.sizes[d] >= loops.sizes[cut] || loops.sizes[d] >= 16)) cut = d;
  }
  if (parts_of(2, total) < 2) return f(loops);
  const bool inner = cut == loops.nd - 1;
  parallel_for(
      loops.sizes[cut], total / static_cast<double>(loops.sizes[cut]),
      [&](int64_t from, int64_t to) {
        Loops<N> part = loops;
        part.sizes[cut] = to - from;
        for (int k = 0; k < N; ++k) part.base[k] += from * loops.strides[k][cut];
        f(part);
      },
      inner ? unit : 1);
}

// Loops::rows, shared. f keeps nothing between its calls.
template <int N, class F>
inline void share_rows(const Loops<N>& loops, double nanoseconds_each, F f) {
  parallel_loops(loops, nanoseconds_each, [&](const Loops<N>& part) { part.rows(f); });
}

}  // namespace
}  // namespace sconce
