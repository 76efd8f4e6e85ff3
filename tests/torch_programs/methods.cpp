// SPDX-License-Identifier: Apache-2.0
// Methods by name: their parameters, defaults, arguments by name.
#include <torch/script.h>

#include <iostream>

int main() {
  torch::jit::Module m("Tools");
  m.define(R"(
def scale(self, x, by: float = 2.0, names: Optional[List[str]] = None) -> Tensor:
  return x * by
def pair(self, a: int, b: int):
  return (a + b, a * b)
def forward(self, x):
  return self.scale(x)
)");
  for (const auto& method : m.get_methods()) {
    const auto& schema = method.function().getSchema();
    std::cout << method.name() << "(";
    for (const auto& a : schema.arguments())
      std::cout << (a.name() == "self"
                        ? "self"
                        : a.name() + ": " + a.type()->str() + (a.default_value() ? " = ..." : ""))
                << ", ";
    std::cout << ") -> " << schema.returns().at(0).type()->str() << "\n";
  }
  auto scale = m.get_method("scale");
  std::cout << scale({torch::ones({2})}).toTensor() << scale({torch::ones({2}), 3.0}).toTensor()
            << scale({torch::ones({2})}, {{"by", 0.5}}).toTensor() << std::endl;
  if (auto method = m.find_method("pair")) std::cout << (*method)({2, 5}) << std::endl;
  auto r = m.run_method("pair", 3, 4).toTuple()->elements();
  std::cout << r[0].toInt() << " " << r[1].toInt() << m.find_method("absent").has_value()
            << std::endl;
  try {
    scale({torch::ones({2}), 3});
  } catch (const std::exception&) {
    std::cout << "an int is no float" << std::endl;
  }
  return 0;
}
