// SPDX-License-Identifier: Apache-2.0
// Tuples as many detectors give them: boxes, labels and scores of each image.
#include <torch/script.h>

#include <iostream>

int main() {
  torch::jit::Module m("Detector");
  m.define(R"(
def forward(self, images: List[Tensor]) -> Tuple[Dict[str, Tensor], List[Dict[str, Tensor]]]:
  out: List[Dict[str, Tensor]] = []
  for i in images:
    s = i.sum([1])
    out.append({"boxes": torch.stack([s, s + 1, s + 2, s + 3], 1), "labels": torch.arange(s.size(0)), "scores": torch.sigmoid(s)})
  losses: Dict[str, Tensor] = {}
  return losses, out
)");
  c10::List<at::Tensor> images(
      {torch::arange(6).view({3, 2}).to(torch::kFloat) / 4, -torch::ones({1, 2})});
  auto output = m.forward({images});
  auto detections = output.toTuple()->elements().at(1).toList();
  std::cout << output.toTuple()->elements()[0].toGenericDict().empty() << detections.size()
            << std::endl;
  for (size_t i = 0; i < detections.size(); ++i) {
    auto d = detections.get(i).toGenericDict();
    auto boxes = d.at("boxes").toTensor(), scores = d.at("scores").toTensor();
    auto labels = d.at("labels").toTensor().data_ptr<int64_t>();
    for (int j = 0; j < scores.sizes()[0]; ++j)
      if (scores[j].item<float>() > 0.3f)
        std::cout << labels[j] << " " << boxes[j][0].item<float>() << ".."
                  << boxes[j][3].item<float>() << " " << scores[j].item().to<float>() << "\n";
  }
  auto first = detections.get(0).toGenericDict().at("boxes");
  auto [losses, list] = output.to<std::tuple<c10::Dict<std::string, at::Tensor>,
                                             c10::List<c10::Dict<std::string, at::Tensor>>>>();
  std::cout << first.toTensor().sizes() << losses.size() << list.size() << std::endl;
  return 0;
}
