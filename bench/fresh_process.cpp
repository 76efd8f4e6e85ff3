// SPDX-License-Identifier: Apache-2.0
// Loads an archive, runs its forward once and ends: what bench/fresh_process.py times. One source
// for both libraries (docs/porting.md).
//
//   PROGRAM MODEL INPUTS [optimize]     INPUTS: a tuple of tensors that torch.save wrote
#ifdef SCONCE
#include <sconce/torch.h>
#else
#include <torch/script.h>
#endif

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  torch::NoGradGuard no_grad;
  torch::jit::Module model = torch::jit::load(argv[1]);
  model.eval();
  if (argc > 3) model = torch::jit::optimize_for_inference(model);
  std::ifstream file(argv[2], std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  const torch::IValue inputs = torch::jit::pickle_load(bytes);
  const torch::IValue answer = model.forward(inputs.toTuple()->elements());
  std::printf("%.6g\n", answer.toTensor().sum().item<double>());
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmHWM:", 0) == 0) std::puts(line.c_str() + 6);  // kB
}
