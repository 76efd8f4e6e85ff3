// SPDX-License-Identifier: Apache-2.0
#include "runtime/call_cost.h"

#include "runtime/lowering/planned.h"

namespace sconce {

namespace {

using detail::elements;
using detail::last;
using detail::size;

template <class A>
double flops_of(const A&) {
  return 0;
}
double flops_of(const GemmArgs& a) { return 2 * elements(a.out) * last(a.a); }
double flops_of(const LinearArgs& a) { return 2 * elements(a.out) * last(a.a); }
// An output's element takes the weights of its channel; of a transposed one, an input's.
double flops_of(const ConvArgs& a) {
  const double channels = size(a.weight, 0);
  return channels > 0 ? 2 * elements(a.transposed ? a.in : a.out) * elements(a.weight) / channels
                      : 0;
}
double flops_of(const PreparedConvArgs& a) {
  const double channels = size(a.weight, 0);
  return channels > 0 ? 2 * elements(a.out) * elements(a.weight) / channels : 0;
}
double flops_of(const QuantizedConvArgs& a) {
  const double channels = size(a.weight, 0);
  return channels > 0 ? 2 * elements(a.out) * elements(a.weight) / channels : 0;
}
double flops_of(const AttentionArgs& a) {
  return 2 * (elements(a.q) + elements(a.out)) * size(a.k, a.k.ndim - 2);
}

double bytes_of(const TensorView& v) {
  if (!v.data) return 0;
  double n = static_cast<double>(element_size(v.dtype));
  for (int32_t d = 0; d < v.ndim; ++d)
    if (v.strides[d] != 0) n *= static_cast<double>(v.sizes[d]);
  return n;
}

template <class A>
CallCost cost(const char* name, const A& a) {
  CallCost c{name, flops_of(a), 0};
  auto* views = reinterpret_cast<const TensorView*>(&a);
  for (uint16_t i = 0; i < A::kViews; ++i) c.bytes += bytes_of(views[i]);
  return c;
}

}  // namespace

CallCost cost_of(void (*run)(const void* args), const void* args) {
#define X(slot, Args) \
  if (run == slot_runner<Args>) return cost(#slot, *static_cast<const Args*>(args));
  SCONCE_SLOTS(X)
#undef X
  if (run == slot_runner<LinearArgs>) return cost("linear", *static_cast<const LinearArgs*>(args));
  if (run == slot_runner<PackedEmbeddingArgs>) {
    const auto& a = *static_cast<const PackedEmbeddingArgs*>(args);
    return {"packed_embedding", 0, 2 * bytes_of(a.out) + bytes_of(a.index)};
  }
  if (run == slot_runner<PreparedConvArgs>)
    return cost("prepared_conv", *static_cast<const PreparedConvArgs*>(args));
  if (run == slot_runner<PointwiseArgs>)
    return cost("pointwise", *static_cast<const PointwiseArgs*>(args));
  return {};
}

}  // namespace sconce
