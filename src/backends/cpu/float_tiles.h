// SPDX-License-Identifier: Apache-2.0
// The elementwise functions over dense floats: the very code that the elementwise slots run, so
// that whoever else calls it gets their bits. An element's result depends on its operands alone,
// not on its place or its neighbours. out is none of the operands, or is one of them.
#pragma once
#include "backends/slots.h"

namespace sconce::SCONCE_ISA {

void unary_floats(Unary op, float p, float q, float r, const float* in, float* out, int64_t n);
void binary_floats(Binary op, float alpha, const float* a, const float* b, float* out, int64_t n);
// where: a is the condition, 0 or not.
void ternary_floats(Ternary op, float value, const float* a, const float* b, const float* c,
                    float* out, int64_t n);

}  // namespace sconce::SCONCE_ISA
