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

TEST_CASE("the overlap of rotated boxes") {
  Module m = compile(
      "def f(a: Tensor, b: Tensor) -> Tensor:\n"
      "    return ops.torchvision.box_iou_rotated(a, b)\n");
  auto iou = [&](std::initializer_list<float> p, std::initializer_list<float> q) {
    Tensor a = zeros({1, 5}), b = zeros({1, 5});
    std::copy(p.begin(), p.end(), a.data_ptr<float>());
    std::copy(q.begin(), q.end(), b.data_ptr<float>());
    return m.run_method("f", {a, b}).toTensor()[0][0].item<double>();
  };
  CHECK(iou({5, 5, 4, 2, 30}, {5, 5, 4, 2, 30}) == Approx(1));
  CHECK(iou({5, 5, 4, 2, 0}, {5, 5, 2, 4, 90}) == Approx(1));
  CHECK(iou({5, 5, 4, 2, 0}, {7, 5, 4, 2, 0}) == Approx(1.0 / 3));
  CHECK(iou({0, 0, 2, 2, 0}, {0, 0, 2, 2, 45}) == Approx(std::sqrt(0.5)));
  CHECK(iou({0, 0, 2, 2, 0}, {9, 0, 2, 2, 45}) == 0);
  CHECK(iou({0, 0, 0, 2, 0}, {0, 0, 2, 2, 0}) == 0);
  CHECK_THROWS_AS(m.run_method("f", {zeros({1, 4}), zeros({1, 5})}), Error);
}

