// SPDX-License-Identifier: Apache-2.0
// The real device: memory from CUDA's stream-ordered pool, one stream, copies, what is wrong with
// it.
#include "backends/cuda/gpu.h"

#include <cublas_v2.h>
#include <pthread.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

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

// Memory that was released and is taken again, by size. The work of all threads goes on one stream,
// so what is released can be taken at once: its next use comes behind its last.
class FreeMemory {
 public:
  // Classes of sizes, at most an eighth apart.
  static size_t rounded(size_t n) {
    if (n <= 512) return 512;
    size_t step = 512;
    while (step * 16 < n) step *= 2;
    return (n + step - 1) / step * step;
  }
  void* take(size_t size) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = free_.find(size);
    if (found == free_.end() || found->second.empty()) return nullptr;
    void* p = found->second.back();
    found->second.pop_back();
    return p;
  }
  void put(void* p, size_t size) {
    std::lock_guard<std::mutex> lock(mutex_);
    free_[size].push_back(p);
  }
  std::vector<void*> take_all() {
    std::lock_guard<std::mutex> lock(mutex_);
    std::vector<void*> all;
    for (auto& [size, list] : free_) all.insert(all.end(), list.begin(), list.end());
    free_.clear();
    return all;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<size_t, std::vector<void*>> free_;
};
FreeMemory& free_memory(int index) {
  static auto* all = new FreeMemory[kMostDevices];
  return all[index];
}

// A graph while it is captured, and afterwards.
struct Graph {
  cudaStream_t stream = nullptr;
  cudaGraphExec_t exec = nullptr;
  bool failed = false;
  int fault_word = 0;
  std::vector<std::pair<void*, size_t>> memory;  // its own, with the classes of size
  std::unordered_map<size_t, std::vector<void*>> free;
};
thread_local Graph* t_capture = nullptr;
// Words of graphs that this thread launched since it last waited.
thread_local std::vector<int> t_launched;

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
  if (failed(cudaStreamCreateWithFlags(&g->stream.own, cudaStreamNonBlocking))) return g;
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
  if (t_capture) {
    t_capture->failed = true;
    return;
  }
  t_launched.push_back(Gpu::fault_word_of_thread());
  bool well = true;
  for (int word : t_launched)
    well = well && !failed(cudaMemcpyAsync(g.host_faults + word, g.faults + word, sizeof(int),
                                           cudaMemcpyDeviceToHost, g.stream));
  well = well && !failed(cudaStreamSynchronize(g.stream));
  for (int word : t_launched) {
    if (!well || g.host_faults[word] == Gpu::None) continue;
    Gpu::fault_found(g.host_faults[word]);
    failed(cudaMemsetAsync(g.faults + word, 0, sizeof(int), g.stream));
  }
  t_launched.clear();
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

Gpu::Stream::operator cudaStream_t() const { return t_capture ? t_capture->stream : own; }
int* Gpu::fault() const {
  return faults + (t_capture ? t_capture->fault_word : fault_word_of_thread());
}

namespace {
void* fresh_memory(Gpu& g, size_t size) {
  void* p = nullptr;
  if (cudaMallocAsync(&p, size, g.stream.own) == cudaSuccess) return p;
  cudaGetLastError();
  if (t_capture) return nullptr;
  // Give back what is kept, here and in CUDA's pool, and ask again.
  for (void* kept : free_memory(g.index).take_all()) cudaFreeAsync(kept, g.stream.own);
  cudaMemPool_t pool;
  if (cudaStreamSynchronize(g.stream.own) != cudaSuccess ||
      cudaDeviceGetDefaultMemPool(&pool, g.index) != cudaSuccess ||
      cudaMemPoolTrimTo(pool, 0) != cudaSuccess ||
      cudaMallocAsync(&p, size, g.stream.own) != cudaSuccess) {
    cudaGetLastError();  // said by the null
    return nullptr;
  }
  return p;
}
}  // namespace

void* Gpu::allocate(size_t nbytes) {
  const size_t size = FreeMemory::rounded(nbytes);
  if (size < nbytes) return nullptr;
  if (t_capture) {
    auto& list = t_capture->free[size];
    if (!list.empty()) {
      void* p = list.back();
      list.pop_back();
      return p;
    }
  }
  void* p = free_memory(index).take(size);
  if (!p) p = fresh_memory(*this, size);
  if (t_capture) {
    if (p)
      t_capture->memory.emplace_back(p, size);
    else
      t_capture->failed = true;
  }
  return p;
}
void Gpu::release(void* p, size_t nbytes) {
  if (g_forked) return;  // the parent's
  const size_t size = FreeMemory::rounded(nbytes);
  if (t_capture)
    for (auto& [mine, class_size] : t_capture->memory)
      if (mine == p) return t_capture->free[size].push_back(p);
  free_memory(index).put(p, size);
}

Gpu& gpu(int index) {
  static std::once_flag once[kMostDevices];
  static Gpu* opened[kMostDevices];
  if (g_forked) Gpu::failed("CUDA was in use when the process forked; a forked child can't use it");
  std::call_once(once[index], [index] { opened[index] = open(index); });
  // Calls of the runtime work on the thread's current device.
  int current = -1;
  if (cudaGetDevice(&current) != cudaSuccess || current != index) failed(cudaSetDevice(index));
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
  if (t_capture && kind != 2) {
    t_capture->failed = true;
    return;
  }
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

bool begin_capture(int index) {
  gpu(index);
  if (t_capture) return false;
  auto graph = std::make_unique<Graph>();
  graph->fault_word = Gpu::next_fault_word();
  // Relaxed: other threads, and the allocation of memory, go on as ever.
  if (failed(cudaStreamCreateWithFlags(&graph->stream, cudaStreamNonBlocking)) ||
      failed(cudaStreamBeginCapture(graph->stream, cudaStreamCaptureModeRelaxed))) {
    if (graph->stream) cudaStreamDestroy(graph->stream);
    return false;
  }
  t_capture = graph.release();
  return true;
}
void forget_graph(int index, void* graph) {
  Gpu& g = gpu(index);
  auto* mine = static_cast<Graph*>(graph);
  if (mine->exec) {
    failed(cudaStreamSynchronize(g.stream));  // it may be at work
    failed(cudaGraphExecDestroy(mine->exec));
  }
  if (mine->stream) failed(cudaStreamDestroy(mine->stream));
  for (auto& [p, size] : mine->memory) free_memory(index).put(p, size);
  delete mine;
}
void* end_capture(int index) {
  gpu(index);
  Graph* graph = t_capture;
  t_capture = nullptr;
  cudaGraph_t captured = nullptr;
  // A capture that was broken says so here, which is no fault of the device.
  bool well =
      cudaStreamEndCapture(graph->stream, &captured) == cudaSuccess && captured && !graph->failed;
  well = well && cudaGraphInstantiate(&graph->exec, captured, 0) == cudaSuccess;
  if (captured) cudaGraphDestroy(captured);
  cudaGetLastError();
  if (well) return graph;
  forget_graph(index, graph);
  return nullptr;
}
void launch(int index, void* graph) {
  Gpu& g = gpu(index);
  auto* mine = static_cast<Graph*>(graph);
  if (failed(cudaGraphLaunch(mine->exec, g.stream))) return;
  if (std::find(t_launched.begin(), t_launched.end(), mine->fault_word) == t_launched.end())
    t_launched.push_back(mine->fault_word);
}
const char* plugin_name() { return "cuda"; }

}  // namespace sconce::cuda
