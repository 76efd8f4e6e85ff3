// SPDX-License-Identifier: Apache-2.0
// The transform that takes every FftArgs, for the kernels that don't. Along the last dim, of n
// numbers: complex to complex; real to complex, all n results or the first n / 2 + 1 of them; the
// first n / 2 + 1 of a spectrum to n real numbers, inverse.
#pragma once
#include "backends/slots.h"

namespace sconce::ref {

void any_fft(const FftArgs& a);

}  // namespace sconce::ref
