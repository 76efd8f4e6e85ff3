// SPDX-License-Identifier: Apache-2.0
// Parameters, submodules, methods and attributes of a module; it is changed, copied, saved and
// loaded again.
#include <torch/script.h>

#include <iostream>
#include <sstream>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string folder = argv[1];
  auto module = torch::jit::load(folder + "/state.pt");
  size_t total = 0;
  for (const auto& p : module.named_parameters()) {
    std::cout << p.name << " " << p.value.sizes() << " " << p.value.dtype() << "\n";
    total += p.value.numel();
  }
  std::cout << total << "\n";
  for (const auto& b : module.named_buffers()) std::cout << b.name << " " << b.value.dim() << "\n";
  for (const auto& c : module.named_children()) std::cout << c.name << "\n";
  for (const auto& c : module.named_modules()) std::cout << "(" << c.name << ")";
  std::cout << "\n";
  for (const auto& m : module.get_methods()) std::cout << m.name() << " ";
  std::cout << "\n";
  const auto& schema = module.get_method("forward").function().getSchema();
  for (const auto& a : schema.arguments())
    if (a.name() != "self") std::cout << a.name() << " " << a.type()->str() << "\n";
  auto copy = module.clone();
  copy.train();
  copy.to(torch::kDouble);
  std::cout << module.is_training() << copy.is_training() << module.attr("training").toBool()
            << "\n";
  for (const auto& p : copy.named_parameters(/*recurse=*/false))
    std::cout << p.name << p.value.dtype() << "\n";
  std::ostringstream out;
  module.save(out, {{"notes.txt", "kept"}});
  std::istringstream in(out.str());
  torch::jit::ExtraFilesMap extra{{"notes.txt", ""}};
  auto again = torch::jit::load(in, torch::Device(torch::kCPU), extra);
  std::cout << extra["notes.txt"] << "\n";
  size_t same = 0;
  for (const auto& p : again.named_parameters())
    for (const auto& q : module.named_parameters())
      same += p.name == q.name && torch::equal(p.value, q.value);
  std::cout << same << std::endl;
  auto left = module.attr("left").toModule();
  std::cout << left.named_parameters().size() << " " << left.hasattr("w") << " "
            << (left.find_method("forward") ? 1 : 0) << std::endl;
  return 0;
}
