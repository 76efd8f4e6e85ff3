// SPDX-License-Identifier: Apache-2.0
// A model of dicts, tuples and optional arguments; results that are dicts and lists.
#include <torch/script.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  torch::jit::script::Module module = torch::jit::load(std::string(argv[1]) + "/nested_inputs.pt");
  c10::Dict<std::string, torch::Tensor> named;
  named.insert("a", torch::arange(3).to(torch::kFloat));
  named.insert("b", torch::ones({3}));
  std::vector<torch::Tensor> parts = {torch::zeros({3}), torch::full({3}, 2.0)};
  std::vector<torch::jit::IValue> inputs;
  inputs.push_back(named);
  inputs.push_back(torch::jit::IValue());
  inputs.push_back(c10::ivalue::Tuple::create({torch::jit::IValue(2), torch::jit::IValue(parts)}));
  auto result = module.forward(inputs, {{"text", "hello"}});
  auto tuple = result.toTuple();
  for (const auto& entry : tuple->elements()[0].toGenericDict())
    std::cout << entry.key().toStringRef() << ": " << entry.value().toTensor().sizes() << "\n";
  auto second = tuple->elements().at(1).toTuple()->elements();
  std::cout << second[0].toStringRef() << " " << second[1].toInt() << "\n";

  auto post = torch::jit::load(std::string(argv[1]) + "/postprocess.pt");
  auto output = post.run_method("forward", torch::arange(6).to(at::kFloat) / 6, 3).toTuple();
  std::cout << output->elements()[0].toTensor() << "\n";
  c10::List<int64_t> order = output->elements()[1].toIntList();
  for (int64_t i : order) std::cout << i << " ";
  std::cout << order.size() << std::endl;
  for (const auto& value : output->elements()[1].toListRef()) std::cout << value.toInt() << ";";
  std::cout << std::endl;
  try {
    module.forward({1});
  } catch (const std::exception& e) {
    std::cout << "refused" << std::endl;
  }
  return 0;
}
