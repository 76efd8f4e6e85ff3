// SPDX-License-Identifier: Apache-2.0
// Complex tensors: made, taken apart, multiplied.
#include <torch/script.h>

#include <complex>
#include <iostream>

int main() {
  auto z = torch::complex(torch::tensor({1.0f, 0.0f}), torch::tensor({2.0f, -1.0f}));
  std::cout << z.dtype() << z.is_complex() << torch::view_as_real(z) << z.abs() << torch::angle(z)
            << std::endl;
  auto w = z * z.conj();
  std::cout << torch::real(w) << torch::imag(w) << (z + 1).sum().item<c10::complex<float>>().real()
            << std::endl;
  auto p = z.data_ptr<c10::complex<float>>();
  std::cout << p[0].real() << p[0].imag() << std::norm(p[1]) << std::endl;
  auto polar = torch::polar(torch::ones({2}), torch::tensor({0.0f, 1.5707964f}));
  std::cout << torch::view_as_real(polar).round()
            << torch::view_as_complex(torch::ones({1, 2})).dtype() << std::endl;
  return 0;
}
