// SPDX-License-Identifier: Apache-2.0
// Elements of every type: converted, printed, read through pointers.
#include <torch/script.h>

#include <iostream>

template <class T>
static void show(const torch::Tensor& t) {
  const T* p = t.const_data_ptr<T>();
  std::cout << t.dtype() << " " << c10::toString(t.scalar_type()) << " " << t.itemsize() << " "
            << double(p[0]) << " " << double(p[1]) << "\n";
}
int main() {
  auto t = torch::tensor({1.75f, 200.0f});
  show<float>(t);
  show<double>(t.to(torch::kDouble));
  show<uint8_t>(t.to(torch::kUInt8));
  show<int32_t>(t.to(torch::kI32));
  show<int64_t>(t.to(torch::kI64));
  show<int16_t>(t.to(torch::kI16));
  show<bool>(t.to(torch::kBool));
  show<at::Half>(t.to(torch::kF16));
  show<c10::BFloat16>(t.toType(torch::kBFloat16));
  std::vector<at::ScalarType> types{torch::kFloat, torch::kInt, torch::kBool, torch::kHalf,
                                    at::ScalarType::Long};
  for (auto a : types) {
    for (auto b : types) std::cout << c10::promoteTypes(a, b) << " ";
    std::cout << c10::isFloatingType(a) << c10::isIntegralType(a, true) << c10::elementSize(a)
              << "\n";
  }
  switch (t.scalar_type()) {
    case torch::kFloat32: std::cout << "float\n"; break;
    case at::ScalarType::Double: std::cout << "double\n"; break;
    default: std::cout << "other\n";
  }
  std::cout << torch::can_cast(torch::kFloat, torch::kInt) << (t + torch::tensor({1, 2})).dtype()
            << (torch::tensor({1, 2}) / 2).dtype() << t.is_floating_point() << std::endl;
  return 0;
}
