// SPDX-License-Identifier: Apache-2.0
// Products and convolutions of the CUDA kernels against the CPU's, over many forms: on the emulated
// library, and on a GPU where SCONCE_CUDA_LIBRARY names its kernels.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <initializer_list>
#include <random>
#include <string>

#include "backends/cuda/fast_division.h"
#include "compare.h"
#include "sconce/sconce.h"

using namespace sconce;

namespace {
const Device kCuda{DeviceType::CUDA, 0};
void use_emulation() { setenv("SCONCE_CUDA_LIBRARY", SCONCE_CUDA_EMULATED, 0); }

// Nothing goes to the CPU unnoticed.
LoadOptions strict() {
  LoadOptions o;
  o.strict_device = true;
  return o;
}
double tolerance(ScalarType t) {
  return t == kBFloat16 ? 2e-2 : t == kHalf ? 4e-3 : t == kDouble ? 1e-10 : 1e-4;
}
// The method's answer there is the CPU's.
void same(const Module& m, const char* method, std::vector<IValue> inputs, double tolerance) {
  Tensor expected = m.run_method(method, inputs).toTensor();
  for (IValue& v : inputs)
    if (v.isTensor()) v = IValue(v.toTensor().to(kCuda));
  Tensor there = m.run_method(method, inputs).toTensor();
  CHECK(there.device() == kCuda);
  auto d = tool::difference(IValue(there.cpu().to(kDouble)), IValue(expected.to(kDouble)),
                            {"close", tolerance, tolerance}, method);
  INFO(d.value_or(""));
  CHECK_FALSE(d);
}

const char* kConvolutions =
    "def conv1d(x: Tensor, w: Tensor, b: Optional[Tensor], stride: List[int], pad: List[int], "
    "dilation: List[int], groups: int) -> Tensor:\n"
    "    return torch.conv1d(x, w, b, stride, pad, dilation, groups)\n"
    "def conv2d(x: Tensor, w: Tensor, b: Optional[Tensor], stride: List[int], pad: List[int], "
    "dilation: List[int], groups: int) -> Tensor:\n"
    "    return torch.conv2d(x, w, b, stride, pad, dilation, groups)\n"
    "def conv3d(x: Tensor, w: Tensor, b: Optional[Tensor], stride: List[int], pad: List[int], "
    "dilation: List[int], groups: int) -> Tensor:\n"
    "    return torch.conv3d(x, w, b, stride, pad, dilation, groups)\n"
    "def transposed(x: Tensor, w: Tensor, b: Optional[Tensor], stride: List[int], pad: List[int], "
    "out_pad: List[int], groups: int, dilation: List[int]) -> Tensor:\n"
    "    return torch.conv_transpose2d(x, w, b, stride, pad, out_pad, groups, dilation)\n"
    "def permuted(x: Tensor, w: Tensor, b: Optional[Tensor], stride: List[int], pad: List[int], "
    "dilation: List[int], groups: int) -> Tensor:\n"
    "    y = x.transpose(2, 3)\n"
    "    z = torch.conv2d(y, w, b, stride, pad, dilation, groups)\n"
    "    return z + torch.conv2d(y[:, :, 1:], w, b, stride, pad, dilation, groups).sum()\n"
    "def expanded(x: Tensor, w: Tensor, b: Tensor) -> Tensor:\n"
    "    y = x[:, :1].expand(x.size(0), w.size(1), x.size(2), x.size(3))\n"
    "    return torch.conv2d(y, w, b[::2])\n"
    "def channels_last(x: Tensor, w: Tensor, b: Optional[Tensor], stride: List[int], pad: "
    "List[int], dilation: List[int], groups: int) -> Tensor:\n"
    "    y = x.contiguous(memory_format=2)\n"
    "    return torch.conv2d(y, w, b, stride, pad, dilation, groups)\n";

struct Form {
  int64_t images, in, out, groups, height, width, taps, stride, pad, dilation;
};
std::vector<IValue> inputs_of(const Form& f, ScalarType t, bool bias, int dims = 2) {
  std::vector<int64_t> x{f.images, f.in}, w{f.out, f.in / f.groups};
  if (dims == 3) x.push_back(4), w.push_back(f.taps < 4 ? f.taps : 3);
  if (dims > 1) x.push_back(f.height), w.push_back(f.taps);
  x.push_back(f.width), w.push_back(f.taps);
  auto all = [&](int64_t v) { return IValue(std::vector<int64_t>(static_cast<size_t>(dims), v)); };
  return {IValue(randn(x).to(t)),
          IValue(randn(w).to(t)),
          bias ? IValue(randn({f.out}).to(t)) : IValue(),
          all(f.stride),
          all(f.pad),
          all(f.dilation),
          IValue(f.groups)};
}
}  // namespace

