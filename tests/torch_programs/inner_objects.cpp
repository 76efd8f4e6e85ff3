// SPDX-License-Identifier: Apache-2.0
// The objects inside of a module, and its attributes, looked at and changed.
#include <torch/script.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto m = torch::jit::load(std::string(argv[1]) + "/small_cnn.pt");
  auto value = m.attr("classifier");
  std::cout << value.isObject() << value.isModule() << value.tagKind() << std::endl;
  auto object = value.toObject();
  std::cout << object->type()->name()->name() << " " << object->slots().size()
            << object->getAttr("training").toBool() << std::endl;
  auto classifier = value.toModule();
  auto before = m.forward({torch::ones({1, 3, 8, 8})}).toTensor();
  torch::NoGradGuard no_grad;
  for (const auto& p : classifier.named_parameters()) {
    std::cout << p.name << p.value.sizes() << std::endl;
    p.value.zero_();
  }
  auto after = m.forward({torch::ones({1, 3, 8, 8})}).toTensor();
  std::cout << before.sizes() << after.abs().sum().item<float>() << torch::equal(before, after)
            << std::endl;
  object->setAttr("training", false);
  std::cout << classifier.is_training() << m.attr("classifier").toModule().is_training()
            << std::endl;
  return 0;
}
