// SPDX-License-Identifier: Apache-2.0
// A number for the identity of an object, which programs may see: one for one address, and no
// address.
#pragma once
#include <cstdint>

namespace sconce {

int64_t identity_number(const void* p);

}  // namespace sconce
