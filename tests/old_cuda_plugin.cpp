// SPDX-License-Identifier: Apache-2.0
// A library of CUDA kernels as another version of sconce would have it: it must be refused.
#include "backends/device_plugin.h"

extern "C" __attribute__((visibility("default"))) const sconce::DevicePlugin*
sconce_device_plugin() {
  static sconce::DevicePlugin p;
  p.version = sconce::kDevicePluginVersion - 1;
  return &p;
}
