// SPDX-License-Identifier: Apache-2.0
// A series is scaled, cut into windows, forecast step by step and scaled back.
#include <torch/script.h>

#include <iostream>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto model = torch::jit::load(std::string(argv[1]) + "/lstm_loop.pt");
  std::vector<std::vector<float>> rows(8, std::vector<float>(6));
  for (size_t i = 0; i < rows.size(); ++i)
    for (size_t j = 0; j < rows[i].size(); ++j) rows[i][j] = float(i * (j + 1)) + 3;
  auto data = torch::empty({int64_t(rows.size()), 6});
  for (size_t i = 0; i < rows.size(); ++i)
    data.slice(0, i, i + 1) = torch::from_blob(rows[i].data(), {1, 6});
  for (size_t i = 0; i < rows.size(); ++i) data[i] = torch::tensor(rows[i]);
  auto low = std::get<0>(data.min(0)), high = std::get<0>(data.max(0));
  auto scaled = (data - low) / (high - low);
  auto windows = scaled.unfold(0, 4, 2).transpose(1, 2);
  std::cout << windows.sizes() << std::endl;
  auto out = model.forward({windows.contiguous(), 2}).toTensor();
  auto back = out * (high - low) + low;
  std::cout << out.sizes() << back[0] << std::endl;
  auto error = (back.select(1, 0) - data[7].expand_as(back.select(1, 0))).abs().mean();
  std::cout << (error.item<float>() > 0) << torch::isnan(out).any().item<bool>() << std::endl;
  return 0;
}
