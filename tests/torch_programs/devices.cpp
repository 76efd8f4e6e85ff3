// SPDX-License-Identifier: Apache-2.0
// The device is chosen as programs choose it; without a GPU all runs on the CPU.
#include <torch/script.h>
#include <torch/torch.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  torch::DeviceType type;
  if (torch::cuda::is_available() && torch::cuda::device_count() > 0) {
    type = torch::kCUDA;
  } else {
    type = torch::kCPU;
  }
  torch::Device device(type);
  torch::Device other =
      torch::cuda::is_available() ? torch::Device(torch::kCUDA, 0) : torch::Device("cpu");
  c10::optional<c10::Device> maybe;
  if (!maybe.has_value()) maybe = device;
  std::cout << device << other << device.type() << (device == other) << device.is_cuda()
            << maybe->is_cpu() << device.has_index() << std::endl;
  auto m = torch::jit::load(std::string(argv[1]) + "/mlp.pt", *maybe);
  m.to(device, torch::kFloat32);
  auto x = torch::ones({1, 32}, torch::device(device).dtype(torch::kFloat))
               .to(device, /*non_blocking=*/true);
  auto y = m.forward({x.to(other)}).toTensor().to(torch::kCPU).detach();
  std::cout << y.device() << y.sizes() << y.is_cuda() << int(y.get_device()) << std::endl;
  for (const auto& p : m.parameters()) {
    std::cout << p.device() << std::endl;
    break;
  }
  std::cout << at::hasCUDA() << torch::hasMPS() << at::globalContext().hasCUDA()
            << torch::cuda::cudnn_is_available() << std::endl;
  return 0;
}
