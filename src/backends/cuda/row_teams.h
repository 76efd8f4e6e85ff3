// SPDX-License-Identifier: Apache-2.0
// Rows of the last dim that a warp or a block keeps in registers between its passes.
#pragma once
#include "backends/cuda/launch.h"
#include "backends/cuda/walk.h"

namespace sconce::cuda {
namespace {

// A vector beside the rows, or nothing.
struct Along {
  char* data = nullptr;
  ScalarType dtype = ScalarType::Undefined;
  int64_t step = 0;  // in bytes
};

// Where rows lie; the walk's views are out and in. Groups of four elements of dtype E.
template <class E>
struct PackedRows {
  static constexpr int V = 4;
  using Stored = typename E::Stored;
  Walk<2> w;
  int n;  // a multiple of V
  SCONCE_GPU void load(const char* row, int i, float (&x)[V]) const {
    const auto p = *reinterpret_cast<const Pack<Stored, V>*>(row + i * int64_t{sizeof(Stored)});
    for (int k = 0; k < V; ++k) x[k] = E::value(p.v[k]);
  }
  SCONCE_GPU void store(char* row, int i, const float (&x)[V]) const {
    Pack<Stored, V> p;
    for (int k = 0; k < V; ++k) p.v[k] = E::stored(x[k]);
    *reinterpret_cast<Pack<Stored, V>*>(row + i * int64_t{sizeof(Stored)}) = p;
  }
  SCONCE_GPU void load(const Along& v, int i, float (&x)[V]) const { load(v.data, i, x); }
};
// Single elements of any dtype and step.
struct AnyRows {
  static constexpr int V = 1;
  Walk<2> w;
  int n;
  ScalarType to, from;
  int64_t step_to, step_from;
  SCONCE_GPU void load(const char* row, int i, float (&x)[V]) const {
    x[0] = sconce::cuda::load<float>(from, row + i * step_from);
  }
  SCONCE_GPU void store(char* row, int i, const float (&x)[V]) const {
    sconce::cuda::store<float>(to, row + i * step_to, x[0]);
  }
  SCONCE_GPU void load(const Along& v, int i, float (&x)[V]) const {
    x[0] = sconce::cuda::load<float>(v.dtype, v.data + i * v.step);
  }
};
// What a thread keeps of its row: K elements, in groups that are a team apart.
template <class Rows, int K, int kTeam>
struct Kept {
  static constexpr int V = Rows::V, kGroups = K / V;
  const char* in;
  char* out;
  float x[kGroups][V];
  // The place of a group in the row; it may be behind its end.
  SCONCE_GPU static int place(int group, int rank) { return (group * kTeam + rank) * V; }
  SCONCE_GPU void load(const Rows& r, int64_t row, int rank, float outside) {
    int64_t o[2];
    r.w.offsets(row, o);
    out = r.w.base[0] + o[0];
    in = r.w.base[1] + o[1];
    SCONCE_UNROLL
    for (int j = 0; j < kGroups; ++j) {
      for (int k = 0; k < V; ++k) x[j][k] = outside;
      if (place(j, rank) < r.n) r.load(in, place(j, rank), x[j]);
    }
  }
};

// use(rows, integral constants of K and the team's threads) where rows of in and out fit a team's
// registers; false where they don't. The others are vectors beside the rows.
template <class Use>
bool with_row_teams(const TensorView& out, const TensorView& in,
                    std::initializer_list<Along> beside, const Use& use) {
  constexpr int64_t kShortest = 9, kLongest = 8192;
  const int last = in.ndim - 1;
  const int64_t n = in.sizes[last];
  if (n < kShortest || n > kLongest || in.dtype == kDouble || out.dtype == kDouble ||
      !is_plain(in.dtype) || !is_plain(out.dtype))
    return false;
  TensorView lead_out = out, lead_in = in;
  lead_out.ndim = lead_in.ndim = last;
  const TensorView* v[] = {&lead_out, &lead_in};
  const Loops<2> l(v);
  if (l.nd > kDims) return false;
  const auto es_out = static_cast<int64_t>(element_size(out.dtype)),
             es_in = static_cast<int64_t>(element_size(in.dtype));
  auto sized = [&](auto rows) {
    using Rows = decltype(rows);
    walk_pieces<2>(l, 1, [&](const Walk<2>& w) {
      Rows r = rows;
      r.w = w;
      r.n = static_cast<int>(n);
      auto run = [&](auto k, auto team) { use(r, k, team); };
      constexpr std::integral_constant<int, kWarp> warp{};
      constexpr std::integral_constant<int, kBlock> block{};
      constexpr std::integral_constant<int, 4> k4{};
      constexpr std::integral_constant<int, 8> k8{};
      constexpr std::integral_constant<int, 16> k16{};
      constexpr std::integral_constant<int, 32> k32{};
      // Few long rows: more threads for each.
      const bool few = w.groups < 1024 && n > 8 * kWarp;
      if (n <= 4 * kWarp)
        run(k4, warp);
      else if (n <= 8 * kWarp)
        run(k8, warp);
      else if (n <= 16 * kWarp && !few)
        run(k16, warp);
      else if (n <= 32 * kWarp && !few)
        run(k32, warp);
      else if (n <= 4 * kBlock)
        run(k4, block);
      else if (n <= 16 * kBlock)
        run(k16, block);
      else
        run(k32, block);
    });
    return true;
  };
  bool packed = n % 4 == 0 && out.dtype == in.dtype && out.strides[last] == 1 &&
                in.strides[last] == 1 && is_aligned(reachable(l.base[0]), 4 * es_out) &&
                is_aligned(reachable(l.base[1]), 4 * es_in);
  for (int d = 0; d < l.nd; ++d)
    packed = packed && l.strides[0][d] % (4 * es_out) == 0 && l.strides[1][d] % (4 * es_in) == 0;
  for (const Along& a : beside)
    packed = packed &&
             (!a.data || (a.dtype == in.dtype && a.step == es_in && is_aligned(a.data, 4 * es_in)));
  if (packed && visit_floats(in.dtype, [&](auto e) { return sized(PackedRows<decltype(e)>{}); }))
    return true;
  AnyRows any{};
  any.to = out.dtype;
  any.from = in.dtype;
  any.step_to = out.strides[last] * es_out;
  any.step_from = in.strides[last] * es_in;
  return sized(any);
}

}  // namespace
}  // namespace sconce::cuda
