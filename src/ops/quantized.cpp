// SPDX-License-Identifier: Apache-2.0
// Quantised tensors, packed parameters, and the layers that take them. A layer computes on the
// exact integers in double precision and rounds once, as the integer kernels do.
#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include "ops/packed.h"
#include "ops/quantized_layers.h"

namespace sconce::ops {

namespace {

// ---- quantised tensors ----

// Converts in to out, of which one is quantised by q.
void convert(const Tensor& out, const Tensor& in, const Quantizer& q, bool dequantize) {
  check_channels(in, q);
  if (out.numel() == 0) return;
  QuantizeArgs a{};
  Tensor scales, zero_points;
  if (q.per_channel) {
    std::tie(scales, zero_points) = numbers_of(q);
  }
  a.out = view_of(out);
  a.in = view_of(in);
  a.scales = view_of(scales);
  a.zero_points = view_of(zero_points);
  a.scale = q.scale;
  a.zero_point = q.zero_point;
  a.axis = q.axis;
  a.dequantize = dequantize;
  call_slot(a);
}
Tensor quantize(const Tensor& x, std::shared_ptr<Quantizer> q, ScalarType t) {
  Tensor r = empty_like(x, t);
  r.mutable_impl()->quantizer = q;
  convert(r, x, *q, false);
  return r;
}
// The zero point is one of the numbers that are stored.
void check_zero_point(int64_t zp, ScalarType t) {
  int64_t least = 0, most = 255;
  switch (t) {
    case ScalarType::QInt8: least = -128, most = 127; break;
    case ScalarType::QInt32:
      least = std::numeric_limits<int32_t>::min(), most = std::numeric_limits<int32_t>::max();
      break;
    case ScalarType::QUInt4x2: most = 15; break;
    case ScalarType::QUInt2x4: most = 3; break;
    default: break;
  }
  if (zp < least || zp > most)
    raise<OpError>("quantize_tensor_per_tensor_affine zero_point ", zp, " is ",
                   zp < least ? "below lower bound." : "above upper bound.");
}
}  // namespace

Tensor quantize_per_tensor(const Tensor& x, double scale, int64_t zp, int64_t dt) {
  if (x.dtype() != kFloat)
    raise<OpError>("Quantize only works on Float Tensor, got ", scalar_type_name(x.dtype()));
  if (!is_quantized(to_scalar_type(dt)))
    raise<OpError>("ScalarType ", scalar_type_name(to_scalar_type(dt)),
                   " is not supported in new_qtensor.");
  check_zero_point(zp, to_scalar_type(dt));
  auto q = std::make_shared<Quantizer>();
  q->scale = scale;
  q->zero_point = zp;
  return quantize(x, q, to_scalar_type(dt));
}

namespace {

Tensor quantize_per_tensor_tensors(const Tensor& x, const Tensor& s, const Tensor& zp, int64_t dt) {
  return quantize_per_tensor(x, item(s).d, item(zp).i, dt);
}
Tensor quantize_per_channel(const Tensor& x, const Tensor& s, const Tensor& zp, int64_t axis,
                            int64_t dt) {
  auto q = std::make_shared<Quantizer>();
  q->per_channel = true;
  q->axis = wrap_dim(axis, x.dim());
  if (x.dim() == 0 || s.dim() != 1 || zp.dim() != 1 || s.size(0) != x.size(q->axis) ||
      zp.size(0) != x.size(q->axis))
    raise<OpError>("quantize_per_channel: expected one scale and one zero point for each of the ",
                   "channels, got ", s.sizes(), " and ", zp.sizes(), " for ", x.sizes());
  q->scales = host_doubles(s);
  q->zero_points = host_doubles(zp);
  return quantize(x, q, to_scalar_type(dt));
}
Tensor int_repr(const Tensor& x) {
  if (!is_quantized(x.dtype()))
    raise<OpError>("int_repr: the tensor is not quantised but ", scalar_type_name(x.dtype()));
  Tensor r = make_view(x, x.impl()->sizes, x.impl()->strides, x.storage_offset());
  r.mutable_impl()->dtype = x.dtype() == ScalarType::QInt8    ? kChar
                            : x.dtype() == ScalarType::QUInt8 ? kByte
                                                              : kInt;
  r.mutable_impl()->quantizer = nullptr;
  return clone(r);
}
double q_scale(const Tensor& x) {
  if (!x.quantizer() || x.quantizer()->per_channel)
    raise<OpError>("q_scale: the tensor is not quantised per tensor");
  return x.quantizer()->scale;
}
int64_t q_zero_point(const Tensor& x) {
  if (!x.quantizer() || x.quantizer()->per_channel)
    raise<OpError>("q_zero_point: the tensor is not quantised per tensor");
  return x.quantizer()->zero_point;
}

}  // namespace

Tensor dequantize(const Tensor& x) {
  const Quantizer* q = x.quantizer();
  if (!q) return cast(x, kFloat);
  Tensor r = empty_like(x, kFloat);
  convert(r, x, *q, true);
  return r;
}

namespace {

Tensor make_per_tensor(const Tensor& x, double scale, int64_t zp) {
  if (x.dtype() != kByte && x.dtype() != kChar && x.dtype() != kInt)
    raise<OpError>("_make_per_tensor_quantized_tensor: no quantised numbers are stored as ",
                   scalar_type_name(x.dtype()));
  Tensor r = clone(x);
  auto q = std::make_shared<Quantizer>();
  q->scale = scale;
  q->zero_point = zp;
  r.mutable_impl()->dtype = x.dtype() == kByte   ? ScalarType::QUInt8
                            : x.dtype() == kChar ? ScalarType::QInt8
                                                 : ScalarType::QInt32;
  r.mutable_impl()->quantizer = q;
  return r;
}

// ---- packed parameters ----

Tensor optional_tensor(const IValue& v) { return v.isTensor() ? v.toTensor() : Tensor(); }
[[noreturn]] void bad_state() { raise<OpError>("packed parameters have an unknown form"); }

PackedLinear unpack_linear(const IValue& v) {
  const auto s = state_of(v);
  if (s.empty() || !s[0].isTensor()) bad_state();
  return {tensor_of(s[0]), s.size() > 1 ? optional_tensor(s[1]) : Tensor()};
}
// [n, stride.., padding.., dilation.., output padding.., groups, transposed]
void read_config(const std::vector<int64_t>& c, PackedConv& p) {
  if (c.empty() || c[0] < 1 || c[0] > 3) bad_state();
  auto n = static_cast<size_t>(c[0]);
  if (c.size() < 1 + 4 * n + 2) bad_state();
  size_t at = 1;
  for (IntVec* v : {&p.stride, &p.padding, &p.dilation, &p.output_padding})
    for (size_t i = 0; i < n; ++i) v->push_back(c[at++]);
  p.groups = c[at++];
  p.transposed = c[at] & 1;
}
PackedConv unpack_conv(const IValue& v) {
  const auto s = state_of(v);
  PackedConv p;
  if (s.size() == 3 && s[0].isString() && s[1].isList() && s[2].isList()) {
    // Version 2: configuration and weight, then bias.
    auto &t = s[1].toListRef().items, &o = s[2].toListRef().items;
    if (t.size() < 2 || !t[0].isTensor() || !t[1].isTensor()) bad_state();
    read_config(host_ints_of_state(tensor_of(t[0])), p);
    p.w = tensor_of(t[1]);
    if (!o.empty()) p.b = optional_tensor(o[0]);
    return p;
  }
  if (s.size() == 3 && s[0].isInt() && s[1].isList() && s[2].isList()) {
    // Version 3: configuration as ints; tensors: none, weight, bias.
    std::vector<int64_t> c;
    for (auto& x : s[1].toListRef().items) c.push_back(x.toInt());
    auto& t = s[2].toListRef().items;
    if (t.size() < 2 || !t[1].isTensor()) bad_state();
    read_config(c, p);
    p.w = tensor_of(t[1]);
    if (t.size() > 2) p.b = optional_tensor(t[2]);
    return p;
  }
  if (s.size() >= 6 && s[0].isTensor()) {
    // Version 1: weight, bias, lists of one-element tensors.
    p.w = tensor_of(s[0]);
    p.b = optional_tensor(s[1]);
    auto ints = [](const IValue& l) {
      IntVec r;
      for (auto& x : l.toListRef().items) r.push_back(x.isInt() ? x.toInt() : item(tensor_of(x)).i);
      return r;
    };
    p.stride = ints(s[2]);
    p.padding = ints(s[3]);
    p.dilation = ints(s[4]);
    p.groups = s[5].isTensor() ? item(tensor_of(s[5])).i : s[5].toInt();
    p.output_padding = IntVec(p.stride.size(), 0);
    return p;
  }
  bad_state();
}
IValue pack_conv(const char* cls, const Tensor& w, const Tensor* b, const IntVec& stride,
                 const IntVec& padding, const IntVec& output_padding, const IntVec& dilation,
                 int64_t groups, bool transposed) {
  auto c = make_ref<ListBox>(types::integer());
  c->items.emplace_back(static_cast<int64_t>(stride.size()));
  for (const IntVec* v : {&stride, &padding, &dilation, &output_padding})
    for (int64_t x : *v) c->items.emplace_back(x);
  c->items.emplace_back(groups);
  c->items.emplace_back(static_cast<int64_t>(transposed));
  auto t = make_ref<ListBox>(TypeTable::global().optional(types::tensor()));
  t->items.emplace_back();
  t->items.emplace_back(w);
  t->items.emplace_back(b ? IValue(*b) : IValue());
  return packed(cls, {IValue(int64_t{3}), IValue(c), IValue(t)});
}
// The numbers of a 1-d convolution, which is kept as a 2-d one over a height of 1.
IntVec over_height(const IntVec& v, int64_t first) {
  if (v.empty()) raise<OpError>("a convolution's stride, padding or dilation has no numbers");
  return {first, v[v.size() - 1]};
}
template <int N>
const char* conv_class() {
  return N == 3 ? "quantized.Conv3dPackedParamsBase" : "quantized.Conv2dPackedParamsBase";
}
template <int N>
IValue conv_prepack(const Tensor& w, const Tensor* b, IntVec s, IntVec p, IntVec d, int64_t g) {
  if (N == 1)
    return pack_conv(conv_class<N>(), unsqueeze(w, 2), b, over_height(s, 1), over_height(p, 0),
                     IntVec{0, 0}, over_height(d, 1), g, false);
  return pack_conv(conv_class<N>(), w, b, s, p, IntVec(s.size(), 0), d, g, false);
}
template <int N>
IValue conv_transpose_prepack(const Tensor& w, const Tensor* b, IntVec s, IntVec p, IntVec o,
                              IntVec d, int64_t g) {
  if (N == 1)
    return pack_conv(conv_class<N>(), unsqueeze(w, 2), b, over_height(s, 1), over_height(p, 0),
                     over_height(o, 0), over_height(d, 1), g, true);
  return pack_conv(conv_class<N>(), w, b, s, p, o, d, g, true);
}
IValue optional_value(const Tensor& t) { return t.defined() ? IValue(t) : IValue(); }
template <int N>
std::tuple<Tensor, IValue> conv_unpack(const IValue& v) {
  PackedConv p = unpack_conv(v);
  return {N == 1 ? squeeze_dim(p.w, 2) : p.w, optional_value(p.b)};
}
template <IntVec PackedConv::*M>
void conv_list(Call& c) {
  auto l = make_ref<ListBox>(types::integer());
  PackedConv p = unpack_conv(c.in(0));
  for (int64_t x : p.*M) l->items.emplace_back(x);
  c.out(0, IValue(l));
}
int64_t conv_groups(const IValue& v) { return unpack_conv(v).groups; }
int64_t conv_is_transposed(const IValue& v) { return unpack_conv(v).transposed; }

IValue linear_prepack(const Tensor& w, const Tensor* b) {
  if (w.dim() != 2)
    raise<OpError>("The weight tensor for quantized::linear_prepack should be 2-dimensional.");
  return packed("quantized.LinearPackedParamsBase", {IValue(w), b ? IValue(*b) : IValue()});
}
std::tuple<Tensor, IValue> linear_unpack(const IValue& v) {
  PackedLinear p = unpack_linear(v);
  return {p.w, optional_value(p.b)};
}
IValue embedding_prepack(const Tensor& w) {
  auto t = make_ref<ListBox>(types::tensor());
  t->items.emplace_back(w);
  return packed("quantized.EmbeddingPackedParamsBase",
                {IValue(int64_t{1}), IValue(t), IValue(make_ref<ListBox>(types::floating())),
                 IValue(make_ref<ListBox>(types::integer()))});
}
Tensor embedding_unpack(const IValue& v) {
  const auto s = state_of(v);
  for (auto& x : s)
    if (x.isList() && !x.toListRef().items.empty() && x.toListRef().items[0].isTensor())
      return tensor_of(x.toListRef().items[0]);
  bad_state();
}
Ref<ListBox> linear_params() {
  return make_ref<ListBox>(packed_class("quantized.LinearPackedParamsBase"));
}
IValue cell_params_dynamic(const IValue& ih, const IValue& hh, const Tensor& b_ih,
                           const Tensor& b_hh, bool reduce_range) {
  auto t = make_ref<ListBox>(types::tensor()), d = make_ref<ListBox>(types::floating()),
       l = make_ref<ListBox>(types::integer()), p = linear_params();
  t->items = {IValue(b_ih), IValue(b_hh)};
  l->items = {IValue(static_cast<int64_t>(reduce_range))};
  p->items = {ih, hh};
  return packed("rnn.CellParamsBase", {IValue(std::string("quantized_dynamic")), IValue(t),
                                       IValue(d), IValue(l), IValue(p)});
}
IValue cell_params_fp16(const IValue& ih, const IValue& hh) {
  auto p = linear_params();
  p->items = {ih, hh};
  return packed("rnn.CellParamsBase",
                {IValue(std::string("quantized_fp16")), IValue(make_ref<ListBox>(types::tensor())),
                 IValue(make_ref<ListBox>(types::floating())),
                 IValue(make_ref<ListBox>(types::integer())), IValue(p)});
}

// ---- layers ----

// q - zero point, times the scale of its channel when it has channels; double.
Tensor centred(const Tensor& q, bool scaled) {
  const Quantizer* z = q.quantizer();
  if (!z) return cast(q, kDouble);
  check_channels(q, *z);
  Tensor i = cast(int_repr(q), kDouble);
  if (!z->per_channel) {
    Tensor c = add_scalar(i, Scalar(-static_cast<double>(z->zero_point)), Scalar(1));
    return scaled ? mul_scalar(c, Scalar(z->scale)) : c;
  }
  IntVec s(static_cast<size_t>(q.dim()), 1);
  s[static_cast<size_t>(z->axis)] = q.size(z->axis);
  Tensor sc = vector_of(z->scales, kDouble), zp = vector_of(z->zero_points, kDouble);
  return mul(sub(i, view(zp, s), Scalar(1)), view(sc, s));
}
// The product with the reciprocal scale is rounded to steps before the zero point is added.
Tensor requantize(const Tensor& y, double scale, int64_t zero_point, bool relu, ScalarType t) {
  Tensor f = cast(y, kFloat);
  if (relu) f = unary(Unary::relu, f, kFloat);
  const float inverse = 1.0f / static_cast<float>(scale);
  f = unary(Unary::round, mul_scalar(f, Scalar(static_cast<double>(inverse))), kFloat);
  return with_parameters(quantize_per_tensor(f, 1, zero_point, static_cast<int64_t>(t)), scale,
                         zero_point);
}
void check_quantized(const Tensor& x, const char* op) {
  if (!x.quantizer()) raise<OpError>(op, ": the input is not a quantized tensor");
}

template <bool Relu>
Tensor q_linear(const Tensor& x, const IValue& params, double scale, int64_t zp) {
  check_quantized(x, "quantized::linear");
  PackedLinear p = unpack_linear(params);
  const QParams to{scale, zp};
  if (Tensor y = linear_on_bytes(x, p, Relu, &to); y.defined()) return y;
  Tensor b = bias_of(p.b);
  return requantize(linear(centred(x, true), centred(p.w, true), b.defined() ? &b : nullptr), scale,
                    zp, Relu, x.dtype());
}
Tensor run_conv(const Tensor& x, const PackedConv& p) {
  Tensor b = bias_of(p.b);
  bool one = x.dim() == 3 && p.stride.size() == 2;
  Tensor in = one ? unsqueeze(x, 2) : x;
  Tensor y = convolve(in, centred(p.w, true), b.defined() ? &b : nullptr, p.stride, p.padding,
                      p.dilation, p.transposed, p.output_padding, p.groups);
  return one ? squeeze_dim(y, 2) : y;
}
template <bool Relu>
Tensor q_conv(const Tensor& x, const IValue& params, double scale, int64_t zp) {
  check_quantized(x, "quantized::conv");
  const PackedConv p = unpack_conv(params);
  const QParams to{scale, zp};
  if (Tensor y = conv_on_bytes(x, p, Relu, &to); y.defined()) return y;
  return requantize(run_conv(centred(x, true), p), scale, zp, Relu, x.dtype());
}
// The old form names what the packed parameters hold already.
template <bool Relu>
Tensor q_conv_old(const Tensor& x, const IValue& params, IntVec, IntVec, IntVec, int64_t,
                  double scale, int64_t zp) {
  return q_conv<Relu>(x, params, scale, zp);
}

// FBGEMM's choice for an asymmetric range; the scale is a float.
QParams choose_qparams(double min, double max, int64_t qmin, int64_t qmax) {
  if (!(min <= max))
    raise<OpError>("In ChooseQuantizationParams, min should be less than or equal to max");
  min = std::min(min, 0.0);
  max = std::max(max, 0.0);
  double scale = (max - min) / static_cast<double>(qmax - qmin);
  if (static_cast<float>(scale) == 0.0f || std::isinf(1.0f / static_cast<float>(scale)))
    scale = 0.1;
  constexpr double kSmall = 6.1e-5;
  if (scale < kSmall) {
    double before = scale;
    scale = kSmall;
    if (min == 0)
      max = kSmall * static_cast<double>(qmax - qmin);
    else if (max == 0)
      min = -kSmall * static_cast<double>(qmax - qmin);
    else {
      min *= kSmall / before;
      max *= kSmall / before;
    }
  }
  double from_min = static_cast<double>(qmin) - min / scale,
         from_max = static_cast<double>(qmax) - max / scale;
  double error_min = std::abs(static_cast<double>(qmin)) + std::abs(min / scale),
         error_max = std::abs(static_cast<double>(qmax)) + std::abs(max / scale);
  double initial = error_min < error_max ? from_min : from_max;
  // An infinite range has none.
  int64_t zp = std::isnan(initial)                   ? std::numeric_limits<int32_t>::min()
               : initial < static_cast<double>(qmin) ? qmin
               : initial > static_cast<double>(qmax) ? qmax
                                                     : std::llrint(initial);
  return {scale, zp};
}
// Of the range of the tensor's own values; of zero when it has none.
QParams own_qparams(const Tensor& x, bool reduce_range) {
  double lo = 0, hi = 0;
  if (x.numel()) {
    IntVec all = reduce_dims(OptInts(), x.dim());
    lo = item(reduce(Reduce::min, x, all, false, x.dtype(), x.dtype())).d;
    hi = item(reduce(Reduce::max, x, all, false, x.dtype(), x.dtype())).d;
  }
  return choose_qparams(lo, hi, 0, reduce_range ? 127 : 255);
}
// The input quantised over its own range.
Tensor quantized_dynamically(const Tensor& x, bool reduce_range) {
  if (x.numel() == 0) return cast(x, kDouble);
  QParams q = own_qparams(x, reduce_range);
  return quantize_per_tensor(cast(x, kFloat), q.scale, q.zero_point,
                             static_cast<int64_t>(ScalarType::QUInt8));
}
Tensor dynamic_linear(const Tensor& x, const PackedLinear& p, bool reduce_range) {
  const Tensor q = quantized_dynamically(x, reduce_range);
  if (Tensor y = linear_on_bytes(q, p, false, nullptr); y.defined()) return y;
  Tensor b = bias_of(p.b);
  Tensor y = linear(centred(q, true), centred(p.w, true), b.defined() ? &b : nullptr);
  return cast(y, kFloat);
}
Tensor fp16_linear(const Tensor& x, const PackedLinear& p) {
  Tensor w = p.w.quantizer() ? dequantize(p.w) : cast(cast(p.w, kHalf), kFloat);
  Tensor b = p.b.defined() ? cast(p.b, kFloat) : Tensor();
  return linear(x, w, b.defined() ? &b : nullptr);
}
Tensor relu_of(const Tensor& t) { return unary(Unary::relu, t, t.dtype()); }
Tensor linear_dynamic(const Tensor& x, const IValue& p, bool reduce_range) {
  return dynamic_linear(x, unpack_linear(p), reduce_range);
}
Tensor linear_relu_dynamic(const Tensor& x, const IValue& p, bool reduce_range) {
  return relu_of(dynamic_linear(x, unpack_linear(p), reduce_range));
}
Tensor linear_dynamic_fp16(const Tensor& x, const IValue& p) {
  return fp16_linear(x, unpack_linear(p));
}
Tensor linear_relu_dynamic_fp16(const Tensor& x, const IValue& p) {
  return relu_of(fp16_linear(x, unpack_linear(p)));
}
Tensor conv_dynamic(const Tensor& x, const IValue& params, bool reduce_range) {
  const PackedConv p = unpack_conv(params);
  const Tensor q = quantized_dynamically(x, reduce_range);
  if (Tensor y = conv_on_bytes(q, p, false, nullptr); y.defined()) return y;
  return cast(run_conv(centred(q, true), p), kFloat);
}
std::tuple<double, int64_t> choose_qparams_op(const Tensor& x, bool reduce_range) {
  QParams q = own_qparams(x, reduce_range);
  return {q.scale, q.zero_point};
}
Tensor quantize_dynamic(const Tensor& x, int64_t dtype, bool reduce_range) {
  auto [scale, zp] = choose_qparams_op(x, reduce_range);
  if (to_scalar_type(dtype) == ScalarType::QInt8) zp -= reduce_range ? 64 : 128;
  return quantize_per_tensor(x, scale, zp, dtype);
}

// ---- recurrent layers ----

struct Cell {
  bool fp16 = false, reduce_range = false;
  PackedLinear ih, hh;
  Tensor gates(const PackedLinear& p, const Tensor& x) const {
    return fp16 ? fp16_linear(x, p) : dynamic_linear(x, p, reduce_range);
  }
};
Cell unpack_cell(const IValue& v) {
  const auto s = state_of(v);
  if (s.size() != 5 || !s[0].isString() || !s[4].isList()) bad_state();
  Cell c;
  c.fp16 = s[0].toStringRef() == "quantized_fp16";
  if (s[0].toStringRef() == "quantized") {
    // The first form: weights as plain int8 tensors, [w_ih, w_hh, b_ih, b_hh, ...], scales, zero
    // points.
    auto items = [&](size_t i) -> const std::vector<IValue>& {
      if (!s[i].isList()) bad_state();
      return s[i].toListRef().items;
    };
    if (items(1).size() < 4 || items(2).size() < 2 || items(3).size() < 2) bad_state();
    for (size_t i = 0; i < 2; ++i) {
      PackedLinear& p = i == 0 ? c.ih : c.hh;
      p.w = make_per_tensor(items(1)[i].toTensor(), items(2)[i].toDouble(), items(3)[i].toInt());
      p.b = optional_tensor(items(1)[i + 2]);
    }
    return c;
  }
  auto& p = s[4].toListRef().items;
  if (p.size() < 2) bad_state();
  c.ih = unpack_linear(p[0]);
  c.hh = unpack_linear(p[1]);
  if (s[3].isList() && !s[3].toListRef().items.empty())
    c.reduce_range = s[3].toListRef().items[0].toInt() != 0;
  return c;
}
struct CellState {
  Tensor h, c;
};
void check_cell(const Tensor& x_gates, const Tensor& h_gates, const Tensor& h, int64_t gates) {
  if (h.dim() != 2 || x_gates.dim() != 2 || x_gates.sizes() != h_gates.sizes() ||
      x_gates.size(0) != h.size(0) || x_gates.size(1) != gates * h.size(1))
    raise<OpError>("quantized recurrent cell: gates ", x_gates.sizes(), " and ", h_gates.sizes(),
                   " do not fit a hidden state of ", h.sizes());
}
CellState lstm_step(const Tensor& x_gates, const Tensor& h_gates, const CellState& s) {
  check_cell(x_gates, h_gates, s.h, 4);
  if (s.c.sizes() != s.h.sizes())
    raise<OpError>("quantized recurrent cell: the two states differ in size");
  Tensor g = add(x_gates, h_gates, Scalar(1));
  CellState r{empty(s.h.sizes(), kFloat), empty(s.h.sizes(), kFloat)};
  if (r.h.numel())
    call_slot(RnnCellArgs{view_of(r.h), view_of(r.c), view_of(g), {}, {}, view_of(s.c), false});
  return r;
}
Tensor gru_step(const Tensor& x_gates, const Tensor& h_gates, const Tensor& h) {
  check_cell(x_gates, h_gates, h, 3);
  Tensor r = empty(h.sizes(), kFloat);
  if (r.numel())
    call_slot(
        RnnCellArgs{view_of(r), {}, view_of(x_gates), view_of(h_gates), view_of(h), {}, true});
  return r;
}
// x: [T, B, I]; h, c: [layers * directions, B, H].
std::tuple<Tensor, Tensor, Tensor> run_rnn(const Tensor& x0, const Tensor& h0, const Tensor* c0,
                                           const std::vector<IValue>& params, int64_t layers,
                                           bool both, bool batch_first) {
  int64_t directions = both ? 2 : 1;
  if (static_cast<int64_t>(params.size()) != checked_mul(layers, directions))
    raise<OpError>("quantized recurrent layer: ", params.size(), " cells given for ", layers,
                   " layers");
  Tensor x = batch_first ? transpose(x0, 0, 1) : x0;
  TensorList hs, cs;
  for (int64_t l = 0; l < layers; ++l) {
    TensorList outs;
    for (int64_t d = 0; d < directions; ++d) {
      Cell cell = unpack_cell(params[static_cast<size_t>(l * directions + d)]);
      CellState s{contiguous(select(h0, 0, l * directions + d)),
                  c0 ? contiguous(select(*c0, 0, l * directions + d)) : Tensor()};
      int64_t T = x.size(0);
      TensorList steps(static_cast<size_t>(T));
      // An LSTM takes its input's gates for all steps at once: one range for the whole sequence.
      Tensor gates = cell.gates(cell.ih, x);
      for (int64_t i = 0; i < T; ++i) {
        int64_t t = d ? T - 1 - i : i;
        Tensor xg = select(gates, 0, t), hg = cell.gates(cell.hh, s.h);
        if (c0)
          s = lstm_step(xg, hg, s);
        else
          s.h = gru_step(xg, hg, s.h);
        steps[static_cast<size_t>(t)] = s.h;
      }
      outs.push_back(stack(steps, 0));
      hs.push_back(s.h);
      if (c0) cs.push_back(s.c);
    }
    x = both ? cat(outs, 2) : outs[0];
  }
  Tensor y = batch_first ? transpose(x, 0, 1) : x;
  return {y, stack(hs, 0), c0 ? stack(cs, 0) : Tensor()};
}
void quantized_lstm(Call& c) {
  auto& hx = c.in(1).toListRef().items;
  if (hx.size() != 2) raise<OpError>("quantized_lstm expects two hidden states");
  Tensor cell = tensor_of(hx[1]);
  auto [y, h, cn] = run_rnn(tensor_of(c.in(0)), tensor_of(hx[0]), &cell, c.in(2).toListRef().items,
                            c.in(4).toInt(), c.in(7).toBool(), c.in(8).toBool());
  c.out(0, y);
  c.out(1, h);
  c.out(2, cn);
}
void quantized_gru(Call& c) {
  auto [y, h, cn] =
      run_rnn(tensor_of(c.in(0)), tensor_of(c.in(1)), nullptr, c.in(2).toListRef().items,
              c.in(4).toInt(), c.in(7).toBool(), c.in(8).toBool());
  c.out(0, y);
  c.out(1, h);
}
std::tuple<Tensor, Tensor> lstm_cell_dynamic(const Tensor& x, TensorList hx, const IValue& w_ih,
                                             const IValue& w_hh, const Tensor&, const Tensor&) {
  if (hx.size() != 2) raise<OpError>("quantized_lstm_cell_dynamic expects two hidden states");
  CellState s = lstm_step(dynamic_linear(x, unpack_linear(w_ih), true),
                          dynamic_linear(hx[0], unpack_linear(w_hh), true), {hx[0], hx[1]});
  return {s.h, s.c};
}
Tensor gru_cell_dynamic(const Tensor& x, const Tensor& h, const IValue& w_ih, const IValue& w_hh,
                        const Tensor&, const Tensor&) {
  return gru_step(dynamic_linear(x, unpack_linear(w_ih), true),
                  dynamic_linear(h, unpack_linear(w_hh), true), h);
}
template <Unary U>
Tensor rnn_cell_dynamic(const Tensor& x, const Tensor& h, const IValue& w_ih, const IValue& w_hh,
                        const Tensor&, const Tensor&) {
  Tensor g = add(dynamic_linear(x, unpack_linear(w_ih), true),
                 dynamic_linear(h, unpack_linear(w_hh), true), Scalar(1));
  return unary(U, g, g.dtype());
}

// ---- embeddings ----

void embedding_bag_quantized(Call& c) {
  Tensor w = dequantize(embedding_unpack(c.in(0)));
  Tensor indices = cast(tensor_of(c.in(1)), kLong);
  Tensor offsets = c.in(2).isNone() ? Tensor() : cast(c.in(2).toTensor(), kLong);
  bool last = c.in(8).toBool();
  if (!offsets.defined()) {
    if (indices.dim() != 2)
      raise<OpError>("quantized::embedding_bag: offsets are needed for one-dimensional indices");
    offsets = mul_scalar(arange_ints(indices.size(0), kLong), Scalar(indices.size(1)));
    indices = reshape(indices, {-1});
  }
  Tensor weights = c.in(6).isNone() ? Tensor() : c.in(6).toTensor();
  // Whatever mode says: the packed operators sum.
  c.out(0, std::get<0>(bag_of_embeddings(w, indices, offsets, 0,
                                         weights.defined() ? &weights : nullptr, last)));
}
Tensor embedding_quantized(const IValue& params, const Tensor& indices, bool) {
  Tensor w = dequantize(embedding_unpack(params));
  IntVec s(indices.sizes());
  s.push_back(w.size(1));
  return reshape(index_select(w, 0, reshape(cast(indices, kLong), {-1})), s);
}

const Quantizer& channels_of(const Tensor& x) {
  const Quantizer* q = x.quantizer();
  if (!q || !q->per_channel) raise<OpError>("the tensor is not quantised per channel");
  return *q;
}
Tensor per_channel_scales(const Tensor& x) {
  const Quantizer& q = channels_of(x);
  return vector_of(q.scales, q.float_qparams ? kFloat : kDouble);
}
Tensor per_channel_zero_points(const Tensor& x) {
  const Quantizer& q = channels_of(x);
  return vector_of(q.zero_points, q.float_qparams ? kFloat : kLong);
}
int64_t per_channel_axis(const Tensor& x) { return channels_of(x).axis; }
TensorList dequantize_list(TensorList l) {
  for (auto& t : l) t = dequantize(t);
  return l;
}
constexpr OpDef kOps[] = {
    // clang-format off
    op<quantize_per_tensor>("aten::quantize_per_tensor"), op<quantize_per_tensor_tensors>("aten::quantize_per_tensor.tensor_qparams"), op<quantize_per_channel>("aten::quantize_per_channel"), op<dequantize>("aten::dequantize.self"), op<int_repr>("aten::int_repr"), op<q_scale>("aten::q_scale"), op<q_zero_point>("aten::q_zero_point"),
    op<per_channel_scales>("aten::q_per_channel_scales"), op<per_channel_zero_points>("aten::q_per_channel_zero_points"), op<per_channel_axis>("aten::q_per_channel_axis"), op<dequantize_list>("aten::dequantize.tensors"), op<dequantize>("aten::dequantize.tensor"), op<make_per_tensor>("aten::_make_per_tensor_quantized_tensor"), op<quantize_dynamic>("aten::quantize_per_tensor_dynamic"), op<choose_qparams_op>("aten::_choose_qparams_per_tensor"),
    op<linear_prepack>("quantized::linear_prepack"), op<linear_prepack>("quantized::linear_prepack_fp16"), op<linear_unpack>("quantized::linear_unpack"), op<linear_unpack>("quantized::linear_unpack_fp16"), op<q_linear<false>>("quantized::linear"), op<q_linear<true>>("quantized::linear_relu"), op<linear_dynamic>("quantized::linear_dynamic"), op<linear_relu_dynamic>("quantized::linear_relu_dynamic"), op<linear_dynamic_fp16>("quantized::linear_dynamic_fp16"), op<linear_relu_dynamic_fp16>("quantized::linear_relu_dynamic_fp16"),
    op<conv_prepack<1>>("quantized::conv1d_prepack"), op<conv_prepack<2>>("quantized::conv2d_prepack"), op<conv_prepack<2>>("quantized::conv_prepack"), op<conv_prepack<3>>("quantized::conv3d_prepack"), op<conv_transpose_prepack<1>>("quantized::conv_transpose1d_prepack"), op<conv_transpose_prepack<2>>("quantized::conv_transpose2d_prepack"), op<conv_transpose_prepack<3>>("quantized::conv_transpose3d_prepack"),
    op<conv_unpack<1>>("quantized::conv1d_unpack"), op<conv_unpack<2>>("quantized::conv2d_unpack"), op<conv_unpack<2>>("quantized::conv_unpack"), op<conv_unpack<3>>("quantized::conv3d_unpack"), op<conv_unpack<1>>("quantized::conv_transpose1d_unpack"), op<conv_unpack<2>>("quantized::conv_transpose2d_unpack"), op<conv_unpack<3>>("quantized::conv_transpose3d_unpack"),
    raw("quantized::conv2d_stride", conv_list<&PackedConv::stride>), raw("quantized::conv3d_stride", conv_list<&PackedConv::stride>), raw("quantized::conv2d_padding", conv_list<&PackedConv::padding>), raw("quantized::conv3d_padding", conv_list<&PackedConv::padding>), raw("quantized::conv2d_dilation", conv_list<&PackedConv::dilation>), raw("quantized::conv3d_dilation", conv_list<&PackedConv::dilation>), raw("quantized::conv2d_output_padding", conv_list<&PackedConv::output_padding>), raw("quantized::conv3d_output_padding", conv_list<&PackedConv::output_padding>), op<conv_groups>("quantized::conv2d_groups"), op<conv_groups>("quantized::conv3d_groups"), op<conv_is_transposed>("quantized::conv2d_transpose"), op<conv_is_transposed>("quantized::conv3d_transpose"),
    op<q_conv<false>>("quantized::conv1d"), op<q_conv<true>>("quantized::conv1d_relu"), op<q_conv<false>>("quantized::conv2d.new"), op<q_conv<true>>("quantized::conv2d_relu.new"), op<q_conv<false>>("quantized::conv3d.new"), op<q_conv<true>>("quantized::conv3d_relu.new"), op<q_conv_old<false>>("quantized::conv2d"), op<q_conv_old<true>>("quantized::conv2d_relu"), op<q_conv_old<false>>("quantized::conv3d"), op<q_conv_old<true>>("quantized::conv3d_relu"), op<q_conv<false>>("quantized::conv_transpose1d"), op<q_conv<false>>("quantized::conv_transpose2d"), op<q_conv<false>>("quantized::conv_transpose3d"),
    op<conv_dynamic>("quantized::conv1d_dynamic"), op<conv_dynamic>("quantized::conv2d_dynamic"), op<conv_dynamic>("quantized::conv3d_dynamic"), op<conv_dynamic>("quantized::conv_transpose1d_dynamic"), op<conv_dynamic>("quantized::conv_transpose2d_dynamic"), op<conv_dynamic>("quantized::conv_transpose3d_dynamic"),
    op<embedding_prepack>("quantized::embedding_bag_prepack"), op<embedding_unpack>("quantized::embedding_bag_unpack"), raw("quantized::embedding_bag_byte", embedding_bag_quantized), raw("quantized::embedding_bag_4bit", embedding_bag_quantized), op<embedding_quantized>("quantized::embedding_byte"), op<embedding_quantized>("quantized::embedding_4bit"),
    op<cell_params_dynamic>("quantized::make_quantized_cell_params_dynamic"), op<cell_params_fp16>("quantized::make_quantized_cell_params_fp16"), raw("aten::quantized_lstm.input", quantized_lstm), raw("aten::quantized_gru.input", quantized_gru), op<lstm_cell_dynamic>("quantized::quantized_lstm_cell_dynamic"), op<gru_cell_dynamic>("quantized::quantized_gru_cell_dynamic"), op<rnn_cell_dynamic<Unary::tanh>>("quantized::quantized_rnn_tanh_cell_dynamic"), op<rnn_cell_dynamic<Unary::relu>>("quantized::quantized_rnn_relu_cell_dynamic"),
    // clang-format on
};

bool is_q(const IValue& v) {
  return v.isTensor() && v.toTensorRef().defined() && v.toTensorRef().quantizer();
}
}  // namespace

Tensor with_parameters(const Tensor& t, double scale, int64_t zero_point) {
  Tensor r = make_view(t, t.impl()->sizes, t.impl()->strides, t.storage_offset());
  auto q = std::make_shared<Quantizer>(*t.quantizer());
  q->scale = scale;
  q->zero_point = zero_point;
  r.mutable_impl()->quantizer = std::move(q);
  return r;
}
Tensor run_plain(Call& c, const Tensor& first) {
  std::vector<IValue> in, out(c.n_out());
  for (uint32_t i = 0; i < c.n_in(); ++i) in.push_back(i == 0 ? IValue(first) : c.in(i));
  std::vector<IValue*> pi, po;
  for (auto& v : in) pi.push_back(&v);
  for (auto& v : out) po.push_back(&v);
  Call inner(c.op(), pi.data(), nullptr, c.n_in(), po.data(), c.n_out());
  c.op()->plain(inner);
  return tensor_of(out[0]);
}

namespace {

// An operator of real numbers on a quantised tensor: computed on the real values and quantised as
// its input was; functions of known range have parameters of their own. Interpolation is one of the
// stored numbers, rounded as steps from the zero point.
void on_real_values(Call& c) {
  const Operator& op = *c.op();
  if (!is_q(c.in(0)) || c.in(0).toTensorRef().quantizer()->per_channel) return op.plain(c);
  if (mean_of_stored_numbers(c)) return;
  Tensor first = tensor_of(c.in(0));
  std::vector<IValue> in, out(c.n_out());
  std::string_view name = op.name();
  const bool in_steps = name == "aten::upsample_bilinear2d" || name == "aten::__interpolate";
  for (uint32_t i = 0; i < c.n_in(); ++i) {
    if (!is_q(c.in(i))) {
      in.push_back(c.in(i));
      continue;
    }
    const Tensor& t = c.in(i).toTensorRef();
    in.push_back(dequantize(in_steps ? with_parameters(t, 1, 0) : t));
  }
  std::vector<IValue*> pi, po;
  for (auto& v : in) pi.push_back(&v);
  for (auto& v : out) po.push_back(&v);
  Call inner(&op, pi.data(), nullptr, c.n_in(), po.data(), c.n_out());
  op.plain(inner);
  bool in_place = name.back() == '_';
  if (in_place) name.remove_suffix(1);
  double scale = first.quantizer()->scale;
  int64_t zp = first.quantizer()->zero_point;
  bool is_signed = first.dtype() == ScalarType::QInt8;
  if (name == "aten::sigmoid" || name == "aten::hardsigmoid") {
    scale = 1.0 / 256;
    zp = is_signed ? -128 : 0;
  } else if (name == "aten::tanh") {
    scale = 2.0 / 256;
    zp = is_signed ? 0 : 128;
  }
  for (uint32_t i = 0; i < c.n_out(); ++i) {
    const Tensor& t = out[i].toTensorRef();
    if (!is_floating(t.dtype())) {
      c.out(i, out[i]);
      continue;
    }
    const auto dtype = static_cast<int64_t>(first.dtype());
    Tensor q;
    if (in_steps) {
      // Less the zero point and plus it again, each rounded to float.
      Tensor steps = add_scalar(t, Scalar(static_cast<double>(-zp)), Scalar(1));
      steps = add_scalar(steps, Scalar(static_cast<double>(zp)), Scalar(1));
      q = with_parameters(quantize_per_tensor(steps, 1, 0, dtype), scale, zp);
    } else {
      q = quantize_per_tensor(t, scale, zp, dtype);
    }
    if (in_place) {
      call_slot(CopyArgs{view_of(first), view_of(q)});
      first.mutable_impl()->quantizer = q.impl()->quantizer;
      q = first;
    }
    c.out(i, q);
  }
}
// Arithmetic that PyTorch has for plain numbers alone.
void on_plain_numbers(Call& c) {
  const Operator& op = *c.op();
  for (uint32_t i = 0; i < c.n_in(); ++i)
    if (is_q(c.in(i)))
      raise<OpError>("Could not run '", op.full_name(),
                     "' with arguments from the 'QuantizedCPU' backend.");
  op.plain(c);
}
}  // namespace

void add_quantized_forms(OpTable& table) {
  for (const char* name : {"aten::relu",
                           "aten::relu_",
                           "aten::relu6",
                           "aten::relu6_",
                           "aten::hardtanh",
                           "aten::hardtanh_",
                           "aten::clamp",
                           "aten::leaky_relu",
                           "aten::leaky_relu_",
                           "aten::sigmoid",
                           "aten::sigmoid_",
                           "aten::tanh",
                           "aten::tanh_",
                           "aten::hardsigmoid",
                           "aten::hardsigmoid_",
                           "aten::elu",
                           "aten::elu_",
                           "aten::max_pool1d",
                           "aten::max_pool2d",
                           "aten::max_pool3d",
                           "aten::avg_pool1d",
                           "aten::avg_pool2d",
                           "aten::avg_pool3d",
                           "aten::adaptive_avg_pool1d",
                           "aten::adaptive_avg_pool2d",
                           "aten::adaptive_avg_pool3d",
                           "aten::mean",
                           "aten::threshold",
                           "aten::max",
                           "aten::min",
                           "aten::amax",
                           "aten::amin",
                           "aten::upsample_nearest1d",
                           "aten::upsample_nearest2d",
                           "aten::upsample_nearest3d",
                           "aten::upsample_bilinear2d",
                           "aten::__interpolate",
                           "aten::channel_shuffle",
                           "aten::sort",
                           "aten::topk",
                           "aten::median"})
    table.wrap(name, on_real_values);
  for (const char* name : {"aten::add",
                           "aten::add_",
                           "aten::sub",
                           "aten::sub_",
                           "aten::mul",
                           "aten::mul_",
                           "aten::div",
                           "aten::div_",
                           "aten::neg",
                           "aten::exp",
                           "aten::log",
                           "aten::abs",
                           "aten::sqrt",
                           "aten::rsqrt",
                           "aten::pow",
                           "aten::sin",
                           "aten::cos",
                           "aten::softmax",
                           "aten::log_softmax",
                           "aten::matmul",
                           "aten::mm",
                           "aten::bmm",
                           "aten::addmm",
                           "aten::linear",
                           "aten::conv1d",
                           "aten::conv2d",
                           "aten::conv3d",
                           "aten::_convolution",
                           "aten::where",
                           "aten::maximum",
                           "aten::minimum",
                           "aten::sum",
                           "aten::argmax",
                           "aten::argmin",
                           "aten::layer_norm",
                           "aten::batch_norm",
                           "aten::hardswish",
                           "aten::var",
                           "aten::cumsum",
                           "aten::gather",
                           "aten::prelu",
                           "aten::im2col",
                           "aten::upsample_bicubic2d"})
    table.wrap(name, on_plain_numbers);
}

extern const OpTable::RowList kQuantizedOps;
const OpTable::RowList kQuantizedOps = rows_in_build<kOps>();

}  // namespace sconce::ops
