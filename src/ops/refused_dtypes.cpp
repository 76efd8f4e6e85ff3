// SPDX-License-Identifier: Apache-2.0
// Dtypes that PyTorch's CPU kernels don't take: a check in front of the kernels that would.
#include <cstring>

#include "ops/all_ops.h"
#include "ops/tensor_ops.h"

namespace sconce::ops {

namespace {

struct Refused {
  const char* name;
  uint32_t dtypes;  // bit n: the dtype with PyTorch's number n
};
constexpr Refused kRefused[] = {
#include "ops/refused_dtypes.inc"
};

bool is_choice(const std::string& argument) {
  return argument == "mask" || argument == "condition" || argument == "index" ||
         argument == "indices";
}

// Of the tensors and numbers that are computed with.
ScalarType common_dtype(const Call& c) {
  const FunctionSchema& s = c.op()->schema();
  TensorList tensors;
  bool floating = false, complex = false;
  for (uint32_t i = 0; i < c.n_in() && i < s.arguments.size(); ++i) {
    const IValue& v = c.in(i);
    if (is_choice(s.arguments[i].name)) continue;
    if (v.isTensor() && v.box() && v.toTensorRef().defined()) {
      if (is_quantized(v.toTensorRef().dtype())) return ScalarType::Undefined;
      tensors.push_back(v.toTensor());
    }
    if (s.arguments[i].type->kind != TypeKind::Number) continue;
    floating |= v.isDouble();
    complex |= v.tag() == Tag::ComplexDouble;
  }
  if (tensors.empty()) return ScalarType::Undefined;
  ScalarType t = tensors.size() == 1 ? tensors[0].dtype() : result_type(tensors);
  if (complex && !is_complex(t)) return kComplexFloat;
  return floating ? to_floating(t) : t;
}

void checked(Call& c) {
  const Operator& op = *c.op();
  ScalarType t = common_dtype(c);
  if (t != ScalarType::Undefined && (op.refused_dtypes >> static_cast<uint32_t>(t) & 1))
    raise<OpError>("\"", op.full_name(), "\" not implemented for '", scalar_type_name(t), "'");
  op.unchecked(c);
}

}  // namespace

void refuse_dtypes(OpTable& table) {
  for (auto& r : kRefused) table.check(r.name, r.dtypes, checked);
}

}  // namespace sconce::ops
