// SPDX-License-Identifier: Apache-2.0
// Undefined tensors, which a host may give where a Tensor or a List[Tensor] is declared, reach
// operators.
#include <catch2/catch.hpp>

#include "api/runtime.h"

using namespace sconce;

namespace {

// A value for a parameter: undefined tensors and small numbers.
IValue undefined_argument(const Argument& a, TypePtr t) {
  switch (t->kind) {
    case TypeKind::Tensor: return Tensor();
    case TypeKind::Int: return 1;
    case TypeKind::Float:
    case TypeKind::Number: return 1.0;
    case TypeKind::Bool: return false;
    case TypeKind::String: return "a";
    case TypeKind::Device: return Device();
    case TypeKind::List: {
      std::vector<IValue> items(static_cast<size_t>(a.n > 0 ? a.n : 1),
                                undefined_argument(a, t->elem()));
      return make_ref<ListBox>(t->elem(), std::move(items));
    }
    case TypeKind::Optional:
      return unwrap_optional(t)->kind == TypeKind::Tensor ? IValue(Tensor()) : IValue();
    default: return IValue();
  }
}

}  // namespace

TEST_CASE("no operator crashes on undefined tensors") {
  const OpTable& table = op_table();
  int tried = 0;
  for (size_t i = 0; i < table.size(); ++i) {
    const Operator& op = table.at(i);
    bool tensors = false;
    for (auto& a : op.schema().arguments)
      tensors |= a.type->str().rfind("Tensor", 0) == 0 || a.type->kind == TypeKind::List;
    if (!op.kernel || !tensors) continue;
    INFO(op.full_name());
    ++tried;
    std::vector<IValue> in;
    for (auto& a : op.schema().arguments) in.push_back(undefined_argument(a, a.type));
    try {
      run_operator(op, std::move(in));
    } catch (const Error&) {
      // the usual outcome
    }
  }
  CHECK(tried > 1000);
}
