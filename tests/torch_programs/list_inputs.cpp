// SPDX-License-Identifier: Apache-2.0
// Lists of tensors, numbers, texts and optional values as arguments.
#include <torch/script.h>

#include <iostream>

int main() {
  auto unit = torch::jit::compile(R"(
def f(xs: List[Tensor], ks: List[int], w: List[float], names: List[str], flags: List[bool], more: Optional[List[int]] = None):
  t = torch.zeros(2)
  for i in range(len(xs)):
    t = t + xs[i] * w[i]
  n = len(ks) if more is None else len(more) + 100
  return (t, n, "-".join(names), flags.count(True))
)");
  torch::List<torch::Tensor> xs;
  xs.push_back(torch::ones({2}));
  xs.push_back(torch::full({2}, 3.f));
  c10::List<int64_t> ks({1, 2, 3});
  std::vector<std::string> names{"a", "b"};
  std::vector<torch::jit::IValue> stack{xs, ks, std::vector<double>{0.5, 2}, names,
                                        c10::List<bool>({true, false, true})};
  auto r = unit->run_method("f", xs, ks, std::vector<double>{0.5, 2}, names,
                            c10::List<bool>({true, false}))
               .toTuple()
               ->elements();
  std::cout << r[0].toTensor() << r[1].toInt() << r[2].toStringRef() << r[3].toInt() << std::endl;
  auto q = unit->get_function("f")(stack, {{"more", std::vector<int64_t>{7}}});
  std::cout << q << std::endl;
  auto tuple = q.toTuple();
  const auto& second = tuple->elements()[1];
  std::cout << second.isInt() << second.toScalar() << tuple->elements().size() << std::endl;
  return 0;
}
