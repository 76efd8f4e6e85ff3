// SPDX-License-Identifier: Apache-2.0
// The real device: memory from CUDA's stream-ordered pool, one stream, copies.
#include "backends/cuda/gpu.h"

#include <mutex>
#include <new>

namespace sconce::cuda {

namespace {

constexpr int kMostDevices = 64;

// Calls of the runtime work on the thread's current device.
void select(int index) { cudaSetDevice(index); }

Gpu* open(int index) {
  select(index);
  auto* g = new Gpu;
  // Freed memory stays in the pool: the next call takes it again.
  cudaMemPool_t pool;
  uint64_t keep = ~uint64_t{0};
  if (cudaDeviceGetDefaultMemPool(&pool, index) == cudaSuccess)
    cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep);
  if (cudaError_t e = cudaStreamCreateWithFlags(&g->stream, cudaStreamNonBlocking))
    g->failed(cudaGetErrorString(e));
  g->fault = static_cast<int*>(g->allocate(sizeof(int)));
  if (g->fault) cudaMemsetAsync(g->fault, 0, sizeof(int), g->stream);
  return g;
}

}  // namespace

void* Gpu::allocate(size_t nbytes) {
  void* p = nullptr;
  if (cudaMallocAsync(&p, nbytes ? nbytes : 1, stream) != cudaSuccess) {
    cudaGetLastError();  // said by the null
    return nullptr;
  }
  return p;
}
void Gpu::release(void* p, size_t) { cudaFreeAsync(p, stream); }

Gpu& gpu(int index) {
  static std::once_flag once[kMostDevices];
  static Gpu* opened[kMostDevices];
  std::call_once(once[index], [index] { opened[index] = open(index); });
  select(index);
  return *opened[index];
}

int device_count() {
  int n = 0;
  if (cudaGetDeviceCount(&n) != cudaSuccess) {
    cudaGetLastError();
    return 0;
  }
  return n < kMostDevices ? n : kMostDevices;
}
void copy_bytes(int index, void* to, const void* from, size_t nbytes, int kind) {
  Gpu& g = gpu(index);
  const cudaMemcpyKind kinds[] = {cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost,
                                  cudaMemcpyDeviceToDevice};
  cudaError_t e = cudaMemcpyAsync(to, from, nbytes, kinds[kind], g.stream);
  // Ordinary host memory may go away or be read as soon as this returns.
  if (!e && kind != 2) e = cudaStreamSynchronize(g.stream);
  if (e) g.failed(cudaGetErrorString(e));
}
void synchronize(int index) {
  Gpu& g = gpu(index);
  if (cudaError_t e = cudaStreamSynchronize(g.stream)) g.failed(cudaGetErrorString(e));
}
const char* plugin_name() { return "cuda"; }

}  // namespace sconce::cuda