TEST_CASE("indices are divided by multiplication", "[device]") {
  std::mt19937 random(1);
  std::vector<uint32_t> numbers{0, 1, 2, 3, 0x7fffffff, 0x7ffffffe, 0x40000000, 0x3fffffff};
  for (int i = 0; i < 300; ++i) numbers.push_back(random() >> (1 + random() % 31));
  std::vector<int64_t> divisors;
  for (int64_t d = 1; d < 1200; ++d) divisors.push_back(d);
  for (int64_t power = 1024; power < int64_t{1} << 31; power *= 2)
    for (int64_t d : {power - 1, power, power + 1}) divisors.push_back(d);
  for (int i = 0; i < 1000; ++i) divisors.push_back(1 + (random() >> 1) % 0x7ffffffe);
  divisors.push_back(0x7fffffff);
  int64_t wrong = 0;
  for (int64_t d : divisors) {
    const cuda::Divisor<uint32_t> by(d);
    auto check = [&](uint32_t x) {
      uint32_t quotient = x;
      const uint32_t rest = by.split(quotient);
      wrong += quotient != x / d || rest != x % d;
    };
    for (uint32_t x : numbers) {
      check(x);
      // Where the quotient changes.
      const uint64_t multiple = (x / static_cast<uint64_t>(d) + 1) * static_cast<uint64_t>(d);
      if (multiple <= 0x7fffffff) {
        check(static_cast<uint32_t>(multiple));
        check(static_cast<uint32_t>(multiple - 1));
      }
    }
  }
  CHECK(wrong == 0);
  const cuda::Divisor<uint64_t> by(int64_t{3} << 40);
  uint64_t x = (uint64_t{7} << 40) + 5;
  CHECK(by.split(x) == (uint64_t{1} << 40) + 5);
  CHECK(x == 2);
}

TEST_CASE("convolutions of one element read the input itself", "[device]") {
  use_emulation();
  Module m = compile(kConvolutions, strict());
  const Form forms[] = {// images, in, out, groups, height, width, taps, stride, pad, dilation
                        {1, 16, 24, 1, 9, 11, 1, 1, 0, 1},  {3, 16, 24, 1, 9, 11, 1, 1, 0, 1},
                        {3, 20, 7, 1, 7, 7, 1, 1, 0, 1},    {5, 32, 16, 1, 4, 4, 1, 1, 0, 1},
                        {2, 33, 65, 1, 12, 13, 1, 2, 0, 1}, {2, 64, 16, 4, 8, 9, 1, 1, 0, 1},
                        {1, 64, 16, 4, 8, 9, 1, 1, 0, 1},   {2, 17, 1, 1, 8, 9, 1, 1, 0, 1},
                        {4, 16, 8, 1, 1, 1, 1, 1, 0, 1},    {2, 16, 8, 1, 5, 6, 1, 1, 2, 1},
                        {2, 5, 8, 1, 5, 6, 1, 1, 0, 1}};
  for (const Form& f : forms)
    for (ScalarType t : {kFloat, kDouble, kHalf, kBFloat16})
      for (bool bias : {true, false}) {
        same(m, "conv2d", inputs_of(f, t, bias), tolerance(t) * 4);
        same(m, "channels_last", inputs_of(f, t, bias), tolerance(t) * 4);
      }
  same(m, "expanded", {randn({3, 2, 6, 7}), randn({8, 20, 1, 1}), randn({16})}, 1e-4);
}

