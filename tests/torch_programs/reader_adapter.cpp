// SPDX-License-Identifier: Apache-2.0
// A model is read from memory and through an adapter of the program's own.
#include <torch/script.h>
#include <caffe2/serialize/inline_container.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

class Bytes final : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit Bytes(std::string data) : data_(std::move(data)) {}
  size_t size() const override { return data_.size(); }
  size_t read(uint64_t pos, void* buf, size_t n, const char*) const override {
    n = std::min<size_t>(n, data_.size() - pos);
    std::memcpy(buf, data_.data() + pos, n);
    return n;
  }

 private:
  std::string data_;
};
int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::ifstream file(std::string(argv[1]) + "/mlp.pt", std::ios::binary);
  const std::string data((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::istringstream stream(data);
  auto a = torch::jit::load(stream, torch::kCPU);
  auto b = torch::jit::load(std::make_shared<Bytes>(data));
  caffe2::serialize::PyTorchStreamReader reader(std::make_unique<Bytes>(data));
  std::cout << reader.hasRecord("data.pkl") << reader.hasRecord("absent") << std::endl;
  auto x = torch::linspace(0, 1, 32).unsqueeze(0);
  std::cout << a.forward({x}).toTensor().equal(b.forward({x}).toTensor()) << std::endl;
  try {
    torch::jit::load(std::make_shared<Bytes>(data.substr(0, 1000)));
  } catch (const c10::Error&) {
    std::cout << "cut short" << std::endl;
  }
  return 0;
}
