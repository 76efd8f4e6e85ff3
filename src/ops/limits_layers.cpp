// SPDX-License-Identifier: Apache-2.0
// Limits of layers: pooling windows, unfolding, norms, losses.
#include <cmath>

#include "core/sizes.h"
#include "ops/refusals.h"

namespace sconce::ops {

namespace {

size_t at(int64_t i) { return static_cast<size_t>(i); }

// ---- windows ----

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

int64_t windows(int64_t in, int64_t kernel, int64_t pad, int64_t stride, int64_t dilation,
                bool ceil) {
  const int64_t reach = checked_add(checked_mul(dilation, checked_sub(kernel, 1)), 1),
                padded = checked_add(in, checked_mul(2, pad));
  int64_t n = floor_div(checked_add(checked_sub(padded, reach), ceil ? stride - 1 : 0), stride) + 1;
  if (ceil && checked_mul(n - 1, stride) >= in + pad) --n;
  return n;
}

// One number for each dim of a list of one or nd numbers.
IntVec per_dim(const Arguments& a, const char* name, int64_t nd, int64_t missing,
               const char* function, bool may_be_empty = false) {
  auto v = a.integers(name);
  if (!v || (v->empty() && may_be_empty)) return IntVec(at(nd), missing);
  if (v->size() == 1) return IntVec(at(nd), (*v)[0]);
  if (static_cast<int64_t>(v->size()) != nd)
    raise<OpError>(function, ": ", name, " must ",
                   may_be_empty ? "either be omitted, a single int, or a tuple of "
                                : "either be a single int, or a tuple of ",
                   nd, " ints");
  return *v;
}

void check_pad(int64_t pad, int64_t kernel, int64_t dilation) {
  if (pad < 0) raise<OpError>("pad must be non-negative, but got pad: ", pad);
  if (pad > checked_add(checked_mul(checked_sub(kernel, 1), dilation), 1) / 2)
    raise<OpError>("pad should be at most half of effective kernel size, but got pad=", pad,
                   ", kernel_size=", kernel, " and dilation=", dilation);
}

// x: [C, sizes...] or [N, C, sizes...]; only N may be 0.
void check_pool(const Arguments& a, int64_t nd) {
  const Tensor* x = a.tensor("self");
  if (!x) return;
  std::string name(a.name().substr(6));
  const IntVec k = per_dim(a, "kernel_size", nd, 1, name.c_str());
  IntVec s = per_dim(a, "stride", nd, -1, name.c_str(), true);
  auto given = a.integers("stride");
  if (!given || given->empty()) s = k;
  const IntVec p = per_dim(a, "padding", nd, 0, name.c_str());
  const IntVec d = per_dim(a, "dilation", nd, 1, name.c_str());
  const bool ceil = a.flag("ceil_mode").value_or(false);
  for (int64_t i = 0; i < nd; ++i) {
    if (k[at(i)] <= 0)
      raise<OpError>("kernel size should be greater than zero, but got ", IntArrayRef(k));
    if (s[at(i)] <= 0)
      raise<OpError>("stride should be greater than zero, but got ", IntArrayRef(s));
    if (d[at(i)] <= 0)
      raise<OpError>("dilation should be greater than zero, but got ", IntArrayRef(d));
    check_pad(p[at(i)], k[at(i)], d[at(i)]);
  }
  if (auto divisor = a.integer("divisor_override"); divisor && *divisor == 0)
    raise<OpError>("divisor must be not zero");
  const bool batched = x->dim() == nd + 2;
  bool valid = batched || x->dim() == nd + 1;
  for (int64_t i = batched ? 1 : 0; valid && i < x->dim(); ++i) valid = x->size(i) != 0;
  if (!valid)
    raise<OpError>(
        "Expected ", nd + 1, "D or ", nd + 2,
        "D (batch mode) tensor with optional 0 dim batch size for input, but got: ", x->sizes());
  IntVec in(x->sizes().data() + (batched ? 1 : 0), x->sizes().data() + x->dim()), out{in[0]};
  for (int64_t i = 0; i < nd; ++i)
    out.push_back(windows(in[at(i + 1)], k[at(i)], p[at(i)], s[at(i)], d[at(i)], ceil));
  for (int64_t i = 0; i < nd; ++i)
    if (out[at(i + 1)] < 1)
      raise<OpError>("Given input size: ", IntArrayRef(in),
                     ". Calculated output size: ", IntArrayRef(out), ". Output size is too small");
}
template <int N>
void pool_limits(const Call& c) {
  check_pool(Arguments(c), N);
}
void max_pool1d_limits(const Call& c) {
  Arguments a(c);
  const Tensor* x = a.tensor("self");
  if (!x) return;
  if (x->dim() != 2 && x->dim() != 3)
    raise<OpError>("max_pool1d() Expected 2D or 3D input tensor, but got ", x->sizes());
  auto one = [&](const char* name, int64_t missing, bool may_be_empty) {
    auto v = a.integers(name);
    if (!v || (v->empty() && may_be_empty)) return missing;
    if (v->size() != 1)
      raise<OpError>("max_pool1d() ", name,
                     " must be an int, list of ints or tuple of ints of size 1 but got size ",
                     v->size());
    return (*v)[0];
  };
  const int64_t k = one("kernel_size", 1, false), s = one("stride", k, true),
                p = one("padding", 0, false), d = one("dilation", 1, false);
  if (k <= 0) raise<OpError>("max_pool1d() kernel_size must be greater than zero, but got ", k);
  if (s <= 0) raise<OpError>("max_pool1d() stride must be greater than zero, but got ", s);
  if (p < 0) raise<OpError>("max_pool1d() padding must be non-negative, but got ", p);
  if (p > k / 2)
    raise<OpError>("max_pool1d() padding should be at most half of kernel size, but got padding=",
                   p, " and kernel_size=", k);
  if (d <= 0) raise<OpError>("max_pool1d() dilation must be greater than zero, but got ", d);
  const int64_t n = windows(x->size(-1), k, p, s, d, a.flag("ceil_mode").value_or(false));
  if (n <= 0) raise<OpError>("max_pool1d() Invalid computed output size: ", n);
}

void check_block_dtype(const Tensor& x, const char* kernel) {
  if (is_integral(x.dtype()))
    raise<OpError>("\"", kernel, "\" not implemented for '", scalar_type_name(x.dtype()), "'");
}
// im2col and col2im: blocks of an image.
void check_blocks(const Arguments& a, const IntVec& image, int64_t blocks) {
  const IntVec k = per_dim(a, "kernel_size", 2, 1, "unfold"),
               d = per_dim(a, "dilation", 2, 1, "unfold"),
               p = per_dim(a, "padding", 2, 0, "unfold"), s = per_dim(a, "stride", 2, 1, "unfold");
  int64_t n = 1;
  for (size_t i = 0; i < 2; ++i) {
    if (k[i] <= 0)
      raise<OpError>("kernel size should be greater than zero, but got kernel_height: ", k[0],
                     " kernel_width: ", k[1]);
    if (d[i] <= 0)
      raise<OpError>("dilation should be greater than zero, but got dilation_height: ", d[0],
                     " dilation_width: ", d[1]);
    if (p[i] < 0)
      raise<OpError>("padding should be non-negative, but got pad_height: ", p[0],
                     " pad_width: ", p[1]);
    if (s[i] <= 0)
      raise<OpError>("stride should be greater than zero, but got stride_height: ", s[0],
                     " stride_width: ", s[1]);
    const int64_t reach = checked_add(checked_mul(d[i], k[i] - 1), 1),
                  padded = checked_add(image[i], checked_mul(2, p[i])),
                  along = floor_div(checked_sub(padded, reach), s[i]) + 1;
    if (along < 1)
      raise<OpError>("Given an image of spatial size ", IntArrayRef(image),
                     ", kernel_size=", IntArrayRef(k), ", dilation=", IntArrayRef(d),
                     ", padding=", IntArrayRef(p), ", stride=", IntArrayRef(s),
                     ", calculated shape of the array of sliding blocks has a size of ", along,
                     ", but its components must be at least one");
    n = checked_mul(n, along);
  }
  if (blocks >= 0 && blocks != n)
    raise<OpError>(
        "Given output_size=", IntArrayRef(image),
        ", expected size of input's dimension 2 to match the calculated number of sliding blocks ",
        n, ", but got input.size(2)=", blocks);
}
void check_two(const Arguments& a, const char* name) {
  if (auto v = a.integers(name); v && v->size() != 2)
    raise<OpError>("It is expected ", name, " equals to 2, but got size ", v->size());
}
void im2col_limits(const Call& c) {
  Arguments a(c);
  const Tensor* x = a.tensor("self");
  if (!x) return;
  for (const char* name : {"kernel_size", "dilation", "padding", "stride"}) check_two(a, name);
  bool valid = x->dim() == 3 || x->dim() == 4;
  for (int64_t i = x->dim() - 3; valid && i < x->dim(); ++i) valid = x->size(i) != 0;
  if (!valid)
    raise<OpError>(
        "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero "
        "dimensions for input, but got: ",
        x->sizes());
  check_blocks(a, {x->size(-2), x->size(-1)}, -1);
  check_block_dtype(*x, "im2col_out_cpu");
}
void col2im_limits(const Call& c) {
  Arguments a(c);
  const Tensor* x = a.tensor("self");
  if (!x) return;
  for (const char* name : {"output_size", "kernel_size", "dilation", "padding", "stride"})
    check_two(a, name);
  const IntVec size = *a.integers("output_size"), k = *a.integers("kernel_size");
  bool valid = x->dim() == 2 || x->dim() == 3;
  for (int64_t i = x->dim() - 2; valid && i < x->dim(); ++i) valid = x->size(i) != 0;
  if (!valid)
    raise<OpError>(
        "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero "
        "dimensions for input, but got: ",
        x->sizes());
  for (int64_t v : k)
    if (v <= 0)
      raise<OpError>("kernel size should be greater than zero, but got kernel_height: ", k[0],
                     " kernel_width: ", k[1]);
  if (x->size(-2) % checked_mul(k[0], k[1]) != 0)
    raise<OpError>(
        "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but "
        "got input.size(1)=",
        x->size(-2), " and kernel_size=", IntArrayRef(k));
  check_blocks(a, size, x->size(-1));
  check_block_dtype(*x, "col2im_out_cpu");
  if (size[0] < 1 || size[1] < 1)
    raise<OpError>("Expected output spatial size to be positive, but got: output_size=",
                   IntArrayRef(size));
}

// ---- norms ----

// Parameters have the input's dtype, or all are float beside 16-bit inputs.
void check_parameters(const Tensor& x, std::initializer_list<const Tensor*> parameters) {
  const Tensor* first = nullptr;
  for (const Tensor* p : parameters)
    if (p && !first) first = p;
  if (!first) return;
  const bool mixed = first->dtype() != x.dtype();
  for (const Tensor* p : parameters) {
    if (!p) continue;
    if (mixed && p->dtype() != kFloat)
      raise<OpError>("mixed dtype (CPU): expect parameter to have scalar type of Float");
    if (!mixed && p->dtype() != x.dtype())
      raise<OpError>("expected scalar type ", scalar_type_name(x.dtype()), " but found ",
                     scalar_type_name(p->dtype()));
  }
  if (mixed && x.dtype() != kHalf && x.dtype() != kBFloat16)
    raise<OpError>("mixed dtype (CPU): all inputs must share same datatype.");
}
void check_normed(const Tensor& x, const char* kernel) {
  if (!is_floating(x.dtype()))
    raise<OpError>("\"", kernel, "\" not implemented for '", scalar_type_name(x.dtype()), "'");
}
void check_channels(const Tensor& x) {
  if (x.dim() < 2) wrap_dim(1, x.dim());
}
void group_norm_limits(const Call& c) {
  Arguments a(c);
  const Tensor *x = a.tensor("input"), *w = a.tensor("weight"), *b = a.tensor("bias");
  if (!x) return;
  check_channels(*x);
  const int64_t groups = a.integer("num_groups").value_or(1);
  if (groups <= 0) raise<OpError>("Expected num groups to be greater than 0, got ", groups);
  if (x->size(1) % groups)
    raise<OpError>(
        "Expected number of channels in input to be divisible by num_groups, but got input of "
        "shape ",
        x->sizes(), " and num_groups=", groups);
  auto check = [&](const Tensor* p, const char* name) {
    if (p && (p->dim() != 1 || p->numel() != x->size(1)))
      raise<OpError>("Expected ", name,
                     " to be a vector of size equal to the number of channels in input, but got ",
                     name, " of shape ", p->sizes(), " and input of shape ", x->sizes());
  };
  check(w, "weight");
  check(b, "bias");
  check_parameters(*x, {w, b});
  check_normed(*x, "GroupNormKernelImpl");
}
void check_normalized(const Arguments& a, const Tensor& x) {
  const IntVec shape = *a.integers("normalized_shape");
  if (shape.empty())
    raise<OpError>(
        "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
        "element, but got normalized_shape = []");
  auto check = [&](const char* name) {
    if (const Tensor* p = a.tensor(name); p && p->sizes() != IntArrayRef(shape))
      raise<OpError>("Expected ", name, " to be of same shape as normalized_shape, but got ", name,
                     " of shape ", p->sizes(), " and normalized_shape = ", IntArrayRef(shape));
  };
  check("weight");
  check("bias");
  const int64_t lead = x.dim() - static_cast<int64_t>(shape.size());
  bool fits = lead >= 0;
  for (int64_t i = 0; fits && i < static_cast<int64_t>(shape.size()); ++i)
    fits = x.size(lead + i) == shape[at(i)];
  if (!fits)
    raise<OpError>("Given normalized_shape=", IntArrayRef(shape),
                   ", expected input with shape [*, ", IntArrayRef(shape),
                   "], but got input of size", x.sizes());
}
void layer_norm_limits(const Call& c) {
  Arguments a(c);
  const Tensor* x = a.tensor("input");
  if (!x) return;
  check_normalized(a, *x);
  if (x->numel() == 0) return;
  check_parameters(*x, {a.tensor("weight"), a.tensor("bias")});
  check_normed(*x, "LayerNormKernelImpl");
}
void rms_norm_limits(const Call& c) {
  Arguments a(c);
  const Tensor* x = a.tensor("input");
  if (!x) return;
  check_normalized(a, *x);
  if (is_integral(x->dtype(), true))
    raise<OpError>("\"rms_norm\" not implemented for '", scalar_type_name(x->dtype()), "'");
}
void instance_norm_limits(const Call& c) {
  Arguments a(c);
  const Tensor *x = a.tensor("input"), *mean = a.tensor("running_mean"),
               *var = a.tensor("running_var");
  if (!x) return;
  if (!a.flag("use_input_stats").value_or(true) && (!mean || !var))
    raise<OpError>(
        "Expected running_mean and running_var to be defined when use_input_stats is false");
  check_channels(*x);
  auto check = [&](const char* name) {
    if (const Tensor* p = a.tensor(name); p && p->numel() != x->size(1))
      raise<OpError>(name, " should contain ", x->size(0) * x->size(1), " elements not ",
                     p->numel() * x->size(0));
  };
  for (const char* name : {"weight", "bias", "running_mean", "running_var"}) check(name);
  if (x->numel() == 0) return;
  check_parameters(*x, {a.tensor("weight"), a.tensor("bias"), mean, var});
  check_normed(*x, "batch_norm");
}
void batch_norm_limits(const Call& c) {
  Arguments a(c);
  const Tensor *x = a.tensor("input"), *mean = a.tensor("running_mean"),
               *var = a.tensor("running_var");
  if (!x) return;
  if (x->numel() == 0) return;
  check_channels(*x);
  auto check = [&](const char* name) {
    if (const Tensor* p = a.tensor(name); p && p->numel() != x->size(1))
      raise<OpError>(name, " should contain ", x->size(1), " elements not ", p->numel());
  };
  const bool training = a.flag("training").value_or(false);
  check("running_mean");
  if (!mean && !training) raise<OpError>("running_mean must be defined in evaluation mode");
  check("running_var");
  if (!var && !training) raise<OpError>("running_var must be defined in evaluation mode");
  check("weight");
  check("bias");
  check_parameters(*x, {a.tensor("weight"), a.tensor("bias"), mean, var});
  check_normed(*x, "batch_norm");
}

// ---- losses ----

void huber_limits(const Call& c) {
  if (!(Arguments(c).number("delta").value_or(1) > 0))
    raise<OpError>("huber_loss does not support non-positive values for delta.");
}
void smooth_l1_limits(const Call& c) {
  if (!(Arguments(c).number("beta").value_or(1) >= 0))
    raise<OpError>("smooth_l1_loss does not support negative values for beta.");
}
void bce_limits(const Call& c) {
  Arguments a(c);
  const Tensor* x = a.tensor("self");
  if (!x) return;
  if (const Tensor* t = a.tensor("target"); t && t->dtype() != x->dtype())
    raise<OpError>("Found dtype ", scalar_type_name(t->dtype()), " but expected ",
                   scalar_type_name(x->dtype()));
}
void bce_logits_limits(const Call& c) {
  Arguments a(c);
  const Tensor *x = a.tensor("self"), *t = a.tensor("target");
  if (!x || !t) return;
  const IntVec both = broadcast(x->sizes(), t->sizes());
  if (t->dim() == 0 && x->dim() == 0) check_castable(x->dtype(), t->dtype());
  if (IntArrayRef(both) != t->sizes())
    raise<OpError>("output with shape ", t->sizes(), " doesn't match the broadcast shape ",
                   IntArrayRef(both));
}
void nll_limits(const Call& c) {
  Arguments a(c);
  const Tensor *x = a.tensor("self"), *t = a.tensor("target"), *w = a.tensor("weight");
  if (!x || !t || x->dim() == 0) return;
  if (x->dim() == 2 && t->dim() == 1 && x->size(0) != t->size(0))
    raise<OpError>("size mismatch (got input: ", x->sizes(), ", target: ", t->sizes(), ")");
  if (w && (w->dim() != 1 || w->numel() != x->size(x->dim() == 1 ? 0 : 1)))
    raise<OpError>("weight tensor should be defined either for all ",
                   x->size(x->dim() == 1 ? 0 : 1),
                   " classes or no classes but got weight tensor of shape: ", w->sizes());
  if (w && w->dtype() != x->dtype())
    raise<OpError>("expected scalar type ", scalar_type_name(x->dtype()), " but found ",
                   scalar_type_name(w->dtype()));
}
void nll_nd_limits(const Call& c) {
  Arguments a(c);
  const Tensor *x = a.tensor("self"), *t = a.tensor("target");
  if (!x || !t) return;
  if (x->dim() < 1) raise<OpError>("Expected 1 or more dimensions (got ", x->dim(), ")");
  if (x->dim() > 1 && (t->dim() == 0 || x->size(0) != t->size(0)))
    raise<OpError>("Expected input batch_size (", x->size(0), ") to match target batch_size (",
                   t->dim() ? t->size(0) : 0, ").");
  if (x->dim() < 4) nll_limits(c);
}
void cross_entropy_limits(const Call& c) {
  Arguments a(c);
  const Tensor *x = a.tensor("self"), *t = a.tensor("target");
  if (!x || !t) return;
  const double smoothing = a.number("label_smoothing").value_or(0);
  if (x->sizes() == t->sizes()) {
    if (!is_floating(t->dtype()))
      raise<OpError>("Expected floating point type for target with class probabilities, got ",
                     scalar_type_name(t->dtype()));
    if (a.integer("ignore_index").value_or(-100) >= 0)
      raise<OpError>("ignore_index is not supported for floating point target");
    const Tensor* w = a.tensor("weight");
    const int64_t classes = x->dim() == 0 ? 1 : x->size(x->dim() == 1 ? 0 : 1);
    if (w && (w->dim() != 1 || w->numel() != classes))
      raise<OpError>("cross_entropy: weight tensor should be defined either for all ", classes,
                     " classes or no classes but got weight tensor of shape: ", w->sizes());
  } else {
    if (smoothing > 1)
      raise<OpError>("label_smoothing must be between 0.0 and 1.0. Got: ", smoothing);
    nll_nd_limits(c);
  }
}

void cosine_embedding_limits(const Call& c) {
  Arguments a(c);
  const Tensor *x = a.tensor("input1"), *y = a.tensor("input2"), *t = a.tensor("target");
  if (!x || !y || !t) return;
  if (t->dim() > 1) raise<OpError>("0D or 1D target tensor expected, multi-target not supported");
  if (x->dim() != t->dim() + 1 || y->dim() != t->dim() + 1)
    raise<OpError>(t->dim(), "D target tensor expects ", t->dim() + 1,
                   "D input tensors, but found inputs with sizes ", x->sizes(), " and ", y->sizes(),
                   ".");
}
void cosine_similarity_limits(const Call& c) {
  Arguments a(c);
  if (auto eps = a.number("eps"); eps && !(*eps >= 0))
    raise<OpError>("eps must be non-negative, got: ", *eps);
}
void multilabel_limits(const Call& c) {
  Arguments a(c);
  const Tensor *x = a.tensor("self"), *t = a.tensor("target");
  if (!x || !t) return;
  if (x->dtype() != kFloat && x->dtype() != kDouble)
    raise<OpError>("\"multilabel_margin_loss_forward_out_frame\" not implemented for '",
                   scalar_type_name(x->dtype()), "'");
  if (x->dim() > 0 && x->sizes() != t->sizes())
    raise<OpError>("inconsistent target size: ", t->sizes(), " for input of size: ", x->sizes());
  if (t->dtype() != kLong)
    raise<OpError>("expected scalar type Long but found ", scalar_type_name(t->dtype()));
}

constexpr Limit kRows[] = {
    {"aten::max_pool1d", max_pool1d_limits},
    {"aten::max_pool1d_with_indices", max_pool1d_limits},
    {"aten::max_pool2d", pool_limits<2>},
    {"aten::max_pool2d_with_indices.*", pool_limits<2>},
    {"aten::max_pool3d", pool_limits<3>},
    {"aten::max_pool3d_with_indices.*", pool_limits<3>},
    {"aten::avg_pool1d", pool_limits<1>},
    {"aten::avg_pool2d.*", pool_limits<2>},
    {"aten::avg_pool3d.*", pool_limits<3>},
    {"aten::im2col", im2col_limits},
    {"aten::col2im", col2im_limits},
    {"aten::group_norm", group_norm_limits},
    {"aten::layer_norm", layer_norm_limits},
    {"aten::native_layer_norm", layer_norm_limits},
    {"aten::rms_norm", rms_norm_limits},
    {"aten::instance_norm", instance_norm_limits},
    {"aten::batch_norm", batch_norm_limits},
    {"aten::huber_loss.*", huber_limits},
    {"aten::smooth_l1_loss.*", smooth_l1_limits},
    {"aten::binary_cross_entropy", bce_limits},
    {"aten::binary_cross_entropy_with_logits", bce_logits_limits},
    {"aten::nll_loss", nll_limits},
    {"aten::cosine_embedding_loss", cosine_embedding_limits},
    {"aten::cosine_similarity", cosine_similarity_limits},
    {"aten::multilabel_margin_loss", multilabel_limits},
    {"aten::nll_loss_nd", nll_nd_limits},
    {"aten::cross_entropy_loss", cross_entropy_limits},
};

}  // namespace

extern const LimitList kLayerLimits;
const LimitList kLayerLimits = rows_in_build<kRows, LimitList>();

}  // namespace sconce::ops
