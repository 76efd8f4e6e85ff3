// SPDX-License-Identifier: Apache-2.0
// A stream of batches through a frozen module, on whichever device there is, with timing left out.
#include <torch/script.h>
#include <torch/torch.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  torch::DeviceType type = torch::kCPU;
  if (torch::cuda::is_available() && torch::cuda::device_count() > 8) type = torch::kCUDA;
  torch::Device device(type);
  at::globalContext().setBenchmarkCuDNN(true);
  torch::jit::setGraphExecutorOptimize(false);
  torch::jit::getProfilingMode() = false;
  at::set_num_threads(2);
  c10::InferenceMode guard(true);
  torch::jit::Module module = torch::jit::load(std::string(argv[1]) + "/small_cnn.pt", device);
  module.eval();
  module = torch::jit::optimize_for_inference(module);
  std::vector<torch::Tensor> images;
  for (int i = 0; i < 4; ++i) images.push_back(torch::full({3, 32, 32}, i / 4.0, torch::kFloat));
  torch::Tensor batch = torch::stack(images).to(device, /*non_blocking=*/true);
  std::vector<torch::jit::IValue> inputs{batch};
  torch::Tensor scores;
  for (int run = 0; run < 3; ++run) scores = module.forward(inputs).toTensor();
  if (device.is_cuda()) torch::cuda::synchronize();
  scores = scores.to(torch::kCPU).contiguous();
  std::cout << scores.sizes() << " " << scores.device() << " " << scores.is_cuda() << std::endl;
  std::vector<float> values(scores.data_ptr<float>(), scores.data_ptr<float>() + scores.numel());
  std::cout << values.size() << std::endl;
  auto [best, index] = torch::max(scores.softmax(1), 1, true);
  for (int64_t i = 0; i < index.size(0); ++i) std::cout << index[i].item<int64_t>() << " ";
  std::cout << (best > 0).all().item<bool>() << std::endl;
  auto chunks = torch::chunk(scores, 2, 0);
  std::cout << chunks.size() << chunks[0].sizes() << torch::cat(chunks, 0).equal(scores)
            << std::endl;
  return 0;
}