TEST_CASE("convolutions of floats are those of doubles, which are plain sums") {
  Module m = compile(
      "def f(x: Tensor, w: Tensor, b: Optional[Tensor], s: List[int], p: List[int], d: List[int], "
      "t: bool, g: int) "
      "-> Tensor:\n"
      "    zero = [0 for i in s]\n"
      "    y = torch.convolution(x, w, b, s, p, d, t, zero, g)\n"
      "    c : Optional[Tensor] = None\n"
      "    if b is not None:\n"
      "        c = b.to(7)\n"
      "    z = torch.convolution(x.to(7), w.to(7), c, s, p, d, t, zero, g)\n"
      "    return torch.max(torch.abs(y.to(7) - z))\n");
  manual_seed(0);
  struct Form {
    std::vector<int64_t> x, w, stride, padding, dilation;
    int64_t groups = 1;
    bool transposed = false;
  };
  const Form forms[] = {
      {{2, 3, 9}, {4, 3, 3}, {1}, {1}, {1}},
      {{1, 1, 300}, {130, 1, 16}, {8}, {0}, {1}},
      {{2, 5, 7, 11}, {13, 5, 3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {{1, 3, 23, 17}, {25, 3, 7, 7}, {2, 2}, {3, 3}, {1, 1}},
      {{1, 4, 14, 9}, {6, 4, 3, 2}, {3, 2}, {2, 1}, {2, 3}},
      {{1, 24, 13, 12}, {24, 1, 5, 5}, {1, 1}, {2, 2}, {1, 1}, 24},
      {{2, 6, 11, 12}, {12, 1, 3, 3}, {2, 2}, {1, 1}, {1, 1}, 6},
      {{1, 8, 10, 10}, {12, 2, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 4},
      {{1, 70, 7, 7}, {40, 70, 3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {{1, 3, 8, 8}, {5, 3, 3, 3}, {1, 1}, {12, 12}, {12, 12}},
      {{2, 4, 5, 5}, {3, 4, 5, 5}, {1, 1}, {0, 0}, {1, 1}},
      {{1, 16, 6, 6}, {20, 16, 1, 1}, {1, 1}, {0, 0}, {1, 1}},
      {{1, 16, 6, 6}, {20, 16, 1, 1}, {2, 2}, {0, 0}, {1, 1}},
      {{1, 3, 5, 6, 7}, {7, 3, 3, 2, 3}, {1, 1, 1}, {1, 0, 1}, {1, 1, 1}},
      {{1, 4, 6, 6, 6}, {4, 1, 3, 3, 3}, {2, 1, 2}, {1, 1, 1}, {1, 2, 1}, 4},
      {{1, 2, 1, 40}, {3, 2, 1, 3}, {1, 1000}, {0, 3}, {1, 1}},
      {{2, 6, 5, 7}, {6, 4, 4, 4}, {2, 2}, {1, 1}, {1, 1}, 1, true},
      {{1, 4, 3, 4, 5}, {4, 2, 2, 3, 3}, {2, 1, 2}, {0, 1, 1}, {1, 1, 1}, 2, true},
  };
  for (const Form& f : forms) {
    INFO("weight of " << f.w[0] << ", " << f.w[1] << ", dims " << f.x.size() << ", groups "
                      << f.groups);
    Tensor x = randn(f.x), w = randn(f.w);
    for (bool bias : {false, true}) {
      IValue b = bias ? IValue(randn({f.transposed ? f.w[1] * f.groups : f.w[0]})) : IValue();
      double off =
          number(m, "f", {x, w, b, f.stride, f.padding, f.dilation, f.transposed, f.groups});
      CHECK(off < 2e-4);
    }
  }
}

TEST_CASE("pooling by rows is pooling by windows") {
  Module m = compile(
      "def largest(x: Tensor, k: List[int], s: List[int], p: List[int], d: List[int]) -> bool:\n"
      "    y, at = torch.max_pool2d_with_indices(x, k, s, p, d)\n"
      "    return torch.equal(torch.max_pool2d(x, k, s, p, d), y)\n"
      "def mean(x: Tensor, k: List[int], s: List[int], p: List[int], d: List[int]) -> bool:\n"
      "    n = x.size(1)\n"
      "    w = torch.full([n, 1, k[0], k[1]], 1. / float(k[0] * k[1]))\n"
      "    y = torch.conv2d(x, w, None, s, p, [1, 1], n)\n"
      "    return torch.allclose(torch.avg_pool2d(x, k, s, p), y, 1e-4, 1e-5)\n"
      "def whole(x: Tensor) -> bool:\n"
      "    return torch.allclose(torch.adaptive_avg_pool2d(x, [1, 1]), torch.mean(x, [2, 3], "
      "True), 1e-4, 1e-5)\n");
  manual_seed(0);
  using Ints = std::vector<int64_t>;
  for (auto [k, s, p, d] : {std::tuple{Ints{3, 3}, Ints{2, 2}, Ints{1, 1}, Ints{1, 1}},
                            {Ints{2, 3}, Ints{1, 3}, Ints{0, 1}, Ints{2, 1}},
                            {Ints{5, 4}, Ints{3, 1}, Ints{2, 2}, Ints{1, 2}}}) {
    Tensor x = randn({2, 3, 13, 19});
    x.data_ptr<float>()[40] = NAN;
    CHECK(m.run_method("largest", {x.to(kHalf), k, s, p, d}).toBool() == false);  // nan is not nan
    x.data_ptr<float>()[40] = 1;
    CHECK(m.run_method("largest", {x, k, s, p, d}).toBool());
    CHECK(m.run_method("largest", {x.to(kHalf), k, s, p, d}).toBool());
    CHECK(m.run_method("mean", {x, k, s, p, d}).toBool());
    CHECK(m.run_method("whole", {x}).toBool());
  }
}

TEST_CASE("softmax along a dim between others is that along the last") {
  Module m = compile(
      "def f(x: Tensor, log: bool) -> bool:\n"
      "    y = x.transpose(1, -1).contiguous()\n"
      "    if log:\n"
      "        return torch.allclose(torch.log_softmax(x, 1), torch.log_softmax(y, "
      "-1).transpose(1, -1), 1e-5, 1e-6)\n"
      "    return torch.allclose(torch.softmax(x, 1), torch.softmax(y, -1).transpose(1, -1), 1e-5, "
      "1e-7)\n");
  manual_seed(0);
  for (bool log : {false, true}) {
    CHECK(m.run_method("f", {randn({2, 21, 9, 33}), log}).toBool());
    CHECK(m.run_method("f", {randn({3, 5, 700}), log}).toBool());
  }
}

TEST_CASE("a padding mask makes a nested tensor, which is padded again") {
  Module m = compile(
      "def f(x: Tensor, keep: Tensor) -> Tensor:\n"
      "    return torch.to_padded_tensor(torch._nested_tensor_from_mask(x, keep), -1., x.size())\n"
      "def shortest(x: Tensor, keep: Tensor) -> Tensor:\n"
      "    return torch.to_padded_tensor(torch._nested_tensor_from_mask(x, keep), 0.)\n"
      "def aligned(x: Tensor, keep: Tensor) -> bool:\n"
      "    return torch._nested_tensor_from_mask_left_aligned(x, keep)\n"
      "def dense(x: Tensor, keep: Tensor) -> Tensor:\n"
      "    return torch.to_padded_tensor(x, 0.)\n");
  Tensor x = ones({2, 4, 3}), keep = zeros({2, 4}, kBool);
  bool* k = keep.data_ptr<bool>();
  for (int i : {0, 1, 2, 4}) k[i] = true;  // three rows and one
  CHECK(m.run_method("aligned", {x, keep}).toBool());
  Tensor y = m.run_method("f", {x, keep}).toTensor();
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t r = 0; r < 4; ++r)
      CHECK(y[b][r][2].item<float>() == (r < (b == 0 ? 3 : 1) ? 1.f : -1.f));
  CHECK(m.run_method("shortest", {x, keep}).toTensor().sizes() == IntArrayRef({2, 3, 3}));
  k[6] = true;
  CHECK_FALSE(m.run_method("aligned", {x, keep}).toBool());
  CHECK_THROWS_AS(m.run_method("f", {x, keep}), Error);
  CHECK_THROWS_AS(m.run_method("dense", {x, keep}), Error);
}

TEST_CASE("sizes that overflow and numbers that no key finds are errors or answers, not crashes") {
  Module m = compile(
      "def shuffle(r: int) -> Tensor:\n    return torch.pixel_shuffle(torch.zeros([1, 4, 2, 2]), "
      "r)\n"
      "def conv(d: int) -> Tensor:\n"
      "    return torch.conv1d(torch.zeros([1, 1, 64]), torch.zeros([1, 1, 4]), None, [1], [0], "
      "[d], 1)\n"
      "def strided(s: int) -> Tensor:\n    return torch.empty_strided([10, 10], [s, 10])\n"
      "def unpack(n: int) -> Tensor:\n"
      "    p = torch.ones([n, 5], dtype=3)\n"
      "    a, b, c = torch.lu_unpack(torch.zeros([5, 5]), p)\n    return a\n"
      "def default(k: float) -> int:\n"
      "    d : Dict[float, int] = {}\n    return d.setdefault(k, 7)\n");
  CHECK_THROWS_AS(m.run_method("shuffle", {IValue(int64_t{1} << 32)}), OpError);
  CHECK_THROWS_AS(m.run_method("conv", {IValue(int64_t{6148914691236517206})}), OpError);
  CHECK_THROWS_AS(m.run_method("strided", {IValue(int64_t{-10})}), OpError);
  CHECK_THROWS_AS(m.run_method("unpack", {IValue(int64_t{100})}), OpError);
  CHECK(m.run_method("default", {IValue(std::nan(""))}).toInt() == 7);
}

TEST_CASE("a linear layer without input features answers its bias") {
  Module m = compile(
      "def f(x: Tensor, w: Tensor, b: Optional[Tensor]) -> Tensor:\n"
      "    return torch.linear(x, w, b)\n");
  Tensor b = full({3}, 2);
  Tensor y = m.run_method("f", {ones({2, 0}), ones({3, 0}), b}).toTensor();
  CHECK(y.sizes() == IntArrayRef({2, 3}));
  CHECK(y.sum().item<float>() == 12);
  CHECK(m.run_method("f", {ones({2, 0}), ones({3, 0}), IValue()}).toTensor().sum().item<float>() ==
        0);
}

TEST_CASE("complex numbers: each part is made finite, gradients are conjugated") {
  Module m = compile(
      "def finite(x: Tensor) -> Tensor:\n"
      "    y = torch.complex(x / 0., torch.zeros_like(x))[1:]\n"
      "    return torch.view_as_real(torch.nan_to_num(y, 5., 7., -7.))\n"
      "def gradient(x: Tensor) -> Tensor:\n"
      "    z = torch.complex(x, x)\n"
      "    a = torch.tanh_backward(z, z) - z * torch.conj(1 - z * z)\n"
      "    b = torch.sigmoid_backward(z, z) - z * torch.conj((1 - z) * z)\n"
      "    return torch.max(torch.abs(a) + torch.abs(b))\n");
  Tensor x = ones({4});
  x.data_ptr<float>()[0] = 3;
  x.data_ptr<float>()[1] = 0;
  x.data_ptr<float>()[2] = -2;
  const Tensor y = m.run_method("finite", {IValue(x)}).toTensor();
  const std::vector<float> expected{5, 0, -7, 0, 7, 0};
  REQUIRE(y.numel() == 6);
  CHECK(std::vector<float>(y.data_ptr<float>(), y.data_ptr<float>() + 6) == expected);
  CHECK(number(m, "gradient", {x}) < 1e-5);
}

TEST_CASE("a list repeated in place a negative number of times is empty") {
  Module m = compile(
      "def f(n: int) -> int:\n"
      "    l = [1, 2]\n"
      "    l *= n\n"
      "    return len(l)\n");
  for (int64_t n : {-3, 0, 2}) CHECK(m.run_method("f", {IValue(n)}).toInt() == (n > 0 ? 2 * n : 0));
}

TEST_CASE("factors of any dtype are unpacked") {
  Module m = compile(
      "def f(x: Tensor) -> Tensor:\n"
      "    P, L, U = torch.lu_unpack(x, torch.tensor([2, 2], dtype=3))\n"
      "    return torch.stack([P, L, U])\n");
  Tensor x = ones({2, 2});
  x.data_ptr<float>()[2] = 4;
  const Tensor y = m.run_method("f", {IValue(x.to(kLong))}).toTensor();
  REQUIRE(y.numel() == 12);
  const std::vector<int64_t> expected{0, 1, 1, 0, 1, 0, 4, 1, 1, 1, 0, 1};
  CHECK(std::vector<int64_t>(y.data_ptr<int64_t>(), y.data_ptr<int64_t>() + 12) == expected);
}

TEST_CASE("padding a quantised tensor keeps its scale") {
  Module m = compile(
      "def f(x: Tensor) -> Tensor:\n"
      "    q = torch.quantize_per_tensor(x, 0.5, 3, 13)\n"
      "    a = torch.reflection_pad2d(q, [1, 1, 0, 0]).dequantize()\n"
      "    return torch.max(torch.abs(a - torch.reflection_pad2d(q.dequantize(), [1, 1, 0, "
      "0])))\n");
  CHECK(number(m, "f", {ones({1, 2, 3})}) == 0);
}

TEST_CASE("fake quantisation adds a whole zero point after rounding, one with a fraction before") {
  Module m = compile(
      "def whole(x: Tensor) -> Tensor:\n"
      "    return torch.fake_quantize_per_tensor_affine(x, 0.5, 3, 0, 255)\n"
      "def real(x: Tensor) -> Tensor:\n"
      "    return torch.fake_quantize_per_channel_affine(x, torch.tensor([0.5]), "
      "torch.tensor([3.]), 0, 0, 255)\n");
  Tensor x = ones({1});
  x.data_ptr<float>()[0] = 0.25;  // half of a step
  CHECK(number(m, "whole", {x}) == 0);
  CHECK(number(m, "real", {x}) == 0.5);
}

TEST_CASE("generators that answer a tensor of their own draw what the in-place ones write") {
  Module m = compile(
      "def fresh(x: Tensor, i: int) -> Tensor:\n"
      "    torch.manual_seed(5)\n"
      "    return [torch.uniform(x, 1., 2.), torch.normal_functional(x, 1., 2.), "
      "torch.exponential(x, 2.),\n"
      "            torch.geometric(x, 0.5), torch.cauchy(x, 1., 2.), torch.log_normal(x, 0.5, "
      "1.),\n"
      "            torch.random(x), torch.random(x, 7), torch.random(x, 3, 9)][i]\n"
      "def written(x: Tensor, i: int) -> Tensor:\n"
      "    torch.manual_seed(5)\n"
      "    y = [torch.empty_like(x) for k in range(9)]\n"
      "    y[0].uniform_(1., 2.)\n"
      "    y[1].normal_(1., 2.)\n"
      "    y[2].exponential_(2.)\n"
      "    y[3].geometric_(0.5)\n"
      "    y[4].cauchy_(1., 2.)\n"
      "    y[5].log_normal_(0.5, 1.)\n"
      "    y[6].random_()\n"
      "    y[7].random_(7)\n"
      "    y[8].random_(3, 9)\n"
      "    return y[i]\n"
      "def largest_difference(x: Tensor, y: Tensor) -> Tensor:\n"
      "    return torch.max(torch.abs(x - y)).to(7)\n");
  const Tensor x = zeros({50});
  for (int64_t i = 0; i < 9; ++i) {
    INFO(i);
    const Tensor a = m.run_method("fresh", {x, i}).toTensor();
    CHECK(number(m, "largest_difference", {a, m.run_method("written", {x, i})}) == 0);
    CHECK(a.max().item<double>() > 0);
  }
  CHECK(x.max().item<double>() == 0);
}
