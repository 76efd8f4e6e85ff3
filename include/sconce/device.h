// SPDX-License-Identifier: Apache-2.0
// The CUDA devices of this machine. Modules go there by Module::to and LoadOptions::device.
#pragma once
#include <cstddef>
#include <string>

#include "sconce/scalar_type.h"

namespace sconce {

// 0 where there is none, no driver for it, or no library with its kernels.
SCONCE_API int cuda_device_count();
struct CudaDevice {
  std::string description;         // its name and the versions of driver, runtime and cuBLAS
  size_t free_bytes, total_bytes;  // of its memory
};
// Throws OpError, which says why, when the device can't be had.
SCONCE_API CudaDevice cuda_device(int index = 0);
// Whether products of floats on CUDA devices may round their operands to TF32 (10 bits of
// mantissa), for all threads from their next call. False at the start, as PyTorch's
// torch.backends.cuda.matmul.allow_tf32; convolutions follow it too.
SCONCE_API void set_allow_tf32(bool allowed);
SCONCE_API bool allow_tf32();

}  // namespace sconce
