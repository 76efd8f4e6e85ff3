// SPDX-License-Identifier: Apache-2.0
// Every file of this folder is compiled once per instruction set, into the namespace
// sconce::SCONCE_ISA.
#pragma once
#include "backends/kernels.h"

#ifndef SCONCE_ISA
#error "compile with -DSCONCE_ISA=base, avx2, ..."
#endif

namespace sconce::SCONCE_ISA {

// Each file puts its slots into the table.
void add_elementwise(Kernels& k);
void add_reduce(Kernels& k);
void add_gemm(Kernels& k);
void add_conv(Kernels& k);
void add_nn(Kernels& k);

// C[M x N] = alpha * A[M x K] B[K x N] + beta * C, row strides in elements, any strides within
// rows.
void gemm_f32(int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t as0,
              int64_t as1, const float* b, int64_t bs0, int64_t bs1, float beta, float* c,
              int64_t cs0);

}  // namespace sconce::SCONCE_ISA
