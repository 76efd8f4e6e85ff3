// SPDX-License-Identifier: Apache-2.0
// torchaudio's recursive filter; its other operators are made of this one and others
// (torchscript/audio.inc).
#include "ops/tensor_ops.h"

namespace sconce::ops {

namespace {

// x: [B, C, N], a: [C, order], last coefficient first, out: [B, C, N + order - 1], written in
// place.
Tensor lfilter_core_loop(const Tensor& x, const Tensor& a, const Tensor& out) {
  if (x.dim() != 3 || a.dim() != 2 || out.dim() != 3 || a.size(0) != x.size(1) ||
      out.size(0) != x.size(0) || out.size(1) != x.size(1) ||
      out.size(2) != x.size(2) + a.size(1) - 1)
    raise<OpError>("_lfilter_core_loop: signals ", x.sizes(), ", coefficients ", a.sizes(),
                   " and padded output ", out.sizes(), " do not fit");
  if ((x.dtype() != kFloat && x.dtype() != kDouble) || a.dtype() != x.dtype() ||
      out.dtype() != x.dtype())
    raise<OpError>("_lfilter_core_loop: expected tensors of float32 or of float64");
  if (x.numel() == 0) return out;
  const int64_t rows = x.size(0) * x.size(1);
  Tensor in = reshape(x, {rows, x.size(2)}), to = contiguous(out);
  call_slot(RecurArgs{view_of(view(to, {rows, out.size(2)})), view_of(in), view_of(a)});
  if (!out.is_contiguous()) copy_to(out, to);
  return out;
}

constexpr OpDef kOps[] = {
    op<lfilter_core_loop>("torchaudio::_lfilter_core_loop"),
};

}  // namespace

extern const OpTable::RowList kAudioOps;
const OpTable::RowList kAudioOps = rows_in_build<kOps>();

}  // namespace sconce::ops
