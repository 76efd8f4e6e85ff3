// SPDX-License-Identifier: Apache-2.0
// Planes of floats are borrowed with strides; the memory is given back by a deleter.
#include <torch/script.h>

#include <iostream>

int main() {
  int freed = 0;
  float* planes = new float[2 * 3 * 5];
  for (int i = 0; i < 30; ++i) planes[i] = i * 0.25f;
  {
    auto options = torch::TensorOptions().dtype(torch::kFloat32).requires_grad(false);
    torch::Tensor t = torch::from_blob(
        planes, {2, 3, 4}, {15, 5, 1},
        [&freed](void* p) {
          delete[] static_cast<float*>(p);
          ++freed;
        },
        options);
    std::cout << t.sizes() << t.strides() << t.is_contiguous() << t.storage_offset() << std::endl;
    std::cout << t.sum({1, 2}) << t[1].t() << std::endl;
    torch::Tensor copy = t.contiguous();
    copy[0][0][0] = 100;
    std::cout << t[0][0][0].item<float>() << " " << copy.strides() << freed << std::endl;
    t[1].zero_();
    std::cout << planes[15] << planes[19] << std::endl;
  }
  std::cout << freed << std::endl;
  return 0;
}
