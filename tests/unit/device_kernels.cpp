// SPDX-License-Identifier: Apache-2.0
// The device's kernels beside the CPU's: sizes about the widths of groups, warps and blocks,
// unaligned and strided operands, broadcasting, half types. scripts/gpu_check runs them on a GPU.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <limits>

#include "compare.h"
#include "sconce/sconce.h"

using namespace sconce;

namespace {
const Device kCuda{DeviceType::CUDA, 0};
// Unless the environment names another library: that of a GPU.
void use_emulation() { setenv("SCONCE_CUDA_LIBRARY", SCONCE_CUDA_EMULATED, 0); }
const int64_t kSizes[] = {0, 1, 3, 4, 5, 8, 31, 32, 33, 127, 1000, 4097};
const ScalarType kFloats[] = {kFloat, kHalf, kBFloat16};

// A method that gives a list of tensors, on the CPU and on the device. Views are made by the
// method: a tensor that is moved begins at an aligned address.
void same(Module& m, const char* method, const std::vector<IValue>& inputs,
          double tolerance = 1e-5) {
  std::vector<IValue> there = inputs;
  std::string sizes;
  for (IValue& v : there)
    if (v.isTensor()) {
      for (int64_t n : v.toTensor().sizes()) sizes += std::to_string(n) + ",";
      sizes += std::string(" ") + scalar_type_name(v.toTensor().scalar_type()) + "; ";
      v = IValue(v.toTensor().to(kCuda));
    }
  const auto expected = m.run_method(method, inputs).toListVector(),
             out = m.run_method(method, there).toListVector();
  REQUIRE(out.size() == expected.size());
  for (size_t i = 0; i < out.size(); ++i) {
    auto d = tool::difference(IValue(out[i].toTensor().cpu()), expected[i],
                              {"close", tolerance, tolerance}, std::to_string(i));
    INFO(method << " of " << sizes << d.value_or(""));
    CHECK_FALSE(d);
  }
}
// Two steps of the type's last place.
double tolerance(ScalarType t) { return t == kHalf ? 2e-3 : t == kBFloat16 ? 2e-2 : 1e-5; }
}  // namespace

TEST_CASE("elementwise kernels of a device are the CPU's", "[device]") {
  use_emulation();
  Module m = compile(
      "def dense(a: Tensor, b: Tensor) -> List[Tensor]:\n"
      "    return [a + b, a - b, a * b, a / b, torch.maximum(a, b), torch.minimum(a, b), a + 2,\n"
      "            3 - a, a * 0.5, 1 / b, torch.add(a, b, alpha=2), a > b, a.relu(), a.sigmoid(),\n"
      "            a.tanh(), a.exp(), a.abs(), -a, torch.gelu(a), a.clamp(-1, 1),\n"
      "            torch.where(a > b, a, b), a.masked_fill(a > b, -1.5), a.lgamma(), a.clone(),\n"
      "            a.to(7), a.to(4), torch.full_like(a, 1.25),\n"
      "            torch.lerp(a, b, 0.25), torch.addcmul(a, a, b), a.fill_(3)]\n"
      "def unaligned(a: Tensor, b: Tensor) -> List[Tensor]:\n"
      "    x = a[1:]\n"
      "    y = b[1:]\n"
      "    z = a[:-1]\n"
      "    o = torch.zeros_like(a)\n"
      "    o[1:].copy_(x)\n"
      "    p = torch.zeros_like(a)\n"
      "    p[3:].fill_(7)\n"
      "    return [x + y, x + z, x.relu(), z * y, x.clone(), torch.where(x > y, x, z), o, p]\n"
      "def strided(a: Tensor, b: Tensor) -> List[Tensor]:\n"
      "    return [a[::2] + b[::2], a[::3].relu(), a[::2].clone(), a[::2] + b[:a[::2].size(0)]]\n");
  for (ScalarType t : kFloats)
    for (int64_t n : kSizes) {
      Tensor a = randn({n}).to(t), b = (rand({n}) + full({1}, 0.5)).to(t);
      same(m, "dense", {a, b}, tolerance(t));
      if (n > 3) same(m, "unaligned", {a, b}, tolerance(t));
      if (n > 3) same(m, "strided", {a, b}, tolerance(t));
    }
  Module ints = compile(
      "def dense(a: Tensor, b: Tensor) -> List[Tensor]:\n"
      "    return [a + b, a * b, a // (b * b + 1), a == b, a.clone(), a.to(6), -a,\n"
      "            torch.full_like(a, 3), a[1:].clone(), a[::2].clone()]\n");
  for (ScalarType t : {kLong, kInt, kShort, kByte, kDouble})
    for (int64_t n : {1, 4, 33, 1001})
      same(ints, "dense", {(rand({n}) * full({1}, 9)).to(t), (rand({n}) * full({1}, 9)).to(t)});
  // Values that no order holds.
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              inf = std::numeric_limits<float>::infinity();
  Tensor odd = full({9}, nan);
  for (int i = 0; i < 6; ++i)
    odd.data_ptr<float>()[i] = (const float[]){0, -0.0f, inf, -inf, 1, -1}[i];
  same(m, "dense", {odd, ones({9})});
  same(m, "dense", {ones({9}), odd});
}

