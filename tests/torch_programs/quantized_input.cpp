// SPDX-License-Identifier: Apache-2.0
// Quantised tensors: scale, zero point, integers and back.
#include <torch/script.h>

#include <iostream>

int main() {
  auto x = torch::linspace(-1, 1, 7);
  auto q = at::quantize_per_tensor(x, 0.05, 10, at::kQUInt8);
  std::cout << q.q_scale() << " " << q.q_zero_point() << " " << q.dtype() << q.is_quantized()
            << q.int_repr() << q.dequantize() << std::endl;
  auto channels = at::quantize_per_channel(x.slice(0, 0, 6).view({2, 3}),
                                           torch::tensor({0.1, 0.02}, torch::kDouble),
                                           torch::zeros({2}, torch::kLong), 0, at::kQInt8);
  std::cout << (channels.qscheme() == at::kPerChannelAffine) << std::endl;
  std::cout << channels.int_repr() << channels.q_per_channel_scales()
            << channels.q_per_channel_axis() << std::endl;
  auto back = (q.int_repr().to(torch::kFloat) - q.q_zero_point()) * q.q_scale();
  std::cout << back.equal(q.dequantize()) << std::endl;
  return 0;
}
