// SPDX-License-Identifier: Apache-2.0
// An answer of unknown form is walked: tensors, tuples, lists, dicts, numbers, texts, None.
#include <torch/script.h>

#include <iostream>

static void walk(const c10::IValue& v, int depth) {
  const std::string pad(2 * depth, ' ');
  if (v.isTensor())
    std::cout << pad << "tensor " << v.toTensor().sizes() << "\n";
  else if (v.isTuple()) {
    std::cout << pad << "tuple\n";
    for (const auto& e : v.toTuple()->elements()) walk(e, depth + 1);
  } else if (v.isTensorList()) {
    std::cout << pad << "tensors " << v.toTensorList().size() << "\n";
  } else if (v.isList()) {
    std::cout << pad << "list\n";
    for (const c10::IValue& e : v.toListRef()) walk(e, depth + 1);
  } else if (v.isGenericDict()) {
    std::cout << pad << "dict\n";
    for (const auto& e : v.toGenericDict()) {
      std::cout << pad << e.key().toStringRef() << ":\n";
      walk(e.value(), depth + 1);
    }
  } else if (v.isInt())
    std::cout << pad << "int " << v.toInt() << "\n";
  else if (v.isDouble())
    std::cout << pad << "double " << v.toDouble() << "\n";
  else if (v.isBool())
    std::cout << pad << "bool " << v.toBool() << "\n";
  else if (v.isString())
    std::cout << pad << v.toStringRef() << "\n";
  else if (v.isNone())
    std::cout << pad << "none\n";
  else
    std::cout << pad << v.tagKind() << "\n";
}
int main() {
  auto unit = torch::jit::compile(R"(
def f(x):
  d: Dict[str, List[int]] = {"a": [1, 2], "b": [3]}
  n: Optional[Tensor] = None
  return (x, [x, x + 1], d, 3, 2.5, True, "text", n, (x.sum(), [0.5, 1.5]), [("k", 1)])
)");
  walk(unit->run_method("f", torch::ones({2})), 0);
  walk(unit->get_function("f")({torch::ones({1, 2})}), 1);
  return 0;
}
