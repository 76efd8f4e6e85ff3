// SPDX-License-Identifier: Apache-2.0
// Recurrent layers: LSTM, GRU, plain RNN; all options of nn.LSTM and its kin, packed sequences
// included.
#include <algorithm>

#include "ops/host_memory.h"
#include "ops/tensor_ops.h"

namespace sconce::ops {

namespace {

constexpr int64_t kStep = 64;  // elements that take as long as a step of nothing

enum class Kind { Lstm, Gru, Tanh, Relu };

struct Weights {
  const Tensor *w_ih, *w_hh, *b_ih, *b_hh, *w_hr;
};
struct State {
  Tensor h, c;
};

// x_gates: W_ih x + b_ih of this step, [B, G*H]. The next h is written to `to` where that is
// defined and the kind's cell makes h itself.
State step(Kind k, const Tensor& x_gates, const State& s, const Weights& w, const Tensor& to = {}) {
  int64_t B = x_gates.size(0), H = w.w_hh->size(0) / (k == Kind::Lstm ? 4 : k == Kind::Gru ? 3 : 1);
  Tensor hg = linear(s.h, *w.w_hh, w.b_hh);
  State r;
  if (k == Kind::Tanh || k == Kind::Relu) {
    Tensor g = add(x_gates, hg, Scalar(1));
    r.h = unary(k == Kind::Tanh ? Unary::tanh : Unary::relu, g, g.dtype());
    return r;
  }
  r.h = to.defined() ? to : empty({B, H}, x_gates.dtype());
  if (k == Kind::Lstm) {
    r.c = empty({B, H}, x_gates.dtype());
    // The sum of halves is rounded before the cell, that of others isn't.
    const bool rounds = element_size(x_gates.dtype()) < 4;
    Tensor g = rounds ? add(x_gates, hg, Scalar(1)) : x_gates;
    if (r.h.numel())
      call_slot(RnnCellArgs{view_of(r.h),
                            view_of(r.c),
                            view_of(g),
                            rounds ? TensorView{} : view_of(hg),
                            {},
                            view_of(s.c),
                            false});
    if (w.w_hr) r.h = linear(r.h, *w.w_hr, nullptr);
    return r;
  }
  if (r.h.numel())
    call_slot(RnnCellArgs{view_of(r.h), {}, view_of(x_gates), view_of(hg), view_of(s.h), {}, true});
  return r;
}

// One direction of one layer over x: [T, B, I].
Tensor run_layer(Kind k, const Tensor& x, State& s, const Weights& w, bool reverse) {
  int64_t T = x.size(0);
  Tensor gates = linear(x, *w.w_ih, w.b_ih);
  if (T == 0) return empty({0, x.size(1), s.h.size(1)}, x.dtype());
  if (!w.w_hr && (k == Kind::Lstm || k == Kind::Gru)) {
    // Each step's h is made where it stays.
    Tensor out = empty({T, x.size(1), s.h.size(1)}, gates.dtype());
    Interrupt interrupt;
    for (int64_t i = 0; i < T; ++i) {
      interrupt.passed(kStep);
      int64_t t = reverse ? T - 1 - i : i;
      s = step(k, select(gates, 0, t), s, w, select(out, 0, t));
    }
    return out;
  }
  ExpectViews views(T);
  TensorList out(static_cast<size_t>(T));
  for (int64_t i = 0; i < T; ++i) {
    views.passed();
    int64_t t = reverse ? T - 1 - i : i;
    s = step(k, select(gates, 0, t), s, w);
    out[static_cast<size_t>(t)] = s.h;
  }
  return stack(out, 0);
}
// x: rows of all steps, batch sizes falling.
Tensor run_packed(Kind k, const Tensor& x, const std::vector<int64_t>& sizes, State& s,
                  const Weights& w, bool reverse) {
  Tensor gates = linear(x, *w.w_ih, w.b_ih);
  std::vector<int64_t> at(sizes.size() + 1, 0);
  for (size_t i = 0; i < sizes.size(); ++i) at[i + 1] = checked_add(at[i], sizes[i]);
  size_t T = sizes.size();
  ExpectViews views(static_cast<int64_t>(T));
  TensorList out(T);
  auto head = [](const Tensor& t, int64_t n) { return t.defined() ? narrow(t, 0, 0, n) : t; };
  auto join = [](const Tensor& fresh, const Tensor& old) {
    if (!fresh.defined()) return fresh;
    int64_t n = fresh.size(0);
    return n == old.size(0) ? fresh : cat({fresh, narrow(old, 0, n, old.size(0) - n)}, 0);
  };
  for (size_t i = 0; i < T; ++i) {
    views.passed();
    size_t t = reverse ? T - 1 - i : i;
    State part{head(s.h, sizes[t]), head(s.c, sizes[t])};
    State r = step(k, narrow(gates, 0, at[t], sizes[t]), part, w);
    out[t] = r.h;
    s = {join(r.h, s.h), join(r.c, s.c)};
  }
  return cat(out, 0);
}

struct Options {
  Kind kind;
  bool biases;
  int64_t layers;
  double dropout;
  bool train, bidirectional;
};

// The weights are of the sizes that the states ask for.
void check_layer(Kind kind, const State& s, const Weights& w) {
  const int64_t gates = kind == Kind::Lstm ? 4 : kind == Kind::Gru ? 3 : 1;
  const int64_t hidden = s.h.size(-1), cell = s.c.defined() ? s.c.size(-1) : hidden;
  auto check = [&](const Tensor* t, IntArrayRef sizes, const char* name) {
    if (t && t->defined() && t->sizes() != sizes)
      raise<OpError>("RNN: expected ", name, " of sizes ", sizes, ", got ", t->sizes());
  };
  if (w.w_ih->dim() != 2) raise<OpError>("RNN: expected w_ih of 2 dims, got ", w.w_ih->sizes());
  check(w.w_ih, {gates * cell, w.w_ih->size(1)}, "w_ih");
  check(w.w_hh, {gates * cell, hidden}, "w_hh");
  check(w.b_ih, {gates * cell}, "b_ih");
  check(w.b_hh, {gates * cell}, "b_hh");
  check(w.w_hr, {hidden, cell}, "w_hr");
}

std::tuple<Tensor, Tensor, Tensor> run(const Options& o, Tensor x,
                                       const std::vector<int64_t>* packed, const Tensor& h0,
                                       const Tensor& c0, const TensorList& params) {
  int64_t dirs = o.bidirectional ? 2 : 1;
  bool projected = o.kind == Kind::Lstm && h0.size(2) != c0.size(2);
  size_t per = (o.biases ? 4 : 2) + (projected ? 1 : 0);
  const int64_t each = checked_mul(o.layers, dirs);
  if (each < 0 || params.size() / per != static_cast<size_t>(each) || params.size() % per)
    raise<OpError>("got an incorrect number of RNN parameters: ", params.size());
  if (h0.size(0) != each) raise<OpError>("Expected hidden size[0] ", each, ", got ", h0.sizes());
  TensorList hs, cs;
  for (int64_t l = 0; l < o.layers; ++l) {
    TensorList outs;
    for (int64_t d = 0; d < dirs; ++d) {
      const Tensor* p = &params[per * static_cast<size_t>(l * dirs + d)];
      Weights w{p, p + 1, o.biases ? p + 2 : nullptr, o.biases ? p + 3 : nullptr,
                projected ? p + per - 1 : nullptr};
      int64_t i = l * dirs + d;
      if (x.size(-1) != w.w_ih->size(1))
        raise<OpError>("input.size(-1) must be equal to input_size. Expected ", w.w_ih->size(1),
                       ", got ", x.size(-1));
      State s{select(h0, 0, i), c0.defined() ? select(c0, 0, i) : Tensor()};
      check_layer(o.kind, s, w);
      const int64_t batch = packed ? (packed->empty() ? 0 : packed->front()) : x.size(1);
      if (s.h.size(0) != batch || (s.c.defined() && s.c.size(0) != batch))
        raise<OpError>("RNN: expected a hidden state of batch size ", batch, ", got ", h0.sizes());
      outs.push_back(packed ? run_packed(o.kind, x, *packed, s, w, d == 1)
                            : run_layer(o.kind, x, s, w, d == 1));
      hs.push_back(s.h);
      if (s.c.defined()) cs.push_back(s.c);
    }
    x = outs.size() == 1 ? outs[0] : cat(outs, x.dim() - 1);
    if (o.dropout > 0 && o.train && l + 1 < o.layers) x = dropout(x, o.dropout, true);
  }
  return {x, stack(hs, 0), cs.empty() ? Tensor() : stack(cs, 0)};
}

// input forms: (input, hx, params, has_biases, num_layers, dropout, train, bidirectional,
// batch_first)
std::tuple<Tensor, Tensor, Tensor> run_input(Kind k, const Tensor& input, const Tensor& h,
                                             const Tensor& c, const TensorList& params, bool biases,
                                             int64_t layers, double dropout, bool train, bool bi,
                                             bool batch_first) {
  bool batched = input.dim() == 3;
  Tensor x = batched ? (batch_first ? transpose(input, 0, 1) : input) : unsqueeze(input, 1);
  auto lift = [&](const Tensor& t) { return t.defined() && t.dim() == 2 ? unsqueeze(t, 1) : t; };
  auto [y, hn, cn] =
      run({k, biases, layers, dropout, train, bi}, x, nullptr, lift(h), lift(c), params);
  if (!batched)
    return {squeeze_dim(y, 1), squeeze_dim(hn, 1), cn.defined() ? squeeze_dim(cn, 1) : cn};
  return {batch_first ? transpose(y, 0, 1) : y, hn, cn};
}
std::tuple<Tensor, Tensor, Tensor> lstm(const Tensor& x, TensorList hx, TensorList p, bool b,
                                        int64_t l, double d, bool t, bool bi, bool bf) {
  if (hx.size() != 2) raise<OpError>("lstm expects two hidden states");
  return run_input(Kind::Lstm, x, hx[0], hx[1], p, b, l, d, t, bi, bf);
}
template <Kind K>
std::tuple<Tensor, Tensor> rnn(const Tensor& x, const Tensor& h, TensorList p, bool b, int64_t l,
                               double d, bool t, bool bi, bool bf) {
  auto [y, hn, cn] = run_input(K, x, h, Tensor(), p, b, l, d, t, bi, bf);
  return {y, hn};
}
std::tuple<Tensor, Tensor, Tensor> lstm_packed(const Tensor& x, const Tensor& sizes, TensorList hx,
                                               TensorList p, bool b, int64_t l, double d, bool t,
                                               bool bi) {
  auto s = host_ints(sizes);
  return run({Kind::Lstm, b, l, d, t, bi}, x, &s, hx.at(0), hx.at(1), p);
}
template <Kind K>
std::tuple<Tensor, Tensor> rnn_packed(const Tensor& x, const Tensor& sizes, const Tensor& h,
                                      TensorList p, bool b, int64_t l, double d, bool t, bool bi) {
  auto s = host_ints(sizes);
  auto [y, hn, cn] = run({K, b, l, d, t, bi}, x, &s, h, Tensor(), p);
  return {y, hn};
}
// gates: how many rows of the weights belong to one hidden value.
void check_cell(const Tensor& x, const Tensor& h, const Tensor& wi, const Tensor& wh, int64_t gates,
                int number) {
  if (x.dim() != 2 || h.dim() != 2)
    raise<OpError>("a cell expects an input and hidden states of 2 dims, got ", x.sizes(), " and ",
                   h.sizes());
  if (x.size(1) != wi.size(1))
    raise<OpError>("input has inconsistent input_size: got ", x.size(1), " expected ", wi.size(1));
  if (x.size(0) != h.size(0))
    raise<OpError>("Input batch size ", x.size(0), " doesn't match hidden", number, " batch size ",
                   h.size(0));
  if (h.size(1) * gates != wh.size(0))
    raise<OpError>("hidden", number, " has inconsistent hidden_size: got ", h.size(1),
                   ", expected ", wh.size(0) / gates);
}
std::tuple<Tensor, Tensor> lstm_cell(const Tensor& x, TensorList hx, const Tensor& wi,
                                     const Tensor& wh, const Tensor* bi, const Tensor* bh) {
  if (hx.size() != 2) raise<OpError>("lstm_cell expects two hidden states");
  for (int i : {0, 1}) check_cell(x, hx[static_cast<size_t>(i)], wi, wh, 4, i);
  State s = step(Kind::Lstm, linear(x, wi, bi), {hx.at(0), hx.at(1)}, {&wi, &wh, bi, bh, nullptr});
  return {s.h, s.c};
}
template <Kind K>
Tensor rnn_cell(const Tensor& x, const Tensor& h, const Tensor& wi, const Tensor& wh,
                const Tensor* bi, const Tensor* bh) {
  check_cell(x, h, wi, wh, K == Kind::Gru ? 3 : 1, 0);
  return step(K, linear(x, wi, bi), {h, Tensor()}, {&wi, &wh, bi, bh, nullptr}).h;
}
std::tuple<Tensor, Tensor> pack_padded(const Tensor& input, const Tensor& lengths,
                                       bool batch_first) {
  Tensor x = batch_first ? transpose(input, 0, 1) : input;
  if (input.numel() == 0) raise<OpError>("Cannot pack empty tensors.");
  auto len = host_ints(lengths);
  if (static_cast<int64_t>(len.size()) != x.size(1))
    raise<OpError>("Expected `len(lengths)` to be equal to batch_size, but got ", len.size(),
                   " (batch_size=", x.size(1), ")");
  for (size_t i = 0; i < len.size(); ++i) {
    if (len[i] <= 0)
      raise<OpError>(
          "Length of all samples has to be greater than 0, but found an element in 'lengths' that "
          "is <= 0");
    if (i && len[i] > len[i - 1])
      raise<OpError>(
          "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True.");
  }
  TensorList steps;
  std::vector<int64_t> sizes;
  ExpectViews views(len[0]);
  Interrupt interrupt;
  for (int64_t t = 0; t < len[0]; ++t) {
    views.passed();
    interrupt.passed(x.size(1));
    int64_t n = std::count_if(len.begin(), len.end(), [&](int64_t l) { return l > t; });
    steps.push_back(narrow(select(x, 0, t), 0, 0, n));
    sizes.push_back(n);
  }
  Tensor b = empty({static_cast<int64_t>(sizes.size())}, kLong);
  for (size_t i = 0; i < sizes.size(); ++i)
    fill(make_view(b, {}, {}, static_cast<int64_t>(i)), Scalar(sizes[i]));
  return {cat(steps, 0), b};
}
std::tuple<Tensor, Tensor> pad_packed(const Tensor& data, const Tensor& batch_sizes,
                                      bool batch_first, Scalar pad, int64_t total) {
  auto sizes = host_ints(batch_sizes);
  auto T = static_cast<int64_t>(sizes.size());
  int64_t steps = total > 0 ? total : T, B = sizes.at(0);
  if (steps < T)
    raise<OpError>(
        "Expected total_length to be at least the length of the longest sequence in input, but got "
        "total_length=",
        total);
  IntVec s{steps, B};
  for (int64_t i = 1; i < data.dim(); ++i) s.push_back(data.size(i));
  Tensor out = empty(s, data.dtype());
  fill(out, pad);
  int64_t at = 0;
  Interrupt interrupt;
  for (int64_t t = 0; t < T; ++t) {
    interrupt.passed(kStep);
    int64_t n = sizes[static_cast<size_t>(t)];
    copy_to(narrow(select(out, 0, t), 0, 0, n), narrow(data, 0, at, n));
    at += n;
  }
  Tensor len = empty({B}, kLong);
  for (int64_t b = 0; b < B; ++b) {
    interrupt.passed(T);
    fill(make_view(len, {}, {}, b),
         Scalar(static_cast<int64_t>(
             std::count_if(sizes.begin(), sizes.end(), [&](int64_t n) { return n > b; }))));
  }
  return {batch_first ? transpose(out, 0, 1) : out, len};
}

constexpr OpDef kOps[] = {
    // clang-format off
    op<lstm>("aten::lstm.input"), op<lstm_packed>("aten::lstm.data"), op<rnn<Kind::Gru>>("aten::gru.input"), op<rnn_packed<Kind::Gru>>("aten::gru.data"), op<rnn<Kind::Tanh>>("aten::rnn_tanh.input"), op<rnn_packed<Kind::Tanh>>("aten::rnn_tanh.data"),
    op<rnn<Kind::Relu>>("aten::rnn_relu.input"), op<rnn_packed<Kind::Relu>>("aten::rnn_relu.data"), op<lstm_cell>("aten::lstm_cell"), op<rnn_cell<Kind::Gru>>("aten::gru_cell"), op<rnn_cell<Kind::Tanh>>("aten::rnn_tanh_cell"), op<rnn_cell<Kind::Relu>>("aten::rnn_relu_cell"),
    op<pack_padded>("aten::_pack_padded_sequence"), op<pad_packed>("aten::_pad_packed_sequence"),
    // clang-format on
};

}  // namespace

extern const OpTable::RowList kRnnOps;
const OpTable::RowList kRnnOps = rows_in_build<kOps>();

}  // namespace sconce::ops