TEST_CASE("elementwise kernels of a device broadcast and permute", "[device]") {
  use_emulation();
  Module m = compile(
      "def last(x: Tensor, bias: Tensor, row: Tensor, one: Tensor) -> List[Tensor]:\n"
      "    return [x + bias, x * row, x - one, bias + x, x / (one * one + 1), torch.where(x > row, "
      "x, bias),\n"
      "            x + bias[:, ::1] * 1, x.expand(2, -1, -1, -1) + bias, x[:, 1:] + bias,\n"
      "            bias.expand_as(x).clone(), one.expand_as(x).contiguous()]\n"
      "def permuted(x: Tensor) -> List[Tensor]:\n"
      "    y = x.permute(0, 2, 1, 3)\n"
      "    z = x.transpose(1, 3)\n"
      "    return [y.contiguous(), z.contiguous(), x.permute(3, 2, 1, 0).contiguous(), y + "
      "y.clone(),\n"
      "            z + z.clone(), z.relu(), x.permute(0, 2, 3, 1).contiguous(), z + "
      "z.contiguous(),\n"
      "            x.transpose(2, 3).contiguous(), x[:, :, 1:].transpose(2, 3).contiguous(),\n"
      "            x.transpose(2, 3).to(7), x.flatten(1).t().contiguous(),\n"
      "            x.contiguous(memory_format=2)]\n");
  for (ScalarType t : kFloats)
    for (int64_t n : {1, 3, 4, 8, 31, 33, 64, 130}) {
      Tensor x = randn({3, 5, n}).to(t);
      same(m, "last", {x, randn({1, n}).to(t), randn({3, 5, 1}).to(t), randn({1}).to(t)},
           tolerance(t));
      same(m, "permuted", {randn({2, 6, 7, n}).to(t)}, tolerance(t));
    }
  // In several pieces where the device is emulated.
  same(m, "permuted", {randn({3, 40, 33, 36})});
  same(m, "last", {randn({40, 20, 64}), randn({1, 64}), randn({40, 20, 1}), randn({1})});
  for (ScalarType t : {kByte, kShort, kLong, kDouble})
    same(m, "permuted", {(rand({2, 40, 33, 36}) * full({1}, 100)).to(t)});
}

