// SPDX-License-Identifier: Apache-2.0
// Slices of every form, read and written.
#include <torch/script.h>

#include <iostream>

using namespace torch::indexing;
int main() {
  auto t = torch::arange(24).view({2, 3, 4});
  std::cout << t.index({0}).sizes() << t.index({Slice(), 1}).sizes()
            << t.index({"...", Slice(None, None, 2)}).sizes() << t.index({Ellipsis, 1, Slice(1, 3)})
            << std::endl;
  std::cout << t.index({Slice(None, 1)}).sizes() << t.index({1, Slice(1), Slice(0, -1)})
            << t.index({None, "...", None}).sizes() << std::endl;
  std::vector<TensorIndex> where{0, Slice(0, 2), Slice(2, None)};
  std::cout << t.index(where) << std::endl;
  t.index_put_(where, -1);
  t.index_put_({1, Slice(), 0}, torch::tensor({100, 200, 300}));
  t.index_put_({torch::tensor({0, 1}), torch::tensor({2, 2}), torch::tensor({3, 3})},
               torch::tensor({7, 8}));
  std::cout << t << std::endl;
  auto even = t.index({t % 2 == 0});
  std::cout << even << even.numel() << std::endl;
  t.masked_fill_(t.lt(0), 0);
  t.slice(2, 0, 4, 2) += 1000;
  t.select(0, 1).select(0, 1).fill_(5);
  std::cout << t << t.narrow(2, 1, 2).contiguous().view(-1) << std::endl;
  return 0;
}
