// SPDX-License-Identifier: Apache-2.0
// Points: centred, scaled, nearest neighbours, features gathered.
#include <torch/script.h>

#include <iostream>
#include <tuple>

int main() {
  auto points = (torch::arange(30, torch::kFloat) * 0.9).sin().view({10, 3});
  auto centred = points - points.mean(0, /*keepdim=*/true);
  centred /= centred.norm(2, 1).max();
  auto distance = torch::cdist(centred, centred);
  auto neighbours = std::get<1>(distance.topk(3, 1, /*largest=*/false, /*sorted=*/true));
  std::cout << neighbours.slice(0, 0, 4) << std::endl;
  auto gathered = centred.index_select(0, neighbours.reshape({-1})).view({10, 3, 3});
  std::cout << gathered.sizes() << torch::linalg_norm(gathered.mean(1), 2, 1).slice(0, 0, 3)
            << std::endl;
  auto cells = torch::floor(centred * 2).to(torch::kLong);
  auto [unique, inverse, counts] = torch::unique_dim(cells, 0, true, true, true);
  std::cout << unique.size(0) << " " << counts.sum().item<int64_t>() << std::endl;
  auto sums = torch::zeros({unique.size(0), 3}).index_add_(0, inverse, centred);
  auto means = sums / counts.unsqueeze(1);
  std::cout << means.slice(0, 0, 2)
            << torch::zeros({3}).scatter_add_(0, torch::tensor({0, 2, 0}), torch::ones({3}))
            << std::endl;
  return 0;
}
