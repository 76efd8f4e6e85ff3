// SPDX-License-Identifier: Apache-2.0
// Accessors read and write; loops over rows and channels.
#include <torch/script.h>

#include <iostream>
#include <vector>

template <typename scalar_t>
static void fill(torch::TensorAccessor<scalar_t, 3> a) {
  for (int64_t i = 0; i < a.size(0); ++i)
    for (int64_t j = 0; j < a.size(1); ++j)
      for (int64_t k = 0; k < a.size(2); ++k)
        a[i][j][k] = static_cast<scalar_t>(100 * i + 10 * j + k);
}
static float total(const torch::PackedTensorAccessor32<float, 2>& a) {
  float sum = 0;
  for (int32_t i = 0; i < a.size(0); ++i)
    for (int32_t j = 0; j < a.size(1); ++j) sum += a[i][j];
  return sum;
}
int main() {
  auto t = torch::empty({2, 2, 3});
  fill(t.accessor<float, 3>());
  std::cout << t << std::endl;
  auto i = torch::empty({1, 2, 2}, torch::kInt);
  fill<int>(i.accessor<int, 3>());
  auto view = t.select(2, 1);
  std::cout << i << total(view.packed_accessor32<float, 2>()) << view.accessor<float, 2>().stride(0)
            << view.accessor<float, 2>().sizes() << std::endl;
  auto row = t[1][1];
  auto r = row.accessor<float, 1>();
  float* data = r.data();
  data[0] = -1;
  std::vector<float> copy(row.data_ptr<float>(), row.data_ptr<float>() + row.numel());
  std::cout << copy << row << std::endl;
  AT_DISPATCH_FLOATING_TYPES(t.scalar_type(), "sum", [&] {
    auto a = t.accessor<scalar_t, 3>();
    std::cout << a[1][1][2] << sizeof(scalar_t) << std::endl;
  });
  return 0;
}
