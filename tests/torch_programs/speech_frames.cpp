// SPDX-License-Identifier: Apache-2.0
// A long signal cut into frames that overlap; a window, energies, a carried tail.
#include <torch/script.h>

#include <cmath>
#include <iostream>
#include <vector>

int main() {
  const int64_t rate = 100, frame = 25, hop = 10;
  std::vector<float> samples(rate);
  for (size_t i = 0; i < samples.size(); ++i)
    samples[i] = static_cast<float>(std::sin(0.2 * double(i)) * (double(i) / 100));
  auto signal =
      torch::from_blob(samples.data(), {rate}, torch::TensorOptions(torch::kFloat32)).clone();
  auto frames = signal.unfold(0, frame, hop);
  std::cout << frames.sizes() << frames.strides() << std::endl;
  auto windowed = frames * torch::hann_window(frame);
  std::cout << windowed.pow(2).sum(1).sqrt() << std::endl;
  auto emphasised =
      torch::cat({signal.slice(0, 0, 1), signal.slice(0, 1) - 0.97 * signal.slice(0, 0, -1)});
  std::cout << emphasised.slice(0, 90) << std::endl;
  torch::Tensor tail = torch::zeros({frame - hop});
  for (int64_t at = 0; at + hop <= rate; at += 30) {
    auto piece = torch::cat({tail, signal.narrow(0, at, hop)});
    tail = piece.slice(0, hop);
    std::cout << piece.abs().mean().item<double>() << " ";
  }
  std::cout << std::endl;
  return 0;
}
