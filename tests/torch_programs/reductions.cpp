// SPDX-License-Identifier: Apache-2.0
// Reductions of every form.
#include <torch/script.h>

#include <iostream>

int main() {
  auto t = (torch::arange(12, torch::kFloat) - 5).view({3, 4});
  std::cout << t.sum() << t.sum(0) << t.sum({0, 1}, true) << t.mean(-1) << t.prod() << t.prod(1)
            << t.norm() << t.norm(1, 1, true) << std::endl;
  std::cout << t.max() << t.min() << std::get<0>(t.median(1)) << t.argmax() << t.argmin(0)
            << t.amax({0}) << t.amin(1, true) << std::endl;
  std::cout << t.std(1, true) << t.var(0, false) << torch::std(t) << std::get<0>(torch::std_mean(t))
            << torch::logsumexp(t, 1) << std::endl;
  std::cout << (t > 0).any(1) << (t > -10).all() << (t == 0).sum()
            << t.count_nonzero(c10::IntArrayRef{0}) << t.cumsum(1) << t.cumprod(0) << std::endl;
  auto [values, indices] = t.min(1);
  auto [kth, at] = t.kthvalue(2, 1);
  auto [uniques, inverse, counts] = torch::_unique2(torch::tensor({3, 1, 3, 2}), true, true, true);
  std::cout << values << indices << kth << at << uniques << inverse << counts << std::endl;
  std::cout << torch::histc(t, 4, -5, 7) << torch::bincount(torch::tensor({0, 2, 2}))
            << t.quantile(0.5) << torch::dot(t[0], t[1]) << torch::cdist(t, t)[0] << std::endl;
  return 0;
}
