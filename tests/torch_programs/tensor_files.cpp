// SPDX-License-Identifier: Apache-2.0
// Tensors, lists of them and values in files and in memory.
#include <torch/torch.h>

#include <iostream>
#include <sstream>
#include <vector>

int main() {
  auto t = torch::arange(6, torch::kFloat).view({2, 3});
  std::vector<char> bytes = torch::pickle_save(t);
  torch::Tensor back = torch::pickle_load(bytes).toTensor();
  std::cout << back.equal(t) << std::endl;
  c10::Dict<std::string, at::Tensor> state;
  state.insert("weight", t);
  state.insert("bias", torch::zeros({3}));
  auto data = torch::pickle_save(state);
  c10::IValue value = torch::pickle_load(data);
  for (const auto& kv : value.toGenericDict())
    std::cout << kv.key().toStringRef() << kv.value().toTensor().sizes() << " ";
  std::stringstream stream;
  torch::save({t, t + 1}, stream);
  std::vector<torch::Tensor> list;
  torch::load(list, stream);
  std::cout << list.size() << list[1] << std::endl;
  std::ostringstream out;
  torch::save(t.slice(1, 1), out);
  std::istringstream in(out.str());
  torch::Tensor part;
  torch::load(part, in);
  std::cout << part.sizes() << part.is_contiguous() << part << std::endl;
  return 0;
}
