// SPDX-License-Identifier: Apache-2.0
// Modes: no gradients, inference; they nest and end with their scope.
#include <torch/script.h>

#include <iostream>

static torch::Tensor run(torch::jit::Module& m, torch::Tensor x) {
  torch::NoGradGuard no_grad;
  return m.forward({std::move(x)}).toTensor();
}
int main(int argc, char** argv) {
  if (argc != 2) return 2;
  torch::jit::Module m = torch::jit::load(std::string(argv[1]) + "/narrow_resnet.pt", torch::kCPU);
  std::cout << torch::GradMode::is_enabled() << c10::InferenceMode::is_enabled() << std::endl;
  auto y = run(m, torch::ones({1, 3, 32, 32}));
  std::cout << y.sizes() << y.requires_grad() << std::endl;
  {
    c10::InferenceMode guard(true);
    auto z = m.forward({torch::ones({1, 3, 32, 32})}).toTensor();
    std::cout << torch::allclose(y, z) << c10::InferenceMode::is_enabled()
              << torch::GradMode::is_enabled() << std::endl;
  }
  {
    torch::AutoGradMode off(false);
    at::AutoNonVariableTypeMode old(true);
    std::cout << at::GradMode::is_enabled() << std::endl;
  }
  torch::GradMode::set_enabled(false);
  std::cout << at::GradMode::is_enabled();
  torch::autograd::GradMode::set_enabled(true);
  std::cout << at::GradMode::is_enabled() << y.detach().is_leaf() << std::endl;
  return 0;
}
