// SPDX-License-Identifier: Apache-2.0
// A dict of tensors goes in and comes out; entries are found, replaced and erased.
#include <torch/script.h>

#include <iostream>
#include <vector>

int main() {
  torch::jit::Module module("Energy");
  module.define(R"(
def forward(self, data: Dict[str, Tensor]) -> Dict[str, Tensor]:
  r = torch.norm(data["pos"][data["edges"][0]] - data["pos"][data["edges"][1]], 2, [1])
  out: Dict[str, Tensor] = {}
  out["atomic_energy"] = torch.zeros(data["pos"].size(0)).index_add(0, data["edges"][0], 1.0 / r)
  out["total_energy"] = out["atomic_energy"].sum()
  return out
)");
  c10::Dict<std::string, torch::Tensor> input;
  auto pos = torch::zeros({4, 3});
  auto p = pos.accessor<float, 2>();
  for (int i = 0; i < 4; ++i)
    for (int k = 0; k < 3; ++k) p[i][k] = float(i * (k + 1)) * 0.5f;
  torch::Tensor edges = torch::zeros({2, 6}, torch::TensorOptions().dtype(torch::kInt64));
  auto e = edges.accessor<long, 2>();
  for (int i = 0; i < 6; ++i) e[0][i] = i % 4, e[1][i] = (i + 1 + i / 4) % 4;
  input.insert("pos", pos);
  input.insert("edges", edges);
  std::vector<torch::IValue> inputs(1, input);
  auto output = module.forward(inputs).toGenericDict();
  torch::Tensor energies = output.at("atomic_energy").toTensor().cpu();
  auto a = energies.accessor<float, 1>();
  for (int i = 0; i < a.size(0); ++i) std::cout << a[i] << " ";
  std::cout << output.at("total_energy").toTensor().item<float>() << output.contains("forces")
            << std::endl;
  input.insert_or_assign("pos", pos * 2);
  input.erase("absent");
  auto again =
      c10::impl::toTypedDict<std::string, at::Tensor>(module.forward({input}).toGenericDict());
  std::cout << again.at("total_energy") << again.size() << input.size() << std::endl;
  return 0;
}
