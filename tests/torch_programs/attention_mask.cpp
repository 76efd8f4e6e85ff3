// SPDX-License-Identifier: Apache-2.0
// Masks of a batch of texts of several lengths, and attention by hand.
#include <torch/script.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <vector>

int main() {
  std::vector<std::vector<int64_t>> texts{{5, 6, 7}, {8}, {9, 10}};
  size_t longest = 0;
  for (const auto& t : texts) longest = std::max(longest, t.size());
  std::vector<torch::Tensor> ids, masks;
  for (auto t : texts) {
    const int64_t n = static_cast<int64_t>(t.size());
    t.resize(longest, 0);
    ids.push_back(
        torch::from_blob(t.data(), {1, static_cast<int64_t>(longest)}, torch::kInt64).clone());
    masks.push_back(
        torch::cat({torch::ones({1, n}), torch::zeros({1, static_cast<int64_t>(longest) - n})}, 1));
  }
  auto input = torch::cat(ids, 0), mask = torch::cat(masks, 0);
  std::cout << input << mask << std::endl;
  auto q = (input.to(torch::kFloat) / 10).unsqueeze(-1).expand({-1, -1, 4});
  auto scores =
      torch::bmm(q, q.transpose(1, 2)) / std::sqrt(4.0) + (1.0 - mask).unsqueeze(1) * -1e9;
  auto weights = torch::softmax(scores, -1);
  std::cout << weights.sizes() << weights[1][0] << weights[2][1] << std::endl;
  auto causal = torch::triu(torch::ones({3, 3}, torch::kBool), 1);
  std::cout << causal << weights[0].masked_fill(causal, 0).sum(-1) << std::endl;
  return 0;
}