TEST_CASE("convolutions by columns are the CPU's", "[device]") {
  use_emulation();
  Module m = compile(kConvolutions, strict());
  const Form forms[] = {// images, in, out, groups, height, width, taps, stride, pad, dilation
                        {1, 8, 12, 1, 14, 14, 3, 1, 1, 1}, {2, 8, 12, 1, 14, 14, 3, 1, 1, 1},
                        {5, 3, 10, 1, 13, 17, 3, 2, 1, 1}, {3, 4, 9, 1, 7, 7, 3, 1, 1, 1},
                        {2, 3, 8, 1, 22, 19, 7, 2, 3, 1},  {2, 6, 8, 1, 12, 12, 5, 1, 2, 1},
                        {3, 8, 16, 4, 9, 10, 3, 1, 2, 2},  {1, 8, 16, 4, 9, 10, 3, 1, 2, 2},
                        {2, 12, 8, 2, 6, 5, 3, 3, 0, 1},   {1, 5, 6, 1, 3, 3, 3, 1, 0, 1},
                        {4, 5, 6, 1, 3, 3, 3, 1, 0, 1},    {2, 9, 3, 1, 30, 31, 3, 1, 1, 1},
                        {2, 4, 6, 1, 9, 1, 5, 1, 2, 1},    {2, 2, 5, 1, 40, 40, 3, 1, 1, 3},
                        {2, 5, 6, 1, 2, 3, 5, 1, 4, 1}};
  for (const Form& f : forms)
    for (ScalarType t : {kFloat, kDouble, kHalf, kBFloat16})
      for (bool bias : {true, false}) {
        same(m, "conv2d", inputs_of(f, t, bias), tolerance(t) * 4);
        same(m, "channels_last", inputs_of(f, t, bias), tolerance(t) * 4);
      }
  for (const Form& f : forms)
    if (f.width > 5 && f.height > 5) {
      Form turned = f;
      std::swap(turned.height, turned.width);
      same(m, "permuted", inputs_of(turned, kFloat, true), 1e-3);
    }
}

TEST_CASE("convolutions of one and three dims are the CPU's", "[device]") {
  use_emulation();
  Module m = compile(kConvolutions, strict());
  const Form forms[] = {// images, in, out, groups, height, width, taps, stride, pad, dilation
                        {1, 8, 12, 1, 6, 14, 3, 1, 1, 1}, {3, 8, 12, 1, 6, 15, 3, 2, 1, 1},
                        {2, 16, 8, 1, 5, 7, 1, 1, 0, 1},  {3, 8, 16, 2, 6, 9, 3, 1, 2, 2},
                        {2, 6, 6, 6, 6, 9, 3, 1, 1, 1},   {2, 6, 12, 6, 7, 12, 3, 2, 1, 1},
                        {2, 3, 5, 1, 8, 10, 5, 1, 2, 1}};
  for (const Form& f : forms)
    for (ScalarType t : {kFloat, kHalf})
      for (bool bias : {true, false}) {
        same(m, "conv1d", inputs_of(f, t, bias, 1), tolerance(t) * 4);
        same(m, "conv3d", inputs_of(f, t, bias, 3), tolerance(t) * 8);
      }
}

TEST_CASE("convolutions of one channel a group are the CPU's", "[device]") {
  use_emulation();
  Module m = compile(kConvolutions, strict());
  const Form forms[] = {// images, in, out, groups, height, width, taps, stride, pad, dilation
                        {1, 8, 8, 8, 12, 12, 3, 1, 1, 1},   {3, 7, 7, 7, 9, 11, 3, 2, 1, 1},
                        {2, 5, 10, 5, 10, 9, 5, 1, 2, 1},   {2, 4, 4, 4, 17, 18, 7, 2, 3, 1},
                        {2, 6, 18, 6, 8, 8, 3, 1, 2, 2},    {2, 6, 6, 6, 1, 3, 1, 1, 0, 1},
                        {1, 1, 16, 1, 8, 9, 5, 1, 2, 1},    {2, 3, 3, 3, 2, 2, 3, 1, 1, 1},
                        {2, 16, 16, 16, 16, 16, 3, 2, 1, 1}};
  for (const Form& f : forms)
    for (ScalarType t : {kFloat, kDouble, kHalf, kBFloat16})
      for (bool bias : {true, false}) {
        same(m, "conv2d", inputs_of(f, t, bias), tolerance(t) * 2);
        same(m, "channels_last", inputs_of(f, t, bias), tolerance(t) * 2);
      }
  for (const Form& f : forms)
    if (f.height > f.taps && f.width > f.taps)
      same(m, "permuted", inputs_of(f, kFloat, true), 1e-3);
}

