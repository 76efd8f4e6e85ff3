// SPDX-License-Identifier: Apache-2.0
// Elementwise work by groups of V neighbours that one thread loads and stores at once: views of
// equal sizes, dims merged, a group's place found with 32-bit multiplications. Entry: walk().
#pragma once
#include <cstring>

#include "backends/cuda/fast_division.h"
#include "backends/cuda/gpu.h"

namespace sconce::cuda {
namespace {

// How a dtype's elements are stored, for kernels of one dtype that compute in floats.
struct Floats {
  using Stored = float;
  SCONCE_GPU static float value(float v) { return v; }
  SCONCE_GPU static float stored(float v) { return v; }
};
struct Halves {
  using Stored = uint16_t;
  SCONCE_GPU static float value(uint16_t bits) { return half_value(bits); }
  SCONCE_GPU static uint16_t stored(float v) { return half_bits(v); }
};
struct BFloats {
  using Stored = uint16_t;
  SCONCE_GPU static float value(uint16_t bits) { return bfloat_value(bits); }
  SCONCE_GPU static uint16_t stored(float v) { return bfloat_bits(v); }
};
// f(E{}) for the dtypes above, false for others.
template <class F>
bool visit_floats(ScalarType t, F f) {
  switch (t) {
    case ScalarType::Float: return f(Floats{});
    case ScalarType::Half: return f(Halves{});
    case ScalarType::BFloat16: return f(BFloats{});
    default: return false;
  }
}
// Elements of any dtype, and of a floating one, as a C.
template <class C>
struct AnyElement {
  SCONCE_GPU static C get(ScalarType t, const char* p) { return load<C>(t, p); }
  SCONCE_GPU static void set(ScalarType t, char* p, C v) { store<C>(t, p, v); }
};
template <class E>
struct FloatElement {
  using T = typename E::Stored;
  SCONCE_GPU static float get(ScalarType, const char* p) {
    return E::value(*reinterpret_cast<const T*>(p));
  }
  SCONCE_GPU static void set(ScalarType, char* p, float v) {
    *reinterpret_cast<T*>(p) = E::stored(v);
  }
};
// Elements of 16 bytes.
template <class T>
constexpr int kGroup = 16 / sizeof(T);

// Fewer on the CPU, so that tests see tensors in pieces.
#ifdef __CUDACC__
constexpr int64_t kMostIndexed = int64_t{1} << 31;
#else
constexpr int64_t kMostIndexed = int64_t{1} << 14;
#endif

// Groups of neighbours along the last dim, which is innermost: dim 0 here.
template <int N>
struct Walk {
  int nd;
  int64_t total, groups;           // elements, and groups of them
  Divisor<uint32_t> sizes[kDims];  // in groups
  int64_t steps[N][kDims];         // bytes from a group to the next
  char* base[N];
  bool repeated[N];  // the elements of a group are one
  // Offsets of a group in all views.
  SCONCE_GPU void offsets(int64_t group, int64_t (&o)[N]) const {
    if (nd == 1) {
      for (int k = 0; k < N; ++k) o[k] = group * steps[k][0];
      return;
    }
    for (int k = 0; k < N; ++k) o[k] = 0;
    uint32_t rest = static_cast<uint32_t>(group);
    for (int d = 0; d < nd; ++d) {
      uint32_t place = rest;
      if (d + 1 < nd) {
        const uint32_t q = sizes[d].divide(rest);
        place = rest - q * sizes[d].n;
        rest = q;
      }
      for (int k = 0; k < N; ++k) o[k] += place * steps[k][d];
    }
  }
  // Elements in the group: fewer than V at the end of a single dim.
  template <int V>
  SCONCE_GPU int count(int64_t group) const {
    const int64_t left = total - group * V;
    return nd > 1 || left >= V ? V : static_cast<int>(left);
  }
  template <class T, int V>
  SCONCE_GPU void load(int k, int64_t offset, int n, T (&to)[V]) const {
    const T* from = reinterpret_cast<const T*>(base[k] + offset);
    if (repeated[k]) {
      const T one = *from;
      for (int j = 0; j < V; ++j) to[j] = one;
    } else if (n == V) {
      const Pack<T, V> p = *reinterpret_cast<const Pack<T, V>*>(from);
      for (int j = 0; j < V; ++j) to[j] = p.v[j];
    } else {
      for (int j = 0; j < V; ++j) to[j] = j < n ? from[j] : T{};
    }
  }
  template <class T, int V>
  SCONCE_GPU void store(int k, int64_t offset, int n, const T (&v)[V]) const {
    T* to = reinterpret_cast<T*>(base[k] + offset);
    if (n == V) {
      Pack<T, V> p;
      for (int j = 0; j < V; ++j) p.v[j] = v[j];
      *reinterpret_cast<Pack<T, V>*>(to) = p;
    } else {
      for (int j = 0; j < V; ++j)
        if (j < n) to[j] = v[j];
    }
  }
  // As floats, of a dtype E.
  template <class E, int V>
  SCONCE_GPU void load_floats(int k, int64_t offset, int n, float (&to)[V]) const {
    typename E::Stored s[V];
    load(k, offset, n, s);
    for (int j = 0; j < V; ++j) to[j] = E::value(s[j]);
  }
  template <class E, int V>
  SCONCE_GPU void store_floats(int k, int64_t offset, int n, const float (&v)[V]) const {
    typename E::Stored s[V];
    for (int j = 0; j < V; ++j) s[j] = E::stored(v[j]);
    store(k, offset, n, s);
  }
};

// Whether groups of V can be loaded and stored at once: whole along the last dim, on addresses that
// are multiples of their size, or one element that is repeated. The first view is stored to.
template <int N>
bool groups_fit(const Loops<N>& l, const int64_t (&element)[N], int V) {
  const int last = l.nd - 1;
  if (l.nd > 1 && l.sizes[last] % V != 0) return false;
  for (int k = 0; k < N; ++k) {
    const int64_t inner = l.strides[k][last];
    if (k > 0 && inner == 0) continue;
    if (inner != element[k] || !is_aligned(reachable(l.base[k]), element[k] * V)) return false;
    for (int d = 0; d < last; ++d)
      if (l.strides[k][d] % (element[k] * V) != 0) return false;
  }
  return true;
}
// All groups of loops; in 32 bits where there are more dims than one.
template <int N>
Walk<N> walk_of(const Loops<N>& l, int V) {
  int64_t total = 1;
  for (int d = 0; d < l.nd; ++d) total *= l.sizes[d];
  Walk<N> w;
  w.nd = l.nd;
  w.total = total;
  w.groups = l.nd == 1 ? (total + V - 1) / V : total / V;
  for (int d = 0; d < l.nd; ++d) {
    const int from = l.nd - 1 - d, v = d == 0 ? V : 1;
    if (l.nd > 1) w.sizes[d] = Divisor<uint32_t>(l.sizes[from] / v);
    for (int k = 0; k < N; ++k) w.steps[k][d] = l.strides[k][from] * v;
  }
  for (int k = 0; k < N; ++k) {
    w.base[k] = reachable(l.base[k]);
    w.repeated[k] = l.strides[k][l.nd - 1] == 0;
  }
  return w;
}
// use(Walk) for loops whose groups can be numbered in 32 bits, else for their halves.
template <int N, class Use>
void walk_pieces(Loops<N> l, int V, const Use& use) {
  const int last = l.nd - 1;
  int64_t total = 1;
  for (int d = 0; d < l.nd; ++d) total *= l.sizes[d];
  if (total == 0) return;
  if (l.nd > 1 && total >= kMostIndexed) {
    int largest = 0;
    for (int d = 0; d < last; ++d)
      if (l.sizes[d] > l.sizes[largest]) largest = d;
    const int64_t size = l.sizes[largest], half = size / 2;
    if (half > 0) {
      l.sizes[largest] = half;
      walk_pieces(l, V, use);
      for (int k = 0; k < N; ++k) l.base[k] += half * l.strides[k][largest];
      l.sizes[largest] = size - half;
      return walk_pieces(l, V, use);
    }
    // Nothing but the last dim.
    l.sizes[0] = l.sizes[last];
    for (int k = 0; k < N; ++k) l.strides[k][0] = l.strides[k][last];
    l.nd = 1;
  }
  use(walk_of(l, V));
}
// use(Walk) over groups of V, more than once where there are too many elements; false where groups
// of V don't fit. For V = 1 only too many dims are refused.
template <int N, class Use>
bool walk(const TensorView* const* v, int V, const Use& use) {
  const Loops<N> l(v);
  if (l.nd > kDims) return false;
  int64_t element[N];
  for (int k = 0; k < N; ++k) element[k] = static_cast<int64_t>(element_size(v[k]->dtype));
  if (V > 1 && !groups_fit<N>(l, element, V)) return false;
  walk_pieces<N>(l, V, use);
  return true;
}

}  // namespace
}  // namespace sconce::cuda
