// SPDX-License-Identifier: Apache-2.0
// Devices whose kernels come in a library of their own (backends/device_plugin.h).
#pragma once
#include "core/device.h"

namespace sconce {

// The opener for core/device.h: cuda:N comes from libsconce_cuda.so, which is looked for where
// SCONCE_CUDA_LIBRARY says, else beside the running program and its ../lib, else on the loader's
// path. Throws OpError when it isn't there or has no such device.
const DeviceRuntime* open_device(Device d);

}  // namespace sconce
