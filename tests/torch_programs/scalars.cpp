// SPDX-License-Identifier: Apache-2.0
// Arithmetic of numbers and tensors of one number.
#include <torch/script.h>

#include <iostream>

int main() {
  at::Scalar half = 0.5, three = 3, yes = true;
  torch::Tensor t = torch::tensor({1.0f, 2.0f, 3.0f});
  std::cout << t * half << t + three << t.add(1, half) << torch::pow(2, t) << torch::mul(t, 2)
            << std::endl;
  std::cout << half.to<int>() << three.toDouble() << yes.toInt() << half.type() << three.type()
            << yes.type() << std::endl;
  auto s = t.sum();
  float f = s.item<float>();
  double d = s.item().toDouble();
  int n = s.item<int>();
  std::cout << f / 2 << " " << d / 4 << " " << n / 4 << " " << s.dim() << s.numel() << std::endl;
  auto scaled = t / s.item().toFloat(), ratio = s / t, rest = t.remainder(2),
       whole = torch::floor_divide(t, 2);
  std::cout << scaled << ratio << rest << whole << std::endl;
  t += s;
  t -= 1;
  t /= torch::tensor(2.0);
  std::cout << t << (s == 6).item<bool>() << (t.max() > t.min()).item<bool>() << std::endl;
  if ((t > 2).all().item<bool>() && t.any().item().toBool())
    std::cout << "all are above two" << std::endl;
  torch::Tensor zero = torch::zeros({});
  zero = zero + 1.5;
  std::cout << zero << zero.item<double>() << torch::tensor(true).item<bool>() << -zero
            << std::endl;
  return 0;
}
