// SPDX-License-Identifier: Apache-2.0
// Softmax, norms, pooling, attention, recurrent cells.
#include <algorithm>
#include <vector>

#include "backends/cpu/cpu.h"
#include "backends/cpu/vector_math.h"
#include "backends/tiles.h"

namespace sconce::SCONCE_ISA {

namespace {

// Calls f(offsets in elements of each view) for each row of the last dim; null views are left at 0.
template <int N, class F>
void for_rows(const TensorView* const* v, int lead, F f) {
  const int64_t* sizes = v[0]->sizes;
  int64_t n = 1;
  for (int d = 0; d < lead; ++d) n *= sizes[d];
  int64_t idx[kMaxDims] = {0}, at[N] = {0};
  for (int64_t i = 0; i < n; ++i) {
    f(at);
    for (int d = lead - 1; d >= 0; --d) {
      for (int k = 0; k < N; ++k)
        if (v[k]->data) at[k] += v[k]->strides[d];
      if (++idx[d] < sizes[d]) break;
      for (int k = 0; k < N; ++k)
        if (v[k]->data) at[k] -= v[k]->strides[d] * sizes[d];
      idx[d] = 0;
    }
  }
}
char* address(const TensorView& v, int64_t at) {
  return static_cast<char*>(v.data) + at * static_cast<int64_t>(element_size(v.dtype));
}
int64_t step(const TensorView& v, int d) {
  return v.strides[d] * static_cast<int64_t>(element_size(v.dtype));
}

// In double, several lanes at once.
template <class C, class F>
double lane_sum(const C* x, int64_t n, F f) {
  constexpr int kLanes = 16;
  double acc[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int k = 0; k < kLanes; ++k) acc[k] += static_cast<double>(f(x[i + k]));
  for (int half = kLanes / 2; half; half /= 2)
    for (int k = 0; k < half; ++k) acc[k] += acc[k + half];
  for (; i < n; ++i) acc[0] += static_cast<double>(f(x[i]));
  return acc[0];
}
template <class C>
double lane_sum(const C* x, int64_t n) {
  return lane_sum(x, n, [](C v) { return v; });
}

template <class C>
void softmax_row(C* x, int64_t n, bool log) {
  constexpr int kLanes = 16;
  C max = -std::numeric_limits<C>::infinity();
  C lane[kLanes];
  for (C& l : lane) l = max;
  int64_t done = 0;
  for (; done + kLanes <= n; done += kLanes)
    for (int k = 0; k < kLanes; ++k) lane[k] = x[done + k] > lane[k] ? x[done + k] : lane[k];
  for (C l : lane) max = l > max ? l : max;
  for (; done < n; ++done) max = x[done] > max ? x[done] : max;
  bool nan = false;
  for (int64_t i = 0; i < n; ++i) nan |= x[i] != x[i];
  if (nan) max = std::numeric_limits<C>::quiet_NaN();
  if (log) {
    double s = 0;
    if constexpr (std::is_same_v<C, float>)
      s = lane_sum(x, n, [max](C v) { return vexp(v - max); });
    else
      for (int64_t i = 0; i < n; ++i) s += std::exp(static_cast<double>(x[i] - max));
    C l = static_cast<C>(std::log(s));
    for (int64_t i = 0; i < n; ++i) x[i] = x[i] - max - l;
    return;
  }
  C s = 0;
  if constexpr (std::is_same_v<C, float>) {
    for (int64_t i = 0; i < n; ++i) x[i] = vexp(x[i] - max);
    s = static_cast<C>(lane_sum(x, n));
  } else {
    for (int64_t i = 0; i < n; ++i) s += x[i] = std::exp(x[i] - max);
  }
  C inv = C(1) / s;
  for (int64_t i = 0; i < n; ++i) x[i] *= inv;
}

void softmax(const SoftmaxArgs& a) {
  int last = a.in.ndim - 1;
  int64_t n = a.in.sizes[last];
  if (a.out.numel() == 0) return;
  auto run = [&](auto tag) {
    using C = decltype(tag);
    std::vector<C> row(static_cast<size_t>(n));
    const TensorView* v[] = {&a.out, &a.in};
    for_rows<2>(v, last, [&](const int64_t* at) {
      load_tile(a.in.dtype, address(a.in, at[1]), step(a.in, last), n, row.data());
      softmax_row(row.data(), n, a.log);
      store_tile(a.out.dtype, address(a.out, at[0]), step(a.out, last), n, row.data());
    });
  };
  if (a.out.dtype == kDouble)
    run(double{});
  else
    run(float{});
}

void layer_norm(const LayerNormArgs& a) {
  int last = a.in.ndim - 1;
  int64_t n = a.in.sizes[last];
  if (a.out.numel() == 0) return;
  auto run = [&](auto tag) {
    using C = decltype(tag);
    std::vector<C> row(static_cast<size_t>(n)), w, b;
    auto load = [&](const TensorView& v, std::vector<C>& out) {
      if (!v.data) return;
      out.resize(static_cast<size_t>(n));
      load_tile(v.dtype, static_cast<const char*>(v.data), step(v, 0), n, out.data());
    };
    load(a.weight, w);
    load(a.bias, b);
    const TensorView* v[] = {&a.out, &a.in, &a.mean, &a.rstd};
    for_rows<4>(v, last, [&](const int64_t* at) {
      load_tile(a.in.dtype, address(a.in, at[1]), step(a.in, last), n, row.data());
      double s = a.rms ? 0 : lane_sum(row.data(), n);
      C mean = static_cast<C>(s / static_cast<double>(n));
      double q = lane_sum(row.data(), n, [mean](C x) { return (x - mean) * (x - mean); });
      C rstd = static_cast<C>(1 / std::sqrt(q / static_cast<double>(n) + a.eps));
      for (int64_t i = 0; i < n; ++i)
        row[static_cast<size_t>(i)] = (row[static_cast<size_t>(i)] - mean) * rstd;
      if (!w.empty())
        for (int64_t i = 0; i < n; ++i) row[static_cast<size_t>(i)] *= w[static_cast<size_t>(i)];
      if (!b.empty())
        for (int64_t i = 0; i < n; ++i) row[static_cast<size_t>(i)] += b[static_cast<size_t>(i)];
      store_tile(a.out.dtype, address(a.out, at[0]), step(a.out, last), n, row.data());
      if (a.mean.data) store_tile(a.mean.dtype, address(a.mean, at[2]), 0, 1, &mean);
      if (a.rstd.data) store_tile(a.rstd.dtype, address(a.rstd, at[3]), 0, 1, &rstd);
    });
  };
  if (a.in.dtype == kDouble)
    run(double{});
  else
    run(float{});
}

void batch_norm(const BatchNormArgs& a) {
  int64_t N = a.in.sizes[0], C = a.in.sizes[1];
  auto run = [&](auto tag) {
    using T = decltype(tag);
    auto load = [&](const TensorView& v, T fallback) {
      std::vector<T> out(static_cast<size_t>(C), fallback);
      if (v.data) load_tile(v.dtype, static_cast<const char*>(v.data), step(v, 0), C, out.data());
      return out;
    };
    auto mean = load(a.mean, 0), var = load(a.var, 1), w = load(a.weight, 1), b = load(a.bias, 0);
    for (int64_t c = 0; c < C; ++c) {
      auto i = static_cast<size_t>(c);
      T inv = static_cast<T>(1 / std::sqrt(static_cast<double>(var[i]) + a.eps));
      T scale = inv * w[i], shift = b[i] - mean[i] * scale;
      TensorView out = a.out, in = a.in;
      for (int64_t n = 0; n < N; ++n) {
        out.data = address(a.out, n * a.out.strides[0] + c * a.out.strides[1]);
        in.data = address(a.in, n * a.in.strides[0] + c * a.in.strides[1]);
        out.sizes = a.out.sizes + 2;
        out.strides = a.out.strides + 2;
        in.sizes = a.in.sizes + 2;
        in.strides = a.in.strides + 2;
        out.ndim = in.ndim = a.in.ndim - 2;
        const TensorView* v[] = {&out, &in};
        Loops<2> loops(v);
        constexpr auto es = static_cast<int64_t>(sizeof(T));
        bool direct =
            in.dtype == (std::is_same_v<T, float> ? kFloat : kDouble) && out.dtype == in.dtype;
        loops.rows([&](char** p, const int64_t* st, int64_t m) {
          if (direct && st[0] == es && st[1] == es) {
            const T* x = reinterpret_cast<const T*>(p[1]);
            T* y = reinterpret_cast<T*>(p[0]);
            for (int64_t k = 0; k < m; ++k) y[k] = x[k] * scale + shift;
            return;
          }
          T buf[kTile];
          for (int64_t k = 0; k < m; k += kTile) {
            int64_t cnt = std::min(kTile, m - k);
            load_tile(in.dtype, p[1] + k * st[1], st[1], cnt, buf);
            for (int64_t j = 0; j < cnt; ++j) buf[j] = buf[j] * scale + shift;
            store_tile(out.dtype, p[0] + k * st[0], st[0], cnt, buf);
          }
        });
      }
    }
  };
  if (a.in.dtype == kDouble)
    run(double{});
  else
    run(float{});
}

void pool(const PoolArgs& a) {
  int nd = a.in.ndim - 2;
  int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1}, k[3] = {1, 1, 1}, st[3] = {1, 1, 1},
          pad[3] = {0, 0, 0}, dil[3] = {1, 1, 1}, is[3] = {0, 0, 0}, os[3] = {0, 0, 0},
          xs[3] = {0, 0, 0};
  for (int d = 0; d < nd; ++d) {
    int e = d + 3 - nd;
    in[e] = a.in.sizes[d + 2];
    out[e] = a.out.sizes[d + 2];
    k[e] = a.kernel[d];
    st[e] = a.stride[d];
    pad[e] = a.padding[d];
    dil[e] = a.dilation[d];
    is[e] = a.in.strides[d + 2];
    os[e] = a.out.strides[d + 2];
    if (a.indices.data) xs[e] = a.indices.strides[d + 2];
  }
  auto run = [&](auto tag) {
    using C = decltype(tag);
    // One plane at a time, converted.
    std::vector<C> plane(static_cast<size_t>(in[0] * in[1] * in[2])),
        res(static_cast<size_t>(out[2]));
    std::vector<int64_t> where(static_cast<size_t>(out[2]));
    for (int64_t n = 0; n < a.in.sizes[0]; ++n)
      for (int64_t c = 0; c < a.in.sizes[1]; ++c) {
        C* w = plane.data();
        for (int64_t i0 = 0; i0 < in[0]; ++i0)
          for (int64_t i1 = 0; i1 < in[1]; ++i1, w += in[2])
            load_tile(
                a.in.dtype,
                address(a.in, n * a.in.strides[0] + c * a.in.strides[1] + i0 * is[0] + i1 * is[1]),
                is[2] * static_cast<int64_t>(element_size(a.in.dtype)), in[2], w);
        for (int64_t o0 = 0; o0 < out[0]; ++o0)
          for (int64_t o1 = 0; o1 < out[1]; ++o1) {
            for (int64_t o2 = 0; o2 < out[2]; ++o2) {
              int64_t o[3] = {o0, o1, o2}, lo[3], hi[3], window = 1;
              for (int d = 0; d < 3; ++d) {
                if (a.adaptive) {
                  lo[d] = o[d] * in[d] / out[d];
                  hi[d] = ((o[d] + 1) * in[d] + out[d] - 1) / out[d];
                } else {
                  lo[d] = o[d] * st[d] - pad[d];
                  hi[d] = lo[d] + (k[d] - 1) * dil[d] + 1;
                  if (a.op == Pool::avg) {
                    hi[d] = std::min(hi[d], in[d] + pad[d]);
                    window *= hi[d] - lo[d];
                  }
                  // First tap inside the input.
                  if (lo[d] < 0) lo[d] += (-lo[d] + dil[d] - 1) / dil[d] * dil[d];
                  hi[d] = std::min(hi[d], in[d]);
                }
              }
              if (a.op == Pool::max) {
                C best = -std::numeric_limits<C>::infinity();
                if constexpr (std::is_integral_v<C>) best = std::numeric_limits<C>::min();
                int64_t at = (lo[0] * in[1] + lo[1]) * in[2] + lo[2];
                for (int64_t i0 = lo[0]; i0 < hi[0]; i0 += dil[0])
                  for (int64_t i1 = lo[1]; i1 < hi[1]; i1 += dil[1])
                    for (int64_t i2 = lo[2]; i2 < hi[2]; i2 += dil[2]) {
                      int64_t p = (i0 * in[1] + i1) * in[2] + i2;
                      C x = plane[static_cast<size_t>(p)];
                      if (x > best || x != x) {
                        best = x;
                        at = p;
                      }
                    }
                res[static_cast<size_t>(o2)] = best;
                where[static_cast<size_t>(o2)] = at;
              } else {
                double s = 0;
                int64_t count = 0;
                bool whole = lo[2] == 0 && hi[2] == in[2];  // rows follow each other
                for (int64_t i0 = lo[0]; i0 < hi[0]; ++i0) {
                  const C* row = plane.data() + (i0 * in[1] + lo[1]) * in[2] + lo[2];
                  int64_t rows = std::max<int64_t>(hi[1] - lo[1], 0),
                          length = std::max<int64_t>(hi[2] - lo[2], 0);
                  count += rows * length;
                  if (whole) length *= rows, rows = 1;
                  for (int64_t r = 0; r < rows; ++r, row += in[2]) {
                    if (length >= 16)
                      s += lane_sum(row, length);
                    else
                      for (int64_t k = 0; k < length; ++k) s += static_cast<double>(row[k]);
                  }
                }
                double div = a.divisor                            ? static_cast<double>(a.divisor)
                             : a.adaptive || !a.count_include_pad ? static_cast<double>(count)
                                                                  : static_cast<double>(window);
                res[static_cast<size_t>(o2)] = static_cast<C>(s / div);
              }
            }
            store_tile(a.out.dtype,
                       address(a.out, n * a.out.strides[0] + c * a.out.strides[1] + o0 * os[0] +
                                          o1 * os[1]),
                       os[2] * static_cast<int64_t>(element_size(a.out.dtype)), out[2], res.data());
            if (a.indices.data)
              for (int64_t o2 = 0; o2 < out[2]; ++o2)
                a.indices.ptr<int64_t>()[n * a.indices.strides[0] + c * a.indices.strides[1] +
                                         o0 * xs[0] + o1 * xs[1] + o2 * xs[2]] =
                    where[static_cast<size_t>(o2)];
          }
      }
  };
  if (a.in.dtype == kDouble)
    run(double{});
  else if (is_integral(a.in.dtype, true))
    run(int64_t{});
  else
    run(float{});
}

void attention(const AttentionArgs& a) {
  int64_t B = a.q.sizes[0], L = a.q.sizes[1], E = a.q.sizes[2], S = a.k.sizes[1], D = a.v.sizes[2];
  auto run = [&](auto tag) {
    using C = decltype(tag);
    std::vector<C> q(static_cast<size_t>(L * E)), k(static_cast<size_t>(S * E)),
        v(static_cast<size_t>(S * D)), s(static_cast<size_t>(S)), o(static_cast<size_t>(D)),
        m(static_cast<size_t>(S));
    auto load = [&](const TensorView& t, int64_t b, std::vector<C>& out) {
      int64_t rows = t.sizes[1], cols = t.sizes[2];
      for (int64_t r = 0; r < rows; ++r)
        load_tile(t.dtype, address(t, b * t.strides[0] + r * t.strides[1]), step(t, 2), cols,
                  out.data() + r * cols);
    };
    for (int64_t b = 0; b < B; ++b) {
      load(a.q, b, q);
      load(a.k, b, k);
      load(a.v, b, v);
      std::vector<C> scores;
      if constexpr (std::is_same_v<C, float>) {
        scores.resize(static_cast<size_t>(L * S));
        gemm_f32(L, S, E, static_cast<float>(a.scale), q.data(), E, 1, k.data(), 1, E, 0,
                 scores.data(), S);
      }
      for (int64_t i = 0; i < L; ++i) {
        if constexpr (std::is_same_v<C, float>) {
          std::copy_n(scores.data() + i * S, S, s.data());
        } else {
          for (int64_t j = 0; j < S; ++j) {
            C d = 0;
            for (int64_t e = 0; e < E; ++e)
              d += q[static_cast<size_t>(i * E + e)] * k[static_cast<size_t>(j * E + e)];
            s[static_cast<size_t>(j)] = d * static_cast<C>(a.scale);
          }
        }
        if (a.mask.data) {
          load_tile(a.mask.dtype, address(a.mask, b * a.mask.strides[0] + i * a.mask.strides[1]),
                    step(a.mask, 2), S, m.data());
          for (int64_t j = 0; j < S; ++j) s[static_cast<size_t>(j)] += m[static_cast<size_t>(j)];
        }
        if (a.causal)
          for (int64_t j = i + 1; j < S; ++j)
            s[static_cast<size_t>(j)] = -std::numeric_limits<C>::infinity();
        bool all_masked = (a.mask.data || a.causal) && std::all_of(s.begin(), s.end(), [](C x) {
                            return x == -std::numeric_limits<C>::infinity();
                          });
        if (all_masked)
          std::fill(s.begin(), s.end(), C(0));  // a row that sees nothing gives zeros
        else
          softmax_row(s.data(), S, false);
        if constexpr (std::is_same_v<C, float>) {
          std::copy_n(s.data(), S, scores.data() + i * S);
        } else {
          std::fill(o.begin(), o.end(), C(0));
          for (int64_t j = 0; j < S; ++j)
            for (int64_t d = 0; d < D; ++d)
              o[static_cast<size_t>(d)] +=
                  s[static_cast<size_t>(j)] * v[static_cast<size_t>(j * D + d)];
          store_tile(a.out.dtype, address(a.out, b * a.out.strides[0] + i * a.out.strides[1]),
                     step(a.out, 2), D, o.data());
        }
      }
      if constexpr (std::is_same_v<C, float>) {
        std::vector<float> res(static_cast<size_t>(L * D));
        gemm_f32(L, D, S, 1, scores.data(), S, 1, v.data(), D, 1, 0, res.data(), D);
        for (int64_t i = 0; i < L; ++i)
          store_tile(a.out.dtype, address(a.out, b * a.out.strides[0] + i * a.out.strides[1]),
                     step(a.out, 2), D, res.data() + i * D);
      }
    }
  };
  if (a.q.dtype == kDouble)
    run(double{});
  else
    run(float{});
}

void rnn_cell(const RnnCellArgs& a) {
  int64_t B = a.h.sizes[0], H = a.h.sizes[1];
  auto run = [&](auto tag) {
    using C = decltype(tag);
    auto sig = [](C x) {
      if constexpr (std::is_same_v<C, float>)
        return vsigmoid(x);
      else
        return C(1) / (C(1) + std::exp(-x));
    };
    auto th = [](C x) {
      if constexpr (std::is_same_v<C, float>)
        return vtanh(x);
      else
        return std::tanh(x);
    };
    int64_t G = a.gru ? 3 : 4;
    std::vector<C> g(static_cast<size_t>(G * H)), u(static_cast<size_t>(G * H)),
        p(static_cast<size_t>(H)), h(static_cast<size_t>(H)), c(static_cast<size_t>(H));
    for (int64_t b = 0; b < B; ++b) {
      load_tile(a.gates.dtype, address(a.gates, b * a.gates.strides[0]), step(a.gates, 1), G * H,
                g.data());
      if (a.gru) {
        load_tile(a.hidden_gates.dtype, address(a.hidden_gates, b * a.hidden_gates.strides[0]),
                  step(a.hidden_gates, 1), G * H, u.data());
        load_tile(a.h_prev.dtype, address(a.h_prev, b * a.h_prev.strides[0]), step(a.h_prev, 1), H,
                  p.data());
        for (int64_t i = 0; i < H; ++i) {
          auto k = static_cast<size_t>(i), z = static_cast<size_t>(H + i),
               n = static_cast<size_t>(2 * H + i);
          C r = sig(g[k] + u[k]), zz = sig(g[z] + u[z]), nn = th(g[n] + r * u[n]);
          h[k] = (p[k] - nn) * zz + nn;
        }
      } else {
        load_tile(a.c_prev.dtype, address(a.c_prev, b * a.c_prev.strides[0]), step(a.c_prev, 1), H,
                  p.data());
        for (int64_t i = 0; i < H; ++i) {
          auto k = static_cast<size_t>(i);
          C in = sig(g[k]), f = sig(g[static_cast<size_t>(H + i)]),
            cell = th(g[static_cast<size_t>(2 * H + i)]),
            out = sig(g[static_cast<size_t>(3 * H + i)]);
          c[k] = f * p[k] + in * cell;
          h[k] = out * th(c[k]);
        }
        store_tile(a.c.dtype, address(a.c, b * a.c.strides[0]), step(a.c, 1), H, c.data());
      }
      store_tile(a.h.dtype, address(a.h, b * a.h.strides[0]), step(a.h, 1), H, h.data());
    }
  };
  if (a.h.dtype == kDouble)
    run(double{});
  else
    run(float{});
}

}  // namespace

void add_nn(Kernels& k) {
  k.softmax = softmax;
  k.layer_norm = layer_norm;
  k.batch_norm = batch_norm;
  k.pool = pool;
  k.attention = attention;
  k.rnn_cell = rnn_cell;
}

}  // namespace sconce::SCONCE_ISA