TEST_CASE("transposed and empty convolutions are the CPU's", "[device]") {
  use_emulation();
  Module m = compile(kConvolutions, strict());
  auto two = [](int64_t v) { return IValue(std::vector<int64_t>{v, v}); };
  const int64_t forms[][7] = {// images, in, out of a group, groups, taps, stride, pad
                              {2, 6, 4, 1, 3, 2, 1},
                              {1, 8, 8, 1, 2, 2, 0},
                              {3, 4, 3, 2, 4, 2, 1},
                              {2, 4, 1, 4, 3, 1, 1},
                              {1, 20, 5, 1, 3, 3, 0}};
  for (auto& f : forms)
    for (ScalarType t : {kFloat, kHalf, kBFloat16, kDouble})
      for (int64_t dilation : {1, 2})
        same(m, "transposed",
             {IValue(randn({f[0], f[1], 6, 7}).to(t)),
              IValue(randn({f[1], f[2], f[4], f[4]}).to(t)), IValue(randn({f[2] * f[3]}).to(t)),
              two(f[5]), two(f[6]), two(f[5] > 1 ? 1 : 0), IValue(f[3]), two(dilation)},
             tolerance(t) * 4);
  same(m, "conv2d", inputs_of({0, 16, 8, 1, 6, 6, 3, 1, 1, 1}, kFloat, true), 1e-4);
}

TEST_CASE("products of many forms are the CPU's", "[device]") {
  use_emulation();
  Module m = compile(
      "def linear(x: Tensor, w: Tensor, b: Optional[Tensor]) -> Tensor:\n"
      "    return torch.linear(x, w, b)\n"
      "def odd_bias(x: Tensor, w: Tensor, b: Tensor) -> Tensor:\n"
      "    return torch.linear(x, w, b[1::2])\n"
      "def columns(x: Tensor, w: Tensor, b: Tensor) -> Tensor:\n"
      "    return torch.linear(x.transpose(0, 1), w.transpose(0, 1), b)\n"
      "def parts(x: Tensor, w: Tensor, b: Optional[Tensor]) -> Tensor:\n"
      "    return torch.linear(x[1:, 1:], w[:, 1:], b)\n"
      "def spread(x: Tensor, w: Tensor) -> Tensor:\n"
      "    return torch.mm(x[:, ::2], w[::2])\n"
      "def product(a: Tensor, b: Tensor) -> Tensor:\n"
      "    return torch.matmul(a, b)\n"
      "def sum(s: Tensor, a: Tensor, b: Tensor, beta: float, alpha: float) -> Tensor:\n"
      "    return torch.addmm(s, a, b, beta=beta, alpha=alpha)\n"
      "def sums(s: Tensor, a: Tensor, b: Tensor, beta: float, alpha: float) -> Tensor:\n"
      "    return torch.baddbmm(s, a, b, beta=beta, alpha=alpha)\n",
      strict());
  for (ScalarType t : {kFloat, kDouble, kHalf, kBFloat16}) {
    const double tol = tolerance(t) * 4;
    auto r = [&](std::initializer_list<int64_t> sizes) {
      return IValue(randn(std::vector<int64_t>(sizes)).to(t));
    };
    for (int64_t rows : {1, 2, 3, 4, 5, 17})
      for (int64_t k : {1, 7, 16, 40, 129})
        for (int64_t n : {1, 2, 9, 64}) {
          same(m, "linear", {r({rows, k}), r({n, k}), r({n})}, tol);
          same(m, "linear", {r({rows, k}), r({n, k}), IValue()}, tol);
          same(m, "odd_bias", {r({rows, k}), r({n, k}), r({2 * n + 1})}, tol);
          same(m, "columns", {r({k, rows}), r({k, n}), r({n})}, tol);
          same(m, "parts", {r({rows + 1, k + 1}), r({n, k + 1}), r({n})}, tol);
          same(m, "product", {r({rows, k}), r({k, n})}, tol);
        }
    same(m, "linear", {r({1, 5000}), r({3, 5000}), r({3})}, tol * 20);
    same(m, "linear", {r({2, 3, 24}), r({10, 24}), r({10})}, tol);
    same(m, "linear", {r({24}), r({10, 24}), r({10})}, tol);
    same(m, "spread", {r({3, 24}), r({24, 8})}, tol);
    same(m, "spread", {r({9, 24}), r({24, 8})}, tol);
    same(m, "product", {r({24}), r({24})}, tol);
    same(m, "product", {r({9, 24}), r({24})}, tol);
    same(m, "product", {r({24}), r({24, 9})}, tol);
    same(m, "product", {r({3, 1, 24}), r({3, 24, 5})}, tol);
    same(m, "product", {r({2, 3, 6, 24}), r({3, 24, 5})}, tol);
    same(m, "product", {r({0, 24}), r({24, 5})}, tol);
    same(m, "product", {r({3, 0}), r({0, 5})}, tol);
    for (double beta : {0.0, 1.0, 0.5})
      for (double alpha : {1.0, -2.0})
        for (int64_t rows : {1, 6}) {
          same(m, "sum", {r({5}), r({rows, 12}), r({12, 5}), IValue(beta), IValue(alpha)}, tol * 2);
          same(m, "sums",
               {r({2, rows, 5}), r({2, rows, 12}), r({2, 12, 5}), IValue(beta), IValue(alpha)},
               tol * 2);
        }
  }
}

