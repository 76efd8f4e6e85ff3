// SPDX-License-Identifier: Apache-2.0
// The table that sconce asks the library for (backends/device_plugin.h).
#include "backends/cuda/gpu.h"

namespace sconce::cuda {

// Of gpu.cu, or of emulated.cpp.
int device_count();
void copy_bytes(int index, void* to, const void* from, size_t nbytes, int kind);
void synchronize(int index);
const char* plugin_name();

namespace {

void* allocate(int index, size_t nbytes) { return gpu(index).allocate(nbytes); }
void release(int index, void* p, size_t nbytes) { gpu(index).release(p, nbytes); }

// A kernel's fault is looked for where the host waits anyway: after copies to it.
thread_local const char* found = nullptr;
void look_for_fault(int index) {
  Gpu& g = gpu(index);
  int fault = Gpu::None;
  copy_bytes(index, &fault, g.fault, sizeof fault, 1);
  if (fault == Gpu::None) return;
  found = fault == Gpu::IndexRange ? "index out of range" : "ZeroDivisionError";
  fault = Gpu::None;
  copy_bytes(index, g.fault, &fault, sizeof fault, 0);
}
void copy_and_look(int index, void* to, const void* from, size_t nbytes, int kind) {
  copy_bytes(index, to, from, nbytes, kind);
  if (kind == 1) look_for_fault(index);
}
void wait_and_look(int index) {
  synchronize(index);
  look_for_fault(index);
}
const char* error(int index) {
  Gpu& g = gpu(index);
  const char* e = g.message.exchange(nullptr);
  if (!e) e = found;
  found = nullptr;
  return e;
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
    p->error = cuda::error;
    p->allocate = cuda::allocate;
    p->release = cuda::release;
    p->copy_bytes = cuda::copy_and_look;
    p->synchronize = cuda::wait_and_look;
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
