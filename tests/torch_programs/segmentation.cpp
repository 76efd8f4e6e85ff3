// SPDX-License-Identifier: Apache-2.0
// A network's scores of classes become a mask of bytes and colours of a palette.
#include <torch/script.h>

#include <cstring>
#include <iostream>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  torch::jit::Module module("Net");
  module.register_parameter("weight", torch::linspace(-1, 1, 12).view({4, 3, 1, 1}), false);
  module.define("def forward(self, x):\n  return {\"out\": torch.conv2d(x, self.weight)}\n");
  module.eval();
  auto x = (torch::arange(3 * 5 * 6, torch::kFloat) % 7).view({1, 3, 5, 6});
  auto out = module.forward({x}).toGenericDict().at("out").toTensor();
  torch::Tensor mask = out.argmax(1).squeeze().to(torch::kU8).contiguous();
  std::cout << mask.sizes() << " " << mask.dtype() << "\n";
  std::vector<uint8_t> buffer(mask.numel());
  std::memcpy(buffer.data(), mask.data_ptr(), mask.numel() * sizeof(uint8_t));
  for (int64_t r = 0; r < mask.size(0); ++r) {
    for (int64_t c = 0; c < mask.size(1); ++c) std::cout << int(buffer[r * mask.size(1) + c]);
    std::cout << "\n";
  }
  auto palette = torch::tensor({{0, 0, 0}, {255, 0, 0}, {0, 255, 0}, {0, 0, 255}}, torch::kUInt8);
  auto coloured = palette.index({mask.to(torch::kLong)});
  std::cout << coloured.sizes() << coloured.sum(c10::IntArrayRef({0, 1})) << std::endl;
  std::cout << torch::bincount(mask.flatten().to(torch::kInt64), {}, 4) << std::endl;
  return 0;
}
