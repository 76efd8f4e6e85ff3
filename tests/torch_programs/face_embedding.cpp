// SPDX-License-Identifier: Apache-2.0
// Embeddings compared: cosine similarity against a gallery.
#include <torch/script.h>
#include <torch/torch.h>

#include <cmath>
#include <iostream>
#include <map>

namespace F = torch::nn::functional;
int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto net = torch::jit::load(std::string(argv[1]) + "/small_cnn.pt");
  net.eval();
  auto embed = [&net](double seed) {
    auto x = (torch::arange(3 * 16 * 16, torch::kFloat) * seed).sin().view({1, 3, 16, 16});
    return F::normalize(net.forward({x}).toTensor(), F::NormalizeFuncOptions().p(2).dim(1));
  };
  std::map<std::string, torch::Tensor> gallery{
      {"ann", embed(0.1)}, {"bob", embed(0.5)}, {"cid", embed(1.1)}};
  auto query = embed(0.5001);
  std::string best;
  float score = -2;
  for (const auto& [name, e] : gallery) {
    const float s = torch::mm(query, e.t()).item<float>();
    const float c = F::cosine_similarity(query, e).item<float>();
    if (std::abs(s - c) > 1e-4) return 3;
    if (s > score) score = s, best = name;
  }
  std::cout << best << " " << (score > 0.99) << " "
            << torch::dist(query, gallery.at(best)).lt(0.1).item<bool>() << std::endl;
  std::vector<at::Tensor> all;
  for (auto& g : gallery) all.push_back(g.second);
  auto similarities = torch::cat(all).matmul(query.squeeze(0));
  std::cout << similarities.sizes() << similarities.argmax() << query.norm().item<float>()
            << std::endl;
  return 0;
}
