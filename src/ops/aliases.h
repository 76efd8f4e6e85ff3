// SPDX-License-Identifier: Apache-2.0
// Rows for the operators that are another one under a second name.
#pragma once
#include "core/op_table.h"

namespace sconce::ops {

// Of the schemas (which must stay) that have no row among the others.
OpTable::RowList alias_rows(const char* const* schemas, size_t count,
                            const std::vector<OpTable::RowList>& others);
// Where the operators are that they stand for.
void set_alias_table(const OpTable& table);
// The full name that calls of a second name go to; empty: this is no second name.
std::string_view alias_target(std::string_view full_name);

}  // namespace sconce::ops
