// SPDX-License-Identifier: Apache-2.0
// Classes that PyTorch has in C++ and archives only name: __torch__.torch.classes.NAMESPACE.NAME.
#pragma once
#include <string_view>

namespace sconce::script {

struct NativeClass {
  std::string_view name;  // "cuda.Stream"
  const char* methods;    // TorchScript definitions; null: none, operators alone know its state
};

// By qualified name; null for a class that nobody knows.
const NativeClass* find_native_class(std::string_view qualified_name);

}  // namespace sconce::script