TEST_CASE("softmax and layer norm of a device are the CPU's at all lengths of rows", "[device]") {
  use_emulation();
  Module m = compile(
      "def softmax(x: Tensor) -> List[Tensor]:\n"
      "    return [x.softmax(-1), x.log_softmax(-1), x.softmax(0), x[:, 1:].softmax(-1),\n"
      "            x.transpose(0, 1).contiguous().transpose(0, 1).softmax(-1),\n"
      "            x[:, None].expand(-1, 2, -1).softmax(-1)]\n"
      "def norm(x: Tensor, w: Tensor, b: Tensor) -> List[Tensor]:\n"
      "    n = [x.size(-1)]\n"
      "    y = x[:, 1:]\n"
      "    z = x.transpose(0, 1).contiguous().transpose(0, 1)\n"
      "    return [torch.layer_norm(x, n, w, b), torch.layer_norm(x, n), torch.layer_norm(x, n, "
      "w),\n"
      "            torch.layer_norm(y, [y.size(-1)], w[1:], b[1:]), torch.layer_norm(z, n, w, b),\n"
      "            torch.rms_norm(x, n, w, 1e-5), torch.layer_norm(x[:, None], n, w, b)]\n"
      "def statistics(x: Tensor, w: Tensor, b: Tensor) -> List[Tensor]:\n"
      "    y, mean, rstd = torch.native_layer_norm(x, [x.size(-1)], w, b, 1e-5)\n"
      "    return [y, mean, rstd]\n");
  for (ScalarType t : kFloats)
    for (int64_t n : {2,   8,   9,   31,   32,   33,   127,  128,  200,  256, 257,
                      511, 512, 768, 1000, 1024, 1025, 4096, 4100, 8192, 8193}) {
      Tensor x = randn({3, n}).to(t), w = randn({n}).to(t), b = randn({n}).to(t);
      same(m, "softmax", {x}, tolerance(t));
      same(m, "norm", {x, w, b}, tolerance(t));
    }
  // Enough rows for a warp each.
  for (int64_t n : {20, 300, 512, 768})
    for (int64_t rows : {1023, 1030}) {
      same(m, "softmax", {randn({rows, n})});
      same(m, "norm", {randn({rows, n}), randn({n}), randn({n})});
    }
  same(m, "statistics", {randn({5, 64}), randn({64}), randn({64})});
  // No finite largest number, none at all, one infinity.
  const float inf = std::numeric_limits<float>::infinity();
  Tensor odd = randn({4, 40});
  for (int64_t i = 0; i < 40; ++i) odd.data_ptr<float>()[i] = -inf;
  odd.data_ptr<float>()[50] = std::numeric_limits<float>::quiet_NaN();
  odd.data_ptr<float>()[90] = inf;
  odd.data_ptr<float>()[130] = -inf;
  same(m, "softmax", {odd});
}

TEST_CASE("batch norm, pooling and recurrent cells of a device are the CPU's", "[device]") {
  use_emulation();
  Module m = compile(
      "def norm(x: Tensor, mean: Tensor, var: Tensor, w: Tensor, b: Tensor) -> List[Tensor]:\n"
      "    return [torch.batch_norm(x, w, b, mean, var, False, 0.1, 1e-5, False),\n"
      "            torch.batch_norm(x, None, None, mean, var, False, 0.1, 1e-5, False),\n"
      "            torch.batch_norm(x.transpose(0, 2).contiguous().transpose(0, 2), w, b, mean, "
      "var, "
      "False, 0.1, 1e-5, False),\n"
      "            torch.batch_norm(x[:, :, 0], w, b, mean, var, False, 0.1, 1e-5, False)]\n"
      "def pool(x: Tensor) -> List[Tensor]:\n"
      "    return [torch.max_pool2d(x, [3, 3], [2, 2], [1, 1]), torch.max_pool2d(x, [2, 2]),\n"
      "            torch.avg_pool2d(x, [3, 3], [2, 2], [1, 1]), torch.avg_pool2d(x, [2, 3]),\n"
      "            torch.max_pool2d(x, [2, 2], [1, 1], [0, 0], [2, 2]),\n"
      "            torch.adaptive_avg_pool2d(x, [1, 1]), torch.adaptive_avg_pool2d(x, [3, 2]),\n"
      "            torch.adaptive_avg_pool2d(x.transpose(2, 3), [1, 1]),\n"
      "            torch.max_pool2d_with_indices(x, [3, 3])[1],\n"
      "            torch.max_pool2d(x.transpose(2, 3), [3, 3])]\n"
      "def cells(x: Tensor, h: Tensor, c: Tensor, w: Tensor, u: Tensor, g: Tensor, v: Tensor) -> "
      "List[Tensor]:\n"
      "    y, z = torch.lstm_cell(x, [h, c], w, u)\n"
      "    return [y, z, torch.gru_cell(x, h, g, v)]\n");
  for (ScalarType t : kFloats)
    for (int64_t n : {1, 3, 4, 32, 49, 100}) {
      auto channels = [t] { return (rand({6}) + full({1}, 0.5)).to(t); };
      same(m, "norm", {randn({3, 6, n}).to(t), channels(), channels(), channels(), channels()},
           5 * tolerance(t));
    }
  same(m, "norm", {randn({3, 1, 4}), ones({1}), ones({1}), ones({1}), ones({1})});
  same(m, "norm", {randn({3, 6, 4000}), ones({6}), ones({6}), ones({6}), ones({6})});
  for (ScalarType t : kFloats)
    for (int64_t n : {5, 7, 8, 33}) same(m, "pool", {randn({2, 3, n, n + 1}).to(t)}, tolerance(t));
  same(m, "pool", {randn({4, 32, 16, 18})});
  for (ScalarType t : kFloats)
    for (int64_t b : {1, 5})
      for (int64_t n : {1, 7, 64})
        same(
            m, "cells",
            {randn({b, 3}).to(t), randn({b, n}).to(t), randn({b, n}).to(t), randn({4 * n, 3}).to(t),
             randn({4 * n, n}).to(t), randn({3 * n, 3}).to(t), randn({3 * n, n}).to(t)},
            20 * tolerance(t));
}

