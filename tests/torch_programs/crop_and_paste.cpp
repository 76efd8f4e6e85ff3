// SPDX-License-Identifier: Apache-2.0
// Regions are cut out of a picture, changed and pasted back.
#include <torch/script.h>

#include <array>
#include <iostream>
#include <vector>

using torch::indexing::Slice;
int main() {
  auto picture = torch::arange(48).reshape({1, 6, 8}).to(torch::kInt32);
  std::vector<std::array<int, 4>> boxes{{1, 1, 4, 3}, {5, 2, 8, 6}};
  for (const auto& b : boxes) {
    auto crop = picture.index({Slice(), Slice(b[1], b[3]), Slice(b[0], b[2])});
    std::cout << crop.sizes() << crop.is_contiguous() << crop.max().item<int>() << std::endl;
    picture.index_put_({Slice(), Slice(b[1], b[3]), Slice(b[0], b[2])}, crop.clone().fill_(-1));
  }
  std::cout << picture[0] << std::endl;
  picture.slice(1, 0, 2).copy_(torch::zeros({1, 2, 8}, torch::kInt32));
  picture.index({0, 5}) = torch::full({8}, 7, torch::kInt);
  std::cout << picture.squeeze(0) << (picture == -1).sum().item<int64_t>() << std::endl;
  return 0;
}
