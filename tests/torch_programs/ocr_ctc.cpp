// SPDX-License-Identifier: Apache-2.0
// Characters from frames: the best class of each, repeats and blanks left out.
#include <torch/script.h>

#include <iostream>
#include <string>
#include <vector>

int main() {
  const std::string letters = "-abc";
  auto scores = torch::zeros({9, 1, 4});
  const int path[] = {0, 1, 1, 0, 1, 2, 2, 3, 0};
  for (int t = 0; t < 9; ++t) scores[t][0][path[t]] = 3.0 + t * 0.1;
  auto log_p = scores.log_softmax(2);
  auto best = log_p.argmax(2).transpose(0, 1).contiguous().view(-1);
  std::vector<int64_t> indices(best.data_ptr<int64_t>(), best.data_ptr<int64_t>() + best.numel());
  std::string text;
  for (size_t i = 0; i < indices.size(); ++i)
    if (indices[i] != 0 && !(i > 0 && indices[i - 1] == indices[i])) text += letters[indices[i]];
  auto confidence = std::get<0>(log_p.max(2)).exp().mean();
  std::cout << text << " " << confidence.item().toFloat() << std::endl;
  auto collapsed = std::get<0>(torch::unique_consecutive(best));
  auto kept = collapsed.masked_select(collapsed != 0);
  std::cout << collapsed << kept << std::endl;
  return 0;
}
