// SPDX-License-Identifier: Apache-2.0
// Rows that nobody reads aren't computed: a classifier that looks at the first token of the last
// layer alone, a language model of which only the last position's scores are wanted.
//
//   gemm(out: t[197, 3072], a: x[197, 768])     ->   gemm(out: t[1, 3072], a: x[1, 768])
//   unary(out: u[197, 3072], in: t, gelu)            unary(out: u[1, 3072], in: t, gelu)
//   gemm(out: y[1, 10], a: u[1, 3072])               gemm(out: y[1, 10], a: u[1, 3072])
//
// From the last call to the first: what later calls read of a storage, as runs of bytes; then each
// call that computes its rows one by one keeps those that lie in them. The rows stay where they
// were, the others' memory is never written. It is the slices of a demand-driven evaluation, where
// the demand is known from the views. Calls that may raise aren't narrowed: the row that raises
// could be one of those left out. A product of few rows may be summed in another order than one of
// many.
#include <algorithm>

#include "runtime/lowering/lower.h"

namespace sconce {

namespace {

// `count` runs of `length` bytes, `pitch` apart; the first begins at `first` of its storage.
struct Runs {
  int64_t first = 0, length = 0, count = 1, pitch = 0;
  int64_t end() const { return first + (count - 1) * pitch + length; }
};

int64_t bytes_of(const PlannedView& v, size_t dim) {
  return v.strides[dim] * static_cast<int64_t>(element_size(v.dtype));
}

// What a view reads: its outermost dim's steps when there is room between them, else one run.
// Nothing when it has no element.
std::optional<Runs> runs_of(const PlannedView& v) {
  if (v.numel() == 0) return std::nullopt;
  Runs r{v.place.offset, static_cast<int64_t>(element_size(v.dtype))};
  int64_t steps = 1, pitch = 0;  // of the outermost dim
  for (size_t d = 0; d < v.sizes.size(); ++d) {
    int64_t n = v.sizes[d], step = bytes_of(v, d);
    if (n == 1) continue;
    if (step < 0) r.first += (n - 1) * step, step = -step;
    if (step > pitch) std::swap(step, pitch), std::swap(n, steps);
    r.length += (n - 1) * step;
  }
  if (pitch > r.length)
    r.count = steps, r.pitch = pitch;
  else
    r.length += (steps - 1) * pitch;
  return r;
}

Runs both(const Runs& a, const Runs& b) {
  Runs r{std::min(a.first, b.first), 0, a.count, a.pitch};
  if (a.count == b.count && a.pitch == b.pitch) {
    r.length = std::max(a.first + a.length, b.first + b.length) - r.first;
    if (r.count == 1 || r.length <= r.pitch) return r;
  }
  return {r.first, std::max(a.end(), b.end()) - r.first};
}

int64_t floor_quotient(int64_t a, int64_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

// Indices first, first + step, ... of a dim.
struct Indices {
  int64_t first, step, count;
};

// The indices along dim d of v at which something of `needed` lies; nothing when they don't form
// such a row, or it can't be told.
std::optional<Indices> indices(const PlannedView& v, size_t d, const Runs& needed) {
  const int64_t n = v.sizes[d], step = bytes_of(v, d);
  if (n <= 1 || step <= 0) return std::nullopt;
  int64_t extent = static_cast<int64_t>(element_size(v.dtype));  // of one index
  std::optional<size_t> outer;
  for (size_t k = 0; k < v.sizes.size(); ++k) {
    if (k == d || v.sizes[k] == 1) continue;
    if (v.strides[k] < 0) return std::nullopt;
    if (bytes_of(v, k) < step) {
      extent += (v.sizes[k] - 1) * bytes_of(v, k);
    } else {
      if (outer) return std::nullopt;
      outer = k;
    }
  }
  if (extent > step) return std::nullopt;
  // Of the first run; all begins are counted from where v begins.
  const int64_t begin = needed.first - v.place.offset, end = begin + needed.length;
  const int64_t from = std::max<int64_t>(0, floor_quotient(begin - extent, step) + 1);
  const int64_t to = std::min(n, -floor_quotient(-end, step));
  if (from >= to) return std::nullopt;
  if (outer) {  // the same rows of each picture, sequence, ...
    const int64_t period = bytes_of(v, *outer);
    if (needed.count != v.sizes[*outer] || needed.pitch != period || begin < 0 || end > period ||
        (n - 1) * step + extent > period)
      return std::nullopt;
    return Indices{from, 1, to - from};
  }
  if (needed.count == 1) return Indices{from, 1, to - from};
  const int64_t stride = needed.pitch / step;
  if (needed.pitch % step != 0 || begin < 0 || to - from != 1 ||
      from + (needed.count - 1) * stride >= n)
    return std::nullopt;
  return Indices{from, stride, needed.count};
}

void keep(PlannedView& v, size_t d, const Indices& i) {
  v.place.offset += i.first * bytes_of(v, d);
  v.sizes[d] = i.count;
  v.strides[d] *= i.step;
}

bool same_sizes(const PlannedCall& c) {
  for (const PlannedView& v : c.views)
    if (!v.absent() && v.sizes != c.views[0].sizes) return false;
  return true;
}

// The views of which dim d counts what dim d of the result counts, when each index of it is
// computed from the same index of them alone; empty: it isn't.
std::vector<size_t> followers(const PlannedCall& c, size_t d) {
  const PlannedView& out = c.views[0];
  const size_t rank = out.sizes.size();
  std::vector<size_t> all;
  auto follow = [&](std::initializer_list<size_t> views) {
    for (size_t i : views)
      if (!c.views[i].absent()) all.push_back(i);
  };
  if (never_raises(c) && !c.is<FillArgs>()) {
    if (same_sizes(c))
      for (size_t i = 0; i < c.views.size(); ++i) follow({i});
  } else if (c.is<SoftmaxArgs>()) {
    if (d + 1 < rank && same_sizes(c)) follow({0, 1});
  } else if (c.is<LayerNormArgs>()) {
    if (d + 1 < rank && c.views[1].absent() && c.views[2].absent()) follow({0, 3});
  } else if (c.is<GemmArgs>()) {
    if (d + 2 == rank) follow({0, 1});
  } else if (c.is<AttentionArgs>()) {
    if (d + 2 == rank && !c.as<AttentionArgs>().causal) follow({0, 1, 4});
  }
  for (size_t i : all)
    if (c.views[i].sizes.size() != rank || c.views[i].sizes[d] != out.sizes[d]) return {};
  return all;
}

// The call reads no element that its views don't name. Calls with indices may.
bool reads_its_views(const PlannedCall& c) {
  return c.is<FillArgs>() || c.is<CopyArgs>() || c.is<UnaryArgs>() || c.is<BinaryArgs>() ||
         c.is<TernaryArgs>() || c.is<SoftmaxArgs>() || c.is<LayerNormArgs>() || c.is<GemmArgs>() ||
         c.is<AttentionArgs>() || c.is<ReduceArgs>() || c.is<ConvArgs>() || c.is<PoolArgs>() ||
         c.is<BatchNormArgs>();
}

bool only_result_first(const PlannedCall& c) {
  if (!c.writes(0) || c.views[0].absent()) return false;
  for (size_t i = 1; i < c.views.size(); ++i)
    if (c.writes(i) && !c.views[i].absent()) return false;
  return true;
}

// Keeps the rows of the call that lie in `needed`, where that leaves out half of them at least.
void narrow(PlannedCall& c, const Runs& needed) {
  for (size_t d = 0; d < c.views[0].sizes.size(); ++d) {
    const std::optional<Indices> kept = indices(c.views[0], d, needed);
    if (!kept || kept->count * 2 > c.views[0].sizes[d]) continue;
    for (size_t i : followers(c, d)) keep(c.views[i], d, *kept);
  }
}

}  // namespace

void narrow_to_reads(PlannedProgram& p, PackedWeights&) {
  struct Need {
    bool all = false;
    std::optional<Runs> runs;
  };
  std::vector<Need> needs(p.storages.size());
  for (size_t s = 0; s < needs.size(); ++s) needs[s].all = p.storages[s].output >= 0;
  for (size_t i = p.calls.size(); i-- > 0;) {
    PlannedCall& c = p.calls[i];
    const PlannedView& out = c.views[0];
    if (only_result_first(c) && !c.made && out.place.kind == Place::Arena) {
      const Need& need = needs[out.place.index];
      if (!need.all && need.runs) narrow(c, *need.runs);
    }
    // What it writes counts too: some calls change what was there.
    for (const PlannedView& v : c.views) {
      if (v.place.kind != Place::Arena) continue;
      Need& need = needs[v.place.index];
      need.all |= !reads_its_views(c);
      if (const std::optional<Runs> read = runs_of(v))
        need.runs = need.runs ? both(*need.runs, *read) : read;
    }
  }
}

}  // namespace sconce
