// SPDX-License-Identifier: Apache-2.0
// What follows a detector: boxes of rows, filtered by confidence, sorted, suppressed where they
// overlap.
#include <torch/script.h>

#include <algorithm>
#include <iostream>
#include <vector>

using torch::indexing::None;
using torch::indexing::Slice;

static at::Tensor xywh_to_xyxy(const at::Tensor& x) {
  auto y = torch::zeros_like(x);
  y.index_put_({Slice(), 0}, x.index({Slice(), 0}) - x.index({Slice(), 2}).div(2));
  y.index_put_({Slice(), 1}, x.index({Slice(), 1}) - x.index({Slice(), 3}).div(2));
  y.index_put_({Slice(), 2}, x.index({Slice(), 0}) + x.index({Slice(), 2}).div(2));
  y.index_put_({Slice(), 3}, x.index({Slice(), 1}) + x.index({Slice(), 3}).div(2));
  return y;
}

static at::Tensor nms(const at::Tensor& boxes, const at::Tensor& scores, float threshold) {
  auto x1 = boxes.select(1, 0).contiguous(), y1 = boxes.select(1, 1).contiguous();
  auto x2 = boxes.select(1, 2).contiguous(), y2 = boxes.select(1, 3).contiguous();
  at::Tensor areas = (x2 - x1) * (y2 - y1);
  at::Tensor order = std::get<1>(scores.sort(0, true));
  auto suppressed = torch::zeros({scores.size(0)}, torch::kByte);
  auto* gone = suppressed.data_ptr<uint8_t>();
  auto* at = order.data_ptr<int64_t>();
  std::vector<int64_t> keep;
  for (int64_t i = 0; i < scores.size(0); ++i) {
    const auto k = at[i];
    if (gone[k]) continue;
    keep.push_back(k);
    for (int64_t j = i + 1; j < scores.size(0); ++j) {
      const auto o = at[j];
      float w = std::max(0.f, std::min(x2[k].item<float>(), x2[o].item<float>()) -
                                  std::max(x1[k].item<float>(), x1[o].item<float>()));
      float h = std::max(0.f, std::min(y2[k].item<float>(), y2[o].item<float>()) -
                                  std::max(y1[k].item<float>(), y1[o].item<float>()));
      float overlap = w * h / (areas[k].item<float>() + areas[o].item<float>() - w * h);
      if (overlap > threshold) gone[o] = 1;
    }
  }
  return torch::tensor(keep, torch::kLong);
}

int main() {
  auto rows = torch::tensor({{10.f, 10.f, 8.f, 8.f, 0.9f},
                             {11.f, 10.f, 8.f, 8.f, 0.8f},
                             {30.f, 30.f, 4.f, 6.f, 0.7f},
                             {31.f, 31.f, 4.f, 6.f, 0.1f}});
  auto confident = rows.index({rows.index({Slice(), 4}) > 0.5});
  std::cout << confident.sizes() << std::endl;
  auto boxes = xywh_to_xyxy(confident.index({Slice(), Slice(None, 4)}));
  std::cout << boxes << std::endl;
  auto keep = nms(boxes, confident.index({Slice(), 4}), 0.45f);
  std::cout << keep << std::endl;
  std::cout << boxes.index_select(0, keep).clamp(0, 31).round().to(torch::kInt) << std::endl;
  for (int64_t i = 0; i < keep.numel(); ++i) {
    auto b = boxes[keep[i].item<int64_t>()];
    std::cout << b[0].item().toInt() << "," << b[1].item().toInt() << " "
              << (b[2] - b[0]).item<float>() << std::endl;
  }
  return 0;
}
