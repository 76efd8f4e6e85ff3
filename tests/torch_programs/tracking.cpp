// SPDX-License-Identifier: Apache-2.0
// Tracks and detections are matched by their features.
#include <torch/torch.h>

#include <iostream>
#include <vector>

class Track {
 public:
  Track(int id, torch::Tensor feature) : id_(id), feature_(std::move(feature)) {}
  int id() const { return id_; }
  void update(const torch::Tensor& f) {
    feature_ = torch::nn::functional::normalize(
        0.9 * feature_ + 0.1 * f, torch::nn::functional::NormalizeFuncOptions().dim(0));
  }
  const torch::Tensor& feature() const { return feature_; }

 private:
  int id_;
  torch::Tensor feature_;
};
int main() {
  std::vector<Track> tracks;
  for (int i = 0; i < 3; ++i) tracks.emplace_back(i, torch::eye(4)[i]);
  auto found =
      torch::tensor({{0.1f, 0.9f, 0.f, 0.1f}, {0.8f, 0.f, 0.1f, 0.f}, {0.f, 0.f, 0.f, 1.f}});
  found = found / found.norm(2, 1, true);
  std::vector<torch::Tensor> features;
  for (const Track& t : tracks) features.push_back(t.feature());
  torch::Tensor cost = 1 - torch::matmul(torch::stack(features), found.t());
  std::cout << cost << std::endl;
  auto usable = cost.lt(0.5);
  for (auto& t : tracks) {
    auto row = cost[t.id()].masked_fill(usable[t.id()].logical_not(), 1e5);
    const auto best = row.argmin().item<int64_t>();
    if (row[best].item<float>() < 1e4) {
      t.update(found[best]);
      std::cout << t.id() << "<-" << best << t.feature() << std::endl;
    }
  }
  int64_t left = usable.any(0).logical_not().sum().item<int64_t>();
  std::cout << left << std::endl;
  return 0;
}
