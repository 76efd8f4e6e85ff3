// SPDX-License-Identifier: Apache-2.0
// The real device: memory from CUDA's stream-ordered pool, one stream, copies, what is wrong with
// it.
#include "backends/cuda/gpu.h"

#include <cublas_v2.h>
#include <pthread.h>

#include <mutex>
#include <new>

namespace sconce::cuda {

namespace {

constexpr int kMostDevices = 64;

// CUDA's state does not survive fork(): a child gets an error, not a hang.
std::atomic<bool> g_opened{false}, g_forked{false};

bool failed(cudaError_t e) {
  if (e == cudaSuccess) return false;
  Gpu::failed(e == cudaErrorMemoryAllocation ? DeviceProblem::Memory : DeviceProblem::Device,
              cudaGetErrorString(e));
  cudaGetLastError();  // it is told; one that lasts comes again
  return true;
}

Gpu* open(int index) {
  auto* g = new Gpu;
  g->index = index;
  if (failed(cudaSetDevice(index))) return g;
  pthread_atfork(nullptr, nullptr, [] { g_forked = g_opened.load(); });
  g_opened = true;
  // Freed memory stays in the pool: the next call takes it again.
  cudaMemPool_t pool;
  uint64_t keep = ~uint64_t{0};
  if (!failed(cudaDeviceGetDefaultMemPool(&pool, index)))
    failed(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep));
  if (failed(cudaStreamCreateWithFlags(&g->stream, cudaStreamNonBlocking))) return g;
  constexpr size_t bytes = Gpu::kFaultWords * sizeof(int);
  g->faults = static_cast<int*>(g->allocate(bytes));
  if (!g->faults || failed(cudaMemsetAsync(g->faults, 0, bytes, g->stream)) ||
      failed(cudaHostAlloc(reinterpret_cast<void**>(&g->host_faults), bytes, cudaHostAllocDefault)))
    g->host_faults = nullptr;
  return g;
}

// Waits for the device, and looks what this thread's kernels found.
void wait(Gpu& g) {
  if (!g.host_faults) return;
  int* seen = g.host_faults + (g.fault() - g.faults);
  if (failed(cudaMemcpyAsync(seen, g.fault(), sizeof(int), cudaMemcpyDeviceToHost, g.stream)) ||
      failed(cudaStreamSynchronize(g.stream)) || *seen == Gpu::None)
    return;
  Gpu::fault_found(*seen);
  failed(cudaMemsetAsync(g.fault(), 0, sizeof(int), g.stream));
}

bool is_pinned(const void* p) {
  cudaPointerAttributes a;
  if (cudaPointerGetAttributes(&a, p) != cudaSuccess) {
    cudaGetLastError();
    return true;
  }
  return a.type != cudaMemoryTypeUnregistered;
}

}  // namespace

void* Gpu::allocate(size_t nbytes) {
  void* p = nullptr;
  if (cudaMallocAsync(&p, nbytes ? nbytes : 1, stream) == cudaSuccess) return p;
  cudaGetLastError();
  // What the pool keeps may lie in pieces: give it back and ask again.
  cudaMemPool_t pool;
  if (cudaStreamSynchronize(stream) != cudaSuccess ||
      cudaDeviceGetDefaultMemPool(&pool, index) != cudaSuccess ||
      cudaMemPoolTrimTo(pool, 0) != cudaSuccess ||
      cudaMallocAsync(&p, nbytes ? nbytes : 1, stream) != cudaSuccess) {
    cudaGetLastError();  // said by the null
    return nullptr;
  }
  return p;
}
void Gpu::release(void* p, size_t) {
  if (g_forked) return;  // the parent's
  if (cudaFreeAsync(p, stream) != cudaSuccess) cudaGetLastError();
}

Gpu& gpu(int index) {
  static std::once_flag once[kMostDevices];
  static Gpu* opened[kMostDevices];
  if (g_forked) Gpu::failed("CUDA was in use when the process forked; a forked child can't use it");
  std::call_once(once[index], [index] { opened[index] = open(index); });
  // Calls of the runtime work on the thread's current device.
  failed(cudaSetDevice(index));
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
const char* unavailable() {
  static thread_local char text[256];
  int n = 0, driver = 0, runtime = 0;
  const cudaError_t e = cudaGetDeviceCount(&n);
  cudaGetLastError();
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (e == cudaErrorInsufficientDriver && driver == 0)
    return "no NVIDIA driver was found (libcuda.so.1)";
  if (e == cudaErrorInsufficientDriver)
    std::snprintf(text, sizeof text,
                  "the NVIDIA driver is for CUDA %d.%d, these kernels need one for CUDA %d.%d",
                  driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
  else if (e == cudaErrorNoDevice || e == cudaSuccess)
    return "the NVIDIA driver finds no device";
  else
    std::snprintf(text, sizeof text, "%s", cudaGetErrorString(e));
  return text;
}
void describe(int index, char* text, size_t size) {
  cudaDeviceProp p{};
  int driver = 0, runtime = 0, blas[3] = {0, 0, 0};
  failed(cudaGetDeviceProperties(&p, index));
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  cublasGetProperty(MAJOR_VERSION, &blas[0]);
  cublasGetProperty(MINOR_VERSION, &blas[1]);
  cublasGetProperty(PATCH_LEVEL, &blas[2]);
  std::snprintf(text, size,
                "%s, compute capability %d.%d, %.1f GiB; driver for CUDA %d.%d, runtime %d.%d, "
                "cuBLAS %d.%d.%d",
                p.name, p.major, p.minor, static_cast<double>(p.totalGlobalMem) / (1 << 30),
                driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10, blas[0],
                blas[1], blas[2]);
}
void memory(int index, size_t* free, size_t* total) {
  gpu(index);
  failed(cudaMemGetInfo(free, total));
}
void copy_bytes(int index, void* to, const void* from, size_t nbytes, int kind) {
  Gpu& g = gpu(index);
  const cudaMemcpyKind kinds[] = {cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost,
                                  cudaMemcpyDeviceToDevice};
  if (failed(cudaMemcpyAsync(to, from, nbytes, kinds[kind], g.stream))) return;
  if (kind == 1) wait(g);
  // Ordinary host memory has been staged when the call returns; pinned memory is still read.
  if (kind == 0 && is_pinned(from)) failed(cudaStreamSynchronize(g.stream));
}
void synchronize(int index) { wait(gpu(index)); }
void* mark(int index) {
  Gpu& g = gpu(index);
  cudaEvent_t e = nullptr;
  if (failed(cudaEventCreate(&e)) || failed(cudaEventRecord(e, g.stream))) return nullptr;
  return e;
}
double elapsed_ms(int index, void* from, void* to) {
  gpu(index);
  float ms = 0;
  if (from && to && !failed(cudaEventSynchronize(static_cast<cudaEvent_t>(to))))
    failed(cudaEventElapsedTime(&ms, static_cast<cudaEvent_t>(from), static_cast<cudaEvent_t>(to)));
  return static_cast<double>(ms);
}
void forget_mark(int index, void* m) {
  gpu(index);
  if (m) failed(cudaEventDestroy(static_cast<cudaEvent_t>(m)));
}
const char* plugin_name() { return "cuda"; }

}  // namespace sconce::cuda
