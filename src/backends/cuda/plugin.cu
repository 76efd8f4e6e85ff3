// SPDX-License-Identifier: Apache-2.0
// The table that sconce asks the library for (backends/device_plugin.h).
#include "backends/cuda/blas.h"
#include "backends/cuda/gpu.h"

namespace sconce::cuda {

// Of gpu.cu, or of emulated.cpp.
int device_count();
const char* unavailable();
void describe(int index, char* text, size_t size);
void memory(int index, size_t* free, size_t* total);
void copy_bytes(int index, void* to, const void* from, size_t nbytes, int kind);
void synchronize(int index);
void* mark(int index);
double elapsed_ms(int index, void* from, void* to);
void forget_mark(int index, void* m);
bool begin_capture(int index);
void* end_capture(int index);
void launch(int index, void* graph);
void forget_graph(int index, void* graph);
const char* plugin_name();

namespace {

void* allocate(int index, size_t nbytes) { return gpu(index).allocate(nbytes); }
void release(int index, void* p, size_t nbytes) { gpu(index).release(p, nbytes); }
const char* error(int, DeviceProblem* kind) {
  Failure& f = failure();
  *kind = f.kind;
  f.kind = DeviceProblem::None;
  return *kind == DeviceProblem::None ? nullptr : f.text;
}

}  // namespace
}  // namespace sconce::cuda

extern "C" __attribute__((visibility("default"))) const sconce::DevicePlugin*
sconce_device_plugin() {
  using namespace sconce;
  static const DevicePlugin* plugin = [] {
    auto* p = new DevicePlugin;
    p->name = cuda::plugin_name();
    p->count = cuda::device_count;
    p->unavailable = cuda::unavailable;
    p->describe = cuda::describe;
    p->error = cuda::error;
    p->memory = cuda::memory;
    p->allocate = cuda::allocate;
    p->release = cuda::release;
    p->copy_bytes = cuda::copy_bytes;
    p->synchronize = cuda::synchronize;
    p->allow_tf32 = cuda::allow_tf32;
    p->mark = cuda::mark;
    p->elapsed_ms = cuda::elapsed_ms;
    p->forget_mark = cuda::forget_mark;
    p->begin_capture = cuda::begin_capture;
    p->end_capture = cuda::end_capture;
    p->launch = cuda::launch;
    p->forget_graph = cuda::forget_graph;
    cuda::add_elementwise(*p);
    cuda::add_reduce(*p);
    cuda::add_index(*p);
    cuda::add_nn(*p);
    cuda::add_gemm(*p);
    cuda::add_sort(*p);
    cuda::add_image(*p);
    return p;
  }();
  return plugin;
}
