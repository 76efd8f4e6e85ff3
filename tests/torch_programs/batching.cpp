// SPDX-License-Identifier: Apache-2.0
// Requests that came one by one are run as one batch; answers are split again.
#include <torch/script.h>

#include <iostream>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  torch::jit::Module module = torch::jit::load(std::string(argv[1]) + "/mlp.pt");
  module.eval();
  c10::InferenceMode mode;
  std::vector<at::Tensor> requests;
  for (int i = 0; i < 5; ++i) requests.push_back(torch::linspace(-1, 1, 32).mul(i).unsqueeze(0));
  auto batch = torch::concat(requests, 0);
  auto answers = module.forward({batch}).toTensor();
  auto single = answers.split(1, 0);
  auto pairs = answers.chunk(2, 0);
  std::cout << batch.sizes() << single.size() << single.front().sizes() << pairs[0].sizes()
            << pairs[1].sizes() << std::endl;
  for (size_t i = 0; i < requests.size(); ++i)
    std::cout << torch::allclose(module.forward({requests[i]}).toTensor(), single[i], 1e-4, 1e-5)
              << " ";
  std::vector<int64_t> sizes{2, 3};
  for (const auto& part : torch::split_with_sizes(answers, sizes))
    std::cout << part.size(0) << part.dim();
  std::cout << torch::vstack(answers.unbind()).equal(answers) << std::endl;
  return 0;
}
