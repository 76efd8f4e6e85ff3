// SPDX-License-Identifier: Apache-2.0
// An image's bytes, interleaved as cameras give them, become a normalised batch.
#include <torch/script.h>
#include <torch/torch.h>

#include <iostream>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const int height = 32, width = 32, channels = 3;
  std::vector<uint8_t> bgr(height * width * channels);
  for (size_t i = 0; i < bgr.size(); ++i) bgr[i] = static_cast<uint8_t>((i * 31) % 256);
  auto image = torch::from_blob(bgr.data(), {height, width, channels}, torch::kByte);
  auto input = image.permute({2, 0, 1}).flip({0}).toType(torch::kFloat).div(255);
  const std::vector<double> mean{0.485, 0.456, 0.406}, deviation{0.229, 0.224, 0.225};
  input = torch::data::transforms::Normalize<>(mean, deviation)(input).unsqueeze_(0);
  std::cout << input.sizes() << input.is_contiguous() << '\n'
            << input[0][0][0].slice(0, 0, 4) << std::endl;
  torch::jit::script::Module module = torch::jit::load(std::string(argv[1]) + "/small_cnn.pt");
  module.eval();
  torch::NoGradGuard guard;
  auto output = module.forward({input.contiguous()}).toTensor();
  auto result = output.softmax(1).max(1);
  std::cout << std::get<1>(result).item<int64_t>() << " " << std::get<0>(result).item<float>()
            << std::endl;
  return 0;
}
