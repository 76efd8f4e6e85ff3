// SPDX-License-Identifier: Apache-2.0
// Small linear algebra: solves, inverses, products, rotations.
#include <torch/script.h>

#include <iostream>

int main() {
  auto a = torch::tensor({4.0, 1.0, 0.0, 1.0, 3.0, 1.0, 0.0, 1.0, 2.0}).view({3, 3}),
       b = torch::tensor({1.0, 2.0, 3.0});
  std::cout << torch::mm(a, a.t()) << torch::mv(a, b) << a.matmul(b) << torch::outer(b, b)
            << torch::einsum("ij,j->i", {a, b}) << std::endl;
  std::cout << torch::inverse(a) << torch::linalg_inv(a).matmul(a).round()
            << torch::linalg_solve(a, b) << torch::det(a).item<double>() << std::endl;
  std::cout << a.trace() << a.diagonal() << torch::diag(b) << a.triu() << a.tril(-1)
            << torch::linalg_norm(a).item<float>() << std::endl;
  std::cout << torch::cross(a[0], a[1], 0)
            << torch::baddbmm(torch::zeros({1, 3, 3}), a.unsqueeze(0), a.unsqueeze(0)).sum()
            << torch::addmm(b, a, a) << std::endl;
  auto rotation = torch::eye(3);
  rotation.index_put_({torch::indexing::Slice(0, 2), torch::indexing::Slice(0, 2)},
                      torch::tensor({{0.f, -1.f}, {1.f, 0.f}}));
  auto points = torch::tensor({{1.f, 0.f, 1.f}, {0.f, 2.f, 1.f}});
  std::cout << points.matmul(rotation.transpose(0, 1))
            << torch::kron(torch::eye(2), torch::ones({1, 2})) << std::endl;
  return 0;
}
