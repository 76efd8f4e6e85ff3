// SPDX-License-Identifier: Apache-2.0
// Settings that serving programs make before they load a model.
#include <torch/csrc/jit/passes/tensorexpr_fuser.h>
#include <torch/script.h>
#include <torch/torch.h>
#include <ATen/Parallel.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  torch::set_num_threads(2);
  at::set_num_interop_threads(1);
  at::init_num_threads();
  torch::jit::getProfilingMode() = false;
  torch::jit::getExecutorMode() = false;
  torch::jit::setGraphExecutorOptimize(false);
  torch::jit::FusionStrategy strategy = {{torch::jit::FusionBehavior::STATIC, 2},
                                         {torch::jit::FusionBehavior::DYNAMIC, 10}};
  torch::jit::setFusionStrategy(strategy);
  torch::jit::setTensorExprFuserEnabled(false);
  at::globalContext().setBenchmarkCuDNN(true);
  at::globalContext().setDeterministicCuDNN(false);
  torch::globalContext().setAllowTF32CuBLAS(true);
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setDeterministicAlgorithms(false, false);
  at::globalContext().setFlushDenormal(true);
  torch::manual_seed(1);
  auto m = torch::jit::load(std::string(argv[1]) + "/mlp.pt");
  m.eval();
  m = torch::jit::optimize_for_inference(m);
  for (int i = 0; i < 3; ++i) m.forward({torch::ones({1, 32})});
  std::cout << at::get_num_threads() << at::get_num_interop_threads()
            << m.forward({torch::zeros({1, 32})}).toTensor().sizes() << std::endl;
  torch::set_num_threads(1);
  at::parallel_for(0, 4, 1, [](int64_t, int64_t) {});
  std::cout << torch::get_num_threads() << at::in_parallel_region() << std::endl;
  return 0;
}
