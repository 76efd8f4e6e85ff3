// SPDX-License-Identifier: Apache-2.0
// Operators written in TorchScript in terms of others (ops/torchscript/*.inc): each def is "aten::"
// and its name, with "__" before the overload; "ns_quantized_" begins another namespace. They are
// compiled when first called.
#pragma once
#include <string>
#include <vector>

#include "core/op_table.h"

namespace sconce::ops {

// The files' texts.
const std::vector<std::string_view>& composite_sources();
// "aten::norm.ScalarOpt_dim" of def norm__ScalarOpt_dim.
std::string composite_operator(std::string_view function);
// "norm__ScalarOpt_dim" of "aten::norm.ScalarOpt_dim".
std::string composite_function(std::string_view op);
// A row for every def whose name does not begin with "helper_".
const std::vector<OpDef>& composite_rows();

// Runs a composite; the library that has a frontend and an interpreter sets it.
using CompositeRunner = void (*)(Call&);
void set_composite_runner(CompositeRunner runner);

}  // namespace sconce::ops
