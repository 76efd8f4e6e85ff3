// SPDX-License-Identifier: Apache-2.0
// Parameters that an operator packed: objects of PyTorch's own classes. An object has one slot, its
// pickled state: a tuple.
#pragma once
#include <string>
#include <vector>

#include "ops/tensor_ops.h"

namespace sconce::ops {

// The class "__torch__.torch.classes." + name; the same for every call.
const ClassType* packed_class(const std::string& name);
// An object of the class with that state.
IValue packed(const std::string& cls, std::vector<IValue> state);
// The elements of the state. Throws OpError when v is no such object.
std::vector<IValue> state_of(const IValue& v);

}  // namespace sconce::ops
