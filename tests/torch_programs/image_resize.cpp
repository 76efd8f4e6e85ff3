// SPDX-License-Identifier: Apache-2.0
// Images of several sizes are resized, padded to a square and stacked.
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <iostream>

namespace F = torch::nn::functional;
static torch::Tensor letterbox(torch::Tensor image, int64_t side) {
  const double scale = std::min(double(side) / image.size(1), double(side) / image.size(2));
  const int64_t h = std::lround(image.size(1) * scale), w = std::lround(image.size(2) * scale);
  image = F::interpolate(image.unsqueeze(0), F::InterpolateFuncOptions()
                                                 .size(std::vector<int64_t>{h, w})
                                                 .mode(torch::kBilinear)
                                                 .align_corners(false));
  const int64_t top = (side - h) / 2, left = (side - w) / 2;
  return F::pad(image, F::PadFuncOptions({left, side - w - left, top, side - h - top})
                           .mode(torch::kConstant)
                           .value(0.5))
      .squeeze(0);
}
int main() {
  std::vector<torch::Tensor> batch;
  for (auto size : {std::pair<int64_t, int64_t>{4, 6}, {6, 4}, {3, 3}})
    batch.push_back(letterbox(torch::arange(size.first * size.second * 2, torch::kFloat)
                                      .view({2, size.first, size.second}) /
                                  10,
                              8));
  auto input = torch::stack(batch);
  std::cout << input.sizes() << std::endl << input.select(1, 0)[0] << std::endl;
  std::cout << input.mean({1, 2, 3}) << std::endl;
  auto small = F::interpolate(input, F::InterpolateFuncOptions()
                                         .scale_factor(std::vector<double>{0.5, 0.5})
                                         .mode(torch::kNearest));
  std::cout << small.sizes() << small.sum().item().toFloat() << std::endl;
  auto area = F::adaptive_avg_pool2d(input, F::AdaptiveAvgPool2dFuncOptions({2, 2}));
  std::cout << area[2] << std::endl;
  return 0;
}
