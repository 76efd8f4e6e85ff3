// SPDX-License-Identifier: Apache-2.0
// Beams: the best continuations of each hypothesis by log probability.
#include <torch/script.h>

#include <algorithm>
#include <iostream>
#include <vector>

struct Beam {
  std::vector<int64_t> words;
  double score;
};
int main() {
  torch::Tensor table = (torch::arange(25, torch::kDouble) * 1.3).sin().view({5, 5});
  auto log_p = torch::log_softmax(table, -1);
  std::vector<Beam> beams{{{0}, 0.0}};
  for (int step = 0; step < 3; ++step) {
    std::vector<Beam> grown;
    for (const Beam& b : beams) {
      auto [value, index] = log_p[b.words.back()].topk(2);
      for (int64_t k = 0; k < index.size(0); ++k) {
        Beam n = b;
        n.words.push_back(index[k].item<int64_t>());
        n.score += value[k].item<double>();
        grown.push_back(n);
      }
    }
    std::sort(grown.begin(), grown.end(),
              [](const Beam& a, const Beam& b) { return a.score > b.score; });
    grown.resize(std::min<size_t>(grown.size(), 3));
    beams = std::move(grown);
  }
  for (const Beam& b : beams)
    std::cout << c10::IntArrayRef(b.words) << " " << torch::tensor(b.score).item<float>()
              << std::endl;
  return 0;
}
