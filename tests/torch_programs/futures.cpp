// SPDX-License-Identifier: Apache-2.0
// Futures and tasks of the language, and values that are waited for.
#include <torch/script.h>

#include <iostream>

int main() {
  auto unit = torch::jit::compile(R"(
def part(x, n: int):
  return x * n
def both(x):
  a = torch.jit.fork(part, x, 2)
  b = torch.jit.fork(part, x, 3)
  return torch.jit.wait(a) + torch.jit.wait(b)
def later(x):
  return torch.jit.fork(part, x, 4)
)");
  std::cout << unit->run_method("both", torch::ones({2})).toTensor() << std::endl;
  auto future = unit->run_method("later", torch::ones({1}));
  std::cout << future.isFuture() << std::endl;
  auto f = future.toFuture();
  f->wait();
  std::cout << f->completed() << f->value().toTensor() << std::endl;
  return 0;
}
