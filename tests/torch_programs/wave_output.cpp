// SPDX-License-Identifier: Apache-2.0
// Samples of a synthesiser: clipped, scaled to 16 bits, interleaved for two ears.
#include <torch/torch.h>

#include <iostream>
#include <vector>

int main() {
  torch::Tensor wave = torch::sin(torch::arange(0, 3, 0.25, torch::kFloat)) * 1.2;
  wave = wave.clamp(-1.0f, 1.0f);
  torch::Tensor pcm = (wave * 32767).round().to(torch::kInt16);
  std::cout << pcm.dtype() << " " << pcm.numel() << " " << pcm.nbytes() << std::endl;
  std::vector<int16_t> out(pcm.data_ptr<int16_t>(), pcm.data_ptr<int16_t>() + pcm.numel());
  for (int16_t s : out) std::cout << s << " ";
  std::cout << std::endl;
  auto stereo = torch::stack({wave, -wave}, 1).contiguous();
  const float* p = stereo.data_ptr<float>();
  std::cout << stereo.sizes() << p[2] << " " << p[3] << std::endl;
  auto fade = torch::linspace(1, 0, 4);
  auto mixed = wave.slice(0, -4) * fade + wave.slice(0, 0, 4) * (1 - fade);
  std::cout << mixed
            << torch::nn::functional::pad(mixed, torch::nn::functional::PadFuncOptions({2, 1}))
            << std::endl;
  return 0;
}
