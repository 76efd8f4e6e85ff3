// SPDX-License-Identifier: Apache-2.0
// Modules within modules: walked, counted, called by themselves.
#include <torch/script.h>

#include <iostream>

static void show(const torch::jit::Module& m, const std::string& name, int depth) {
  std::cout << std::string(depth, ' ') << name << " " << m.type()->name()->name() << " "
            << m.children().size() << "\n";
  for (const auto& c : m.named_children()) show(c.value, c.name, depth + 1);
}
int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto m = torch::jit::load(std::string(argv[1]) + "/narrow_resnet.pt");
  show(m, "net", 0);
  int64_t numbers = 0, bytes = 0;
  for (const at::Tensor& p : m.parameters()) numbers += p.numel(), bytes += p.nbytes();
  std::cout << numbers << " " << bytes << " " << m.buffers().size() << std::endl;
  auto stem = m.attr("stem").toModule();
  auto layers = m.attr("layers").toModule();
  auto x = (torch::arange(3 * 16 * 16, torch::kFloat) / 768).view({1, 3, 16, 16});
  auto features = layers.forward({stem.forward({x})}).toTensor();
  std::cout << features.sizes() << std::endl;
  auto fc = m.attr("fc").toModule();
  auto scores = fc({features.mean({2, 3})}).toTensor();
  std::cout << torch::allclose(scores, m({x}).toTensor(), 1e-4, 1e-5) << std::endl;
  for (const auto& p : m.named_parameters())
    if (p.name.find("fc.") == 0)
      std::cout << p.name << p.value.sizes() << p.value.requires_grad() << " ";
  m.apply([](torch::jit::Module& each) { each.eval(); });
  std::cout << m.is_training() << std::endl;
  return 0;
}
