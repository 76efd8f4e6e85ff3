// SPDX-License-Identifier: Apache-2.0
// Layers that PyTorch's mobile optimizer packed for XNNPACK: a convolution or a linear layer whose
// result is clamped. They run as the plain layers do; the packed object is its pickled state
// (ops/packed.h):
//   linear            (weight, bias?, min?, max?)
//   convolution       (weight, bias?, stride, padding, dilation, groups, min?, max?)
//   transposed        (weight, bias?, stride, padding, output padding, dilation, groups, min?,
//   max?)
#include <limits>

#include "ops/packed.h"

namespace sconce::ops {

namespace {

struct Layer {
  Tensor w, b;
  IntVec stride, padding, output_padding, dilation;
  int64_t groups = 1;
  OptScalar lo, hi;
  const Tensor* bias() const { return b.defined() ? &b : nullptr; }
};

enum class Form { Linear, Conv, Transposed };

// Every element is checked: a file may hold anything.
Layer unpack(const IValue& v, Form form) {
  const auto s = state_of(v);
  const size_t count = form == Form::Linear ? 4 : form == Form::Conv ? 8 : 9;
  size_t at = 0;
  auto bad = [&](const char* what) {
    raise<OpError>("the state of a packed layer is malformed: ", what);
  };
  if (s.size() != count) bad("wrong number of elements");
  auto ints = [&] {
    const IValue& list = s[at++];
    if (!list.isList()) bad("a list of numbers is expected");
    IntVec r;
    for (auto& x : list.toListRef().items) {
      if (!x.isInt()) bad("a list of numbers is expected");
      r.push_back(x.toInt());
    }
    if (r.size() != 2) bad("two numbers are expected");
    return r;
  };
  auto bound = [&] {
    const IValue& x = s[at++];
    if (!x.isNone() && !x.isInt() && !x.isDouble()) bad("a bound is no number");
    return x.isNone() ? OptScalar() : OptScalar(Scalar(x));
  };
  Layer l;
  if (!s[at].isTensor()) bad("the weight is no tensor");
  l.w = tensor_of(s[at++]);
  if (!s[at].isTensor() && !s[at].isNone()) bad("the bias is no tensor");
  if (s[at].isTensor()) l.b = s[at].toTensor();
  ++at;
  if (form != Form::Linear) {
    l.stride = ints();
    l.padding = ints();
    l.output_padding = form == Form::Transposed ? ints() : IntVec{0, 0};
    l.dilation = ints();
    if (!s[at].isInt()) bad("the number of groups is no number");
    l.groups = s[at++].toInt();
  }
  l.lo = bound();
  l.hi = bound();
  return l;
}

Tensor clamped(const Tensor& x, const Layer& l) {
  if (!l.lo && !l.hi) return x;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return unary(Unary::clamp, x, x.dtype(), l.lo ? l.lo->d : -kInfinity, l.hi ? l.hi->d : kInfinity);
}

Tensor linear_clamp_run(const Tensor& x, const IValue& packed) {
  Layer l = unpack(packed, Form::Linear);
  return clamped(linear(x, l.w, l.bias()), l);
}
template <bool Transposed>
Tensor conv2d_clamp_run(const Tensor& x, const IValue& packed) {
  Layer l = unpack(packed, Transposed ? Form::Transposed : Form::Conv);
  return clamped(convolve(x, l.w, l.bias(), l.stride, l.padding, l.dilation, Transposed,
                          l.output_padding, l.groups),
                 l);
}

IValue list_of(const IntVec& v) {
  auto l = make_ref<ListBox>(types::integer());
  for (int64_t x : v) l->items.emplace_back(x);
  return l;
}
IValue optional_value(const Tensor* t) { return t ? IValue(*t) : IValue(); }
IValue optional_value(const OptScalar& s) { return s ? box(*s) : IValue(); }

IValue linear_clamp_prepack(const Tensor& w, const Tensor* b, OptScalar lo, OptScalar hi) {
  return packed("xnnpack.LinearOpContext",
                {IValue(w), optional_value(b), optional_value(lo), optional_value(hi)});
}
IValue conv2d_clamp_prepack(const Tensor& w, const Tensor* b, IntVec stride, IntVec padding,
                            IntVec dilation, int64_t groups, OptScalar lo, OptScalar hi) {
  return packed(
      "xnnpack.Conv2dOpContext",
      {IValue(w), optional_value(b), list_of(spread(stride, 2)), list_of(spread(padding, 2)),
       list_of(spread(dilation, 2)), IValue(groups), optional_value(lo), optional_value(hi)});
}
IValue conv2d_transpose_clamp_prepack(const Tensor& w, const Tensor* b, IntVec stride,
                                      IntVec padding, IntVec output_padding, IntVec dilation,
                                      int64_t groups, OptScalar lo, OptScalar hi) {
  return packed(
      "xnnpack.TransposeConv2dOpContext",
      {IValue(w), optional_value(b), list_of(spread(stride, 2)), list_of(spread(padding, 2)),
       list_of(spread(output_padding, 2)), list_of(spread(dilation, 2)), IValue(groups),
       optional_value(lo), optional_value(hi)});
}

IValue sizes_of(const Tensor& t) { return t.defined() ? list_of(IntVec(t.sizes())) : IValue(); }
// Sizes of weight and bias, then what isn't a tensor, without the bounds.
std::tuple<IValue, IValue> sizes_linear(const IValue& v) {
  Layer l = unpack(v, Form::Linear);
  return {sizes_of(l.w), sizes_of(l.b)};
}
std::tuple<IValue, IValue, IValue, IValue, IValue, int64_t> sizes_conv2d(const IValue& v) {
  Layer l = unpack(v, Form::Conv);
  return {sizes_of(l.w),      sizes_of(l.b),       list_of(l.stride),
          list_of(l.padding), list_of(l.dilation), l.groups};
}

constexpr OpDef kOps[] = {
    op<linear_clamp_prepack>("prepacked::linear_clamp_prepack"),
    op<linear_clamp_run>("prepacked::linear_clamp_run"),
    op<conv2d_clamp_prepack>("prepacked::conv2d_clamp_prepack"),
    op<conv2d_clamp_run<false>>("prepacked::conv2d_clamp_run"),
    op<conv2d_transpose_clamp_prepack>("prepacked::conv2d_transpose_clamp_prepack"),
    op<conv2d_clamp_run<true>>("prepacked::conv2d_transpose_clamp_run"),
    op<sizes_linear>("prepacked::unpack_prepacked_sizes_linear"),
    op<sizes_conv2d>("prepacked::unpack_prepacked_sizes_conv2d"),
};

}  // namespace

extern const OpTable::RowList kPrepackedOps;
const OpTable::RowList kPrepackedOps = rows_in_build<kOps>();

}  // namespace sconce::ops
