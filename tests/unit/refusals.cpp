// SPDX-License-Identifier: Apache-2.0
// What PyTorch refuses is refused: a small call on each side of a limit.
#include <catch2/catch.hpp>
#include <limits>

#include "sconce/sconce.h"

using namespace sconce;

namespace {

// Whether the expression of x, as TorchScript, is refused.
bool refused(const std::string& expression, const Tensor& x) {
  Module m = compile("def f(x: Tensor) -> Tensor:\n    return " + expression + "\n");
  try {
    m.run_method("f", {IValue(x.clone())});
  } catch (const OpError&) {
    return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a window fits into the padded input") {
  Tensor x = ones({1, 2, 3, 3});
  CHECK_FALSE(refused("torch.max_pool2d(x, [3, 3])", x));
  CHECK(refused("torch.max_pool2d(x, [4, 4])", x));
  CHECK(refused("torch.max_pool2d(x, [5, 5], [4, 4])", x));
  CHECK_FALSE(refused("torch.max_pool2d(x, [4, 4], padding=[1, 1])", x));
  CHECK(refused("torch.max_pool2d(x, [2, 2], padding=[2, 2])", x));
  CHECK(refused("torch.max_pool2d(x, [2, 2], dilation=[3, 3])", x));
  CHECK(refused("torch.max_pool2d(x, [0, 2])", x));
  CHECK(refused("torch.avg_pool2d(x, [2, 2], [0, 1])", x));
  CHECK(refused("torch.avg_pool2d(x, [2, 2], padding=[-1, 0])", x));
  CHECK(refused("torch.max_pool1d(x[0], [4])", x));
  CHECK(refused("torch.max_pool3d(x, [4, 1, 1])", x));
  CHECK(refused("torch.im2col(x, [4, 4], [1, 1], [0, 0], [1, 1])", x));
  CHECK(refused("torch.im2col(x, [2, 2], [1, 1], [0, 0], [0, 1])", x));
}

TEST_CASE("a convolution has taps and an input of its rank") {
  Tensor x = ones({1, 1, 5}), image = ones({1, 1, 5, 5});
  CHECK_FALSE(refused("torch.conv1d(x, x[:, :, :1])", x));
  CHECK(refused("torch.conv1d(x, x[:, :, :0])", x));
  CHECK(refused("torch.conv1d(x[0], x[:, :, :0], x[0, 0, :1])", x));
  CHECK(refused("torch.conv1d(x, x[:, :, :0], None, [1], 'same')", x));
  CHECK(refused("torch.conv1d(x[0, 0, 0], x, None, [1], 'same')", x));
  CHECK_FALSE(refused("torch.conv1d(x[0], x, None, [1], 'same')", x));
  CHECK(refused("torch.conv_transpose1d(x, x[:, :, :0])", x));
  CHECK(refused("torch.conv2d(x, x[:, :, :0])", image));
  CHECK(refused("torch.conv2d(x, x[:, :, :, :0], None, [2, 2], [1, 1])", image));
}

TEST_CASE("pivots of a factorisation name rows, those of blocks in pairs") {
  Tensor x = ones({3, 3});
  auto solved = [&](const std::string& pivots) {
    return !refused("torch.linalg_ldl_solve(x, torch.tensor(" + pivots + ", dtype=3), x)", x);
  };
  CHECK(solved("[1, 2, 3]"));
  CHECK(solved("[-2, -2, 3]"));
  CHECK_FALSE(solved("[1, 2, -3]"));
  CHECK_FALSE(solved("[-2, 2, 3]"));
  CHECK_FALSE(solved("[0, 2, 3]"));
  CHECK_FALSE(solved("[1, 2, 4]"));
  CHECK_FALSE(solved("[1, -2147483648, -2147483648]"));
}

TEST_CASE("a grid's modes are known and its image isn't empty") {
  Tensor x = ones({1, 1, 2, 2});
  auto sampled = [&](const std::string& from, const std::string& modes) {
    return !refused(
        "torch.grid_sampler(" + from + ", x[0, 0, 0].expand([1, 1, 1, 2]), " + modes + ", False)",
        x);
  };
  CHECK(sampled("x", "2, 2"));
  CHECK_FALSE(sampled("x", "3, 0"));
  CHECK_FALSE(sampled("x", "0, 3"));
  CHECK_FALSE(sampled("x", "-1, 0"));
  CHECK_FALSE(sampled("x", "0, -1"));
  CHECK_FALSE(sampled("x[:, :, :0]", "0, 0"));
  CHECK_FALSE(sampled("x[:, :, :, :0]", "1, 1"));
}

TEST_CASE("a least squares solution of nan is an error") {
  Tensor x = ones({3, 2});
  CHECK_FALSE(refused("torch.linalg_lstsq(x, x)[0]", x));
  CHECK(refused("torch.linalg_lstsq(x * float('nan'), x)[0]", x));
  CHECK(refused("torch.linalg_lstsq(x, x * float('nan'))[0]", x));
}

TEST_CASE("a number is repeated without a dim") {
  Tensor x = ones({});
  CHECK_FALSE(refused("torch.repeat_interleave(x, 2)", x));
  CHECK(refused("torch.repeat_interleave(x, 2, 0)", x));
  CHECK(refused("torch.take_along_dim(x, torch.tensor(0), 0)", x));
}

TEST_CASE("a zero point is a number that can be stored") {
  Tensor x = ones({2});
  CHECK_FALSE(refused("torch.quantize_per_tensor(x, 1., -128, 12).dequantize()", x));
  CHECK(refused("torch.quantize_per_tensor(x, 1., -129, 12).dequantize()", x));
  CHECK_FALSE(refused("torch.quantize_per_tensor(x, 1., 255, 13).dequantize()", x));
  CHECK(refused("torch.quantize_per_tensor(x, 1., -1, 13).dequantize()", x));
  CHECK(refused("torch.quantize_per_tensor(x, 1., 1 << 40, 14).dequantize()", x));
  CHECK_FALSE(refused("torch.quantize_per_tensor_dynamic(x, 12, False).dequantize()", x));
  CHECK(refused("torch.quantize_per_tensor_dynamic(x * float('inf'), 12, False).dequantize()", x));
  CHECK(refused("torch.quantize_per_tensor_dynamic(x * float('nan'), 13, False).dequantize()", x));
}

TEST_CASE("nothing is written into elements that share memory") {
  Tensor x = ones({6});
  CHECK(refused("x[:1].expand([4]).add_(1)", x));
  CHECK(refused("x[:1].expand([4]).copy_(x[1:5])", x));
  CHECK(refused("x[1:].add_(x[:5])", x));
  CHECK(refused("x[1:].copy_(x[:5])", x));
  CHECK(refused("x[:4].view([2, 2]).add_(x[:4].view([2, 2]).t())", x));
  CHECK_FALSE(refused("x.add_(x)", x));
  CHECK_FALSE(refused("x[:3].copy_(x[3:])", x));
  CHECK_FALSE(refused("x[:1].expand([1]).add_(1)", x));
  CHECK(refused("torch.add(x[:5], x[:5], out=x[1:])", x));
  CHECK_FALSE(refused("torch.add(x, x, out=x)", x));
}

TEST_CASE("outputs have a dtype that takes the result") {
  Tensor x = ones({2, 2});
  CHECK_FALSE(refused("torch.add(x, x, out=torch.zeros([2, 2], dtype=7))", x));
  CHECK(refused("torch.mm(x, x, out=torch.zeros([2, 2], dtype=7))", x));
  CHECK(refused("torch.add(x, x, out=torch.zeros([2, 2], dtype=4))", x));
}

TEST_CASE("random operators have their limits") {
  Tensor x = ones({2, 3});
  CHECK(refused("x.exponential_(-1.)", x));
  CHECK(refused("x.geometric_(2.)", x));
  CHECK(refused("x.random_(5, 3)", x));
  CHECK(refused("x.random_(0)", x));
  CHECK(refused("x.to(0).random_(0, 257)", x));
  CHECK_FALSE(refused("x.to(0).random_(0, 256)", x));
  CHECK(refused("x.cauchy_(0., 0.)", x));
  CHECK(refused("x.log_normal_(0., 0.)", x));
  CHECK(refused("x.uniform_(1., 0.)", x));
  CHECK(refused("x.normal_(0., -1.)", x));
  CHECK(refused("torch.normal(x, -x)", x));
  CHECK(refused("torch.bernoulli(x * 2)", x));
  CHECK(refused("torch.multinomial(x * 0, 1)", x));
  CHECK(refused("torch.multinomial(x[:, :0], 2, True)", x));
  CHECK(refused("torch.multinomial(x, 4)", x));
  CHECK_FALSE(refused("torch.multinomial(x, 4, True)", x));
  CHECK(refused("torch.randperm(300, dtype=0)", x));
  CHECK(refused("torch.hann_window(-1)", x));
}

TEST_CASE("numbers fit the dtype that is computed with") {
  Tensor x = ones({2}).to(kChar);
  CHECK_FALSE(refused("torch.add(x, 300)", x));
  CHECK(refused("torch.add(x, 1, alpha=300)", x));
  CHECK(refused("torch.hardtanh(x, -1, 300)", x));
  CHECK(refused("torch.linspace(0, 300, 3, dtype=0)", x));
  Module m = compile("def f(x: Tensor) -> Tensor:\n    return torch.eq(x, 257)\n");
  CHECK(m.run_method("f", {IValue(x)}).toTensor().data_ptr<bool>()[0]);
}

TEST_CASE("losses, norms and counts have their limits") {
  Tensor x = ones({2, 4});
  CHECK(refused("torch.huber_loss(x, x, 1, 0.)", x));
  CHECK(refused("torch.smooth_l1_loss(x, x, 1, -1.)", x));
  CHECK(refused("torch.group_norm(x, 3)", x));
  CHECK(refused("torch.group_norm(x, 2, x[0, :3])", x));
  CHECK(refused("torch.layer_norm(x, [4], x[0].to(7))", x));
  CHECK(refused("torch.bincount(x[0].to(4), x[0, :3])", x));
  CHECK(refused("torch.bincount(x[0].to(4), None, -1)", x));
  CHECK(refused("torch._pack_padded_sequence(x[:, :0], torch.tensor([1, 1]), True)[0]", x));
  CHECK(refused("x.masked_fill_(x.to(0), 1.)", x));
  CHECK(refused("torch.cross_entropy_loss(x, torch.tensor([0, 4]))", x));
  CHECK_FALSE(refused("torch.cross_entropy_loss(x, torch.tensor([0, 3]))", x));
}

TEST_CASE("a number among the arguments doesn't make a refused dtype a taken one") {
  const Tensor whole = ones({2, 2}).to(kLong), real = ones({2, 2});
  for (const char* call : {"torch.lerp(x, x, 0.5)", "torch.rrelu(x, 0.1, 0.2)"}) {
    INFO(call);
    CHECK(refused(call, whole));
    CHECK_FALSE(refused(call, real));
  }
  CHECK(refused("torch.addmm(x, x, x, beta=0.5)", whole.to(kBool)));
  CHECK(refused("x.abs_()", real.to(kComplexFloat)));
  CHECK(refused("torch.kl_div(x, x)", whole));
  CHECK_FALSE(refused("torch.kl_div(x, x)", real));
}

TEST_CASE("limits of an unsigned hardtanh are cut before they are judged") {
  const Tensor x = ones({2}).to(kByte);
  CHECK_FALSE(refused("torch.hardtanh(x, -0.5, 0.5)", x));
  CHECK(refused("torch.hardtanh(x, -1, 2)", x));
}
