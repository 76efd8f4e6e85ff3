// SPDX-License-Identifier: Apache-2.0
// Classes of __torch__.torch.classes that PyTorch defines in C++: what of them code may call.
#pragma once
#include <string_view>

namespace sconce::script {

// The methods of class "quantized.LinearPackedParamsBase" as TorchScript, "" when it has none; null
// when the class isn't known. An object has one attribute, "state" of type Any.
const char* native_methods(std::string_view name);

}  // namespace sconce::script
