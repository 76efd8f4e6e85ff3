// SPDX-License-Identifier: Apache-2.0
// Activations, distances and losses by torch::nn::functional.
#include <torch/torch.h>

#include <iostream>

namespace F = torch::nn::functional;
int main() {
  auto x = torch::linspace(-2, 2, 6).view({2, 3}), y = x.flip({1});
  std::cout << F::elu(x) << F::selu(x) << F::silu(x) << F::mish(x) << F::gelu(x) << F::hardtanh(x)
            << F::relu6(x * 4) << std::endl;
  std::cout << F::leaky_relu(x, F::LeakyReLUFuncOptions().negative_slope(0.1)) << F::softplus(x)
            << F::softsign(x) << F::tanhshrink(x) << F::logsigmoid(x) << std::endl;
  std::cout << F::softmax(x, F::SoftmaxFuncOptions(-1)) << F::softmin(x, F::SoftminFuncOptions(1))
            << F::log_softmax(x, 1) << F::glu(x.t().contiguous().view({3, 2})) << std::endl;
  std::cout << F::mse_loss(x, y) << F::l1_loss(x, y) << F::smooth_l1_loss(x, y)
            << F::cross_entropy(x, torch::tensor({0, 2}))
            << F::nll_loss(F::log_softmax(x, 1), torch::tensor({1, 1})) << std::endl;
  std::cout << F::binary_cross_entropy_with_logits(x, torch::ones_like(x))
            << F::kl_div(F::log_softmax(x, 1), F::softmax(y, 1), F::KLDivFuncOptions(torch::kSum))
            << std::endl;
  std::cout << F::cosine_similarity(x, y, F::CosineSimilarityFuncOptions().dim(1))
            << F::pairwise_distance(x, y) << F::normalize(x, F::NormalizeFuncOptions().p(1).dim(0))
            << std::endl;
  std::cout << F::dropout(x, F::DropoutFuncOptions().p(0.5).training(false)).equal(x)
            << F::embedding(torch::tensor({1, 0}), x) << F::one_hot(torch::tensor({2, 0}), 3)
            << std::endl;
  std::cout << F::pixel_shuffle(torch::arange(8, torch::kFloat).view({1, 4, 1, 2}),
                                F::PixelShuffleFuncOptions(2))
            << std::endl;
  return 0;
}
