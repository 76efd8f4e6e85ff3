// SPDX-License-Identifier: Apache-2.0
// How tensors, sizes, devices and values print.
#include <torch/torch.h>

#include <cmath>
#include <iostream>
#include <sstream>

int main() {
  std::cout << torch::ones({2, 3}) << "\n"
            << torch::arange(4) << "\n"
            << torch::tensor({0.001, 1000.0, 1.5}) << "\n"
            << torch::tensor({1e-9, 1.0}) << std::endl;
  std::cout << torch::zeros({2, 2, 2}, torch::kInt) << "\n"
            << torch::tensor({true, false}) << "\n"
            << torch::tensor(3) << "\n"
            << torch::empty({2, 0}) << std::endl;
  std::cout << torch::tensor({-1.5, 2.0}, torch::kDouble) << torch::full({1, 2}, 0.5, torch::kHalf)
            << torch::full({3}, 12345678.0) << std::endl;
  std::cout << torch::tensor({std::nanf(""), INFINITY, 1.0f}) << std::endl;
  auto t = torch::ones({2, 3}, torch::kLong);
  std::cout << t.sizes() << " " << t.dtype() << " " << t.device() << " " << t.options() << " "
            << t.toString() << " " << t.strides() << std::endl;
  std::cout << "shape: " << t.size(0) << "x" << t.size(-1) << " " << t.sizes().vec().size()
            << std::endl;
  std::ostringstream os;
  os << t.sizes() << t.numel();
  std::cout << os.str() << c10::str(" dims=", t.dim(), " of ", t.scalar_type()) << std::endl;
  std::cout << c10::IValue(t) << c10::IValue(std::vector<double>{1, 2.5}) << torch::IValue(true)
            << std::endl;
  std::cout << torch::arange(30).view({2, 15})
            << torch::arange(60, torch::kFloat).view({3, 20}) * 1.5 << std::endl;
  return 0;
}
