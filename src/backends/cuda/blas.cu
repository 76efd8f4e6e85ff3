// SPDX-License-Identifier: Apache-2.0
// Products by cuBLAS, and with a bias by cuBLASLt: a handle a device, on its stream as it is at the
// call, with memory of ours to work in. Sums of halves are in float to their end; TF32 only where
// it was allowed, as in PyTorch for products.
#include "backends/cuda/blas.h"

#include <cublasLt.h>
#include <cublas_v2.h>

#include <map>
#include <mutex>
#include <tuple>
#include <unordered_map>

namespace sconce::cuda {

namespace {

std::atomic<bool> g_tf32{false};

// What cuBLAS is recommended to have on the largest GPUs. The work on a device's stream is in
// order, so that all of it shares one.
constexpr size_t kWorkspaceBytes = size_t{32} << 20;

// What a product with a bias is planned for; alignments are in bytes.
using Shape = std::tuple<int, bool, bool, bool, int64_t, int64_t, int64_t, int64_t, int64_t,
                         int64_t, unsigned, unsigned, unsigned, unsigned>;
// A planned product; `works` is false where the library has none.
struct LtPlan {
  cublasLtMatmulDesc_t product = nullptr;
  cublasLtMatrixLayout_t a = nullptr, b = nullptr, c = nullptr;
  cublasLtMatmulAlgo_t algorithm;
  bool works = false;
  LtPlan() = default;
  LtPlan(const LtPlan&) = delete;
  LtPlan& operator=(const LtPlan&) = delete;
  ~LtPlan() {
    if (c) cublasLtMatrixLayoutDestroy(c);
    if (b) cublasLtMatrixLayoutDestroy(b);
    if (a) cublasLtMatrixLayoutDestroy(a);
    if (product) cublasLtMatmulDescDestroy(product);
  }
};

struct Library {
  cublasHandle_t blas = nullptr;
  cublasLtHandle_t lt = nullptr;
  cudaStream_t stream = nullptr;
  void* workspace = nullptr;
  bool asked = false;  // for the workspace
  std::map<Shape, LtPlan> plans;
  size_t workspace_bytes() const { return workspace ? kWorkspaceBytes : 0; }
};

// One handle's calls must not be made at once.
std::mutex& calls() {
  static auto* mutex = new std::mutex;
  return *mutex;
}

// While a graph is captured, what is allocated belongs to that graph.
bool captures(Gpu& g) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  return cudaStreamIsCapturing(g.stream, &status) != cudaSuccess ||
         status != cudaStreamCaptureStatusNone;
}

// The device's, told of its stream; null after a failure. calls() is held.
Library* library(Gpu& g) {
  static auto* all = new std::unordered_map<Gpu*, Library>;
  Library& l = (*all)[&g];
  if (!l.blas) {
    if (cublasCreate(&l.blas) != CUBLAS_STATUS_SUCCESS) {
      g.failed("cuBLAS can't be started");
      l.blas = nullptr;
      return nullptr;
    }
    if (cublasLtCreate(&l.lt) != CUBLAS_STATUS_SUCCESS) l.lt = nullptr;
    // Parts of a long sum are not rounded to half.
    cublasSetMathMode(l.blas, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);
  }
  if (!l.asked && !captures(g)) {
    l.asked = true;
    l.workspace = g.allocate(kWorkspaceBytes);
    l.stream = nullptr;  // tell it, whatever the stream
    l.plans.clear();
  }
  if (l.stream != g.stream) {
    // The workspace is forgotten with the stream.
    if (cublasSetStream(l.blas, g.stream) != CUBLAS_STATUS_SUCCESS ||
        (l.workspace &&
         cublasSetWorkspace(l.blas, l.workspace, kWorkspaceBytes) != CUBLAS_STATUS_SUCCESS)) {
      g.failed("cuBLAS doesn't take the stream");
      return nullptr;
    }
    l.stream = g.stream;
  }
  return &l;
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

// What an address divides by: a power of two up to 256.
unsigned alignment(const void* p) {
  unsigned bytes = 256;
  while (bytes > 1 && reinterpret_cast<uintptr_t>(p) % bytes != 0) bytes /= 2;
  return bytes;
}

bool ok(cublasStatus_t s) { return s == CUBLAS_STATUS_SUCCESS; }

template <class T>
bool set(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t what, const T& value) {
  return ok(cublasLtMatmulDescSetAttribute(d, what, &value, sizeof value));
}
template <class T>
bool set(cublasLtMatmulPreference_t p, cublasLtMatmulPreferenceAttributes_t what, const T& value) {
  return ok(cublasLtMatmulPreferenceSetAttribute(p, what, &value, sizeof value));
}
bool make(cublasLtMatrixLayout_t& l, ScalarType t, const Matrix& x, int64_t rows, int64_t columns) {
  return ok(cublasLtMatrixLayoutCreate(&l, data_type(t),
                                       static_cast<uint64_t>(x.transposed ? columns : rows),
                                       static_cast<uint64_t>(x.transposed ? rows : columns), x.ld));
}

// Fills in p; it does not work where the library has no such product.
void plan(const Library& l, LtPlan& p, ScalarType t, int64_t m, int64_t n, int64_t k,
          const Matrix& a, const Matrix& b, const void* bias, const Matrix& c) {
  const cublasOperation_t op_a = a.transposed ? CUBLAS_OP_T : CUBLAS_OP_N,
                          op_b = b.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_BIAS;
  if (!ok(cublasLtMatmulDescCreate(&p.product, compute_type(t), CUDA_R_32F)) ||
      !set(p.product, CUBLASLT_MATMUL_DESC_TRANSA, op_a) ||
      !set(p.product, CUBLASLT_MATMUL_DESC_TRANSB, op_b) ||
      !set(p.product, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue) ||
      !set(p.product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias) || !make(p.a, t, a, m, k) ||
      !make(p.b, t, b, k, n) || !make(p.c, t, c, m, n))
    return;
  cublasLtMatmulPreference_t wish = nullptr;
  if (!ok(cublasLtMatmulPreferenceCreate(&wish))) return;
  // Parts of a long sum are not rounded to half.
  const uint32_t reductions = t == ScalarType::Float ? CUBLASLT_REDUCTION_SCHEME_INPLACE |
                                                           CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE
                                                     : CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
  cublasLtMatmulHeuristicResult_t found{};
  int results = 0;
  if (set(wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, uint64_t{l.workspace_bytes()}) &&
      set(wish, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, reductions) &&
      set(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, uint32_t{alignment(a.data)}) &&
      set(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, uint32_t{alignment(b.data)}) &&
      set(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, uint32_t{alignment(c.data)}) &&
      set(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, uint32_t{alignment(c.data)}) &&
      ok(cublasLtMatmulAlgoGetHeuristic(l.lt, p.product, p.a, p.b, p.c, p.c, wish, 1, &found,
                                        &results)) &&
      results > 0 && ok(found.state) && found.workspaceSize <= l.workspace_bytes()) {
    p.algorithm = found.algo;
    p.works = true;
  }
  cublasLtMatmulPreferenceDestroy(wish);
}

}  // namespace

void allow_tf32(bool allowed) { g_tf32 = allowed; }

void multiply(Gpu& g, ScalarType t, int64_t m, int64_t n, int64_t k, double alpha, const Matrix& a,
              const Matrix& b, double beta, const Matrix& c, int64_t batch, ScalarType c_type) {
  std::lock_guard<std::mutex> lock(calls());
  Library* l = library(g);
  if (!l) return;
  const bool wide = t == ScalarType::Double;
  const auto falpha = static_cast<float>(alpha), fbeta = static_cast<float>(beta);
  const void *by = wide ? static_cast<const void*>(&alpha) : &falpha,
             *keep = wide ? static_cast<const void*>(&beta) : &fbeta;
  const cudaDataType_t type = data_type(t),
                       to = c_type == ScalarType::Undefined ? type : data_type(c_type);
  const cublasOperation_t op_a = a.transposed ? CUBLAS_OP_T : CUBLAS_OP_N,
                          op_b = b.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
  // A single product may be split along its sums.
  const cublasStatus_t status =
      batch == 1
          ? cublasGemmEx_64(l->blas, op_a, op_b, m, n, k, by, a.data, type, a.ld, b.data, type,
                            b.ld, keep, c.data, to, c.ld, compute_type(t), CUBLAS_GEMM_DEFAULT)
          : cublasGemmStridedBatchedEx_64(l->blas, op_a, op_b, m, n, k, by, a.data, type, a.ld,
                                          a.stride, b.data, type, b.ld, b.stride, keep, c.data, to,
                                          c.ld, c.stride, batch, compute_type(t),
                                          CUBLAS_GEMM_DEFAULT);
  if (status != CUBLAS_STATUS_SUCCESS) g.failed(cublasGetStatusString(status));
}

bool multiply_with_bias(Gpu& g, ScalarType t, int64_t m, int64_t n, int64_t k, double alpha,
                        const Matrix& a, const Matrix& b, const void* bias, const Matrix& c) {
  // Algorithms are told of a bias's alignment by its address.
  if (t == ScalarType::Double || alignment(bias) < 16) return false;
  std::lock_guard<std::mutex> lock(calls());
  Library* l = library(g);
  if (!l || !l->lt) return false;
  constexpr size_t kMostPlans = 4096;
  if (l->plans.size() >= kMostPlans) l->plans.clear();
  const Shape shape{static_cast<int>(t),
                    t == ScalarType::Float && g_tf32,
                    a.transposed,
                    b.transposed,
                    m,
                    n,
                    k,
                    a.ld,
                    b.ld,
                    c.ld,
                    alignment(a.data),
                    alignment(b.data),
                    alignment(c.data),
                    alignment(bias)};
  const auto [found, fresh] = l->plans.try_emplace(shape);
  LtPlan& p = found->second;
  if (fresh) plan(*l, p, t, m, n, k, a, b, bias, c);
  if (!p.works) return false;
  const auto falpha = static_cast<float>(alpha), fbeta = 0.0f;
  p.works =
      set(p.product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias) &&
      ok(cublasLtMatmul(l->lt, p.product, &falpha, a.data, p.a, b.data, p.b, &fbeta, c.data, p.c,
                        c.data, p.c, &p.algorithm, l->workspace, l->workspace_bytes(), g.stream));
  return p.works;
}

}  // namespace sconce::cuda
