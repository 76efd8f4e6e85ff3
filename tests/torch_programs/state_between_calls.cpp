// SPDX-License-Identifier: Apache-2.0
// A module that counts its calls and changes its input.
#include <torch/script.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto m = torch::jit::load(std::string(argv[1]) + "/state.pt");
  auto x = torch::ones({2, 3});
  auto first = m.forward({x}).toTensor();
  auto second = m.forward({x}).toTensor();
  std::cout << first << second << m.attr("n").toInt() << std::endl;
  auto copy = m.deepcopy();
  m.setattr("s", 0.0);
  m.attr("w").toTensor().zero_();
  std::cout << copy.attr("s").toDouble() << copy.attr("w").toTensor().abs().sum().item<float>()
            << std::endl;
  for (auto p : m.named_parameters(false)) p.value.fill_(1);
  std::cout << m.attr("b").toTensor() << m.attr("listed").toIntVector()
            << m.attr("text").toStringRef() << std::endl;
  for (const auto& e : m.attr("named").toGenericDict())
    std::cout << e.key() << " " << e.value().toTensor().sizes() << std::endl;
  return 0;
}
