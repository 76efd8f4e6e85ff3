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

constexpr Limit kRows[] = {
    {"aten::bincount", bincount_limits},    {"aten::masked_fill_.*", masked_limits},
    {"aten::masked_fill.*", masked_limits}, {"aten::masked_scatter_", masked_limits},
    {"aten::narrow.Tensor", narrow_limits},
};

}  // namespace

extern const LimitList kTensorLimits;
const LimitList kTensorLimits{kRows, std::size(kRows)};

}  // namespace sconce::ops
