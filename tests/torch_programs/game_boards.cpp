// SPDX-License-Identifier: Apache-2.0
// Boards become planes of a batch; legal moves are picked from the answer.
#include <torch/script.h>

#include <iostream>
#include <string>
#include <vector>

struct Evaluation {
  std::vector<float> policy;
  float value;
};
int main() {
  torch::jit::Module net("Net");
  net.register_parameter("w", torch::linspace(-1, 1, 18).view({1, 2, 3, 3}), false);
  net.define(R"(
def forward(self, x):
  h = torch.conv2d(x, self.w, None, [1, 1], [1, 1])
  return (torch.log_softmax(h.flatten(1), 1), torch.tanh(h.mean([1, 2, 3])))
)");
  const std::vector<std::string> boards{"xo..x...o", "........."};
  auto input = torch::zeros({int64_t(boards.size()), 2, 3, 3});
  for (size_t b = 0; b < boards.size(); ++b)
    for (int i = 0; i < 9; ++i)
      if (boards[b][i] != '.') input[b][boards[b][i] == 'x' ? 0 : 1][i / 3][i % 3] = 1;
  const auto outputs = net.forward({input}).toTuple();
  auto policy = outputs->elements()[0].toTensor().exp().contiguous(),
       value = outputs->elements()[1].toTensor();
  std::vector<Evaluation> found(boards.size());
  for (size_t b = 0; b < boards.size(); ++b) {
    const float* p = policy.data_ptr<float>() + 9 * b;
    found[b].policy.assign(p, p + 9);
    found[b].value = value[b].item<float>();
    auto legal = torch::zeros({9}, torch::kBool);
    for (int i = 0; i < 9; ++i)
      if (boards[b][i] == '.') legal[i] = true;
    auto masked = policy[b] * legal.to(policy.dtype());
    masked = masked / masked.sum();
    std::cout << masked << found[b].value << " " << masked.argmax().item<int>() << std::endl;
  }
  return 0;
}
