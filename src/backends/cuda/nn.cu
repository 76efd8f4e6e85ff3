// SPDX-License-Identifier: Apache-2.0
// Softmax, normalisation, pooling, the cells of recurrent layers. What needs a row's statistics
// reduces first, then maps.
#include "backends/cuda/row_teams.h"
#include "backends/cuda/rows.h"

namespace sconce::cuda {

namespace {

// ---- softmax ----

template <class C>
struct SoftmaxRows {
  using State = ExpSum<C>;
  RowView in;
  State* out;
  SCONCE_GPU State start() const { return {}; }
  SCONCE_GPU void add(State& s, int64_t row, int64_t i) const {
    s.merge({in.get<C>(row, i), C(1)});
  }
  SCONCE_GPU void merge(State& s, const State& o) const { s.merge(o); }
  SCONCE_GPU void finish(int64_t row, const State& s) const { out[row] = s; }
};
template <class C>
struct SoftmaxMap {
  RowView in, out;
  const ExpSum<C>* rows;
  int64_t n;
  bool log;
  SCONCE_GPU void operator()(int64_t i) const {
    const int64_t row = i / n, k = i % n;
    const ExpSum<C> s = rows[row];
    const C d = in.get<C>(row, k) - s.max;
    out.set<C>(row, k, log ? d - std::log(s.sum) : std::exp(d) / s.sum);
  }
};
template <class C>
bool softmax_as(Gpu& g, const RowView& in, const RowView& out, int64_t rows, int64_t n, bool log) {
  Temporary<ExpSum<C>> sums(g, rows);
  if (!sums) return true;
  auto* at = reachable(sums.get());
  reduce_rows(g, rows, n, SoftmaxRows<C>{in, at});
  for_each(g, rows * n, SoftmaxMap<C>{in, out, at, n, log});
  return true;
}
// A row in a team's registers.
template <class Rows, int K, int kThreadsOfRow>
struct SoftmaxTeam {
  static constexpr int kTeam = kThreadsOfRow;
  static constexpr Join kFirst = Join::max;
  using Own = Kept<Rows, K, kTeam>;
  Rows rows;
  bool log;
  SCONCE_GPU float first(Own& own, int64_t row, int rank) const {
    float m = -std::numeric_limits<float>::infinity();
    own.load(rows, row, rank, m);
    SCONCE_UNROLL
    for (int j = 0; j < Own::kGroups; ++j)
      for (int k = 0; k < Own::V; ++k) m = join<Join::max>(own.x[j][k], m);
    return m;
  }
  SCONCE_GPU float second(Own& own, int rank, float max) const {
    float s = 0;
    SCONCE_UNROLL
    for (int j = 0; j < Own::kGroups; ++j) {
      if (Own::place(j, rank) >= rows.n) continue;
      for (int k = 0; k < Own::V; ++k) {
        const float d = own.x[j][k] - max, e = std::exp(d);
        s += e;
        own.x[j][k] = log ? d : e;
      }
    }
    return s;
  }
  SCONCE_GPU void finish(Own& own, int64_t, int rank, float, float sum) const {
    const float l = std::log(sum), scale = 1 / sum;
    SCONCE_UNROLL
    for (int j = 0; j < Own::kGroups; ++j) {
      if (Own::place(j, rank) >= rows.n) continue;
      for (int k = 0; k < Own::V; ++k) own.x[j][k] = log ? own.x[j][k] - l : own.x[j][k] * scale;
      rows.store(own.out, Own::place(j, rank), own.x[j]);
    }
  }
};
bool softmax(int index, const SoftmaxArgs& a) {
  RowView in, out;
  if (!rows_of(a.in, in) || !rows_of(a.out, out)) return false;
  if (a.out.numel() == 0) return true;
  const int64_t rows = row_count(a.in), n = a.in.sizes[a.in.ndim - 1];
  Gpu& g = gpu(index);
  if (with_row_teams(a.out, a.in, {}, [&](const auto& r, auto k, auto team) {
        using Rows = std::decay_t<decltype(r)>;
        team_rows(g, r.w.groups,
                  SoftmaxTeam<Rows, decltype(k)::value, decltype(team)::value>{r, a.log});
      }))
    return true;
  return a.out.dtype == kDouble ? softmax_as<double>(g, in, out, rows, n, a.log)
                                : softmax_as<float>(g, in, out, rows, n, a.log);
}

// ---- layer norm ----

template <class C>
struct Norms {
  C mean, rstd;
};
template <class C>
struct NormRows {
  using State = Moments<C>;
  RowView in;
  View mean, rstd;  // over the rows; may be absent
  Norms<C>* out;
  double eps;
  bool rms;
  SCONCE_GPU State start() const { return {}; }
  SCONCE_GPU void add(State& s, int64_t row, int64_t i) const {
    const C v = in.get<C>(row, i);
    if (rms)
      s.merge({C(0), v * v, C(1)});  // about zero
    else
      s.add(v);
  }
  SCONCE_GPU void merge(State& s, const State& o) const { s.merge(o); }
  SCONCE_GPU void finish(int64_t row, const State& s) const {
    const C r = static_cast<C>(
        1 / std::sqrt(static_cast<double>(s.m2) / static_cast<double>(s.count) + eps));
    out[row] = {s.mean, r};
    if (mean) mean.set<C>(mean.at(row), s.mean);
    if (rstd) rstd.set<C>(rstd.at(row), r);
  }
};
template <class C>
struct NormMap {
  RowView in, out;
  View weight, bias;
  const Norms<C>* rows;
  int64_t n;
  SCONCE_GPU void operator()(int64_t i) const {
    const int64_t row = i / n, k = i % n;
    C v = (in.get<C>(row, k) - rows[row].mean) * rows[row].rstd;
    if (weight) v *= weight.get<C>(k * weight.strides[0]);
    if (bias) v += bias.get<C>(k * bias.strides[0]);
    out.set<C>(row, k, v);
  }
};
// A row in a team's registers; no statistics are written.
template <class Rows, int K, int kThreadsOfRow>
struct NormTeam {
  static constexpr int kTeam = kThreadsOfRow;
  static constexpr Join kFirst = Join::sum;
  using Own = Kept<Rows, K, kTeam>;
  Rows rows;
  Along weight, bias;
  float eps;
  bool rms;
  SCONCE_GPU float first(Own& own, int64_t row, int rank) const {
    own.load(rows, row, rank, 0);
    float s = 0;
    SCONCE_UNROLL
    for (int j = 0; j < Own::kGroups; ++j)
      for (int k = 0; k < Own::V; ++k) s += own.x[j][k];
    return rms ? 0 : s;
  }
  SCONCE_GPU float second(Own& own, int rank, float sum) const {
    const float mean = sum / static_cast<float>(rows.n);
    float s = 0;
    SCONCE_UNROLL
    for (int j = 0; j < Own::kGroups; ++j) {
      if (Own::place(j, rank) >= rows.n) continue;
      for (int k = 0; k < Own::V; ++k) {
        own.x[j][k] -= mean;
        s += own.x[j][k] * own.x[j][k];
      }
    }
    return s;
  }
  SCONCE_GPU void finish(Own& own, int64_t, int rank, float, float squares) const {
    const float r = 1 / std::sqrt(squares / static_cast<float>(rows.n) + eps);
    SCONCE_UNROLL
    for (int j = 0; j < Own::kGroups; ++j) {
      const int at = Own::place(j, rank);
      if (at >= rows.n) continue;
      float w[Own::V], b[Own::V];
      for (int k = 0; k < Own::V; ++k) {
        w[k] = 1;
        b[k] = 0;
      }
      if (weight.data) rows.load(weight, at, w);
      if (bias.data) rows.load(bias, at, b);
      for (int k = 0; k < Own::V; ++k) own.x[j][k] = own.x[j][k] * r * w[k] + b[k];
      rows.store(own.out, at, own.x[j]);
    }
  }
};
bool layer_norm(int index, const LayerNormArgs& a) {
  RowView in, out;
  View weight, bias, mean, rstd;
  auto over_rows = [](const TensorView& v, const TensorView& in, View& out) {
    TensorView lead = v;
    if (v.data) lead.ndim = in.ndim - 1;
    return (!v.data || v.ndim >= in.ndim - 1) && view(lead, out);
  };
  if (!rows_of(a.in, in) || !rows_of(a.out, out) || !view(a.weight, weight) ||
      !view(a.bias, bias) || !over_rows(a.mean, a.in, mean) || !over_rows(a.rstd, a.in, rstd) ||
      (weight && weight.nd != 1) || (bias && bias.nd != 1))
    return false;
  if (a.out.numel() == 0) return true;
  const int64_t rows = row_count(a.in), n = a.in.sizes[a.in.ndim - 1];
  Gpu& g = gpu(index);
  auto beside = [](const View& v) { return v ? Along{v.data, v.dtype, v.strides[0]} : Along{}; };
  const Along w = beside(weight), b = beside(bias);
  if (!mean && !rstd && w.dtype != kDouble && b.dtype != kDouble &&
      with_row_teams(a.out, a.in, {w, b}, [&](const auto& r, auto k, auto team) {
        using Rows = std::decay_t<decltype(r)>;
        team_rows(g, r.w.groups,
                  NormTeam<Rows, decltype(k)::value, decltype(team)::value>{
                      r, w, b, static_cast<float>(a.eps), a.rms});
      }))
    return true;
  auto run = [&](auto tag) {
    using C = decltype(tag);
    Temporary<Norms<C>> norms(g, rows);
    if (!norms) return true;
    auto* at = reachable(norms.get());
    reduce_rows(g, rows, n, NormRows<C>{in, mean, rstd, at, a.eps, a.rms});
    for_each(g, rows * n, NormMap<C>{in, out, weight, bias, at, n});
    return true;
  };
  return a.in.dtype == kDouble ? run(double{}) : run(float{});
}

// The walk's views: out, in, and what belongs to channels as if it had their sizes.
enum : int { kMean = 2, kVar, kWeight, kBias };
template <class C>
struct BatchNorm {
  Walk<6> w;
  ScalarType types[6];  // Undefined: absent
  double eps;
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t o[6];
    w.offsets(i, o);
    auto channel = [&](int k, C absent) {
      return types[k] == ScalarType::Undefined ? absent : load<C>(types[k], w.base[k] + o[k]);
    };
    const C scale = static_cast<C>(1 / std::sqrt(channel(kVar, C(1)) + static_cast<C>(eps))) *
                    channel(kWeight, C(1));
    const C shift = channel(kBias, C(0)) - channel(kMean, C(0)) * scale;
    store<C>(types[0], w.base[0] + o[0], load<C>(types[1], w.base[1] + o[1]) * scale + shift);
  }
};
// Groups of four neighbours of one channel; all of dtype E.
template <class E>
struct BatchNormGroups {
  static constexpr int V = 4;
  Walk<6> w;
  bool present[6];
  float eps;
  SCONCE_GPU void operator()(int64_t group) const {
    int64_t o[6];
    w.offsets(group, o);
    const int n = w.template count<V>(group);
    auto channel = [&](int k, float absent) {
      using T = typename E::Stored;
      return present[k] ? E::value(*reinterpret_cast<const T*>(w.base[k] + o[k])) : absent;
    };
    const float scale = 1 / std::sqrt(channel(kVar, 1) + eps) * channel(kWeight, 1);
    const float shift = channel(kBias, 0) - channel(kMean, 0) * scale;
    float x[V];
    w.template load_floats<E>(1, o[1], n, x);
    for (int k = 0; k < V; ++k) x[k] = x[k] * scale + shift;
    w.template store_floats<E>(0, o[0], n, x);
  }
};
bool batch_norm(int index, const BatchNormArgs& a) {
  if (a.in.ndim < 2 || a.in.ndim > kMaxDims) return false;
  const TensorView given[] = {a.out, a.in, a.mean, a.var, a.weight, a.bias};
  TensorView seen[6];
  int64_t strides[6][kMaxDims] = {};
  const TensorView* v[6];
  bool present[6], one_dtype = true;
  for (int k = 0; k < 6; ++k) {
    const TensorView& x = given[k];
    present[k] = x.data != nullptr;
    if (present[k] && (!is_plain(x.dtype) || (k >= kMean && x.ndim != 1))) return false;
    seen[k] = x;
    v[k] = &seen[k];
    if (k < kMean) continue;
    if (!present[k]) seen[k] = a.out;  // not read
    one_dtype = one_dtype && seen[k].dtype == a.in.dtype;
    strides[k][1] = present[k] ? x.strides[0] : 0;
    seen[k].ndim = a.in.ndim;
    seen[k].sizes = a.in.sizes;
    seen[k].strides = strides[k];
  }
  Gpu& g = gpu(index);
  if (one_dtype && a.out.dtype == a.in.dtype && a.in.ndim > 2 &&
      visit_floats(a.in.dtype, [&](auto e) {
        using Kernel = BatchNormGroups<decltype(e)>;
        const Loops<6> l(v);
        // A group is of one channel.
        for (int k = kMean; k < 6; ++k)
          if (present[k] && l.strides[k][l.nd - 1] != 0) return false;
        return walk<6>(v, Kernel::V, [&](const Walk<6>& w) {
          Kernel f{w, {}, static_cast<float>(a.eps)};
          for (int k = 0; k < 6; ++k) f.present[k] = present[k];
          for_each(g, w.groups, f);
        });
      }))
    return true;
  auto run = [&](auto tag) {
    using C = decltype(tag);
    return walk<6>(v, 1, [&](const Walk<6>& w) {
      BatchNorm<C> f{w, {}, a.eps};
      for (int k = 0; k < 6; ++k) f.types[k] = present[k] ? seen[k].dtype : ScalarType::Undefined;
      for_each(g, w.groups, f);
    });
  };
  return a.in.dtype == kDouble ? run(double{}) : run(float{});
}

// ---- pooling ----

// A plane's dims are three; missing ones come first and have one element.
template <class I>
struct Window {
  I in, out, taps, stride, pad, step;
};
// I counts places: 32 bits where the tensors are small enough.
template <class C, class I, class Element>
struct PoolPlane {
  View out, indices, in;  // [N, C] and their planes' steps
  int64_t out_step[3], index_step[3], in_step[3];
  Window<I> w[3];
  I channels;
  int64_t divisor;
  bool max, adaptive, include_pad;
  // The inputs [lo, hi) of output o, in steps, and the window's size with padding.
  SCONCE_GPU void range(int d, I o, I& lo, I& hi, I& size) const {
    const Window<I>& x = w[d];
    if (adaptive) {
      lo = o * x.in / x.out;
      hi = ((o + 1) * x.in + x.out - 1) / x.out;
      size = hi - lo;
      return;
    }
    lo = o * x.stride - x.pad;
    hi = lo + (x.taps - 1) * x.step + 1;
    if (!max && hi > x.in + x.pad) hi = x.in + x.pad;
    size = hi - lo;
    if (lo < 0) lo += (-lo + x.step - 1) / x.step * x.step;
    if (hi > x.in) hi = x.in;
  }
  SCONCE_GPU void operator()(int64_t number) const {
    // Unsigned division is the quicker one.
    auto i = static_cast<std::make_unsigned_t<I>>(number);
    I o[3], lo[3], hi[3], size[3];
    for (int d = 2; d >= 0; --d) {
      const auto n = static_cast<std::make_unsigned_t<I>>(w[d].out);
      o[d] = static_cast<I>(i % n);
      i /= n;
      range(d, o[d], lo[d], hi[d], size[d]);
    }
    const int64_t c = i % static_cast<std::make_unsigned_t<I>>(channels),
                  n = i / static_cast<std::make_unsigned_t<I>>(channels);
    const int64_t plane = n * in.strides[0] + c * in.strides[1];
    C s = C(0);
    if (max) {
      s = -std::numeric_limits<C>::infinity();
      if constexpr (std::is_integral_v<C>) s = std::numeric_limits<C>::min();
    }
    I at = (lo[0] * w[1].in + lo[1]) * w[2].in + lo[2], seen = 0;
    for (I x = lo[0]; x < hi[0]; x += w[0].step)
      for (I y = lo[1]; y < hi[1]; y += w[1].step)
        for (I z = lo[2]; z < hi[2]; z += w[2].step) {
          const C v = Element::get(
              in.dtype, in.data + plane + x * in_step[0] + y * in_step[1] + z * in_step[2]);
          ++seen;
          if (!max) {
            s += v;
          } else if (v > s || v != v) {
            s = v;
            at = (x * w[1].in + y) * w[2].in + z;
          }
        }
    if (!max) {
      const int64_t count = divisor ? divisor
                            : adaptive || !include_pad
                                ? static_cast<int64_t>(seen)
                                : static_cast<int64_t>(size[0]) * size[1] * size[2];
      if constexpr (std::is_integral_v<C>)
        s = static_cast<C>(static_cast<double>(s) / static_cast<double>(count));
      else
        s /= static_cast<C>(count);
    }
    auto place = [&](const View& v, const int64_t* step) {
      return n * v.strides[0] + c * v.strides[1] + o[0] * step[0] + o[1] * step[1] + o[2] * step[2];
    };
    Element::set(out.dtype, out.data + place(out, out_step), s);
    if (indices) indices.set<int64_t>(place(indices, index_step), at);
  }
};
bool pool(int index, const PoolArgs& a) {
  const int nd = a.in.ndim - 2;
  if (nd < 1 || nd > 3) return false;
  auto run = [&](auto tag, auto place, auto element) {
    using C = decltype(tag);
    using I = decltype(place);
    PoolPlane<C, I, decltype(element)> f;
    if (!view(a.out, f.out) || !view(a.indices, f.indices) || !view(a.in, f.in)) return false;
    for (int e = 0; e < 3; ++e) {
      const int d = e + nd - 3;  // of the spatial dims
      if (d < 0) {
        f.w[e] = {1, 1, 1, 1, 0, 1};
        f.out_step[e] = f.index_step[e] = f.in_step[e] = 0;
        continue;
      }
      f.w[e] = {static_cast<I>(a.in.sizes[d + 2]), static_cast<I>(a.out.sizes[d + 2]), 1, 1, 0, 1};
      if (!a.adaptive) {
        f.w[e].taps = static_cast<I>(a.kernel[d]);
        f.w[e].stride = static_cast<I>(a.stride[d]);
        f.w[e].pad = static_cast<I>(a.padding[d]);
        f.w[e].step = static_cast<I>(a.dilation[d]);
      }
      f.out_step[e] = f.out.strides[d + 2];
      f.index_step[e] = f.indices ? f.indices.strides[d + 2] : 0;
      f.in_step[e] = f.in.strides[d + 2];
    }
    f.channels = static_cast<I>(a.in.sizes[1]);
    f.divisor = a.divisor;
    f.max = a.op == Pool::max;
    f.adaptive = a.adaptive;
    f.include_pad = a.count_include_pad;
    for_each(gpu(index), a.out.numel(), f);
    return true;
  };
  bool whole = a.adaptive && a.op != Pool::max && !a.indices.data && a.in.dtype == a.out.dtype &&
               !is_integral(a.in.dtype, true);
  for (int d = 0; d < nd; ++d) whole = whole && a.out.sizes[d + 2] == 1;
  if (whole) {
    ReduceArgs mean{a.out, a.in, Reduce::mean, a.in.dtype == kDouble ? Compute::F64 : Compute::F32,
                    0};
    mean.out.ndim = 2;
    return reduce(index, mean);
  }
  // Windows reach over the edges: places stay far below 2^31. The product of an adaptive window's
  // place and the input's size is the largest number.
  bool narrow = a.out.numel() < kMostIndexed && a.in.numel() < kMostIndexed;
  for (int d = 0; d < nd; ++d) {
    narrow = narrow && a.in.sizes[d + 2] < (1 << 15) && a.out.sizes[d + 2] < (1 << 15);
    if (!a.adaptive)
      narrow = narrow && a.kernel[d] < (1 << 12) && a.stride[d] < (1 << 15) &&
               a.padding[d] < (1 << 12) && a.dilation[d] < (1 << 12);
  }
  if (narrow && a.in.dtype == a.out.dtype && visit_floats(a.in.dtype, [&](auto e) {
        return run(float{}, int32_t{}, FloatElement<decltype(e)>{});
      }))
    return true;
  auto any = [&](auto tag) { return run(tag, int64_t{}, AnyElement<decltype(tag)>{}); };
  if (is_integral(a.in.dtype, true)) return any(int64_t{});
  return a.in.dtype == kDouble ? any(double{}) : any(float{});
}

// ---- recurrent cells ----

template <class C>
struct RnnCell {
  View h, c, gates, hidden_gates, h_prev, c_prev;
  bool gru;
  SCONCE_GPU static C sigmoid(C x) { return C(1) / (C(1) + std::exp(-x)); }
  SCONCE_GPU void operator()(int64_t i) const {
    const int64_t H = h.sizes[1], b = i / H, k = i % H;
    auto get = [b](const View& v, int64_t column) {
      return v.get<C>(b * v.strides[0] + column * v.strides[1]);
    };
    auto set = [b, k](const View& v, C x) { v.set<C>(b * v.strides[0] + k * v.strides[1], x); };
    if (gru) {
      const C r = sigmoid(get(gates, k) + get(hidden_gates, k)),
              z = sigmoid(get(gates, H + k) + get(hidden_gates, H + k)),
              n = std::tanh(get(gates, 2 * H + k) + r * get(hidden_gates, 2 * H + k));
      set(h, (get(h_prev, k) - n) * z + n);
    } else {
      auto gate = [&](int64_t column) {
        return get(gates, column) + (hidden_gates ? get(hidden_gates, column) : C(0));
      };
      const C cell =
          sigmoid(gate(H + k)) * get(c_prev, k) + sigmoid(gate(k)) * std::tanh(gate(2 * H + k));
      set(c, cell);
      set(h, sigmoid(gate(3 * H + k)) * std::tanh(cell));
    }
  }
};
// The same for views of one floating dtype E, numbered in 32 bits.
template <class E>
struct RnnCellOf {
  struct Matrix {
    char* data;
    int64_t row, column;  // steps in bytes
  };
  Matrix h, c, gates, hidden_gates, h_prev, c_prev;
  Divisor<uint32_t> hidden;
  bool gru;
  SCONCE_GPU void operator()(int64_t i) const {
    using T = typename E::Stored;
    using Cell = RnnCell<float>;
    const uint32_t b = hidden.divide(static_cast<uint32_t>(i)), H = hidden.n,
                   k = static_cast<uint32_t>(i) - b * H;
    auto at = [b](const Matrix& m, uint32_t column) {
      return reinterpret_cast<T*>(m.data + b * m.row + column * m.column);
    };
    auto get = [&at](const Matrix& m, uint32_t column) { return E::value(*at(m, column)); };
    auto set = [&at, k](const Matrix& m, float x) { *at(m, k) = E::stored(x); };
    if (gru) {
      const float r = Cell::sigmoid(get(gates, k) + get(hidden_gates, k)),
                  z = Cell::sigmoid(get(gates, H + k) + get(hidden_gates, H + k)),
                  n = std::tanh(get(gates, 2 * H + k) + r * get(hidden_gates, 2 * H + k));
      set(h, (get(h_prev, k) - n) * z + n);
    } else {
      auto gate = [&](uint32_t column) {
        return get(gates, column) + (hidden_gates.data ? get(hidden_gates, column) : 0.0f);
      };
      const float in = gate(k), forget = gate(H + k), fresh = gate(2 * H + k),
                  out = gate(3 * H + k);
      const float cell =
          Cell::sigmoid(forget) * get(c_prev, k) + Cell::sigmoid(in) * std::tanh(fresh);
      set(c, cell);
      set(h, Cell::sigmoid(out) * std::tanh(cell));
    }
  }
};
// False where it must be done by RnnCell.
template <class E>
bool rnn_cell_of(Gpu& g, const RnnCellArgs& a) {
  RnnCellOf<E> f;
  bool fits = a.h.numel() < kMostIndexed && a.h.numel() > 0;
  auto matrix = [&](const TensorView& v, auto& m) {
    m = {};
    if (!v.data) return;
    constexpr int64_t es = sizeof(typename E::Stored);
    fits = fits && v.ndim == 2 && v.dtype == a.h.dtype;
    if (fits) m = {reachable(static_cast<char*>(v.data)), v.strides[0] * es, v.strides[1] * es};
  };
  matrix(a.h, f.h);
  matrix(a.c, f.c);
  matrix(a.gates, f.gates);
  matrix(a.hidden_gates, f.hidden_gates);
  matrix(a.h_prev, f.h_prev);
  matrix(a.c_prev, f.c_prev);
  if (!fits) return false;
  f.hidden = Divisor<uint32_t>(a.h.sizes[1]);
  f.gru = a.gru;
  for_each(g, a.h.numel(), f);
  return true;
}
bool rnn_cell(int index, const RnnCellArgs& a) {
  if (visit_floats(a.h.dtype, [&](auto e) { return rnn_cell_of<decltype(e)>(gpu(index), a); }))
    return true;
  auto run = [&](auto tag) {
    RnnCell<decltype(tag)> f;
    if (!view(a.h, f.h) || !view(a.c, f.c) || !view(a.gates, f.gates) ||
        !view(a.hidden_gates, f.hidden_gates) || !view(a.h_prev, f.h_prev) ||
        !view(a.c_prev, f.c_prev))
      return false;
    f.gru = a.gru;
    for_each(gpu(index), a.h.numel(), f);
    return true;
  };
  return a.h.dtype == kDouble ? run(double{}) : run(float{});
}

}  // namespace

void add_nn(DevicePlugin& p) {
  p.softmax = softmax;
  p.layer_norm = layer_norm;
  p.batch_norm = batch_norm;
  p.pool = pool;
  p.rnn_cell = rnn_cell;
}

}  // namespace sconce::cuda
