// SPDX-License-Identifier: Apache-2.0
// A policy of a robot: observations in a buffer of the class, actions out.
#include <torch/script.h>

#include <array>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

class Controller {
 public:
  explicit Controller(const std::string& path)
      : policy_(torch::jit::load(path)),
        observation_(torch::zeros({1, 32})),
        history_(torch::zeros({3, 32})) {
    policy_.eval();
    inputs_.reserve(1);
  }
  std::array<double, 4> step(const std::vector<double>& sensors) {
    torch::NoGradGuard guard;
    auto o = torch::from_blob(const_cast<double*>(sensors.data()),
                              {static_cast<long>(sensors.size())}, torch::kFloat64)
                 .to(torch::kFloat32);
    history_ = history_.roll(1, 0);
    history_[0].index_put_({torch::indexing::Slice(torch::indexing::None, o.size(0))}, o);
    observation_.copy_(history_.mean(0, true));
    inputs_.clear();
    inputs_.emplace_back(observation_);
    auto action =
        policy_.forward(inputs_).toTensor().squeeze(0).slice(0, 0, 4).tanh().to(torch::kDouble);
    std::array<double, 4> r;
    std::memcpy(r.data(), action.data_ptr<double>(), r.size() * sizeof(double));
    return r;
  }

 private:
  torch::jit::script::Module policy_;
  torch::Tensor observation_, history_;
  std::vector<torch::jit::IValue> inputs_;
};
int main(int argc, char** argv) {
  if (argc != 2) return 2;
  Controller controller(std::string(argv[1]) + "/mlp.pt");
  for (int i = 0; i < 3; ++i) {
    for (double a : controller.step({0.1 * i, 1.0, -0.5}))
      std::cout << torch::tensor(a, torch::kFloat).item<float>() << " ";
    std::cout << std::endl;
  }
  return 0;
}
