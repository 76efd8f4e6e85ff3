// SPDX-License-Identifier: Apache-2.0
// A pipeline of passes on all methods of a module (Module::optimize).
#pragma once
#include <memory>
#include <string>

#include "api/runtime.h"
#include "passes/own_module.h"

namespace sconce {

// A module of its own. hooks: its before_pass, after_pass and remark are called for every graph; a
// pass that works on all methods at once shows the first one. Throws what Module::optimize does.
Module optimize_module(ModuleImpl& m, const std::string& pipeline, const PassContext& hooks = {});
// A module of the same archive and settings around another root; code: its own functions, or null.
Module with_object(const ModuleImpl& from, Ref<Object> root, std::shared_ptr<OwnCode> code);

}  // namespace sconce
