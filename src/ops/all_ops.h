// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "core/op_table.h"

namespace sconce {

// The table with every schema and every operator of this library; the caller owns it.
const OpTable* make_op_table();
// The rows that the operator files register.
std::vector<OpTable::RowList> op_rows();

}  // namespace sconce
