// SPDX-License-Identifier: Apache-2.0
// A class that holds a module, declared before LibTorch is included, and bytes of an image that
// become its input.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace torch {
namespace jit {
struct Module;
}
}  // namespace torch
namespace at {
class Tensor;
}

class Classifier {
 public:
  explicit Classifier(const std::string& path);
  ~Classifier();
  std::vector<std::pair<int, float>> best(const std::vector<unsigned char>& rgb, int height,
                                          int width, int k);

 private:
  std::unique_ptr<torch::jit::Module> module_;
};

#include <torch/script.h>
#include <torch/torch.h>

Classifier::Classifier(const std::string& path) {
  try {
    module_ = std::make_unique<torch::jit::Module>(torch::jit::load(path, torch::kCPU));
    module_->eval();
  } catch (const c10::Error& e) {
    std::cerr << "cannot load: " << e.what_without_backtrace() << std::endl;
    throw;
  }
}
Classifier::~Classifier() = default;

std::vector<std::pair<int, float>> Classifier::best(const std::vector<unsigned char>& rgb,
                                                    int height, int width, int k) {
  torch::NoGradGuard no_grad;
  auto options = torch::TensorOptions().dtype(torch::kUInt8).device(torch::kCPU);
  at::Tensor image =
      torch::from_blob(const_cast<unsigned char*>(rgb.data()), {1, height, width, 3}, options)
          .clone();
  image = image.permute({0, 3, 1, 2}).to(torch::kFloat32).div_(255.0f);
  image[0][0] = image[0][0].sub_(0.485).div_(0.229);
  image[0][1].sub_(0.456).div_(0.224);
  image[0][2] = image[0][2].sub(0.406).div(0.225);
  at::Tensor scores = torch::softmax(module_->forward({image}).toTensor(), 1);
  std::tuple<at::Tensor, at::Tensor> found = scores.topk(k, 1);
  auto values = std::get<0>(found).accessor<float, 2>();
  auto indices = std::get<1>(found).accessor<int64_t, 2>();
  std::vector<std::pair<int, float>> r;
  for (int i = 0; i < k; ++i) r.emplace_back(static_cast<int>(indices[0][i]), values[0][i]);
  return r;
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  Classifier classifier(std::string(argv[1]) + "/small_cnn.pt");
  std::vector<unsigned char> rgb(32 * 32 * 3);
  for (size_t i = 0; i < rgb.size(); ++i) rgb[i] = static_cast<unsigned char>(i * 7 % 251);
  for (const auto& b : classifier.best(rgb, 32, 32, 3))
    std::cout << b.first << " " << int(b.second * 1000) << "\n";
  try {
    Classifier nothing(std::string(argv[1]) + "/nothing.pt");
  } catch (const c10::Error&) {
    std::cout << "no such file\n";
  }
  return 0;
}
