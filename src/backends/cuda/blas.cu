// SPDX-License-Identifier: Apache-2.0
// Products by cuBLAS: one handle a device, on its stream. Sums of halves are in float to their end;
// TF32 only where it was allowed, as in PyTorch for products.
#include "backends/cuda/blas.h"

#include <cublas_v2.h>

#include <mutex>
#include <unordered_map>

namespace sconce::cuda {

namespace {

std::atomic<bool> g_tf32{false};

cublasHandle_t handle(Gpu& g) {
  static std::mutex mutex;
  static std::unordered_map<Gpu*, cublasHandle_t> handles;
  std::lock_guard<std::mutex> lock(mutex);
  cublasHandle_t& h = handles[&g];
  if (!h) {
    if (cublasCreate(&h) != CUBLAS_STATUS_SUCCESS) {
      g.failed("cuBLAS can't be started");
      h = nullptr;
      return h;
    }
    cublasSetStream(h, g.stream);
    // Parts of a long sum are not rounded to half.
    cublasSetMathMode(h, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);
  }
  return h;
}

cudaDataType_t data_type(ScalarType t) {
  switch (t) {
    case ScalarType::Half: return CUDA_R_16F;
    case ScalarType::BFloat16: return CUDA_R_16BF;
    case ScalarType::Double: return CUDA_R_64F;
    default: return CUDA_R_32F;
  }
}

cublasComputeType_t compute_type(ScalarType t) {
  if (t == ScalarType::Double) return CUBLAS_COMPUTE_64F;
  return t == ScalarType::Float && g_tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

}  // namespace

void allow_tf32(bool allowed) { g_tf32 = allowed; }

void multiply(Gpu& g, ScalarType t, int64_t m, int64_t n, int64_t k, double alpha, const Matrix& a,
              const Matrix& b, double beta, const Matrix& c, int64_t batch) {
  cublasHandle_t h = handle(g);
  if (!h) return;
  // One handle's calls must not be made at once.
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  const bool wide = t == ScalarType::Double;
  const auto falpha = static_cast<float>(alpha), fbeta = static_cast<float>(beta);
  const cudaDataType_t type = data_type(t);
  const cublasStatus_t status = cublasGemmStridedBatchedEx_64(
      h, a.transposed ? CUBLAS_OP_T : CUBLAS_OP_N, b.transposed ? CUBLAS_OP_T : CUBLAS_OP_N, m, n,
      k, wide ? static_cast<const void*>(&alpha) : &falpha, a.data, type, a.ld, a.stride, b.data,
      type, b.ld, b.stride, wide ? static_cast<const void*>(&beta) : &fbeta, c.data, type, c.ld,
      c.stride, batch, compute_type(t), CUBLAS_GEMM_DEFAULT);
  if (status != CUBLAS_STATUS_SUCCESS) g.failed(cublasGetStatusString(status));
}

}  // namespace sconce::cuda
