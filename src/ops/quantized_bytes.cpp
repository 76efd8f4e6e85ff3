// SPDX-License-Identifier: Apache-2.0
// Quantised layers whose kernel takes bytes and weights as they are stored.
#include <algorithm>
#include <cmath>
#include <mutex>

#include "core/unrecorded.h"
#include "ops/quantized_layers.h"

namespace sconce::ops {

void check_channels(const Tensor& t, const Quantizer& q) {
  if (q.per_channel &&
      (q.axis < 0 || q.axis >= t.dim() || static_cast<int64_t>(q.scales.size()) != t.size(q.axis)))
    raise<OpError>("the tensor's channels are not those that it was quantised by: ", t.sizes());
}
Tensor vector_of(const std::vector<double>& numbers, ScalarType t) {
  Tensor r = empty({static_cast<int64_t>(numbers.size())}, t);
  for (size_t i = 0; i < numbers.size(); ++i)
    fill(make_view(r, {}, {}, static_cast<int64_t>(i)), Scalar(numbers[i]));
  return r;
}
std::pair<Tensor, Tensor> numbers_of(const Quantizer& q) {
  const auto n = static_cast<int64_t>(q.scales.size());
  if (q.zero_points.size() != q.scales.size())
    raise<OpError>("the tensor has ", n, " scales and ", q.zero_points.size(), " zero points");
  // Kept for the CPU's kernels; a device that lacks one copies them anyhow.
  if (context().device) return {vector_of(q.scales, kDouble), vector_of(q.zero_points, kDouble)};
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  Unrecorded unrecorded;
  if (!q.numbers) {
    std::vector<double> both = q.scales;
    both.insert(both.end(), q.zero_points.begin(), q.zero_points.end());
    q.numbers = vector_of(both, kDouble).impl()->storage;
  }
  const Tensor all = with_storage(empty({0}, kDouble), q.numbers, 0);
  return {make_view(all, {n}, {1}, 0), make_view(all, {n}, {1}, n)};
}
Tensor bias_of(const Tensor& b) { return b.defined() ? cast(b, kDouble) : Tensor(); }

namespace {
bool is_byte(ScalarType t) { return t == ScalarType::QUInt8 || t == ScalarType::QInt8; }
bool zero_fits(int64_t zero, ScalarType t) {
  return t == ScalarType::QInt8 ? zero >= -128 && zero <= 127 : zero >= 0 && zero <= 255;
}
// Sizes of the answer; empty: what is asked for is no convolution of these.
IntVec sizes_on_bytes(const Tensor& x, const PackedConv& p) {
  constexpr int64_t kMost = int64_t{1} << 30;
  const auto n = static_cast<size_t>(x.dim()) - 2;
  if (p.groups < 1 || p.w.size(0) < 1 || p.w.size(1) < 1 || p.w.size(0) % p.groups != 0 ||
      x.size(1) % p.groups != 0 || x.size(1) / p.groups != p.w.size(1) || x.size(0) < 1)
    return {};
  IntVec r{x.size(0), p.w.size(0)};
  for (size_t i = 0; i < n; ++i) {
    const int64_t in = x.size(static_cast<int64_t>(i) + 2),
                  kernel = p.w.size(static_cast<int64_t>(i) + 2), s = p.stride[i],
                  pad = p.padding[i], d = p.dilation[i];
    if (s < 1 || d < 1 || pad < 0 || kernel < 1 || in < 1 || s > kMost || d > kMost ||
        pad > kMost || in > kMost || kernel > kMost)
      return {};
    const int64_t room = in + 2 * pad - d * (kernel - 1) - 1;
    if (room < 0) return {};
    r.push_back(room / s + 1);
  }
  return r;
}
// A layer on the bytes themselves: the answer to `to`'s parameters, or float without them.
// Undefined: the numbers are others than the kernel takes, or don't fit together.
Tensor layer_on_bytes(const Tensor& x, const PackedConv& p, bool relu, const QParams* to) {
  const Quantizer *q = x.quantizer(), *w = p.w.quantizer();
  constexpr int64_t kMostProducts = int64_t{1} << 15, kMostZero = int64_t{1} << 20;
  if (!q || !w || q->per_channel || !is_byte(x.dtype()) || !is_byte(p.w.dtype()) || p.transposed ||
      x.dim() != p.w.dim() || x.dim() < 2 || x.dim() > 5 || p.w.size(0) < 1)
    return {};
  const auto n = static_cast<size_t>(x.dim()) - 2;
  if (p.stride.size() < n || p.padding.size() < n || p.dilation.size() < n) return {};
  const IntVec sizes = sizes_on_bytes(x, p);
  if (sizes.empty() || p.w.numel() / p.w.size(0) > kMostProducts) return {};
  if (p.b.defined() && (p.b.dim() != 1 || p.b.size(0) != p.w.size(0))) return {};
  if (!zero_fits(q->zero_point, x.dtype()) ||
      (to && (to->zero_point > kMostZero || to->zero_point < -kMostZero)))
    return {};
  const bool depthwise = p.w.size(1) == 1 && p.groups == p.w.size(0);
  const int64_t middle = p.w.dtype() == ScalarType::QUInt8 ? 128 : 0;
  auto suits = [&](double zero) {
    return zero == std::floor(zero) && std::abs(zero) <= 255 &&
           zero_fits(static_cast<int64_t>(zero), p.w.dtype()) &&
           (!depthwise || zero == static_cast<double>(middle));
  };
  QuantizedConvArgs a{};
  Tensor scales, zeros, bias = bias_of(p.b);
  if (w->per_channel) {
    check_channels(p.w, *w);
    if (w->axis != 0 || !std::all_of(w->zero_points.begin(), w->zero_points.end(), suits))
      return {};
    std::tie(scales, zeros) = numbers_of(*w);
  } else if (!suits(static_cast<double>(w->zero_point))) {
    return {};
  }
  // A pixel's channels side by side, as PyTorch's kernels leave them.
  IntVec strides(sizes.size());
  int64_t step = 1;
  strides[1] = step, step *= sizes[1];
  for (size_t d = sizes.size(); d-- > 2; step *= sizes[d]) strides[d] = step;
  strides[0] = step;
  Tensor r = empty_strided(sizes, strides, to ? x.dtype() : kFloat);
  if (to) {
    auto own = std::make_shared<Quantizer>();
    own->scale = to->scale, own->zero_point = to->zero_point;
    r.mutable_impl()->quantizer = std::move(own);
    a.out_scale = to->scale, a.out_zero = to->zero_point;
  }
  a.out = view_of(r), a.in = view_of(x), a.weight = view_of(p.w), a.bias = view_of(bias);
  a.scales = view_of(scales), a.zeros = view_of(zeros);
  a.in_scale = q->scale, a.in_zero = q->zero_point;
  a.weight_scale = w->scale, a.weight_zero = w->zero_point;
  for (size_t i = 0; i < n; ++i)
    a.stride[i] = p.stride[i], a.padding[i] = p.padding[i], a.dilation[i] = p.dilation[i];
  a.groups = p.groups;
  a.relu = relu;
  call_slot(a);
  return r;
}
}  // namespace

Tensor linear_on_bytes(const Tensor& x, const PackedLinear& p, bool relu, const QParams* to) {
  if (x.dim() < 1 || p.w.dim() != 2 || x.numel() == 0 || x.size(-1) != p.w.size(1)) return {};
  const PackedConv product{p.w, p.b, {}, {}, {}, {}, 1, false};
  Tensor y = layer_on_bytes(x.dim() == 2 ? x : reshape(x, {-1, x.size(-1)}), product, relu, to);
  if (!y.defined() || x.dim() == 2) return y;
  IntVec s(x.sizes());
  s.back() = p.w.size(0);
  return reshape(y, s);
}
Tensor conv_on_bytes(const Tensor& x, const PackedConv& p, bool relu, const QParams* to) {
  const bool one = x.dim() == 3 && p.stride.size() == 2;
  Tensor y = layer_on_bytes(one ? unsqueeze(x, 2) : x, p, relu, to);
  return one && y.defined() ? squeeze_dim(y, 2) : y;
}

}  // namespace sconce::ops
