// SPDX-License-Identifier: Apache-2.0
// How an operator calls a method that the model's code defines.
#pragma once
#include <string>
#include <vector>

#include "sconce/ivalue.h"

namespace sconce {

// Set by the interpreter for its thread while it runs a plan; null otherwise.
struct MethodCaller {
  IValue (*call)(const void* engine, const IValue& object, const std::string& method,
                 std::vector<IValue> inputs) = nullptr;
  const void* engine = nullptr;
};
MethodCaller& method_caller();

}  // namespace sconce
