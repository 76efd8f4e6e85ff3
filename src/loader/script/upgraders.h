// SPDX-License-Identifier: Apache-2.0
// Operators whose meaning changed: what a call in an old archive stands for (compat.md section 1).
#pragma once
#include <cstdint>
#include <string_view>

#include "core/op_table.h"
#include "ir/function.h"

namespace sconce::script {

// Archives of later versions have nothing to upgrade.
constexpr uint64_t kLastUpgradedVersion = 9;
// The function that stands for "aten::div.Tensor" in archives of this version; null when the
// operator means what it means today.
Function* find_upgrader(const OpTable& ops, std::string_view overload, uint64_t version);

}  // namespace sconce::script
