// SPDX-License-Identifier: Apache-2.0
// LibTorch's own example of loading a model.
#include <torch/script.h>

#include <iostream>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  torch::manual_seed(1);
  torch::jit::script::Module model;
  try {
    model = torch::jit::load(std::string(argv[1]) + "/small_cnn.pt");
  } catch (const c10::Error& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
  model.eval();
  torch::NoGradGuard no_grad;
  auto input = torch::randn({1, 3, 32, 32});
  std::vector<torch::jit::IValue> inputs;
  inputs.push_back(input);
  auto output = model.forward(inputs).toTensor();
  std::cout << output.sizes() << std::endl;
  auto prediction = output.argmax(1).item<int>();
  std::cout << prediction << std::endl;
  return 0;
}
