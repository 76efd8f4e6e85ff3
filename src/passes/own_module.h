// SPDX-License-Identifier: Apache-2.0
// A module that shares neither objects nor classes nor code with another one, so that a pass may
// change all of them: take attributes out of classes, methods too.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "ir/function.h"

namespace sconce {

// The functions of its classes. Objects of the module keep it; the classes themselves stay as long
// as the archive's.
struct OwnCode {
  std::shared_ptr<const void> archive;  // keeps the types
  std::vector<ClassType*> classes;      // of modules
  std::vector<std::unique_ptr<Function>> functions;
  OwnCode() = default;
  OwnCode(const OwnCode&) = delete;
  ~OwnCode() {
    for (ClassType* c : classes) {
      c->methods.clear();
      c->forward_hooks.clear();
      c->forward_pre_hooks.clear();
    }
  }
};

struct OwnModule {
  Ref<Object> root;
  std::shared_ptr<OwnCode> code;
};

}  // namespace sconce
