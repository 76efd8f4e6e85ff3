// SPDX-License-Identifier: Apache-2.0
#include "core/op_versions.h"

namespace sconce {

namespace {
constexpr OpChange kChanges[] = {{"aten::div.Tensor", 3, "div_tensor"},
                                 {"aten::div.Scalar", 3, "div_scalar"},
                                 {"aten::div.Tensor_mode", 3, "div_tensor_mode"},
                                 {"aten::div.Scalar_mode", 3, "div_scalar_mode"},
                                 {"aten::div.out", 3, "div_out"},
                                 {"aten::div.out_mode", 3, "div_out_mode"},
                                 {"aten::div_.Tensor", 3, "div_in_place_tensor"},
                                 {"aten::div_.Scalar", 3, "div_in_place_scalar"},
                                 {"aten::div_.Tensor_mode", 3, "div_in_place_tensor_mode"},
                                 {"aten::div_.Scalar_mode", 3, "div_in_place_scalar_mode"},
                                 {"aten::full", 4, "full"},
                                 {"aten::full.out", 4, "full_out"},
                                 {"aten::linspace", 7, "linspace"},
                                 {"aten::linspace.out", 7, "linspace_out"},
                                 {"aten::logspace", 8, "logspace"},
                                 {"aten::logspace.out", 8, "logspace_out"},
                                 {"aten::gelu", 9, "gelu"},
                                 {"aten::gelu.out", 9, "gelu_out"}};
}  // namespace

const OpChange* find_op_change(std::string_view overload) {
  for (const OpChange& c : kChanges)
    if (c.overload == overload) return &c;
  return nullptr;
}

}  // namespace sconce
