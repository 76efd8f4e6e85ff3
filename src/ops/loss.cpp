// SPDX-License-Identifier: Apache-2.0
// Losses, most of them composed of elementwise operators and a reduction.
#include <algorithm>
#include <cmath>

#include "ops/tensor_ops.h"

namespace sconce::ops {

namespace {

size_t z(int64_t i) { return static_cast<size_t>(i); }

Tensor reduced(const Tensor& t, int64_t reduction) {
  if (reduction == 1) return mean_dim(t, {}, false, {});
  return reduction == 2 ? sum_dim(t, {}, false, {}) : t;
}
Tensor pair_loss(Binary op, const Tensor& a, const Tensor& b, int64_t reduction,
                 Scalar s = Scalar(1)) {
  ScalarType t = result_type(a, b);
  return reduced(binary(op, a, b, t, t, s), reduction);
}
Tensor mse_loss(const Tensor& a, const Tensor& b, int64_t r) {
  return pair_loss(Binary::mse, a, b, r);
}
Tensor l1_loss(const Tensor& a, const Tensor& b, int64_t r) {
  Tensor d = sub(a, b, Scalar(1));
  return reduced(
      unary(is_complex(d.dtype()) ? Unary::complex_abs : Unary::abs, d, real_of(d.dtype())), r);
}
Tensor smooth_l1(const Tensor& a, const Tensor& b, int64_t r, double beta) {
  return beta == 0 ? l1_loss(a, b, r) : pair_loss(Binary::smooth_l1, a, b, r, Scalar(beta));
}
Tensor huber(const Tensor& a, const Tensor& b, int64_t r, double delta) {
  return pair_loss(Binary::huber, a, b, r, Scalar(delta));
}
Tensor bce(const Tensor& x, const Tensor& t, const Tensor* w, int64_t r) {
  if (x.sizes() != t.sizes())
    raise<OpError>("Using a target size (", t.sizes(), ") that is different to the input size (",
                   x.sizes(), ") is deprecated. Please ensure they have the same size.");
  for (const Tensor* p : {&x, &t}) {
    if (p->numel() == 0) continue;
    IntVec all;
    for (int64_t i = 0; i < p->dim(); ++i) all.push_back(i);
    double lo = item(reduce(Reduce::min, *p, all, false, p->dtype(), p->dtype())).d,
           hi = item(reduce(Reduce::max, *p, all, false, p->dtype(), p->dtype())).d;
    if (!(lo >= 0 && hi <= 1))
      raise<OpError>("all elements of ", p == &x ? "input" : "target",
                     " should be between 0 and 1");
  }
  Tensor l = binary(Binary::bce, x, t, x.dtype(), x.dtype());
  return reduced(w ? mul(l, *w) : l, r);
}
Tensor bce_logits(const Tensor& x, const Tensor& t, const Tensor* w, const Tensor* pw, int64_t r) {
  // (1 - t) x - log_weight * log_sigmoid(x)
  Tensor ls = unary(Unary::logsigmoid, x, x.dtype());
  Tensor one_minus =
      binary_scalar(Binary::sub, t, Scalar(1), t.dtype(), t.dtype(), Scalar(1), true);
  Tensor lw = pw ? add_scalar(mul(add_scalar(*pw, Scalar(-1), Scalar(1)), t), Scalar(1), Scalar(1))
                 : Tensor();
  Tensor l = sub(mul(one_minus, x), pw ? mul(lw, ls) : ls, Scalar(1));
  return reduced(w ? mul(l, *w) : l, r);
}
Tensor kl_div(const Tensor& x, const Tensor& t, int64_t r, bool log_target) {
  Tensor l = log_target
                 ? mul(unary_float(Unary::exp, t), sub(t, x, Scalar(1)))
                 : sub(binary(Binary::xlogy, t, t, t.dtype(), t.dtype()), mul(t, x), Scalar(1));
  return reduced(l, r);
}
// x: [N, C, rest...] or [C]; target: [N, rest...] or [].
std::tuple<Tensor, Tensor> nll(const Tensor& x0, const Tensor& t0, const Tensor* w,
                               int64_t reduction, int64_t ignore) {
  Tensor x = x0.dim() == 1 ? unsqueeze(x0, 0) : x0, t = x0.dim() == 1 ? reshape(t0, {1}) : t0;
  int64_t c = x.size(1);
  if (t.dim() != x.dim() - 1)
    raise<OpError>("0D or 1D target tensor expected, multi-target not supported: input ",
                   x0.sizes(), ", target ", t0.sizes());
  if (t.dtype() != kLong && t.dtype() != kByte)
    raise<OpError>("expected scalar type Long for the target but found ",
                   scalar_type_name(t.dtype()));
  Tensor skip = binary_scalar(Binary::eq, t, Scalar(ignore), kLong, kBool);
  Tensor safe = masked_fill(cast(t, kLong), skip, Scalar(0));
  Tensor picked = squeeze_dim(gather(x, 1, unsqueeze(safe, 1), false), 1);
  Tensor weight;
  if (w) {
    if (w->numel() != c)
      raise<OpError>("weight tensor should be defined either for all ", c,
                     " classes or no classes but got weight tensor of shape: ", w->sizes());
    weight = reshape(index_select(*w, 0, reshape(safe, {-1})), IntVec(safe.sizes()));
  } else {
    weight = empty(safe.sizes(), x.dtype());
    fill(weight, Scalar(1));
  }
  weight = masked_fill(weight, skip, Scalar(0));
  Tensor l =
      unary(Unary::neg, mul(where(skip, scalar_tensor(Scalar(0.0), x.dtype()), picked), weight),
            x.dtype());
  Tensor total = sum_dim(weight, {}, false, {});
  if (reduction == 0) return {x0.dim() == 1 ? reshape(l, {}) : l, total};
  Tensor s = sum_dim(l, {}, false, {});
  return {reduction == 1 ? div(s, total) : s, total};
}
Tensor nll_loss(const Tensor& x, const Tensor& t, const Tensor* w, int64_t r, int64_t i) {
  return std::get<0>(nll(x, t, w, r, i));
}
std::tuple<Tensor, Tensor> nll_forward(const Tensor& x, const Tensor& t, const Tensor* w, int64_t r,
                                       int64_t i) {
  return nll(x, t, w, r, i);
}
Tensor cross_entropy(const Tensor& x, const Tensor& t, const Tensor* w, int64_t r, int64_t ignore,
                     double smoothing) {
  if (smoothing > 1)
    raise<OpError>("label_smoothing must be between 0.0 and 1.0. Got: ", smoothing);
  int64_t cd = x.dim() == 1 ? 0 : 1;
  Tensor lp = softmax_impl(x, cd, x.dtype(), true);
  IntVec ws(z(x.dim()), 1);
  ws[z(cd)] = x.size(cd);
  if (t.sizes() == x.sizes() && is_floating(t.dtype())) {  // probabilities
    Tensor p = t;
    if (smoothing > 0)
      p = add_scalar(mul_scalar(p, Scalar(1 - smoothing)),
                     Scalar(smoothing / static_cast<double>(x.size(cd))), Scalar(1));
    Tensor l = unary(Unary::neg, mul(lp, p), x.dtype());
    if (w) l = mul(l, reshape(*w, ws));
    l = sum_dim(l, OptInts(IntVec{cd}), false, {});
    if (r == 1)
      return div_scalar(sum_dim(l, {}, false, {}),
                        Scalar(static_cast<double>(
                            std::max<int64_t>(1, x.numel() / std::max<int64_t>(1, x.size(cd))))));
    return reduced(l, r);
  }
  auto [l, total] = nll(lp, t, w, r, ignore);
  if (smoothing <= 0) return l;
  Tensor all = unary(Unary::neg, w ? mul(lp, reshape(*w, ws)) : lp, x.dtype());
  Tensor smooth = sum_dim(all, OptInts(IntVec{cd}), false, {});
  Tensor skip = binary_scalar(Binary::eq, t, Scalar(ignore), kLong, kBool);
  smooth = masked_fill(smooth, skip, Scalar(0));
  if (r == 1) smooth = div(sum_dim(smooth, {}, false, {}), total);
  if (r == 2) smooth = sum_dim(smooth, {}, false, {});
  return add(mul_scalar(l, Scalar(1 - smoothing)),
             mul_scalar(smooth, Scalar(smoothing / static_cast<double>(x.size(cd)))), Scalar(1));
}
Tensor soft_margin(const Tensor& x, const Tensor& t, int64_t r) {
  return reduced(
      unary(Unary::log1p, unary(Unary::exp, mul(unary(Unary::neg, x, x.dtype()), t), x.dtype()),
            x.dtype()),
      r);
}
Tensor margin_ranking(const Tensor& a, const Tensor& b, const Tensor& t, double m, int64_t r) {
  Tensor l =
      add_scalar(mul(unary(Unary::neg, t, t.dtype()), sub(a, b, Scalar(1))), Scalar(m), Scalar(1));
  return reduced(unary(Unary::clamp_min, l, l.dtype(), 0), r);
}
Tensor hinge_embedding(const Tensor& x, const Tensor& t, double m, int64_t r) {
  Tensor far =
      unary(Unary::clamp_min,
            binary_scalar(Binary::sub, x, Scalar(m), x.dtype(), x.dtype(), Scalar(1), true),
            x.dtype(), 0);
  Tensor zero = scalar_tensor(Scalar(0.0), x.dtype());
  return reduced(
      add(where(binary_scalar(Binary::ne, t, Scalar(1), t.dtype(), kBool), far, zero),
          where(binary_scalar(Binary::ne, t, Scalar(-1), t.dtype(), kBool), x, zero), Scalar(1)),
      r);
}
Tensor cosine_embedding(const Tensor& a, const Tensor& b, const Tensor& t, double m, int64_t r) {
  auto real = [](const Tensor& v) { return is_integral(v.dtype(), true) ? cast(v, kFloat) : v; };
  Tensor cos = cosine_similarity(real(a), real(b), a.dim() - 1, 1e-8);
  Tensor zero = scalar_tensor(Scalar(0.0), cos.dtype());
  Tensor pos = binary_scalar(Binary::sub, cos, Scalar(1.0), cos.dtype(), cos.dtype(), Scalar(1),
                             true),
         neg = unary(Unary::clamp_min, add_scalar(cos, Scalar(-m), Scalar(1)), cos.dtype(), 0);
  return reduced(
      add(where(binary_scalar(Binary::eq, t, Scalar(1), t.dtype(), kBool), pos, zero),
          where(binary_scalar(Binary::eq, t, Scalar(-1), t.dtype(), kBool), neg, zero), Scalar(1)),
      r);
}
Tensor triplet(const Tensor& a, const Tensor& p, const Tensor& n, double m, double norm, double eps,
               bool swap, int64_t r) {
  if (a.dim() != p.dim() || a.dim() != n.dim())
    raise<OpError>(
        "The anchor, positive, and negative tensors are expected to have the same number of "
        "dimensions, but got: anchor ",
        a.dim(), "D, positive ", p.dim(), "D, and negative ", n.dim(), "D inputs");
  Tensor dp = pairwise_distance(a, p, norm, eps, false),
         dn = pairwise_distance(a, n, norm, eps, false);
  if (swap) {
    Tensor other = pairwise_distance(p, n, norm, eps, false);
    dn = binary(Binary::minimum, dn, other, dn.dtype(), dn.dtype());
  }
  return reduced(unary(Unary::clamp_min, add_scalar(sub(dp, dn, Scalar(1)), Scalar(m), Scalar(1)),
                       dp.dtype(), 0),
                 r);
}

constexpr OpDef kOps[] = {
    // clang-format off
    op<mse_loss>("aten::mse_loss"), op<l1_loss>("aten::l1_loss"), op<smooth_l1>("aten::smooth_l1_loss"), op<huber>("aten::huber_loss"), op<bce>("aten::binary_cross_entropy"), op<bce_logits>("aten::binary_cross_entropy_with_logits"), op<kl_div>("aten::kl_div"), op<nll_loss>("aten::nll_loss"), op<nll_loss>("aten::nll_loss_nd"), op<nll_loss>("aten::nll_loss2d"), op<nll_forward>("aten::nll_loss_forward"), op<nll_forward>("aten::nll_loss2d_forward"),
    op<cross_entropy>("aten::cross_entropy_loss"), op<soft_margin>("aten::soft_margin_loss"), op<margin_ranking>("aten::margin_ranking_loss"), op<hinge_embedding>("aten::hinge_embedding_loss"), op<cosine_embedding>("aten::cosine_embedding_loss"), op<triplet>("aten::triplet_margin_loss"),
    // clang-format on
};

}  // namespace

extern const OpTable::RowList kLossOps;
const OpTable::RowList kLossOps = rows_in_build<kOps>();

}  // namespace sconce::ops
