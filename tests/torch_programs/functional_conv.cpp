// SPDX-License-Identifier: Apache-2.0
// Convolution, pooling and normalisation by torch::nn::functional.
#include <torch/torch.h>

#include <iostream>

namespace F = torch::nn::functional;
int main() {
  auto x = (torch::arange(2 * 2 * 5 * 5, torch::kFloat) * 0.1).sin().view({2, 2, 5, 5});
  auto w = torch::linspace(-0.5, 0.5, 3 * 2 * 3 * 3).view({3, 2, 3, 3});
  auto y = F::conv2d(x, w, F::Conv2dFuncOptions().bias(torch::ones({3})).stride(2).padding(1));
  std::cout << y.sizes() << y[0][1] << std::endl;
  auto n = F::batch_norm(
      y, torch::zeros({3}), torch::ones({3}),
      F::BatchNormFuncOptions().weight(torch::full({3}, 2.0)).bias(torch::zeros({3})).eps(1e-5));
  auto a = F::relu(n, F::ReLUFuncOptions().inplace(true));
  std::cout << a[1][2] << std::endl;
  auto p = F::max_pool2d(a, F::MaxPool2dFuncOptions(2).stride(1)),
       q = F::avg_pool2d(a, F::AvgPool2dFuncOptions({2, 2}));
  std::cout << p.sizes() << q.sizes()
            << F::adaptive_avg_pool2d(a, F::AdaptiveAvgPool2dFuncOptions(1)).view({2, 3})
            << std::endl;
  auto l = F::layer_norm(y.flatten(1), F::LayerNormFuncOptions({27})),
       g = F::linear(l, torch::ones({2, 27}), torch::zeros({2}));
  std::cout << g.sizes() << F::instance_norm(y)[0][0]
            << F::group_norm(y, F::GroupNormFuncOptions(3)).sizes() << std::endl;
  std::cout << F::conv1d(x[0][0].unsqueeze(1), torch::ones({1, 1, 3}),
                         F::Conv1dFuncOptions().padding(1))
                   .squeeze(1)
            << std::endl;
  std::cout << F::conv_transpose2d(x.slice(2, 0, 2).slice(3, 0, 2), torch::ones({2, 1, 2, 2}),
                                   F::ConvTranspose2dFuncOptions().stride(2))[0][0]
            << std::endl;
  return 0;
}
