// SPDX-License-Identifier: Apache-2.0
// Boxes of several classes: sorted, suppressed class by class, put together again.
#include <torch/script.h>

#include <iostream>
#include <map>
#include <tuple>
#include <vector>

static torch::Tensor iou(const torch::Tensor& a, const torch::Tensor& b) {
  auto low = torch::max(a.slice(-1, 0, 2), b.slice(-1, 0, 2)),
       high = torch::min(a.slice(-1, 2), b.slice(-1, 2));
  auto size = (high - low).clamp_min(0);
  auto inter = size.select(-1, 0) * size.select(-1, 1);
  auto area = [](const torch::Tensor& t) {
    return (t.select(-1, 2) - t.select(-1, 0)) * (t.select(-1, 3) - t.select(-1, 1));
  };
  return inter / (area(a) + area(b) - inter + 1e-6);
}
int main() {
  auto boxes = torch::tensor({0.f,  0.f,  4.f,  4.f,  1.f,  0.f,  5.f,  4.f,  10.f, 10.f,
                              14.f, 16.f, 10.f, 11.f, 14.f, 16.f, 20.f, 20.f, 21.f, 21.f})
                   .view({5, 4});
  auto scores = torch::tensor({0.6, 0.9, 0.7, 0.8, 0.3}, torch::dtype(torch::kFloat32));
  auto labels = torch::tensor({1, 1, 0, 0, 2});
  std::cout << iou(boxes.unsqueeze(1), boxes.unsqueeze(0)) << std::endl;
  std::map<int, std::vector<int64_t>> kept;
  torch::Tensor order;
  std::tie(std::ignore, order) = torch::sort(scores, 0, true);
  while (order.numel() > 0) {
    const int64_t first = order[0].item<int64_t>();
    kept[labels[first].item<int>()].emplace_back(first);
    auto rest = order.narrow(0, 1, order.size(0) - 1);
    auto same = labels.index_select(0, rest).eq(labels[first]);
    auto far = iou(boxes[first], boxes.index_select(0, rest)) <= 0.5;
    order = rest.masked_select(far.logical_or(same.logical_not()));
  }
  for (const auto& [label, rows] : kept) std::cout << label << ": " << rows << "\n";
  return 0;
}
