// SPDX-License-Identifier: Apache-2.0
// Copies a module with classes and code of its own (passes/own_module.h).
#pragma once
#include "api/runtime.h"
#include "passes/own_module.h"

namespace sconce {

// Compiles all methods of the module's classes; one that doesn't compile says so when it is called.
// Under cu->mutex() and in a CallScope. g (may be null): a graph of the method, which becomes that
// of the copy's method.
OwnModule own_copy(ModuleImpl& m, Graph* g = nullptr, const std::string& method = "");
// own_module for passes that run on g, a copy of the method's graph. m and the context outlive it.
void offer_own_module(PassContext& c, ModuleImpl& m, const std::string& method);

}  // namespace sconce
