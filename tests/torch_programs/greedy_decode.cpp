// SPDX-License-Identifier: Apache-2.0
// Text by greedy decoding: the last word is put back until the end of text comes.
#include <torch/script.h>

#include <iostream>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto decoder = torch::jit::load(std::string(argv[1]) + "/hybrid.pt");
  auto table = (torch::arange(12 * 16, torch::kFloat) * 0.7).cos().view({12, 16});
  std::vector<int64_t> words{3};
  for (int step = 0; step < 6; ++step) {
    auto ids = torch::tensor(words, torch::kLong).unsqueeze(0);
    auto embedded = torch::embedding(table, ids);
    auto next = decoder.forward({embedded, false}).toTensor();
    const auto word = next.item<int64_t>();
    words.push_back(word);
    if (word == 0) break;
  }
  std::cout << words << std::endl;
  decoder.run_method("set_temperature", 0.5);
  std::cout << decoder.attr("temperature").toDouble() << std::endl;
  auto embedded = torch::embedding(table, torch::tensor(words).slice(0, 0, 3)).unsqueeze(0);
  std::cout << decoder({embedded}).toTensor() << std::endl;
  return 0;
}
