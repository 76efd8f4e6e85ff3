// SPDX-License-Identifier: Apache-2.0
// A recogniser that is called with pieces and hands its state back each time.
#include <torch/script.h>

#include <iostream>

int main() {
  torch::jit::Module module("Encoder");
  module.register_parameter("w", torch::linspace(-0.5, 0.5, 6).view({2, 3}), false);
  module.register_attribute("rate", c10::IntType::get(), 4);
  module.define(R"(
def subsampling_rate(self) -> int:
  return self.rate
def forward_chunk(self, x, offset: int, cache: Optional[Tensor], states: List[Tensor]):
  if cache is not None:
    x = torch.cat([cache, x], 1)
  y = torch.tanh(torch.matmul(x, self.w.t()))
  new: List[Tensor] = []
  for s in states:
    new.append(s + y.sum())
  return (y, x[:, -1:], new, offset + x.size(1))
)");
  torch::jit::IValue cache;
  std::vector<torch::Tensor> states{torch::zeros({1}), torch::ones({1})};
  int64_t offset = 0;
  std::cout << module.run_method("subsampling_rate").toInt() << std::endl;
  for (int chunk = 0; chunk < 3; ++chunk) {
    auto x = torch::full({1, 2, 3}, 0.1 * (chunk + 1));
    std::vector<torch::jit::IValue> inputs = {x, offset, cache, states};
    auto out = module.get_method("forward_chunk")(inputs).toTuple()->elements();
    if (out.size() != 4u) return 1;
    cache = out[1];
    states = out[2].toTensorVector();
    offset = out[3].toInt();
    std::cout << out[0].toTensor().sizes() << cache.toTensor().sizes() << offset << " "
              << states[1].item<float>() << std::endl;
  }
  return 0;
}
