// SPDX-License-Identifier: Apache-2.0
// Identities of operator families that the fixtures don't touch; the corpus has PyTorch's numbers.
#include <catch2/catch.hpp>
#include <cmath>

#include "sconce/sconce.h"

using namespace sconce;

namespace {
double number(const Module& m, const char* f, std::vector<IValue> in) {
  return m.run_method(f, std::move(in)).toTensor().item<double>();
}
}  // namespace

TEST_CASE("a Fourier transform and its inverse give the signal back") {
  Module m = compile(
      "def f(x: Tensor) -> Tensor:\n"
      "    y = torch.fft_ifft(torch.fft_fft(x))\n"
      "    return torch.max(torch.abs(torch.real(y) - x)).to(7)\n"
      "def parseval(x: Tensor) -> Tensor:\n"
      "    y = torch.fft_fft(x, norm=\"ortho\")\n"
      "    a = torch.sum(torch.pow(torch.abs(y), 2))\n"
      "    return torch.abs(a / torch.sum(torch.pow(x, 2)) - 1.).to(7)\n"
      "def real(x: Tensor) -> Tensor:\n"
      "    y = torch.fft_irfft(torch.fft_rfft(x), x.size(0))\n"
      "    return torch.max(torch.abs(y - x)).to(7)\n");
  manual_seed(0);
  // Powers of two, mixed factors, primes summed directly and primes by convolution.
  for (int64_t n : {1, 2, 7, 60, 64, 97, 101, 202, 1009}) {
    INFO("length " << n);
    Tensor x = randn({n});
    CHECK(number(m, "f", {x}) < 1e-5);
    CHECK(number(m, "parseval", {x}) < 1e-5);
    CHECK(number(m, "real", {x}) < 1e-5);
  }
}

TEST_CASE("factorisations multiply back") {
  Module m = compile(
      "def largest(x: Tensor) -> Tensor:\n"
      "    return torch.max(torch.abs(x)).to(7)\n"
      "def solve(a: Tensor, b: Tensor) -> Tensor:\n"
      "    return largest(torch.matmul(a, torch.linalg_solve(a, b)) - b)\n"
      "def lu(a: Tensor) -> Tensor:\n"
      "    P, L, U = torch.linalg_lu(a)\n"
      "    return largest(torch.matmul(P, torch.matmul(L, U)) - a)\n"
      "def qr(a: Tensor) -> Tensor:\n"
      "    Q, R = torch.linalg_qr(a)\n"
      "    return largest(torch.matmul(Q, R) - a)\n"
      "def svd(a: Tensor) -> Tensor:\n"
      "    U, S, V = torch.linalg_svd(a, False)\n"
      "    return largest(torch.matmul(U * S.unsqueeze(-2), V) - a)\n"
      "def cholesky(a: Tensor) -> Tensor:\n"
      "    p = torch.matmul(a, a.transpose(-2, -1)) + torch.eye(a.size(-1), dtype=7)\n"
      "    L = torch.linalg_cholesky(p)\n"
      "    return largest(torch.matmul(L, L.transpose(-2, -1)) - p)\n"
      "def eigen(a: Tensor) -> Tensor:\n"
      "    s = a + a.transpose(-2, -1)\n"
      "    w, v = torch.linalg_eigh(s)\n"
      "    return largest(torch.matmul(v * w.unsqueeze(-2), v.transpose(-2, -1)) - s)\n");
  manual_seed(0);
  for (int64_t n : {1, 2, 5, 17}) {
    INFO("size " << n);
    Tensor a = randn({3, n, n}).to(kDouble), b = randn({3, n, 2}).to(kDouble);
    CHECK(number(m, "solve", {a, b}) < 1e-9);
    for (const char* f : {"lu", "qr", "svd", "cholesky", "eigen"}) {
      INFO(f);
      CHECK(number(m, f, {a}) < 1e-9);
    }
  }
  CHECK_THROWS_AS(m.run_method("solve", {zeros({2, 2}, kDouble), ones({2, 1}, kDouble)}), Error);
  CHECK_THROWS_AS(m.run_method("lu", {ones({3}, kDouble)}), Error);
}

TEST_CASE("quantised numbers lie within half a step") {
  Module m = compile(
      "def f(x: Tensor) -> Tensor:\n"
      "    q = torch.quantize_per_tensor(x, 0.05, 10, 13)\n"
      "    return torch.max(torch.abs(torch.dequantize(q) - torch.clamp(x, -0.5, 12.25))).to(7)\n"
      "def dynamic(x: Tensor, w: Tensor) -> Tensor:\n"
      "    q = torch.quantize_per_tensor(w, 0.02, 0, 12)\n"
      "    p = ops.quantized.linear_prepack(q, None)\n"
      "    y = ops.quantized.linear_dynamic(x, p)\n"
      "    return torch.max(torch.abs(y - torch.linear(x, torch.dequantize(q), None))).to(7)\n");
  manual_seed(0);
  CHECK(number(m, "f", {randn({100})}) <= 0.0251);
  CHECK(number(m, "dynamic", {randn({4, 32}), randn({8, 32})}) < 0.5);
}

TEST_CASE("overlapping boxes are suppressed by rank") {
  Module m = compile(
      "def f(b: Tensor, s: Tensor) -> Tensor:\n"
      "    return ops.torchvision.nms(b, s, 0.5)\n");
  Tensor boxes = zeros({3, 4}), scores = zeros({3});
  float* b = boxes.data_ptr<float>();
  float given[] = {0, 0, 10, 10, 1, 1, 11, 11, 20, 20, 30, 30};
  std::copy(std::begin(given), std::end(given), b);
  float s[] = {0.5f, 0.9f, 0.1f};
  std::copy(std::begin(s), std::end(s), scores.data_ptr<float>());
  Tensor kept = m.run_method("f", {boxes, scores}).toTensor();
  REQUIRE(kept.sizes() == IntArrayRef({2}));
  CHECK(kept[0].item<int64_t>() == 1);
  CHECK(kept[1].item<int64_t>() == 2);
}
