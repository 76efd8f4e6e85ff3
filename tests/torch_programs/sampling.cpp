// SPDX-License-Identifier: Apache-2.0
// Sampling with temperature, top-k and top-p filters; the seed is fixed by arithmetic.
#include <torch/torch.h>

#include <iostream>
#include <limits>

int main() {
  torch::Tensor logits = torch::tensor({2.0f, 1.0f, 0.5f, -1.0f, -3.0f, 0.1f}).unsqueeze(0) / 0.7;
  const auto inf = std::numeric_limits<float>::infinity();
  auto kth = std::get<0>(logits.topk(4, -1)).index({torch::indexing::Slice(), -1}).unsqueeze(-1);
  auto filtered = torch::where(logits < kth, torch::full_like(logits, -inf), logits);
  std::cout << filtered << std::endl;
  auto [sorted, order] = torch::sort(filtered, /*dim=*/-1, /*descending=*/true);
  auto sum = sorted.softmax(-1).cumsum(-1);
  auto removed = sum.gt(0.9);
  removed.index_put_({"...", torch::indexing::Slice(1, torch::indexing::None)},
                     removed.index({"...", torch::indexing::Slice(0, -1)}).clone());
  removed.index_put_({"...", 0}, false);
  auto mask = torch::zeros_like(removed).scatter_(-1, order, removed);
  auto p = torch::softmax(filtered.masked_fill(mask, -inf), -1);
  std::cout << p << p.sum().item<float>() << std::endl;
  torch::manual_seed(3);
  auto drawn = torch::multinomial(torch::tensor({0.0, 1.0, 0.0}), 4, true);
  std::cout << drawn << std::endl;
  return 0;
}