TEST_CASE("attention is the CPU's", "[device]") {
  use_emulation();
  Module m = compile(
      "def attend(q: Tensor, k: Tensor, v: Tensor, mask: Optional[Tensor], causal: bool) -> "
      "Tensor:\n"
      "    return torch.scaled_dot_product_attention(q, k, v, mask, 0., causal)\n"
      "def heads(x: Tensor, mask: Optional[Tensor], causal: bool) -> Tensor:\n"
      "    y = x.view(x.size(0), x.size(1), 4, -1).transpose(1, 2)\n"
      "    return torch.scaled_dot_product_attention(y, y, y, mask, 0., causal)\n"
      "def blind(q: Tensor, k: Tensor, v: Tensor) -> Tensor:\n"
      "    mask = torch.ones([q.size(2), k.size(2)], dtype=11, device=q.device)\n"
      "    mask[1:3] = False\n"
      "    return torch.scaled_dot_product_attention(q, k, v, mask)\n",
      strict());
  for (ScalarType t : {kFloat, kDouble, kHalf, kBFloat16}) {
    const double tol = tolerance(t) * 4;
    auto r = [&](std::initializer_list<int64_t> sizes) {
      return IValue(randn(std::vector<int64_t>(sizes)).to(t));
    };
    for (int64_t L : {1, 5, 33})
      for (int64_t S : {1, 7, 40, 70}) {
        auto q = r({2, 3, L, 16}), k = r({2, 3, S, 16}), v = r({2, 3, S, 12});
        same(m, "attend", {q, k, v, IValue(), IValue(false)}, tol);
        same(m, "attend", {q, k, v, IValue(), IValue(true)}, tol);
        same(m, "attend", {q, k, v, r({L, S}), IValue(false)}, tol);
        same(m, "attend", {q, k, v, r({2, 1, 1, S}), IValue(false)}, tol);
        same(m, "blind", {q, k, v}, tol);
      }
    same(m, "attend",
         {r({1, 1, 2, 16}), r({1, 1, 1300, 16}), r({1, 1, 1300, 4}), r({2, 1300}), IValue(false)},
         tol);
    same(m, "heads", {r({2, 9, 32}), IValue(), IValue(true)}, tol);
    same(m, "heads", {r({1, 9, 20}), r({9, 9}), IValue(false)}, tol);
  }
}

TEST_CASE("convolutions whose columns do not fit at once are the CPU's", "[.large]") {
  use_emulation();
  Module m = compile(kConvolutions, strict());
  // Images apart, and joined.
  same(m, "conv2d", inputs_of({40, 64, 1, 1, 56, 56, 3, 1, 1, 1}, kFloat, true), 1e-3);
  same(m, "conv2d", inputs_of({161, 256, 1, 1, 14, 14, 3, 1, 1, 1}, kFloat, true), 1e-3);
  same(m, "conv2d", inputs_of({161, 256, 1, 1, 14, 14, 3, 1, 1, 1}, kHalf, true), 5e-2);
}
