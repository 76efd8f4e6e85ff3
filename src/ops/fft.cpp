// SPDX-License-Identifier: Apache-2.0
// The three transforms that all others are written in (ops/torchscript/fft.inc).
#include <cmath>

#include "ops/tensor_ops.h"

namespace sconce::ops {

namespace {

// normalization: 0 none, 1 by the root of n, 2 by n.
double scale_of(int64_t normalization, int64_t n) {
  if (normalization == 0) return 1;
  return normalization == 1 ? 1 / std::sqrt(static_cast<double>(n)) : 1 / static_cast<double>(n);
}

// `made` results along dim, complex or real; -1: as many as there are elements.
Tensor along(const Tensor& x, int64_t dim, bool inverse, double scale, int64_t made = -1,
             bool real = false) {
  const ScalarType t = real                    ? real_of(x.dtype())
                       : is_complex(x.dtype()) ? x.dtype()
                       : x.dtype() == kDouble  ? kComplexDouble
                                               : kComplexFloat;
  Tensor in = transpose(x, dim, -1);
  IntVec sizes(in.sizes());
  if (made >= 0) sizes[sizes.size() - 1] = made;
  Tensor out = empty(sizes, t);
  if (out.numel() && in.size(-1) == 0)
    raise<OpError>("Invalid number of data points (0) specified");
  if (out.numel()) call_slot(FftArgs{view_of(out), view_of(in), inverse, scale});
  return transpose(out, dim, -1);
}

Tensor c2c(const Tensor& x, IntVec dims, int64_t normalization, bool forward) {
  if (!is_complex(x.dtype())) raise<OpError>("_fft_c2c expects a complex tensor");
  Tensor r = x;
  for (int64_t d : dims)
    r = along(r, wrap_dim(d, x.dim()), !forward, scale_of(normalization, x.size(d)));
  return dims.empty() ? clone(x) : r;
}
Tensor r2c(const Tensor& x, IntVec dims, int64_t normalization, bool onesided) {
  if (!is_floating(x.dtype()) || dims.empty())
    raise<OpError>("_fft_r2c expects a real tensor and at least one dim");
  int64_t last = wrap_dim(dims[dims.size() - 1], x.dim());
  Tensor r = along(x, last, false, scale_of(normalization, x.size(last)),
                   onesided ? x.size(last) / 2 + 1 : -1);
  IntVec others = dims;
  others.pop_back();
  return others.empty() ? r : c2c(r, others, normalization, true);
}
Tensor c2r(const Tensor& x, IntVec dims, int64_t normalization, int64_t last_size) {
  if (!is_complex(x.dtype()) || dims.empty())
    raise<OpError>("_fft_c2r expects a complex tensor and at least one dim");
  int64_t last = dims[dims.size() - 1];
  IntVec others = dims;
  others.pop_back();
  Tensor r = c2c(x, others, normalization, false);
  int64_t half = last_size / 2 + 1;
  if (last_size < 1 || x.size(last) < half)
    raise<OpError>("_fft_c2r: the input has too few frequencies for an output of ", last_size);
  return along(narrow(r, last, 0, half), wrap_dim(last, x.dim()), true,
               scale_of(normalization, last_size), last_size, true);
}

constexpr OpDef kOps[] = {op<c2c>("aten::_fft_c2c"), op<r2c>("aten::_fft_r2c"),
                          op<c2r>("aten::_fft_c2r")};

}  // namespace

extern const OpTable::RowList kFftOps;
const OpTable::RowList kFftOps = rows_in_build<kOps>();

}  // namespace sconce::ops
