// SPDX-License-Identifier: Apache-2.0
// Freezing a module as torch.jit.freeze does.
#pragma once
#include "passes/own_module.h"
#include "passes/passes.h"

namespace sconce {

struct FreezeOptions {
  std::vector<std::string> preserved;  // attributes and methods: "version", "sub.method"
  bool numerics = true;                // fold arithmetic into weights too
};
// Changes m: forward, the preserved methods and hooks are frozen, the rest is removed. Throws Error
// as PyTorch does.
void freeze_module(OwnModule& m, const FreezeOptions& o, PassContext& c);
FreezeOptions freeze_options(const PassArguments& a);

}  // namespace sconce
