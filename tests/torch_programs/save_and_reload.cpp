// SPDX-License-Identifier: Apache-2.0
// A module is changed, saved to a file, loaded, frozen and compared.
#include <torch/script.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto m = torch::jit::load(std::string(argv[1]) + "/small_cnn.pt");
  m.eval();
  const std::string path = std::string(std::getenv("TMPDIR") ? std::getenv("TMPDIR") : "/tmp") +
                           "/saved_and_reloaded.pt";
  torch::NoGradGuard no_grad;
  for (auto p : m.parameters()) p.mul_(0.5);
  m.save(path, {{"note", "halved"}});
  torch::jit::ExtraFilesMap extra{{"note", ""}};
  auto again = torch::jit::load(path, c10::nullopt, extra);
  auto x = torch::ones({1, 3, 12, 12});
  std::cout << extra["note"]
            << torch::equal(m.forward({x}).toTensor(), again.forward({x}).toTensor()) << std::endl;
  auto frozen = torch::jit::freeze(again);
  auto quick = torch::jit::optimize_for_inference(again);
  std::cout << frozen.parameters().size()
            << torch::allclose(frozen.forward({x}).toTensor(), m.forward({x}).toTensor(), 1e-3,
                               1e-4)
            << torch::allclose(quick.forward({x}).toTensor(), m.forward({x}).toTensor(), 1e-3, 1e-4)
            << std::endl;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  std::cout << (file.tellg() > 1000) << std::remove(path.c_str()) << std::endl;
  return 0;
}
