// SPDX-License-Identifier: Apache-2.0
// TensorOptions in every form that programs write them.
#include <torch/script.h>

#include <iostream>

int main() {
  torch::TensorOptions options = torch::TensorOptions()
                                     .dtype(torch::kFloat64)
                                     .layout(torch::kStrided)
                                     .device(torch::kCPU)
                                     .requires_grad(false);
  auto a = torch::ones({2, 2}, options);
  auto b = torch::zeros({2}, torch::dtype(torch::kInt32).device(torch::kCPU));
  auto c = torch::empty({0}, at::device(at::kCPU).dtype(at::kLong));
  auto d = torch::full({3}, 2.5, torch::kHalf);
  auto e = torch::rand({2, 3}, torch::Device("cpu"));
  auto f = torch::eye(2, 3, a.options());
  auto g = torch::arange(5, 0, -2, torch::TensorOptions(torch::kInt8));
  auto h = torch::zeros_like(a, torch::kFloat),
       i = torch::ones_like(b, b.options().dtype(torch::kBool));
  for (const auto& t : {a, b, c, d, e, f, g, h, i})
    std::cout << t.dtype() << " " << t.scalar_type() << " " << t.device() << " " << t.sizes() << " "
              << t.element_size() << " " << t.requires_grad() << "\n";
  std::cout << options.dtype() << options.device() << options.has_dtype() << options.requires_grad()
            << int(options.device_index()) << "\n";
  std::cout << (a.options().dtype() == torch::kDouble)
            << (c10::typeMetaToScalarType(a.dtype()) == at::kDouble) << std::endl;
  torch::Tensor j = a.to(options.dtype(torch::kFloat)), k = a.to(b),
                l = a.to(torch::kCPU, torch::kInt, false, true);
  std::cout << j.dtype() << k.dtype() << l.dtype() << a.is_same(a.to(torch::kDouble))
            << torch::scalar_tensor(3, torch::kInt) << std::endl;
  return 0;
}
