// SPDX-License-Identifier: Apache-2.0
// What a library with the kernels of a device gives to sconce: plain functions, found by the symbol
// sconce_device_plugin. The index names one of several devices. Addresses in TensorViews are the
// device's; sizes and strides are the host's. Work may go on after a call; copy_bytes() and
// synchronize() come after it.
#pragma once
#include "backends/slots.h"

namespace sconce {

constexpr uint32_t kDevicePluginVersion = 3;

// What kind of thing went wrong on a device.
enum class DeviceProblem : int { None, Values, Memory, Device };

struct DevicePlugin {
  uint32_t size = sizeof(DevicePlugin), version = kDevicePluginVersion;
  const char* name = "";
  // 0 where there is no device; unavailable() then says why.
  int (*count)() = nullptr;
  const char* (*unavailable)() = nullptr;
  // The device's name and the versions it works with, cut to size with its ending 0.
  void (*describe)(int index, char* text, size_t size) = nullptr;
  // What went wrong on this thread since its last call, or null; valid until the next call here.
  // After a Problem::Device the process can't use the device again.
  const char* (*error)(int index, DeviceProblem* kind) = nullptr;
  // Bytes that can be allocated, and that the device has.
  void (*memory)(int index, size_t* free, size_t* total) = nullptr;
  // 64-byte aligned, null when there is no memory.
  void* (*allocate)(int index, size_t nbytes) = nullptr;
  void (*release)(int index, void* p, size_t nbytes) = nullptr;
  // kind: 0 to the device, 1 to the host (waits), 2 within the device.
  void (*copy_bytes)(int index, void* to, const void* from, size_t nbytes, int kind) = nullptr;
  void (*synchronize)(int index) = nullptr;
  // Whether products of floats may round their operands to TF32. Off at the start.
  void (*allow_tf32)(bool allowed) = nullptr;
  // A point in the device's work. elapsed_ms waits for the second; both stay the caller's.
  void* (*mark)(int index) = nullptr;
  double (*elapsed_ms)(int index, void* from, void* to) = nullptr;
  void (*forget_mark)(int index, void* mark) = nullptr;
  // Between the two, what this thread gives the device is not done but kept as a graph, which
  // launch() does again and again, over the same memory; what was allocated and released meanwhile
  // stays the graph's. begin_capture is false where there are no graphs. end_capture is null when
  // something can't be kept: a copy from or to the host, or waiting.
  bool (*begin_capture)(int index) = nullptr;
  void* (*end_capture)(int index) = nullptr;
  void (*launch)(int index, void* graph) = nullptr;
  void (*forget_graph)(int index, void* graph) = nullptr;
  // False: nothing was done, the plug-in has no kernel for this form; the CPU does it. Null: the
  // same for every form.
#define X(slot, Args) bool (*slot)(int index, const Args&) = nullptr;
  SCONCE_SLOTS(X)
#undef X
};

}  // namespace sconce
