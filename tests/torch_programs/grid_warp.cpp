// SPDX-License-Identifier: Apache-2.0
// A picture is turned by an affine grid.
#include <torch/torch.h>

#include <cmath>
#include <iostream>

namespace F = torch::nn::functional;
int main() {
  auto picture = torch::arange(20, torch::kFloat).view({1, 1, 4, 5});
  const double angle = M_PI / 6;
  auto theta = torch::tensor({{std::cos(angle), -std::sin(angle), 0.0},
                              {std::sin(angle), std::cos(angle), 0.1}})
                   .unsqueeze(0)
                   .to(torch::kFloat);
  auto grid = F::affine_grid(theta, {1, 1, 4, 5}, false);
  std::cout << grid.sizes() << grid[0][0] << std::endl;
  auto turned = F::grid_sample(picture, grid,
                               F::GridSampleFuncOptions()
                                   .mode(torch::kBilinear)
                                   .padding_mode(torch::kZeros)
                                   .align_corners(false));
  std::cout << turned
            << F::grid_sample(picture, grid,
                              F::GridSampleFuncOptions()
                                  .mode(torch::kNearest)
                                  .padding_mode(torch::kBorder)
                                  .align_corners(true))
            << std::endl;
  std::cout << torch::grid_sampler(picture, grid, 0, 0, true).sum().item<float>() << std::endl;
  auto unfolded = F::unfold(picture, F::UnfoldFuncOptions({2, 2}).stride(2));
  std::cout << unfolded.sizes()
            << F::fold(unfolded, F::FoldFuncOptions({4, 4}, {2, 2}).stride(2)).sizes() << std::endl;
  return 0;
}
