// SPDX-License-Identifier: Apache-2.0
// Attributes of every kind: read, written, missing.
#include <torch/script.h>

#include <iostream>

int main() {
  torch::jit::Module m("Config");
  m.register_attribute("size", c10::IntType::get(), 64);
  m.register_attribute("scale", c10::FloatType::get(), 0.25);
  m.register_attribute("name", c10::StringType::get(), "net");
  m.register_attribute("labels", c10::ListType::ofStrings(),
                       std::vector<std::string>{"cat", "dog"});
  m.register_attribute("anchors", c10::ListType::create(c10::FloatType::get()),
                       std::vector<double>{1, 2.5});
  m.register_attribute("maybe", c10::OptionalType::create(c10::TensorType::get()), c10::IValue());
  m.register_buffer("mean", torch::tensor({0.5, 0.25}));
  m.register_parameter("w", torch::ones({2}), false);
  m.define("def forward(self, x):\n  return (x - self.mean) * self.scale * self.w\n");
  std::cout << m.attr("size").toInt() << m.attr("scale").toDouble() << m.attr("name").toStringRef()
            << std::endl;
  for (const auto& l : m.attr("labels").toListRef()) std::cout << l.toStringRef() << " ";
  for (double a : m.attr("anchors").toDoubleVector()) std::cout << a << " ";
  std::cout << m.attr("maybe").isNone() << m.hasattr("absent") << m.attr("absent", 3.5).toDouble()
            << std::endl;
  m.setattr("scale", 2.0);
  m.setattr("mean", torch::zeros({2}));
  m.setattr("maybe", torch::ones({1}));
  std::cout << m.forward({torch::ones({2})}).toTensor() << m.attr("maybe").toTensor() << std::endl;
  for (const auto& a : m.named_attributes(false))
    if (a.name != "training") std::cout << a.name << "=" << a.value.tagKind() << " ";
  try {
    m.setattr("size", "large");
  } catch (const std::exception&) {
    std::cout << "refused" << std::endl;
  }
  return 0;
}
