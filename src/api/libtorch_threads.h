// SPDX-License-Identifier: Apache-2.0
// The threads that modules and operators of sconce/torch.h share.
#pragma once
#include <memory>

#include "core/thread_pool.h"

namespace sconce::libtorch {

// Null: the caller's thread alone.
std::shared_ptr<ThreadPool> shared_pool();

}  // namespace sconce::libtorch
