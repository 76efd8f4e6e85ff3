// SPDX-License-Identifier: Apache-2.0
// Layers: convolution, pooling, norms, softmax, padding, unfolding.
#include <algorithm>
#include <cmath>

#include "ops/channels_last.h"

namespace sconce::ops {

namespace {

size_t z(int64_t i) { return static_cast<size_t>(i); }

}  // namespace
// n copies where one value stands for all dims.
IntVec spread(const IntVec& v, int64_t n) {
  if (static_cast<int64_t>(v.size()) == n) return v;
  if (v.size() == 1) return IntVec(z(n), v[0]);
  raise<OpError>("expected a list of ", n, " numbers but found ", IntArrayRef(v));
}
namespace {

// n copies of a vector, one after another.
Tensor repeat_tensor(const Tensor& t, int64_t n) {
  return reshape(clone(expand_to(unsqueeze(t, 0), IntVec{n, t.numel()})), {-1});
}

// ---- convolution ----

// Whether x has a dim for the batch; others than [N, C, ...] and [C, ...] are errors.
bool is_batched(const Tensor& x, const Tensor& w) {
  const int64_t nd = w.dim() - 2;
  if (x.dim() != w.dim() && x.dim() != w.dim() - 1)
    raise<OpError>("Expected ", nd + 1, "D (unbatched) or ", nd + 2, "D (batched) input to conv",
                   nd, "d, but got input of size: ", x.sizes());
  return x.dim() == w.dim();
}
void check_taps(const Tensor& w) {
  for (int64_t k : w.sizes().slice(2))
    if (k == 0)
      raise<OpError>("kernel size should be greater than zero, but got ", w.sizes().slice(2));
}
Tensor convolution(const Tensor& x0, const Tensor& w, const Tensor* b, IntVec stride,
                   IntVec padding, IntVec dilation, bool transposed, IntVec out_padding,
                   int64_t groups) {
  int64_t nd = w.dim() - 2;
  if (nd < 1 || nd > 3)
    raise<OpError>("convolution: the weight must have 3 to 5 dims, got ", w.sizes());
  const bool batched = is_batched(x0, w);
  if (x0.dtype() != w.dtype())
    raise<OpError>("Input type (", scalar_type_name(x0.dtype()), ") and weight type (",
                   scalar_type_name(w.dtype()), ") should be the same");
  if (b && b->dtype() != x0.dtype())
    raise<OpError>("Input type (", scalar_type_name(x0.dtype()), ") and bias type (",
                   scalar_type_name(b->dtype()), ") should be the same");
  Tensor x = batched ? x0 : unsqueeze(x0, 0);
  stride = spread(stride, nd);
  padding = spread(padding, nd);
  dilation = spread(dilation, nd);
  out_padding = spread(out_padding.empty() ? IntVec{0} : out_padding, nd);
  if (groups <= 0) raise<OpError>("non-positive groups is not supported");
  int64_t ci = transposed ? w.size(0) : checked_mul(w.size(1), groups),
          co = transposed ? checked_mul(w.size(1), groups) : w.size(0);
  if (x.size(1) != ci)
    raise<OpError>("Given groups=", groups, ", weight of size ", w.sizes(), ", expected input",
                   x0.sizes(), " to have ", ci, " channels, but got ", x.size(1),
                   " channels instead");
  if ((transposed ? w.size(0) : w.size(0)) % groups)
    raise<OpError>(
        "Given groups=", groups,
        ", expected weight to be divisible by groups at dimension 0, but got weight of size ",
        w.sizes());
  if (b && (b->dim() != 1 || b->size(0) != co))
    raise<OpError>("Given weight of size ", w.sizes(), ", expected bias to be 1-dimensional with ",
                   co, " elements, but got bias of size ", b->sizes(), " instead");
  IntVec out{x.size(0), co};
  ConvArgs a{};
  for (int64_t d = 0; d < nd; ++d) {
    int64_t in = x.size(d + 2), k = w.size(d + 2), s = stride[z(d)], p = padding[z(d)],
            l = dilation[z(d)];
    if (s <= 0) raise<OpError>("non-positive stride is not supported");
    if (l <= 0) raise<OpError>("dilation should be greater than zero");
    if (p < 0) raise<OpError>("negative padding is not supported");
    constexpr int64_t kMost = int64_t{1} << 31;  // products of two and sums of them fit
    if (s >= kMost || l >= kMost || p >= kMost)
      raise<OpError>("convolution: stride ", s, ", padding ", p, " or dilation ", l,
                     " is too large");
    if (transposed && (out_padding[z(d)] < 0 || (out_padding[z(d)] >= s && out_padding[z(d)] >= l)))
      raise<OpError>("output padding must be smaller than either stride or dilation, but got ",
                     out_padding[z(d)]);
    // Of tensors without elements the sizes may be anything.
    const int64_t padded = checked_add(in, 2 * p), reach = checked_mul(l, checked_sub(k, 1));
    if (!transposed && padded < checked_add(reach, 1))
      raise<OpError>("Calculated padded input size per channel: (", padded, "). Kernel size: (", k,
                     "). Kernel size can't be greater than actual input size");
    int64_t o = transposed ? checked_add(checked_sub(checked_mul(checked_sub(in, 1), s), 2 * p),
                                         checked_add(reach, out_padding[z(d)] + 1))
                           : (padded - reach - 1) / s + 1;
    out.push_back(o);
    a.stride[d] = s;
    a.padding[d] = p;
    a.dilation[d] = l;
  }
  bool cl = nd == 2 && ((x.is_channels_last() && !x.is_contiguous()) ||
                        (w.is_channels_last() && !w.is_contiguous()));
  Tensor r = cl ? empty_strided(out, channels_last_strides(out), x.dtype()) : empty(out, x.dtype());
  if (r.numel()) {
    check_taps(w);
    a.out = view_of(r);
    a.in = view_of(x);
    a.weight = view_of(w);
    a.bias = view_of(b);
    a.groups = groups;
    a.transposed = transposed;
    call_slot(a);
  }
  return batched ? r : squeeze_dim(r, 0);
}
Tensor convolution_long(const Tensor& x, const Tensor& w, const Tensor* b, IntVec s, IntVec p,
                        IntVec d, bool t, IntVec op_, int64_t g, bool, bool, bool, bool) {
  if (w.dim() > 3 && x.dim() != w.dim())
    raise<OpError>("Expected ", w.dim(), "-dimensional input for ", w.dim(), "-dimensional weight ",
                   w.sizes(), ", but got ", x.dim(), "-dimensional input of size ", x.sizes(),
                   " instead");
  return convolution(x, w, b, s, p, d, t, op_, g);
}
Tensor convolution_deprecated(const Tensor& x, const Tensor& w, const Tensor* b, IntVec s, IntVec p,
                              IntVec d, bool t, IntVec op_, int64_t g, bool, bool, bool) {
  return convolution_long(x, w, b, s, p, d, t, op_, g, false, false, false, false);
}
template <int N>
void check_rank(const Tensor& w) {
  if (w.dim() != N + 2)
    raise<OpError>("conv", N, "d: expected a weight of ", N + 2, " dims, got ", w.sizes());
}
template <int N>
Tensor conv(const Tensor& x, const Tensor& w, const Tensor* b, IntVec s, IntVec p, IntVec d,
            int64_t g) {
  check_rank<N>(w);
  return convolution(x, w, b, s, p, d, false, {}, g);
}
template <int N>
Tensor conv_same(const Tensor& x, const Tensor& w, const Tensor* b, IntVec s,
                 const std::string& how, IntVec d, int64_t g) {
  check_rank<N>(w);
  is_batched(x, w);
  check_taps(w);
  if (how == "valid") return convolution(x, w, b, s, {0}, d, false, {}, g);
  if (how != "same") raise<OpError>("Invalid padding string: '", how, "'");
  for (int64_t v : s)
    if (v != 1) raise<OpError>("padding='same' is not supported for strided convolutions");
  IntVec dil = spread(d, N), pad(N), extra;
  bool uneven = false;
  for (int i = 0; i < N; ++i) {
    int64_t total = checked_mul(dil[z(i)], w.size(i + 2) - 1);
    pad[z(i)] = total / 2;
    uneven |= total % 2 != 0;
  }
  if (!uneven) return convolution(x, w, b, s, pad, dil, false, {}, g);
  // One more at the end of the uneven dims.
  IntVec sz(x.sizes());
  for (int i = 0; i < N; ++i) {
    int64_t& n = sz[sz.size() - N + z(i)];
    n = checked_add(n, dil[z(i)] * (w.size(i + 2) - 1) % 2);
  }
  Tensor y = empty(sz, x.dtype());
  fill(y, Scalar(0));
  Tensor inner = y;
  for (int64_t i = 0; i < x.dim(); ++i) inner = narrow(inner, i, 0, x.size(i));
  copy_to(inner, x);
  return convolution(y, w, b, s, pad, dil, false, {}, g);
}
template <int N>
Tensor conv_transpose(const Tensor& x, const Tensor& w, const Tensor* b, IntVec s, IntVec p,
                      IntVec op_, int64_t g, IntVec d) {
  check_rank<N>(w);
  return convolution(x, w, b, s, p, d, true, op_, g);
}
Tensor conv_tbc(const Tensor& x, const Tensor& w, const Tensor& b, int64_t pad) {
  return permute(
      convolution(permute(x, {1, 2, 0}), permute(w, {2, 1, 0}), &b, {1}, {pad}, {1}, false, {}, 1),
      {2, 0, 1});
}

// ---- pooling ----

int64_t pooled(int64_t in, int64_t k, int64_t p, int64_t s, int64_t d, bool ceil) {
  const int64_t span = in + 2 * p - d * (k - 1) - 1 + (ceil ? s - 1 : 0);
  int64_t o = (span < 0 ? (span - s + 1) / s : span / s) + 1;
  if (ceil && (o - 1) * s >= in + p) --o;
  return o;
}
// Not inlined: g++ would read an absent divisor before it asks whether there is one, and memory
// checkers would tell.
[[gnu::noinline]] void not_zero(int64_t divisor) {
  if (divisor == 0) raise<OpError>("divisor must be not zero");
}
std::tuple<Tensor, Tensor> pool(Pool op, int64_t nd, const Tensor& x0, IntVec k, IntVec s, IntVec p,
                                IntVec d, bool ceil, bool indices, bool include_pad,
                                OptInt divisor) {
  bool batched = x0.dim() == nd + 2;
  if (!batched && x0.dim() != nd + 1)
    raise<OpError>("pool", nd, "d: expected ", nd + 1, "D or ", nd + 2, "D input, got ",
                   x0.sizes());
  Tensor x = batched ? x0 : unsqueeze(x0, 0);
  k = spread(k, nd);
  s = s.empty() ? k : spread(s, nd);
  p = spread(p, nd);
  d = spread(d, nd);
  PoolArgs a{};
  IntVec out{x.size(0), x.size(1)};
  for (int64_t i = 0; i < nd; ++i) {
    size_t e = z(i);
    if (k[e] <= 0 || s[e] <= 0 || d[e] <= 0)
      raise<OpError>("pool: kernel size, stride and dilation should be greater than zero");
    constexpr int64_t kMost = int64_t{1} << 31;  // products of two and sums of them fit
    if (k[e] >= kMost || s[e] >= kMost || d[e] >= kMost || x.size(i + 2) >= kMost * kMost / 2)
      raise<OpError>("pool: kernel size ", k[e], ", stride ", s[e], " or dilation ", d[e],
                     " is too large for ", x0.sizes());
    if (p[e] < 0 || p[e] > ((k[e] - 1) * d[e] + 1) / 2)
      raise<OpError>("pad should be at most half of effective kernel size, but got pad=", p[e],
                     ", kernel_size=", k[e], " and dilation=", d[e]);
    int64_t o = pooled(x.size(i + 2), k[e], p[e], s[e], d[e], ceil);
    if (o < 1 || x.size(i + 2) == 0)
      raise<OpError>("Given input size: ", x0.sizes(), ". Calculated output size is too small");
    out.push_back(o);
    a.kernel[i] = k[e];
    a.stride[i] = s[e];
    a.padding[i] = p[e];
    a.dilation[i] = d[e];
  }
  if (divisor) not_zero(*divisor);
  bool cl = x.dim() == 4 && x.is_channels_last() && !x.is_contiguous();
  Tensor r = cl ? empty_strided(out, channels_last_strides(out), x.dtype()) : empty(out, x.dtype());
  Tensor idx = indices ? empty_strided(out, r.strides(), kLong) : Tensor();
  if (r.numel()) {
    a.out = view_of(r);
    a.indices = view_of(idx);
    a.in = view_of(x);
    a.op = op;
    a.count_include_pad = include_pad;
    a.divisor = divisor.value_or(0);
    call_slot(a);
  }
  if (batched) return {r, idx};
  return {squeeze_dim(r, 0), indices ? squeeze_dim(idx, 0) : Tensor()};
}
template <int N>
Tensor max_pool(const Tensor& x, IntVec k, IntVec s, IntVec p, IntVec d, bool ceil) {
  return std::get<0>(pool(Pool::max, N, x, k, s, p, d, ceil, false, true, {}));
}
template <int N>
std::tuple<Tensor, Tensor> max_pool_indices(const Tensor& x, IntVec k, IntVec s, IntVec p, IntVec d,
                                            bool ceil) {
  return pool(Pool::max, N, x, k, s, p, d, ceil, true, true, {});
}
template <int N>
Tensor avg_pool(const Tensor& x, IntVec k, IntVec s, IntVec p, bool ceil, bool inc, OptInt div) {
  return std::get<0>(pool(Pool::avg, N, x, k, s, p, {1}, ceil, false, inc, div));
}
Tensor avg_pool1d(const Tensor& x, IntVec k, IntVec s, IntVec p, bool ceil, bool inc) {
  return avg_pool<1>(x, k, s, p, ceil, inc, {});
}
}  // namespace
std::tuple<Tensor, Tensor> adaptive(Pool op, int64_t nd, const Tensor& x0, IntVec size,
                                    bool indices) {
  size = spread(size, nd);
  bool batched = x0.dim() == nd + 2;
  if (!batched && x0.dim() != nd + 1)
    raise<OpError>("adaptive_pool", nd, "d: Expected ", nd + 1, "D or ", nd + 2,
                   "D tensor, but got ", x0.sizes());
  Tensor x = batched ? x0 : unsqueeze(x0, 0);
  IntVec out{x.size(0), x.size(1)};
  for (int64_t i = 0; i < nd; ++i) {
    if (x.size(i + 2) == 0)
      raise<OpError>("adaptive_pool", nd,
                     "d(): Expected input to have non-zero size for non-batch dimensions, but "
                     "input has sizes ",
                     x0.sizes());
    out.push_back(size[z(i)]);
  }
  bool cl = x.dim() == 4 && x.is_channels_last() && !x.is_contiguous();
  Tensor r = cl ? empty_strided(out, channels_last_strides(out), x.dtype()) : empty(out, x.dtype());
  Tensor idx = indices ? empty_strided(out, r.strides(), kLong) : Tensor();
  if (r.numel()) {
    PoolArgs a{};
    a.out = view_of(r);
    a.indices = view_of(idx);
    a.in = view_of(x);
    a.op = op;
    a.adaptive = true;
    for (int i = 0; i < 3; ++i) a.dilation[i] = a.stride[i] = a.kernel[i] = 1;
    call_slot(a);
  }
  if (batched) return {r, idx};
  return {squeeze_dim(r, 0), indices ? squeeze_dim(idx, 0) : Tensor()};
}
namespace {
template <int N>
Tensor adaptive_avg(const Tensor& x, IntVec s) {
  if (is_integral(x.dtype(), true) || is_complex(x.dtype()))
    raise<OpError>("\"adaptive_avg_pool", N, "d\" not implemented for '",
                   scalar_type_name(x.dtype()), "'");
  return std::get<0>(adaptive(Pool::avg, N, x, s, false));
}
template <int N>
std::tuple<Tensor, Tensor> adaptive_max(const Tensor& x, IntVec s) {
  return adaptive(Pool::max, N, x, s, true);
}

// ---- norms ----

Tensor batch_norm_with(const Tensor& x, const Tensor& mean, const Tensor& var, const Tensor* w,
                       const Tensor* b, double eps) {
  // Channels-last stays, any other order becomes contiguous.
  Tensor r = x.is_contiguous() || (x.dim() == 4 && x.is_channels_last())
                 ? empty_like(x)
                 : empty(x.sizes(), x.dtype());
  if (r.numel())
    call_slot(BatchNormArgs{view_of(r), view_of(x), view_of(mean), view_of(var), view_of(w),
                            view_of(b), eps});
  return r;
}
// Mean and biased variance of each channel.
void channel_stats(const Tensor& x, Tensor* mean, Tensor* var) {
  IntVec order{1};
  for (int64_t i = 0; i < x.dim(); ++i)
    if (i != 1) order.push_back(i);
  Tensor in = permute(x, order);
  ScalarType t = x.dtype() == kDouble ? kDouble : kFloat;
  *mean = empty({x.size(1)}, t);
  *var = empty({x.size(1)}, t);
  if (x.size(1)) call_slot(VarArgs{view_of(*var), view_of(*mean), view_of(in), 0, false});
}
Tensor batch_norm(const Tensor& x, const Tensor* w, const Tensor* b, const Tensor* rm,
                  const Tensor* rv, bool training, double momentum, double eps, bool) {
  if (x.dim() < 2 && x.numel() == 0) return clone(x);
  if (x.dim() < 2)
    raise<OpError>("batch_norm: expected an input of at least 2 dims, got ", x.sizes());
  for (const Tensor* p : {w, b, rm, rv})
    if (p && p->numel() != x.size(1))
      raise<OpError>("batch_norm: running_mean, running_var, weight and bias should contain ",
                     x.size(1), " elements not ", p->numel());
  for (const Tensor* p : {rm, rv})
    if (p && p->dim() != 1)
      raise<OpError>("batch_norm: running_mean and running_var should have 1 dim, got ",
                     p->sizes());
  // PyTorch counts the elements of these two, in whatever sizes.
  Tensor flat_w, flat_b;
  if (w && w->dim() != 1) w = &(flat_w = reshape(*w, {-1}));
  if (b && b->dim() != 1) b = &(flat_b = reshape(*b, {-1}));
  if (!training) {
    if (!rm || !rv)
      raise<OpError>("Expected running_mean and running_var to be defined when training=False");
    return batch_norm_with(x, *rm, *rv, w, b, eps);
  }
  int64_t n = x.size(1) ? x.numel() / x.size(1) : 0;
  if (n == 1)
    raise<OpError>("Expected more than 1 value per channel when training, got input size ",
                   x.sizes());
  Tensor mean, var;
  channel_stats(x, &mean, &var);
  Tensor r = batch_norm_with(x, mean, var, w, b, eps);
  auto blend = [&](const Tensor* running, const Tensor& now) {
    if (running)
      copy_to(*running, add(mul_scalar(*running, Scalar(1 - momentum)),
                            mul_scalar(cast(now, running->dtype()), Scalar(momentum)), Scalar(1)));
  };
  blend(rm, mean);
  blend(rv, mul_scalar(var, Scalar(static_cast<double>(n) / static_cast<double>(n - 1))));
  return r;
}
std::tuple<Tensor, Tensor, Tensor> native_batch_norm(const Tensor& x, const Tensor* w,
                                                     const Tensor* b, const Tensor* rm,
                                                     const Tensor* rv, bool training, double m,
                                                     double eps) {
  if (!training)
    return {batch_norm(x, w, b, rm, rv, false, m, eps, false), empty({0}, x.dtype()),
            empty({0}, x.dtype())};
  Tensor mean, var;
  channel_stats(x, &mean, &var);
  Tensor inv = unary(Unary::rsqrt, add_scalar(var, Scalar(eps), Scalar(1)), var.dtype());
  // Saved in the parameters' type; without any, in the input's.
  ScalarType saved = w ? w->dtype() : rm ? rm->dtype() : x.dtype();
  return {batch_norm(x, w, b, rm, rv, true, m, eps, false), cast(mean, saved), cast(inv, saved)};
}
Tensor instance_norm(const Tensor& x, const Tensor* w, const Tensor* b, const Tensor* rm,
                     const Tensor* rv, bool use_input, double momentum, double eps, bool) {
  int64_t n = x.size(0), c = x.size(1);
  if (!use_input) return batch_norm(x, w, b, rm, rv, false, momentum, eps, false);
  IntVec s(x.sizes());
  s[1] = n * c;
  s[0] = 1;
  Tensor y = reshape(contiguous(x), s), mean, var;
  channel_stats(y, &mean, &var);
  Tensor ww = w ? repeat_tensor(*w, n) : Tensor(), bb = b ? repeat_tensor(*b, n) : Tensor();
  // The running statistics take the mean over the batch.
  int64_t per = c && n ? x.numel() / (n * c) : 0;
  auto blend = [&](const Tensor* running, const Tensor& now, double factor) {
    if (!running || n == 0) return;
    Tensor each = mean_dim(view(now, {n, c}), OptInts(IntVec{0}), false, {});
    copy_to(*running,
            add(mul_scalar(*running, Scalar(1 - momentum)),
                mul_scalar(cast(each, running->dtype()), Scalar(momentum * factor)), Scalar(1)));
  };
  blend(rm, mean, 1);
  blend(rv, var, static_cast<double>(per) / static_cast<double>(std::max<int64_t>(per - 1, 1)));
  return view(batch_norm_with(y, mean, var, w ? &ww : nullptr, b ? &bb : nullptr, eps),
              IntVec(x.sizes()));
}
std::tuple<Tensor, Tensor, Tensor> layer_norm_full(const Tensor& x, IntVec shape, const Tensor* w,
                                                   const Tensor* b, double eps, bool stats,
                                                   bool rms) {
  int64_t m = static_cast<int64_t>(shape.size()), lead = x.dim() - m;
  if (m == 0 || lead < 0)
    raise<OpError>(
        "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
        "element, but got ",
        IntArrayRef(shape));
  for (int64_t i = 0; i < m; ++i)
    if (x.size(lead + i) != shape[z(i)])
      raise<OpError>("Given normalized_shape=", IntArrayRef(shape),
                     ", expected input with shape [*, ", IntArrayRef(shape),
                     "], but got input of size", x.sizes());
  int64_t n = 1;
  for (int64_t s : shape) n *= s;
  IntVec rows(x.sizes().data(), x.sizes().data() + lead);
  Tensor flat = reshape(x, {n ? x.numel() / n : 0, n}), r = empty(x.sizes(), x.dtype());
  Tensor rf = view(r, {n ? x.numel() / n : 0, n});
  Tensor wf = w ? reshape(*w, {n}) : Tensor(), bf = b ? reshape(*b, {n}) : Tensor();
  IntVec stat = rows;
  for (int64_t i = 0; i < m; ++i) stat.push_back(1);
  Tensor mean = stats ? empty(stat, x.dtype() == kDouble ? kDouble : kFloat) : Tensor(),
         rstd = stats ? empty(stat, mean.dtype()) : Tensor();
  Tensor mv = stats ? view(mean, {-1}) : Tensor(), rv = stats ? view(rstd, {-1}) : Tensor();
  if (r.numel())
    call_slot(LayerNormArgs{view_of(rf), view_of(mv), view_of(rv), view_of(flat), view_of(wf),
                            view_of(bf), eps, rms});
  return {r, mean, rstd};
}
std::tuple<Tensor, Tensor, Tensor> native_layer_norm(const Tensor& x, IntVec s, const Tensor* w,
                                                     const Tensor* b, double eps) {
  auto [r, mean, rstd] = layer_norm_full(x, s, w, b, eps, true, false);
  // Saved in the parameters' type; without any, in the input's.
  ScalarType saved = w ? w->dtype() : x.dtype();
  return {r, cast(mean, saved), cast(rstd, saved)};
}
Tensor rms_norm(const Tensor& x, IntVec s, const Tensor* w, OptDouble eps) {
  double e = eps.value_or(x.dtype() == kDouble     ? 2.220446049250313e-16
                          : x.dtype() == kHalf     ? 9.765625e-04
                          : x.dtype() == kBFloat16 ? 7.8125e-03
                                                   : 1.1920928955078125e-07);
  if (is_complex(x.dtype())) {  // squares, not squared magnitudes
    IntVec dims;
    for (int64_t d = x.dim() - static_cast<int64_t>(s.size()); d < x.dim(); ++d) dims.push_back(d);
    Tensor squares = reduce(Reduce::mean, mul(x, x), dims, true, x.dtype(), x.dtype());
    Tensor y = mul(x, unary(Unary::rsqrt, add_scalar(squares, Scalar(e), Scalar(1)), x.dtype()));
    return w ? mul(y, *w) : y;
  }
  return std::get<0>(layer_norm_full(x, s, w, nullptr, e, false, true));
}
Tensor group_norm(const Tensor& x, int64_t groups, const Tensor* w, const Tensor* b, double eps,
                  bool) {
  int64_t n = x.size(0), c = x.size(1);
  if (groups <= 0 || c % groups)
    raise<OpError>(
        "Expected number of channels in input to be divisible by num_groups, but got input of "
        "shape ",
        x.sizes(), " and num_groups=", groups);
  int64_t rest = n * c != 0 ? x.numel() / (n * c) : 0;
  Tensor y = reshape(contiguous(x), {n * groups, c / groups * rest});
  Tensor r = view(
      std::get<0>(layer_norm_full(y, {c / groups * rest}, nullptr, nullptr, eps, false, false)),
      IntVec(x.sizes()));
  IntVec s(z(x.dim()), 1);
  s[1] = c;
  if (w) r = mul(r, reshape(*w, s));
  if (b) r = add(r, reshape(*b, s), Scalar(1));
  return r;
}

// ---- softmax ----

Tensor softmax(const Tensor& t, int64_t d, OptInt dt) {
  return softmax_impl(cast(t, dtype_or(dt, t.dtype())), d, dtype_or(dt, t.dtype()), false);
}
Tensor log_softmax(const Tensor& t, int64_t d, OptInt dt) {
  return softmax_impl(cast(t, dtype_or(dt, t.dtype())), d, dtype_or(dt, t.dtype()), true);
}
Tensor softmax_half(const Tensor& t, int64_t d, bool) {
  return softmax_impl(t, d, t.dtype(), false);
}
Tensor log_softmax_half(const Tensor& t, int64_t d, bool) {
  return softmax_impl(t, d, t.dtype(), true);
}
Tensor normalize_dim(const Tensor& t, double p, int64_t d, double eps) {
  Tensor n = reduce(p == 2   ? Reduce::norm2
                    : p == 1 ? Reduce::norm1
                             : Reduce::normp,
                    t, {wrap_dim(d, t.dim())}, true, t.dtype(), real_of(t.dtype()), p);
  return div(t, expand_to(unary(Unary::clamp_min, n, n.dtype(), eps), t.sizes()));
}
}  // namespace
Tensor cosine_similarity(const Tensor& a0, const Tensor& b0, int64_t dim, double eps) {
  ScalarType t = result_type(a0, b0);
  if (!is_floating(t))
    raise<OpError>("expected common dtype to be floating point, yet common dtype is ",
                   scalar_type_name(t));
  IntVec s = broadcast(a0.sizes(), b0.sizes());
  Tensor a = expand_to(cast(a0, t), s), b = expand_to(cast(b0, t), s);
  return sum_dim(mul(normalize_dim(a, 2, dim, eps), normalize_dim(b, 2, dim, eps)),
                 OptInts(IntVec{dim}), false, {});
}
Tensor pairwise_distance(const Tensor& a, const Tensor& b, double p, double eps, bool keep) {
  Tensor d = add_scalar(sub(a, b, Scalar(1)), Scalar(eps), Scalar(1));
  return reduce(p == 2   ? Reduce::norm2
                : p == 1 ? Reduce::norm1
                         : Reduce::normp,
                d, {d.dim() - 1}, keep, d.dtype(), real_of(d.dtype()), p);
}
namespace {
// Distances of rows as a product: |a - b|^2 = |a|^2 - 2 a b + |b|^2.
Tensor euclidean_distances(const Tensor& a, const Tensor& b) {
  auto squares = [](const Tensor& t) {
    return reduce(Reduce::sum, mul(t, t), {t.dim() - 1}, true, t.dtype(), t.dtype());
  };
  auto ones = [](const Tensor& like) {
    Tensor t = empty(like.sizes(), like.dtype());
    fill(t, Scalar(1));
    return t;
  };
  Tensor na = squares(a), nb = squares(b);
  Tensor x = cat({mul_scalar(a, Scalar(-2)), na, ones(na)}, -1), y = cat({b, ones(nb), nb}, -1);
  Tensor d = matmul(x, transpose(y, -1, -2));
  return unary(Unary::sqrt, unary(Unary::clamp_min, d, d.dtype(), 0), d.dtype());
}
Tensor cdist(const Tensor& a, const Tensor& b, double p, OptInt mode) {
  // As PyTorch: by a product from 25 rows on, unless told otherwise.
  const int64_t how = mode.value_or(0);
  if (p == 2 && how != 2 && a.dim() >= 2 && b.dim() >= 2 && a.size(-1) > 0 && a.numel() > 0 &&
      b.numel() > 0 && (how == 1 || a.size(-2) > 25 || b.size(-2) > 25))
    return euclidean_distances(a, b);
  Tensor d = sub(unsqueeze(a, -2), unsqueeze(b, -3), Scalar(1));
  Reduce r = p == 2          ? Reduce::norm2
             : p == 1        ? Reduce::norm1
             : p == 0        ? Reduce::norm0
             : std::isinf(p) ? Reduce::norminf
                             : Reduce::normp;
  return reduce(r, d, {d.dim() - 1}, false, d.dtype(), d.dtype(), p);
}
Tensor weight_norm(const Tensor& v, const Tensor& g, int64_t dim) {
  IntVec dims;
  for (int64_t i = 0; i < v.dim(); ++i)
    if (dim < 0 || i != dim) dims.push_back(i);
  return mul(v, div(g, reduce(Reduce::norm2, v, dims, true, v.dtype(), v.dtype())));
}

// ---- padding ----

Tensor constant_pad(const Tensor& x, IntVec p, Scalar v) {
  if (p.size() % 2 || static_cast<int64_t>(p.size()) > 2 * x.dim())
    raise<OpError>(
        "Length of pad must be even and at most twice the number of dimensions of the input. Pad "
        "has ",
        p.size(), " elements while the input has ", x.dim(), " dims.");
  IntVec s(x.sizes());
  Tensor in = x;
  for (size_t i = 0; i < p.size() / 2; ++i) {
    int64_t d = x.dim() - 1 - static_cast<int64_t>(i), lo = p[2 * i], hi = p[2 * i + 1];
    s[z(d)] = checked_add(s[z(d)], checked_add(lo, hi));
    if (s[z(d)] < 0)
      raise<OpError>("The input size ", x.size(d), ", plus negative padding ", lo, " and ", hi,
                     " resulted in a negative output size");
    // Negative padding cuts.
    int64_t from = lo < 0 ? checked_sub(0, lo) : 0,
            to = x.size(d) - (hi < 0 ? checked_sub(0, hi) : 0);
    in = slice(in, d, from, std::max(to, from), 1);
  }
  bool cl = x.dim() == 4 && x.is_channels_last() && !x.is_contiguous();
  Tensor r = cl ? empty_strided(s, channels_last_strides(s), x.dtype()) : empty(s, x.dtype());
  fill(r, v);
  Tensor out = r;
  for (size_t i = 0; i < p.size() / 2; ++i) {
    int64_t d = x.dim() - 1 - static_cast<int64_t>(i);
    out = narrow(out, d, std::max<int64_t>(p[2 * i], 0), in.size(d));
  }
  copy_to(out, in);
  return r;
}
Tensor mode_pad(const Tensor& x0, const IntVec& p0, int32_t mode) {
  Tensor x = x0;
  IntVec p = p0;
  // A circle is closed after cropping.
  for (size_t i = 0; mode == 3 && i < p.size() / 2; ++i) {
    int64_t d = x.dim() - 1 - static_cast<int64_t>(i);
    if (d < 0 || (p[2 * i] >= 0 && p[2 * i + 1] >= 0)) continue;
    int64_t from = std::max<int64_t>(checked_sub(0, p[2 * i]), 0),
            to = x.size(d) + std::min<int64_t>(p[2 * i + 1], 0);
    if (to < from) raise<OpError>("Negative padding value is resulting in an empty dimension.");
    x = narrow(x, d, from, to - from);
    p[2 * i] = std::max<int64_t>(p[2 * i], 0);
    p[2 * i + 1] = std::max<int64_t>(p[2 * i + 1], 0);
  }
  IntVec s(x.sizes());
  PadArgs a{};
  if (x.dim() > 8) raise<OpError>("padding of more than 8 dims is not supported");
  for (size_t i = 0; i < p.size() / 2; ++i) {
    int64_t d = x.dim() - 1 - static_cast<int64_t>(i), n = x.size(d);
    if (d < 0)
      raise<OpError>("Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now");
    if (n == 0)
      raise<OpError>("padding: expected dims with elements, got an input of sizes ", x.sizes());
    if (mode == 1 && (p[2 * i] >= n || p[2 * i + 1] >= n))
      raise<OpError>(
          "Padding size should be less than the corresponding input dimension, but got: padding (",
          p[2 * i], ", ", p[2 * i + 1], ") at dimension ", d, " of input ", x.sizes());
    if (mode == 3 && (p[2 * i] > n || p[2 * i + 1] > n))
      raise<OpError>("Padding value causes wrapping around more than once.");
    s[z(d)] = checked_add(checked_add(n, p[2 * i]), p[2 * i + 1]);
    if (s[z(d)] < 1) raise<OpError>("input is too small for this padding: ", x.sizes());
    a.before[d] = p[2 * i];
    (void)checked_sub(s[z(d)], p[2 * i]);  // what the kernel computes
  }
  Tensor r = empty(s, x.dtype());
  if (r.numel()) {
    a.out = view_of(r);
    a.in = view_of(x);
    a.mode = mode;
    call_slot(a);
  }
  return r;
}
Tensor pad(const Tensor& x, IntVec p, const std::string& mode, OptDouble v) {
  if (mode == "constant")
    return constant_pad(x, p,
                        x.dtype() == kBool             ? Scalar(v.value_or(0) != 0)
                        : is_integral(x.dtype(), true) ? Scalar(Scalar(v.value_or(0)).i)
                                                       : Scalar(v.value_or(0)));
  if (v && *v != 0) raise<OpError>("Padding mode \"", mode, "\" doesn't take in value argument");
  if (p.size() % 2) raise<OpError>("Padding length must be divisible by 2");
  const auto padded = static_cast<int64_t>(p.size()) / 2;
  if (padded < 1 || padded > 3 || (x.dim() != padded + 1 && x.dim() != padded + 2))
    raise<OpError>("Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now");
  if (mode == "reflect") return mode_pad(x, p, 1);
  if (mode == "replicate") return mode_pad(x, p, 2);
  if (mode == "circular") return mode_pad(x, p, 3);
  raise<OpError>("Unrecognised padding mode ", mode);
}
// reflection_pad1d to replication_pad3d.
template <int64_t Padded, int32_t Mode>
Tensor fixed_pad(const Tensor& x, IntVec p) {
  const int64_t n = x.dim();
  bool fits = n == Padded + 1 || n == Padded + 2;
  for (int64_t d = n == Padded + 2 ? 1 : 0; fits && d < n; ++d) fits = x.size(d) != 0;
  if (!fits)
    raise<OpError>("Expected ", Padded + 1, "D or ", Padded + 2,
                   "D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions "
                   "for input, but got: ",
                   x.sizes());
  if (static_cast<int64_t>(p.size()) != 2 * Padded)
    raise<OpError>("padding size is expected to be ", 2 * Padded, ", but got: ", p.size());
  Tensor r = mode_pad(x, p, Mode);
  if (is_quantized(x.dtype())) r.mutable_impl()->quantizer = x.impl()->quantizer;
  return r;
}

// ---- unfolding ----

Tensor im2col(const Tensor& x0, IntVec k, IntVec d, IntVec p, IntVec s) {
  bool batched = x0.dim() == 4;
  Tensor x = batched ? x0 : unsqueeze(x0, 0);
  k = spread(k, 2), d = spread(d, 2), p = spread(p, 2), s = spread(s, 2);
  Tensor y = constant_pad(x, {p[1], p[1], p[0], p[0]}, Scalar(0));
  int64_t oh = (y.size(2) - d[0] * (k[0] - 1) - 1) / s[0] + 1,
          ow = (y.size(3) - d[1] * (k[1] - 1) - 1) / s[1] + 1;
  if (oh < 1 || ow < 1)
    raise<OpError>("im2col: the calculated shape of the array of sliding blocks is not positive");
  Tensor v = make_view(
      y, {y.size(0), y.size(1), k[0], k[1], oh, ow},
      {y.stride(0), y.stride(1), checked_mul(d[0], y.stride(2)), checked_mul(d[1], y.stride(3)),
       checked_mul(s[0], y.stride(2)), checked_mul(s[1], y.stride(3))},
      y.storage_offset());
  Tensor r = reshape(contiguous(v), {y.size(0), y.size(1) * k[0] * k[1], oh * ow});
  return batched ? r : squeeze_dim(r, 0);
}
Tensor col2im(const Tensor& x0, IntVec out, IntVec k, IntVec d, IntVec p, IntVec s) {
  bool batched = x0.dim() == 3;
  Tensor x = batched ? x0 : unsqueeze(x0, 0);
  k = spread(k, 2), d = spread(d, 2), p = spread(p, 2), s = spread(s, 2);
  int64_t oh = (out[0] + 2 * p[0] - d[0] * (k[0] - 1) - 1) / s[0] + 1,
          ow = (out[1] + 2 * p[1] - d[1] * (k[1] - 1) - 1) / s[1] + 1,
          c = x.size(1) / (k[0] * k[1]);
  if (x.size(1) % (k[0] * k[1]) || x.size(2) != oh * ow)
    raise<OpError>("col2im: the input ", x0.sizes(), " does not fit the output size");
  Tensor y = empty({x.size(0), c, out[0] + 2 * p[0], out[1] + 2 * p[1]}, x.dtype());
  fill(y, Scalar(0));
  Tensor v = reshape(x, {x.size(0), c, k[0], k[1], oh, ow});
  for (int64_t i = 0; i < k[0]; ++i)
    for (int64_t j = 0; j < k[1]; ++j) {
      Tensor t = make_view(y, {x.size(0), c, oh, ow},
                           {y.stride(0), y.stride(1), checked_mul(s[0], y.stride(2)),
                            checked_mul(s[1], y.stride(3))},
                           i * d[0] * y.stride(2) + j * d[1] * y.stride(3));
      copy_to(t, add(t, select(select(v, 2, i), 2, j), Scalar(1)));
    }
  Tensor r = contiguous(narrow(narrow(y, 2, p[0], out[0]), 3, p[1], out[1]));
  return batched ? r : squeeze_dim(r, 0);
}

}  // namespace

Tensor convolve(const Tensor& x, const Tensor& w, const Tensor* b, IntVec stride, IntVec padding,
                IntVec dilation, bool transposed, IntVec output_padding, int64_t groups) {
  return convolution(x, w, b, stride, padding, dilation, transposed, output_padding, groups);
}
Tensor softmax_impl(const Tensor& t, int64_t dim, ScalarType out, bool log) {
  if (!is_floating(t.dtype()))
    raise<OpError>(log ? "\"log_softmax_lastdim_kernel_impl\"" : "\"softmax_lastdim_kernel_impl\"",
                   " not implemented for '", scalar_type_name(t.dtype()), "'");
  int64_t d = wrap_dim(dim, t.dim());
  Tensor r = empty(t.sizes(), out);
  if (r.numel() == 0) return r;
  Tensor rv = t.dim() == 0 ? reshape(r, {1}) : transpose(r, d, -1),
         in = t.dim() == 0 ? reshape(t, {1}) : transpose(t, d, -1);
  call_slot(SoftmaxArgs{view_of(rv), view_of(in), log});
  return r;
}
Tensor layer_norm(const Tensor& x, IntVec s, const Tensor* w, const Tensor* b, double eps, bool) {
  return std::get<0>(layer_norm_full(x, s, w, b, eps, false, false));
}

namespace {

constexpr OpDef kOps[] = {
    // clang-format off
    op<conv<1>>("aten::conv1d"), op<conv<2>>("aten::conv2d"), op<conv<3>>("aten::conv3d"), op<conv_same<1>>("aten::conv1d.padding"), op<conv_same<2>>("aten::conv2d.padding"), op<conv_same<3>>("aten::conv3d.padding"),
    op<conv_transpose<1>>("aten::conv_transpose1d"), op<conv_transpose<2>>("aten::conv_transpose2d.input"), op<conv_transpose<3>>("aten::conv_transpose3d.input"), op<convolution>("aten::convolution"), op<convolution_long>("aten::_convolution"), op<convolution_deprecated>("aten::_convolution.deprecated"), op<conv_tbc>("aten::conv_tbc"),
    op<max_pool<1>>("aten::max_pool1d"), op<max_pool<2>>("aten::max_pool2d"), op<max_pool<3>>("aten::max_pool3d"), op<max_pool_indices<1>>("aten::max_pool1d_with_indices"), op<max_pool_indices<2>>("aten::max_pool2d_with_indices"), op<max_pool_indices<3>>("aten::max_pool3d_with_indices"),
    op<avg_pool1d>("aten::avg_pool1d"), op<avg_pool<2>>("aten::avg_pool2d"), op<avg_pool<3>>("aten::avg_pool3d"), op<adaptive_avg<1>>("aten::adaptive_avg_pool1d"), op<adaptive_avg<2>>("aten::adaptive_avg_pool2d"), op<adaptive_avg<3>>("aten::adaptive_avg_pool3d"), op<adaptive_avg<2>>("aten::_adaptive_avg_pool2d"), op<adaptive_avg<3>>("aten::_adaptive_avg_pool3d"),
    op<adaptive_max<1>>("aten::adaptive_max_pool1d"), op<adaptive_max<2>>("aten::adaptive_max_pool2d"), op<adaptive_max<3>>("aten::adaptive_max_pool3d"),
    op<batch_norm>("aten::batch_norm"), op<native_batch_norm>("aten::native_batch_norm"), op<instance_norm>("aten::instance_norm"), op<layer_norm>("aten::layer_norm"), op<native_layer_norm>("aten::native_layer_norm"), op<rms_norm>("aten::rms_norm"), op<group_norm>("aten::group_norm"),
    op<softmax>("aten::softmax.int"), op<log_softmax>("aten::log_softmax.int"), op<softmax_half>("aten::_softmax"), op<log_softmax_half>("aten::_log_softmax"), op<cosine_similarity>("aten::cosine_similarity"), op<pairwise_distance>("aten::pairwise_distance"), op<cdist>("aten::cdist"), op<weight_norm>("aten::_weight_norm"),
    op<constant_pad>("aten::constant_pad_nd"), op<pad>("aten::pad"), op<fixed_pad<1, 1>>("aten::reflection_pad1d"), op<fixed_pad<2, 1>>("aten::reflection_pad2d"), op<fixed_pad<3, 1>>("aten::reflection_pad3d"), op<fixed_pad<1, 2>>("aten::replication_pad1d"), op<fixed_pad<2, 2>>("aten::replication_pad2d"), op<fixed_pad<3, 2>>("aten::replication_pad3d"),
    op<im2col>("aten::im2col"), op<col2im>("aten::col2im"),

    // clang-format on
};

}  // namespace

extern const OpTable::RowList kNnOps;
const OpTable::RowList kNnOps = rows_in_build<kOps>();

}  // namespace sconce::ops
