// SPDX-License-Identifier: Apache-2.0
// Limits of operators on tensors: counts, indices, masks, numbers.
#include <cmath>

#include "ops/refusals.h"

namespace sconce::ops {

namespace {

void bincount_limits(const Call& c) {
  Arguments a(c);
  const Tensor *x = a.tensor("self"), *w = a.tensor("weights");
  if (!x) return;
  if (a.integer("minlength").value_or(0) < 0) raise<OpError>("minlength should be >= 0");
  if (!is_integral(x->dtype()))
    raise<OpError>("\"bincount_cpu\" not implemented for '", scalar_type_name(x->dtype()), "'");
  if (x->dim() != 1) raise<OpError>("bincount only supports 1-d non-negative integral inputs.");
  if (x->numel() && w && (w->dim() != 1 || w->numel() != x->numel()))
    raise<OpError>("weights should be 1-d and have the same length as input");
}
void masked_limits(const Call& c) {
  Arguments a(c);
  if (const Tensor* mask = a.tensor("mask"); mask && mask->dtype() != kBool)
    raise<OpError>(a.name().substr(6), " only supports boolean masks, but got mask with dtype ",
                   dtype_name(mask->dtype()));
}
void narrow_limits(const Call& c) {
  Arguments a(c);
  if (const Tensor* start = a.tensor("start");
      start && (start->dim() != 0 || !is_integral(start->dtype())))
    raise<OpError>("start must be an 0-dim integral Tensor.");
}

template <int N>
void adaptive_limits(const Call& c) {
  Arguments a(c);
  const auto size = a.integers("output_size");
  if (!size) return;
  const std::string_view name = a.name().substr(6);
  if (size->size() != N) raise<OpError>(name, ": output_size must be ", N);
  for (int64_t n : *size)
    if (n < 0)
      raise<OpError>(name,
                     ": elements of output_size must be greater than or equal to 0 but received ",
                     IntArrayRef(*size));
  const Tensor* x = a.tensor("self");
  if (name.substr(0, 12) != "adaptive_max" || !x) return;
  for (int64_t d = 1; d < x->dim(); ++d)
    if (x->size(d) == 0)
      raise<OpError>(name,
                     "(): Expected input to have non-zero size for non-batch dimensions, but "
                     "input has sizes ",
                     x->sizes(), " with dimension ", d, " being empty");
}
void same_dtype(const Tensor* x, const Tensor* y) {
  if (x && y && x->dtype() != y->dtype() && x->numel() && y->numel())
    raise<OpError>("expected scalar type ", scalar_type_name(x->dtype()), " but found ",
                   scalar_type_name(y->dtype()));
}
void cross_limits(const Call& c) {
  Arguments a(c);
  same_dtype(a.tensor("self"), a.tensor("other"));
}
void grid_limits(const Call& c) {
  Arguments a(c);
  const Tensor *x = a.tensor("input"), *grid = a.tensor("grid");
  if (!x || !grid) return;
  if (x->dim() == 5 && a.integer("interpolation_mode") == 2)
    raise<OpError>("grid_sampler(): bicubic interpolation only supports 4D input");
  same_dtype(x, grid);
  if (!is_floating(x->dtype()) && x->numel() && grid->numel())
    raise<OpError>("\"grid_sampler_2d_cpu\" not implemented for '", scalar_type_name(x->dtype()),
                   "'");
}
void index_copy_limits(const Call& c) {
  Arguments a(c);
  const Tensor *x = a.tensor("self"), *source = a.tensor("source");
  if (x && source && x->dtype() != source->dtype())
    raise<OpError>(
        "index_copy_(): self and source expected to have the same dtype, but got (self) ",
        scalar_type_name(x->dtype()), " and (source) ", scalar_type_name(source->dtype()));
}
void prelu_limits(const Call& c) {
  Arguments a(c);
  const Tensor *x = a.tensor("self"), *w = a.tensor("weight");
  if (!x || !w) return;
  if (x->dtype() != w->dtype())
    raise<OpError>("prelu: Type promoting not supported. Got ", scalar_type_name(x->dtype()),
                   " and ", scalar_type_name(w->dtype()));
  if (w->numel() == 1) return;
  const int64_t channels = x->dim() == 0 ? 0 : x->dim() == 1 ? 1 : x->size(1);
  if (w->dim() != 1 || w->numel() != channels)
    raise<OpError>(
        "Mismatch of parameter numbers and input channel size. Found parameter numbers = ",
        w->numel(), " and channel size = ", channels, ".");
}
void one_hot_limits(const Call& c) {
  Arguments a(c);
  if (a.integer("num_classes").value_or(-1) < -1)
    raise<OpError>("Class values must be smaller than num_classes.");
}
void index_select_limits(const Call& c) {
  Arguments a(c);
  const Tensor *x = a.tensor("self"), *i = a.tensor("index");
  if (x && i && x->dim() == 0 && i->numel() != 1)
    raise<OpError>("index_select(): Index to scalar can have only 1 value, got ", i->numel(),
                   " value(s)");
}
void logsumexp_limits(const Call& c) {
  Arguments a(c);
  const Tensor* x = a.tensor("self");
  const auto dims = a.integers("dim");
  if (x && dims && dims->empty() && x->dim() > 0 && !a.flag("keepdim").value_or(false))
    raise<OpError>("output with shape [] doesn't match the broadcast shape ",
                   IntArrayRef(IntVec(static_cast<size_t>(x->dim()), 1)));
}
void weight_norm_limits(const Call& c) {
  Arguments a(c);
  const Tensor *v = a.tensor("v"), *g = a.tensor("g");
  if (!v || !g) return;
  if (v->dim() == 0)
    raise<OpError>("Dimension specified as ", a.integer("dim").value_or(0),
                   " but tensor has no dimensions");
  wrap_dim(a.integer("dim").value_or(0), v->dim());
  const int64_t dim = a.integer("dim").value_or(0);
  if (dim != 0 && dim != v->dim() - 1) return;
  if (!is_floating(v->dtype()))
    raise<OpError>("\"weight_norm_kernel\" not implemented for '", scalar_type_name(v->dtype()),
                   "'");
  same_dtype(v, g);
}
void embedding_bag_limits(const Call& c) {
  Arguments a(c);
  if (const Tensor* w = a.tensor("weight"); w && !is_floating(w->dtype()))
    raise<OpError>(
        "Expected tensor for argument #1 'weight' to have one of the following scalar types: Half, "
        "BFloat16, Float, Double; but got ",
        scalar_type_name(w->dtype()));
}
void cumulative_limits(const Call& c) {
  Arguments a(c);
  const Tensor* x = a.tensor("self");
  if (auto t = a.integer("dtype"); x && t && to_scalar_type(*t) != x->dtype())
    raise<OpError>("Bad in-place call: input tensor dtype ", scalar_type_name(x->dtype()),
                   " and output tensor dtype ", scalar_type_name(to_scalar_type(*t)),
                   " should match");
}
void fractional_limits(const Call& c) {
  Arguments a(c);
  const int64_t nd = a.name() == "aten::fractional_max_pool2d" ? 2 : 3;
  const Tensor *x = a.tensor("self"), *samples = a.tensor("random_samples");
  if (!x || !samples) return;
  for (const char* name : {"kernel_size", "output_size"}) {
    const auto v = a.integers(name);
    if (v && v->size() != 1 && static_cast<int64_t>(v->size()) != nd)
      raise<OpError>(a.name().substr(6), ": ", name,
                     " must either be a single Int or tuple of Ints");
  }
  if (x->dtype() != samples->dtype())
    raise<OpError>("Expect _random_samples to have the same dtype as input");
  if (samples->dim() != 3)
    raise<OpError>("Expect _random_samples to have 3 dimensions, got ", samples->dim());
}
void unpool_limits(const Call& c) {
  Arguments a(c);
  const int64_t nd = a.name() == "aten::max_unpool2d" ? 2 : 3;
  const Tensor* x = a.tensor("self");
  for (const char* name : {"output_size", "stride", "padding"})
    if (const auto v = a.integers(name); v && static_cast<int64_t>(v->size()) != nd)
      raise<OpError>("There should be exactly ", nd, " elements in ", name,
                     ", but got: ", v->size(), " elements.");
  if (const auto s = a.integers("stride"))
    for (int64_t n : *s)
      if (n <= 0)
        raise<OpError>("strides should be greater than zero, but got stride: ", IntArrayRef(*s));
  if (x && !is_floating(x->dtype()))
    raise<OpError>("\"max_unpool", nd, "d\" not implemented for '", scalar_type_name(x->dtype()),
                   "'");
}

void padding_idx_limits(const Call& c) {
  embedding_bag_limits(c);
  Arguments a(c);
  const Tensor* w = a.tensor("weight");
  const auto i = a.integer("padding_idx");
  if (w && i && w->dim() && (*i < -w->size(0) || *i >= w->size(0)))
    raise<OpError>("padding_idx must be within the number of embeddings, ", -w->size(0),
                   " through ", w->size(0) - 1, ", but got ", *i);
}
void hidden_limits(const Call& c) {
  Arguments a(c);
  if (const IValue* hx = a.find("hx"); hx && hx->isList() && hx->toListRef().items.size() != 2)
    raise<OpError>("lstm_cell expects two hidden states");
}
// input: [T, B, ...], or [B, T, ...] with the batch first; one positive length a sequence.
void packed_limits(const Call& c) {
  Arguments a(c);
  const Tensor *x = a.tensor("input"), *lengths = a.tensor("lengths");
  if (!x || !lengths) return;
  if (x->numel() == 0) raise<OpError>("Cannot pack empty tensors.");
  if (x->dim() < 2) wrap_dim(1, x->dim());
  const int64_t batch = x->size(a.flag("batch_first").value_or(false) ? 0 : 1);
  if (lengths->dim() != 1 || lengths->size(0) != batch)
    raise<OpError>("Expected `len(lengths)` to be equal to batch_size, but got ", lengths->numel(),
                   " (batch_size=", batch, ")");
}
void pad_limits(const Call& c) {
  Arguments a(c);
  const Tensor* x = a.tensor("self");
  if (const IValue* v = a.find("value"); x && v && !is_quantized(x->dtype()))
    check_fits(Scalar(*v), x->dtype());
}
void index_fill_limits(const Call& c) {
  Arguments a(c);
  if (const Tensor* i = a.tensor("index"); i && i->dim() > 1)
    raise<OpError>("Index has to be a vector/scalar");
  const Tensor* x = a.tensor("self");
  if (const IValue* v = a.find("value"); x && v && !v->isTensor())
    check_fits(Scalar(*v), x->dtype());
}
void slice_shape_limits(const Call& c) {
  index_copy_limits(c);
  Arguments a(c);
  const Tensor *x = a.tensor("self"), *source = a.tensor("source"), *i = a.tensor("index");
  if (!x || !source || !i) return;
  if (x->dim() != source->dim() && x->dim() && source->dim())
    raise<OpError>(
        "index_copy_(): When source and destination are not scalars, their dimensionality must "
        "match. Source dimensionality (",
        source->dim(), "), destination dimensionality (", x->dim(), ")");
  const int64_t dim = wrap_dim(a.integer("dim").value_or(0), x->dim());
  for (int64_t d = 0; x->dim() && source->dim() && d < x->dim(); ++d)
    if (d != dim && x->size(d) != source->size(d))
      raise<OpError>("index_copy_(): Source/destination tensor must have same slice shapes.");
}

constexpr Limit kRows[] = {
    {"aten::bincount", bincount_limits},
    {"aten::masked_fill_.*", masked_limits},
    {"aten::masked_fill.*", masked_limits},
    {"aten::masked_scatter_", masked_limits},
    {"aten::narrow.Tensor", narrow_limits},
    {"aten::adaptive_avg_pool1d", adaptive_limits<1>},
    {"aten::adaptive_avg_pool2d", adaptive_limits<2>},
    {"aten::adaptive_avg_pool3d", adaptive_limits<3>},
    {"aten::adaptive_max_pool1d", adaptive_limits<1>},
    {"aten::adaptive_max_pool2d", adaptive_limits<2>},
    {"aten::adaptive_max_pool3d", adaptive_limits<3>},
    {"aten::cross", cross_limits},
    {"aten::linalg_cross", cross_limits},
    {"aten::grid_sampler", grid_limits},
    {"aten::grid_sampler_2d", grid_limits},
    {"aten::grid_sampler_3d", grid_limits},
    {"aten::index_copy", slice_shape_limits},
    {"aten::index_copy_", slice_shape_limits},
    {"aten::index_fill.int_Scalar", index_fill_limits},
    {"aten::index_fill_.int_Scalar", index_fill_limits},
    {"aten::constant_pad_nd", pad_limits},
    {"aten::lstm_cell", hidden_limits},
    {"aten::_pack_padded_sequence", packed_limits},
    {"aten::prelu", prelu_limits},
    {"aten::one_hot", one_hot_limits},
    {"aten::index_select", index_select_limits},
    {"aten::logsumexp", logsumexp_limits},
    {"aten::_weight_norm", weight_norm_limits},
    {"aten::embedding_bag", embedding_bag_limits},
    {"aten::embedding_bag.padding_idx", padding_idx_limits},
    {"aten::cumsum_", cumulative_limits},
    {"aten::cumprod_", cumulative_limits},
    {"aten::fractional_max_pool2d", fractional_limits},
    {"aten::fractional_max_pool3d", fractional_limits},
    {"aten::max_unpool2d", unpool_limits},
    {"aten::max_unpool3d", unpool_limits},
};

}  // namespace

extern const LimitList kTensorLimits;
const LimitList kTensorLimits = rows_in_build<kRows, LimitList>();

}  // namespace sconce::ops
