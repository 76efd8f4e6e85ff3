// SPDX-License-Identifier: Apache-2.0
// Names that a program takes from std and torch at once.
#include <torch/script.h>
#include <torch/torch.h>

#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

using namespace std;
using namespace torch;
using namespace torch::jit;
using namespace torch::nn;
using namespace torch::indexing;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  NoGradGuard guard;
  shared_ptr<torch::jit::script::Module> net =
      make_shared<torch::jit::script::Module>(torch::jit::load(string(argv[1]) + "/small_cnn.pt"));
  net->eval();
  Device device(kCPU);
  Tensor t = torch::linspace(0, 1, 3 * 8 * 8).view({1, 3, 8, 8}).to(device);
  optional<Tensor> kept = t;
  map<string, Tensor> named{{"input", t}};
  std::function<Tensor(const Tensor&)> run = [&](const Tensor& x) {
    vector<torch::jit::IValue> inputs;
    inputs.push_back(x);
    return net->forward(inputs).toTensor();
  };
  Tensor out = run(named["input"]);
  tuple<Tensor, Tensor> best = torch::max(out, 1);
  cout << out.sizes() << get<0>(best).sizes() << get<1>(best).dtype() << endl;
  cout << t.index({0, Slice(None, 2), 3, Slice(0, 4)}) << endl;
  cout << functional::relu(out).ge(0).all().item<bool>() << kept->dim() << max(1, 2) << endl;
  vector<Tensor> parts = t.chunk(3, 1);
  string text;
  for (auto& p : parts) text += to_string(p.size(1)) + " ";
  cout << text << Device("cuda:1") << kFloat32 << endl;
  try {
    throw c10::Error({__func__, __FILE__, __LINE__}, "mine");
  } catch (c10::Error e) {
    cout << e.msg() << endl;
  }
  return 0;
}
