// SPDX-License-Identifier: Apache-2.0
// Numbers made with a seed; generators of their own.
#include <torch/torch.h>

#include <iostream>

int main() {
  torch::manual_seed(42);
  auto a = torch::rand({3}), b = torch::randn({3}), c = torch::randint(0, 10, {5}),
       d = torch::randperm(6);
  std::cout << a << b << c << d << std::endl;
  torch::manual_seed(42);
  std::cout << torch::equal(a, torch::rand({3})) << std::endl;
  auto generator = at::detail::createCPUGenerator(7);
  auto g = torch::rand({2}, generator),
       h = torch::randn({2}, generator, torch::TensorOptions().dtype(torch::kDouble));
  std::cout << g << h << generator.current_seed() << std::endl;
  at::manual_seed(5);
  auto t = torch::empty({4}).uniform_(-1, 1), n = torch::empty({4}).normal_(2, 0.5),
       o = torch::zeros({3}).bernoulli_(0.5), r = torch::rand_like(t), s = torch::randn_like(n);
  std::cout << t << n << o << r << s << torch::normal(1.0, 2.0, {2})
            << torch::randint(5, {2, 2}, torch::kInt) << std::endl;
  return 0;
}
