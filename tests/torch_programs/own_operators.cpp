// SPDX-License-Identifier: Apache-2.0
// Operators of the program, which a model calls: TORCH_LIBRARY in its forms, and RegisterOperators.
#include <torch/library.h>
#include <torch/script.h>

#include <iostream>

namespace {

torch::Tensor twice(const torch::Tensor& x, int64_t n) { return x * n; }
torch::Tensor scaled(torch::Tensor x, double s) { return x * s; }
torch::Tensor scaled_by(const torch::Tensor& x, const torch::Tensor& s) { return x * s; }
torch::Tensor nowhere(const torch::Tensor& x) { return x; }
torch::Tensor& add_one(torch::Tensor& x) { return x.add_(1); }
std::tuple<at::Tensor, int64_t> both(at::TensorList l, at::IntArrayRef sizes,
                                     const std::optional<at::Tensor>& b) {
  return {at::stack(l).reshape(sizes), b ? b->numel() : 0};
}
c10::Dict<std::string, int64_t> counted(c10::Dict<std::string, at::Tensor> d, bool twice_as_many,
                                        std::optional<double> more) {
  c10::Dict<std::string, int64_t> r;
  for (const auto& e : d)
    r.insert(e.key(), e.value().numel() * (twice_as_many ? 2 : 1) + (more ? int64_t(*more) : 0));
  return r;
}
torch::Tensor plus(torch::Tensor x, double y) { return x + y; }
torch::Tensor minus(torch::Tensor x, double y) { return x - y; }

TORCH_LIBRARY_IMPL(sconce_own, CPU, m) { m.impl("scaled", TORCH_FN(scaled)); }
TORCH_LIBRARY(sconce_own, m) {
  m.def("twice", twice);
  m.def("scaled(Tensor x, float s=2.5) -> Tensor");
  m.def("scaled.by(Tensor x, Tensor s) -> Tensor", &scaled_by);
  m.def("both", &both);
  m.def("add_one_(Tensor(a!) x) -> Tensor(a!)");
  m.impl("add_one_", torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(add_one)));
}
TORCH_LIBRARY_FRAGMENT(sconce_own, m) {
  m.def("named", [](const std::string& s, std::vector<std::string> l) {
    return s + "," + l.at(0) + "," + l.at(1);
  });
  m.def("counted", counted);
  int calls = 0;
  m.def("note(int a) -> ()",
        [calls](int64_t a) mutable { std::cout << "note " << a << " " << ++calls << "\n"; });
  m.def("nobody(Tensor x) -> Tensor");
  m.impl("nobody", torch::dispatch(c10::DispatchKey::CUDA, nowhere));
}
auto older = torch::RegisterOperators()
                 .op("sconce_old::plus", &plus)
                 .op("sconce_old::minus(Tensor x, float y) -> Tensor",
                     torch::RegisterOperators::options().kernel<decltype(minus), &minus>(
                         c10::DispatchKey::CPU));

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 1;
  torch::jit::Module m = torch::jit::load(std::string(argv[1]) + "/own_operators.pt");
  const torch::Tensor x = torch::arange(6, torch::kFloat).view({2, 3});
  for (int i = 0; i < 3; ++i) std::cout << m.forward({x + i}) << std::endl;
  std::cout << m.run_method("lists", x, torch::ones({4})) << m.run_method("lists", x, c10::IValue())
            << std::endl;
  std::cout << m.run_method("written", x) << x << std::endl;
  c10::Dict<std::string, at::Tensor> d;
  d.insert("a", x);
  std::cout << m.run_method("texts", "s", d, 1.0) << m.run_method("texts", "t", d, c10::IValue())
            << std::endl;
  std::cout << m.run_method("older", x) << std::endl;
  try {
    std::cout << m.run_method("without", x) << std::endl;
  } catch (const std::exception&) {
    std::cout << "no kernel for the CPU" << std::endl;
  }
  return 0;
}
