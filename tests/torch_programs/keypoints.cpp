// SPDX-License-Identifier: Apache-2.0
// Heat maps: the place of each maximum, refined, with accessors.
#include <torch/script.h>

#include <iostream>
#include <tuple>

int main() {
  torch::Tensor heat = torch::zeros({2, 3, 6, 8});
  auto write = heat.accessor<float, 4>();
  for (int n = 0; n < write.size(0); ++n)
    for (int k = 0; k < write.size(1); ++k) {
      write[n][k][k + 1][2 * n + k + 1] = 1.0f - 0.1f * k;
      write[n][k][k + 1][2 * n + k + 2] = 0.5f;
    }
  auto flat = heat.view({heat.size(0), heat.size(1), -1});
  torch::Tensor values, places;
  std::tie(values, places) = flat.max(2);
  auto x = places % heat.size(3), y = torch::div(places, heat.size(3), "floor");
  std::cout << values << "\n" << torch::stack({x, y}, -1) << std::endl;
  const auto px = x.accessor<int64_t, 2>(), py = y.accessor<int64_t, 2>();
  const auto map = heat.packed_accessor64<float, 4>();
  for (int n = 0; n < 2; ++n)
    for (int k = 0; k < 3; ++k) {
      const float right = map[n][k][py[n][k]][px[n][k] + 1],
                  left = px[n][k] > 0 ? map[n][k][py[n][k]][px[n][k] - 1] : 0;
      std::cout << px[n][k] + (right > left ? 0.25 : -0.25) << "/" << py[n][k] << " ";
    }
  std::cout << std::endl;
  return 0;
}
