// SPDX-License-Identifier: Apache-2.0
// Spectra: stft, magnitudes in decibels, a filter bank.
#include <torch/torch.h>

#include <cmath>
#include <iostream>

int main() {
  auto t = torch::arange(64, torch::kFloat) / 64;
  auto x = torch::sin(2 * M_PI * 8 * t) + 0.5 * torch::cos(2 * M_PI * 16 * t);
  auto window = torch::hann_window(16, torch::kFloat);
  auto s = torch::stft(x, 16, 8, 16, window, /*center=*/true, "reflect", /*normalized=*/false,
                       /*onesided=*/true, /*return_complex=*/true);
  auto power = s.abs().square();
  std::cout << s.sizes() << s.dtype() << power.sum(0).slice(0, 1, 5) << std::endl;
  auto bank = torch::zeros({3, 9});
  for (int i = 0; i < 3; ++i) bank[i].slice(0, 3 * i, 3 * i + 3).fill_(1.0 / 3);
  auto mel = torch::matmul(bank, power);
  auto db = 10 * torch::log10(torch::clamp_min(mel, 1e-3));
  std::cout << db.amax().item<float>() - db.amin().item<float>() << "\n" << db.mean(1) << std::endl;
  auto whole = torch::fft_rfft(x);
  std::cout << whole.abs().argmax().item<int64_t>() << torch::real(whole)[16].item<float>()
            << std::endl;
  std::cout << torch::allclose(torch::fft_irfft(whole, 64), x, 1e-4, 1e-5) << std::endl;
  return 0;
}
