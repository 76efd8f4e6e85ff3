// SPDX-License-Identifier: Apache-2.0
// Numbers for values that programs may see.
#pragma once
#include <cstdint>

namespace sconce {

class IValue;

// For the identity of an object: one for one address, and no address.
int64_t identity_number(const void* p);
// aten::hash. Of strings and numbers PyTorch's on Linux, which a program may have stored; throws
// OpError for what can't be hashed.
uint64_t hash_number(const IValue& v);

}  // namespace sconce
