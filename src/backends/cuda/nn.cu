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

template <class C>
struct BatchNorm {
  View out, in, mean, var, weight, bias;
  double eps;
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t to = 0, from = 0, c = 0;
    in.coordinates(i, [&](int d, int64_t k) {
      to += k * out.strides[d];
      from += k * in.strides[d];
      if (d == 1) c = k;
    });
    auto channel = [c](const View& v, C absent) { return v ? v.get<C>(c * v.strides[0]) : absent; };
    const C scale = static_cast<C>(1 / std::sqrt(static_cast<double>(channel(var, C(1))) + eps)) *
                    channel(weight, C(1));
    const C shift = channel(bias, C(0)) - channel(mean, C(0)) * scale;
    out.set<C>(to, in.get<C>(from) * scale + shift);
  }
};
bool batch_norm(int index, const BatchNormArgs& a) {
  auto run = [&](auto tag) {
    BatchNorm<decltype(tag)> f;
    if (!view(a.out, f.out) || !view(a.in, f.in) || !view(a.mean, f.mean) || !view(a.var, f.var) ||
        !view(a.weight, f.weight) || !view(a.bias, f.bias))
      return false;
    f.eps = a.eps;
    for_each(gpu(index), a.out.numel(), f);
    return true;
  };
  return a.in.dtype == kDouble ? run(double{}) : run(float{});
}

// ---- pooling ----

// A plane's dims are three; missing ones come first and have one element.
struct Window {
  int64_t in, out, taps, stride, pad, step;
};
template <class C>
struct PoolPlane {
  View out, indices, in;  // [N, C] and their planes' steps
  int64_t out_step[3], index_step[3], in_step[3];
  Window w[3];
  int64_t channels, divisor;
  bool max, adaptive, include_pad;
  // The inputs [lo, hi) of output o, in steps, and the window's size with padding.
  SCONCE_GPU void range(int d, int64_t o, int64_t& lo, int64_t& hi, int64_t& size) const {
    const Window& x = w[d];
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
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t o[3], lo[3], hi[3], size[3];
    for (int d = 2; d >= 0; --d) {
      o[d] = i % w[d].out;
      i /= w[d].out;
      range(d, o[d], lo[d], hi[d], size[d]);
    }
    const int64_t c = i % channels, n = i / channels;
    const int64_t plane = n * in.strides[0] + c * in.strides[1];
    C s = C(0);
    if (max) {
      s = -std::numeric_limits<C>::infinity();
      if constexpr (std::is_integral_v<C>) s = std::numeric_limits<C>::min();
    }
    int64_t at = (lo[0] * w[1].in + lo[1]) * w[2].in + lo[2], seen = 0;
    for (int64_t x = lo[0]; x < hi[0]; x += w[0].step)
      for (int64_t y = lo[1]; y < hi[1]; y += w[1].step)
        for (int64_t z = lo[2]; z < hi[2]; z += w[2].step) {
          const C v = in.get<C>(plane + x * in_step[0] + y * in_step[1] + z * in_step[2]);
          ++seen;
          if (!max) {
            s += v;
          } else if (v > s || v != v) {
            s = v;
            at = (x * w[1].in + y) * w[2].in + z;
          }
        }
    if (!max) {
      const int64_t count = divisor                    ? divisor
                            : adaptive || !include_pad ? seen
                                                       : size[0] * size[1] * size[2];
      if constexpr (std::is_integral_v<C>)
        s = static_cast<C>(static_cast<double>(s) / static_cast<double>(count));
      else
        s /= static_cast<C>(count);
    }
    auto place = [&](const View& v, const int64_t* step) {
      return n * v.strides[0] + c * v.strides[1] + o[0] * step[0] + o[1] * step[1] + o[2] * step[2];
    };
    out.set<C>(place(out, out_step), s);
    if (indices) indices.set<int64_t>(place(indices, index_step), at);
  }
};
bool pool(int index, const PoolArgs& a) {
  const int nd = a.in.ndim - 2;
  if (nd < 1 || nd > 3) return false;
  auto run = [&](auto tag) {
    using C = decltype(tag);
    PoolPlane<C> f;
    if (!view(a.out, f.out) || !view(a.indices, f.indices) || !view(a.in, f.in)) return false;
    for (int e = 0; e < 3; ++e) {
      const int d = e + nd - 3;  // of the spatial dims
      if (d < 0) {
        f.w[e] = {1, 1, 1, 1, 0, 1};
        f.out_step[e] = f.index_step[e] = f.in_step[e] = 0;
        continue;
      }
      f.w[e] = {a.in.sizes[d + 2], a.out.sizes[d + 2], 1, 1, 0, 1};
      if (!a.adaptive) {
        f.w[e].taps = a.kernel[d];
        f.w[e].stride = a.stride[d];
        f.w[e].pad = a.padding[d];
        f.w[e].step = a.dilation[d];
      }
      f.out_step[e] = f.out.strides[d + 2];
      f.index_step[e] = f.indices ? f.indices.strides[d + 2] : 0;
      f.in_step[e] = f.in.strides[d + 2];
    }
    f.channels = a.in.sizes[1];
    f.divisor = a.divisor;
    f.max = a.op == Pool::max;
    f.adaptive = a.adaptive;
    f.include_pad = a.count_include_pad;
    for_each(gpu(index), a.out.numel(), f);
    return true;
  };
  if (is_integral(a.in.dtype, true)) return run(int64_t{});
  return a.in.dtype == kDouble ? run(double{}) : run(float{});
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
      const C cell = sigmoid(get(gates, H + k)) * get(c_prev, k) +
                     sigmoid(get(gates, k)) * std::tanh(get(gates, 2 * H + k));
      set(c, cell);
      set(h, sigmoid(get(gates, 3 * H + k)) * std::tanh(cell));
    }
  }
};
bool rnn_cell(int index, const RnnCellArgs& a) {
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
