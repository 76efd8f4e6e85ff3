// SPDX-License-Identifier: Apache-2.0
// Recurrent cells: what follows the products of one step.
#include <algorithm>
#include <vector>

#include "backends/cpu/parallel.h"
#include "backends/cpu/rows.h"

namespace sconce::SCONCE_ISA {

namespace {

template <class V>
SCONCE_INLINE V sigmoid_of(V x) {
  if constexpr (std::is_same_v<V, double>)
    return 1 / (1 + std::exp(-x));
  else
    return vsigmoid(x);
}
template <class V>
SCONCE_INLINE V tanh_of(V x) {
  if constexpr (std::is_same_v<V, double>)
    return std::tanh(x);
  else
    return vtanh(x);
}

// The gates of an LSTM in the order of PyTorch's weights: input, forget, cell, output.
template <class V>
SCONCE_INLINE V lstm_state(V input, V forget, V cell, V before) {
  return sigmoid_of(forget) * before + sigmoid_of(input) * tanh_of(cell);
}
template <class V>
SCONCE_INLINE V lstm_output(V output, V state) {
  return sigmoid_of(output) * tanh_of(state);
}
// x.. of the input, h.. of the hidden state: reset, update, new.
template <class V>
SCONCE_INLINE V gru_output(V xr, V xu, V xn, V hr, V hu, V hn, V before) {
  const V reset = sigmoid_of(xr + hr), update = sigmoid_of(xu + hu),
          fresh = tanh_of(xn + reset * hn);
  return (before - fresh) * update + fresh;
}

// f(load, store) for the vectors of n floats, with their places added to the pointers.
template <class F>
SCONCE_INLINE void for_vectors(int64_t n, F f) {
  int64_t i = 0;
  for (; i + kFloats <= n; i += kFloats)
    f([=](const float* p) { return load(p + i); }, [=](float* p, Floats v) { store(p + i, v); });
  if (i < n)
    f([=](const float* p) { return load_part(p + i, n - i); },
      [=](float* p, Floats v) { store_part(p + i, n - i, v); });
}

void lstm_row(int64_t H, const float* g, const float* u, const float* before, float* c, float* h) {
  for_vectors(
      H, [=](auto get, auto put) __attribute__((always_inline)) {
        auto gate = [=](int64_t k) __attribute__((always_inline)) {
          const Floats x = get(g + k * H);
          return u ? x + get(u + k * H) : x;
        };
        const Floats state = lstm_state(gate(0), gate(1), gate(2), get(before));
        put(c, state);
        put(h, lstm_output(gate(3), state));
      });
}
void gru_row(int64_t H, const float* g, const float* u, const float* before, float* h) {
  for_vectors(
      H, [=](auto get, auto put) __attribute__((always_inline)) {
        put(h, gru_output(get(g), get(g + H), get(g + 2 * H), get(u), get(u + H), get(u + 2 * H),
                          get(before)));
      });
}
void lstm_row(int64_t H, const double* g, const double* u, const double* before, double* c,
              double* h) {
  for (int64_t i = 0; i < H; ++i) {
    auto gate = [=](int64_t k) { return g[k * H + i] + (u ? u[k * H + i] : 0); };
    c[i] = lstm_state(gate(0), gate(1), gate(2), before[i]);
    h[i] = lstm_output(gate(3), c[i]);
  }
}
void gru_row(int64_t H, const double* g, const double* u, const double* before, double* h) {
  for (int64_t i = 0; i < H; ++i)
    h[i] = gru_output(g[i], g[H + i], g[2 * H + i], u[i], u[H + i], u[2 * H + i], before[i]);
}

void rnn_cell(const RnnCellArgs& a) {
  const int64_t B = a.h.sizes[0], H = a.h.sizes[1], G = (a.gru ? 3 : 4) * H;
  auto run = [&](auto tag) {
    using C = decltype(tag);
    // Rows where they stand if they are dense C, else in copies.
    auto stands = [](const TensorView& v) {
      return v.dtype == own_dtype<C>() && v.strides[1] == 1;
    };
    auto get = [&](const TensorView& v, int64_t b, int64_t n, C* copy) -> const C* {
      if (!v.data) return nullptr;
      if (stands(v)) return v.ptr<C>() + b * v.strides[0];
      load_tile(v.dtype, address(v, b * v.strides[0]), step(v, 1), n, copy);
      return copy;
    };
    auto to = [&](const TensorView& v, int64_t b, C* copy) {
      return v.data && stands(v) ? v.ptr<C>() + b * v.strides[0] : copy;
    };
    auto put = [&](const TensorView& v, int64_t b, const C* copy) {
      if (v.data && !stands(v))
        store_tile(v.dtype, address(v, b * v.strides[0]), step(v, 1), H, copy);
    };
    parallel_for(B, static_cast<double>(H) * 1.5, [&](int64_t from, int64_t until) {
      C* copies = thread_scratch<C, 28>().get(static_cast<size_t>(2 * G + 3 * H));
      C *g_copy = copies, *u_copy = g_copy + G, *p_copy = u_copy + G, *h_copy = p_copy + H,
        *c_copy = h_copy + H;
      for (int64_t b = from; b < until; ++b) {
        const C *g = get(a.gates, b, G, g_copy), *u = get(a.hidden_gates, b, G, u_copy),
                *before = get(a.gru ? a.h_prev : a.c_prev, b, H, p_copy);
        C *h = to(a.h, b, h_copy), *c = to(a.c, b, c_copy);
        if (a.gru)
          gru_row(H, g, u, before, h);
        else
          lstm_row(H, g, u, before, c, h);
        put(a.h, b, h_copy);
        put(a.c, b, c_copy);
      }
    });
  };
  if (a.h.dtype == kDouble)
    run(double{});
  else
    run(float{});
}

}  // namespace

SCONCE_KERNEL(rnn_cell)

}  // namespace sconce::SCONCE_ISA
