// SPDX-License-Identifier: Apache-2.0
// Operators whose meaning changed between versions of the archive format (compat.md section 1).
#pragma once
#include <cstdint>
#include <string_view>

namespace sconce {

struct OpChange {
  std::string_view overload;  // "aten::div.Tensor"
  uint64_t until;             // the last version of the old meaning
  const char* upgrader;       // the function that stands for it there
};
// Null when the operator has always meant what it means.
const OpChange* find_op_change(std::string_view overload);
// The lowest version that gives the operator its meaning; 0 when any does.
inline uint64_t changed_in_version(std::string_view overload) {
  const OpChange* c = find_op_change(overload);
  return c ? c->until + 1 : 0;
}

}  // namespace sconce
