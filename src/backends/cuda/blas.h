// SPDX-License-Identifier: Apache-2.0
// The products that the kernels ask of a library: cuBLAS (blas.cu), or loops (emulated.cpp).
#pragma once
#include "backends/cuda/gpu.h"

namespace sconce::cuda {

// A matrix in column-major order: element (i, j) at data[i + j * ld], transposed data[j + i * ld];
// ld and stride (from one matrix of the batch to the next) in elements.
struct Matrix {
  void* data;
  bool transposed;
  int64_t ld, stride;
};
// c = alpha * a b + beta * c for each of the batch; a is m x k, b is k x n. All of dtype t: half,
// bfloat16 and float with sums in float, or double. c is not transposed; of halves it may be float.
void multiply(Gpu& g, ScalarType t, int64_t m, int64_t n, int64_t k, double alpha, const Matrix& a,
              const Matrix& b, double beta, const Matrix& c, int64_t batch,
              ScalarType c_type = ScalarType::Undefined);

// c = alpha * a b + bias[i] in row i, rounded once; bias follows one another. False: the library
// has no such product, nothing was done.
bool multiply_with_bias(Gpu& g, ScalarType t, int64_t m, int64_t n, int64_t k, double alpha,
                        const Matrix& a, const Matrix& b, const void* bias, const Matrix& c);

// Whether floats may be rounded to TF32 on the way in; off at the start.
void allow_tf32(bool allowed);

}  // namespace sconce::cuda
