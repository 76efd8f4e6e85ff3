// SPDX-License-Identifier: Apache-2.0
// Second names of operators: the names that PyTorch rewrites to another one, all in aten.
#pragma once

namespace sconce {

struct OpAlias {
  const char *from, *to;
};
inline constexpr OpAlias kOpAliases[] = {
#include "core/aliases.inc"
};

}  // namespace sconce