TEST_CASE("reductions of a device are the CPU's along any dims", "[device]") {
  use_emulation();
  Module m = compile(
      "def f(x: Tensor) -> List[Tensor]:\n"
      "    return [x.sum(2), x.sum(0), x.sum(1), x.sum([0, 1]), x.sum([1, 2]), x.sum([0, 2]), "
      "x.sum(),\n"
      "            x.mean(2), x.mean(0), x.mean([0, 1]), x.amax(2), x.amax(0), x.amin(1), "
      "x.amin([0, 2]),\n"
      "            x.transpose(0, 2).sum(0), x[:, :, 1:].mean(-1), x[:, :, ::2].sum(0)]\n"
      "def wide(x: Tensor) -> List[Tensor]:\n"
      "    return [x.var(0), x.var(2), x.std([0, 1]), x.logsumexp(0), x.logsumexp(2), x.norm(2, "
      "0),\n"
      "            x.norm(2, 2), (x > 0).all(1), (x > 0).any(0), x.prod(1), x.to(7).sum(0), "
      "x.sum(2, dtype=7),\n"
      "            x.argmax(2), x.argmin(0), (x > 0).sum(2), (x > 0).sum(0)]\n");
  for (ScalarType t : kFloats)
    for (int64_t n : {1, 3, 8, 9, 31, 32, 33, 65, 300, 1025}) {
      same(m, "f", {randn({3, 5, n}).to(t)}, 10 * tolerance(t));
      same(m, "f", {randn({n, 3, 4}).to(t)}, 10 * tolerance(t));
      if (n > 1) same(m, "wide", {randn({3, 5, n}).to(t)}, 10 * tolerance(t));
      if (n > 1) same(m, "wide", {randn({n, 3, 34}).to(t)}, 10 * tolerance(t));
    }
  same(m, "f", {randn({130, 7, 40})}, 1e-4);
  // Nothing to reduce, and nothing to reduce it to.
  Module sums = compile(
      "def f(x: Tensor) -> List[Tensor]:\n"
      "    return [x.sum(0), x.sum(1), x.sum(2), x.sum([0, 2]), x.sum([0, 1]), x.sum([1, 2]), "
      "x.sum(), x.mean(1),\n"
      "            x.norm(2, 1), x.var(0), x.prod(2), (x > 0).all(1)]\n");
  for (auto& sizes :
       std::vector<std::vector<int64_t>>{{0, 3, 4}, {3, 0, 4}, {3, 4, 0}, {20, 0, 30}})
    same(sums, "f", {randn(sizes)});
  Tensor odd = randn({4, 5, 40});
  odd.data_ptr<float>()[17] = std::numeric_limits<float>::quiet_NaN();
  odd.data_ptr<float>()[300] = std::numeric_limits<float>::infinity();
  same(m, "f", {odd});
}
