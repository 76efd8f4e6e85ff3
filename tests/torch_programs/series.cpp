// SPDX-License-Identifier: Apache-2.0
// Sequences: padding, masks, a state that is carried from call to call, and numbers made with a
// seed.
#include <torch/torch.h>
#include <torch/script.h>

#include <iostream>

namespace F = torch::nn::functional;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto module = torch::jit::load(std::string(argv[1]) + "/lstm_loop.pt");
  auto schema = module.get_method("forward").function().getSchema();
  std::cout << schema.arguments().size() << std::endl;
  std::vector<int64_t> lengths = {3, 1, 2};
  auto padded = torch::zeros({3, 4}, torch::dtype(torch::kLong));
  for (size_t i = 0; i < lengths.size(); ++i)
    padded.index_put_({static_cast<int64_t>(i), torch::indexing::Slice(0, lengths[i])},
                      torch::arange(1, lengths[i] + 1));
  std::cout << padded << std::endl;
  auto mask = (padded != 0).to(torch::kFloat);
  std::cout << mask.sum(1) << std::endl;
  auto emb = F::one_hot(padded, 5).to(torch::kFloat32);
  auto pooled = (emb * mask.unsqueeze(-1)).sum(1) / mask.sum(1, true).clamp_min(1);
  std::cout << pooled << std::endl;
  std::cout << F::normalize(pooled, F::NormalizeFuncOptions().p(2).dim(1)) << std::endl;
  std::cout << F::pad(mask, F::PadFuncOptions({1, 0})) << std::endl;
  torch::manual_seed(11);
  auto noise = torch::randn({2, 3}) * 0.1 + 1;
  std::cout << noise << torch::rand({2}) << std::endl;
  auto total = torch::zeros({1});
  for (int i = 0; i < 3; ++i) total += noise.mean() * i;
  std::cout << total.item<float>() << std::endl;
  torch::Tensor logits = torch::linspace(-1, 1, 6).view({2, 3});
  std::cout << F::log_softmax(logits, F::LogSoftmaxFuncOptions(1)) << logits.logsumexp(1)
            << std::endl;
  std::cout << std::get<1>(logits.max(1)) << torch::where(logits > 0, logits, -logits) << std::endl;
  return 0;
}
