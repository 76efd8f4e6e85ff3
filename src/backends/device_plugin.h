// SPDX-License-Identifier: Apache-2.0
// What a library with the kernels of a device gives to sconce: plain functions, found by the symbol
// sconce_device_plugin. The index names one of several devices. Addresses in TensorViews are the
// device's; sizes and strides are the host's. Work may go on after a call; copy_bytes() and
// synchronize() come after it.
#pragma once
#include "backends/slots.h"

namespace sconce {

constexpr uint32_t kDevicePluginVersion = 1;

struct DevicePlugin {
  uint32_t size = sizeof(DevicePlugin), version = kDevicePluginVersion;
  const char* name = "";
  // 0 where there is no device.
  int (*count)() = nullptr;
  // What went wrong since the last call, or null; work that went on meanwhile included.
  const char* (*error)(int index) = nullptr;
  // 64-byte aligned, null when there is no memory.
  void* (*allocate)(int index, size_t nbytes) = nullptr;
  void (*release)(int index, void* p, size_t nbytes) = nullptr;
  // kind: 0 to the device, 1 to the host (waits), 2 within the device.
  void (*copy_bytes)(int index, void* to, const void* from, size_t nbytes, int kind) = nullptr;
  void (*synchronize)(int index) = nullptr;
  // False: nothing was done, the plug-in has no kernel for this form; the CPU does it. Null: the
  // same for every form.
#define X(slot, Args) bool (*slot)(int index, const Args&) = nullptr;
  SCONCE_SLOTS(X)
#undef X
};

}  // namespace sconce
