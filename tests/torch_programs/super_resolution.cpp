// SPDX-License-Identifier: Apache-2.0
// A picture in tiles: padded, run tile by tile, blended together.
#include <torch/script.h>
#include <torch/torch.h>

#include <iostream>

namespace F = torch::nn::functional;
int main() {
  torch::jit::Module net("Up");
  net.define(
      "def forward(self, x):\n  return torch.upsample_nearest2d(x, [x.size(2) * 2, x.size(3) * 2], "
      "None, None)\n");
  auto picture =
      torch::rand({1, 1, 7, 5}).mul_(0).add_(torch::arange(35, torch::kFloat).view({1, 1, 7, 5}));
  const int64_t tile = 4, scale = 2, h = picture.size(2), w = picture.size(3);
  const int64_t bottom = (tile - h % tile) % tile, right = (tile - w % tile) % tile;
  auto padded = F::pad(picture, F::PadFuncOptions({0, right, 0, bottom}).mode(torch::kReplicate));
  auto out = torch::zeros({1, 1, padded.size(2) * scale, padded.size(3) * scale});
  auto weight = torch::zeros_like(out);
  for (int64_t y = 0; y < padded.size(2); y += tile)
    for (int64_t x = 0; x < padded.size(3); x += tile) {
      auto piece = padded.slice(2, y, y + tile).slice(3, x, x + tile);
      auto big = net.forward({piece}).toTensor();
      out.slice(2, y * scale, (y + tile) * scale).slice(3, x * scale, (x + tile) * scale).add_(big);
      weight.slice(2, y * scale, (y + tile) * scale)
          .slice(3, x * scale, (x + tile) * scale)
          .add_(1);
    }
  out = (out / weight).slice(2, 0, h * scale).slice(3, 0, w * scale).clamp_(0, 255).to(torch::kU8);
  std::cout << padded.sizes() << out.sizes() << out[0][0].select(0, 13) << out.sum() << std::endl;
  return 0;
}
