// SPDX-License-Identifier: Apache-2.0
// Predictions of anchors: confidence, classes and boxes of a grid, by index and masked_select.
#include <torch/script.h>

#include <iostream>

using namespace torch::indexing;
int main() {
  auto raw = (torch::arange(2 * 4 * 7, torch::kFloat32) * 0.37).sin().view({1, 8, 7});
  auto scores = torch::sigmoid(raw.index({"...", Slice(4, None)}));
  auto best = torch::max(scores.slice(2, 1), 2, true);
  auto confidence = scores.select(2, 0).unsqueeze(2) * std::get<0>(best);
  std::cout << confidence.squeeze(0).t() << std::endl;
  auto keep = (confidence.squeeze() > 0.35).nonzero().squeeze(1);
  std::cout << keep << std::endl;
  auto boxes = raw.index_select(1, keep).slice(2, 0, 4)[0];
  auto xy = boxes.slice(1, 0, 2), wh = boxes.slice(1, 2, 4).exp();
  auto grid =
      torch::stack(
          torch::meshgrid({torch::arange(2, torch::kFloat), torch::arange(4, torch::kFloat)}, "ij"),
          2)
          .view({-1, 2});
  auto centres = (xy.sigmoid() + grid.index({keep})) * 16;
  auto corners = torch::cat({centres - wh / 2, centres + wh / 2}, 1).clamp_(0, 64);
  std::cout << corners << std::endl;
  auto area = (corners.select(1, 2) - corners.select(1, 0))
                  .mul_(corners.select(1, 3) - corners.select(1, 1));
  std::cout << torch::masked_select(area, area > 1.5) << std::endl;
  auto classes = std::get<1>(best).squeeze().index({keep});
  for (int i = 0; i < keep.size(0); i++)
    std::cout << keep[i].item<int>() << ":" << classes[i].item().toInt()
              << (i + 1 < keep.size(0) ? ", " : "\n");
  return 0;
}
