// SPDX-License-Identifier: Apache-2.0
// Numerics::Strict: answers of random networks have the interpreter's bits, infinities and NaN
// reach what they reach there, and what changes no bit is still done.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "backends/kernels.h"
#include "passes/passes.h"
#include "planned_net.h"

using namespace sconce;
using test::same_bits;

namespace {

LoadOptions options(Numerics numerics, int threads = 1) {
  LoadOptions o;
  o.numerics = numerics;
  o.num_threads = threads;
  return o;
}

struct Net : test::PlannedNet {
  using PlannedNet::PlannedNet;
  bool check(const Tensor& x) {
    return each_call(3, {x}, [](const IValue& a, const IValue& b) { return same_bits(a, b); });
  }
};

constexpr float kInf = std::numeric_limits<float>::infinity();
// Numbers, among them some that multiply to NaN, and zeros of both signs.
Tensor numbers(std::mt19937& rng, IntArrayRef sizes, bool special) {
  const Tensor t = randn(sizes);
  float* p = t.data_ptr<float>();
  const float values[] = {kInf, -kInf, std::nanf(""), -0.0f, 0.0f, 1e38f, 1e-42f};
  for (int i = 0; special && i < 5; ++i)
    p[rng() % static_cast<uint64_t>(t.numel())] = values[rng() % std::size(values)];
  return t;
}

// One line of a network over pictures of 32 channels, or over rows of 32 numbers.
const char* const kOfPictures[] = {
    "y = torch.conv2d(y, self.w, self.b, [1, 1], [1, 1])",
    "y = torch.conv2d(y, self.w, None, [1, 1], [1, 1]) + y",
    "y = torch.conv2d(y, self.w[:, :, 0:1, 0:1].contiguous(), self.b)",
    "y = torch.conv2d(y, self.w[:, 0:1].contiguous(), self.b, [1, 1], [1, 1], [1, 1], 32)",
    "y = torch.conv2d(y, self.w[:, 0:8].contiguous(), None, [1, 1], [1, 1], [1, 1], 4)",
    "y = torch.conv_transpose2d(y, self.w, self.b, [1, 1], [1, 1])",
    "y = torch.batch_norm(y, self.h, self.z, self.b, self.buf, False, 0.1, 1e-5, False)",
    "y = torch.batch_norm(y, None, None, self.b, self.buf, False, 0.1, 1e-5, False)",
    "y = torch.relu(y)",
    "y = torch.silu(y)",
    "y = torch.hardswish(y) + x",
    "y = torch.hardtanh(y, -1.0, 2.0)",
    "y = y * torch.sigmoid(y.mean([2, 3], True))",
    "y = torch.avg_pool2d(y, [3, 3], [1, 1], [1, 1])",
    "y = torch.max_pool2d(y, [3, 3], [1, 1], [1, 1])",
    "y = torch.group_norm(y, 4, self.h, self.z)",
    "y = torch.cat([y[:, 16:], y[:, :16]], 1)",
    "y = (y * 0.5 + x) * 0.25 - x.mean()",
};
const char* const kOfRows[] = {
    "y = torch.linear(y, self.w[:, :, 1, 1], self.b)",
    "y = torch.linear(y, self.w[:, :, 1, 2].contiguous())",
    "y = torch.addmm(self.b, y, self.w[:, :, 0, 1])",
    "y = torch.matmul(y, self.w[:, :, 0, 2].contiguous()) + self.b",
    "y = torch.gelu(y) + x",
    "y = torch.layer_norm(y, [32], self.h, self.z) + x",
    "y = torch.batch_norm(y, self.h, self.z, self.b, self.buf, False, 0.1, 1e-5, False)",
    "q = y.view([1, -1, 4, 8]).transpose(1, 2)\n"
    "    y = torch.matmul(torch.softmax(torch.matmul(q, q.transpose(2, 3)) / 2.8, -1), q)"
    ".transpose(1, 2).reshape([-1, 32])",
    "q = y.view([1, -1, 4, 8]).transpose(1, 2)\n"
    "    y = torch.scaled_dot_product_attention(q, q, x.view([1, -1, 4, 8]).transpose(1, 2))"
    ".transpose(1, 2).reshape([-1, 32])",
    "y = torch.linear(y, self.w[:, :, 2, 1], self.b) * torch.sigmoid(torch.linear(y, "
    "self.w[:, :, 2, 2]))",
    "y = torch.tanh(y * 0.5).t().contiguous().t() + y",
    "y = y / torch.sqrt((y * y).mean(-1, keepdim=True) + 1e-6) * self.h",
};

template <size_t N>
std::string random_net(std::mt19937& rng, const char* const (&lines)[N]) {
  std::string text = "def net(self, x: Tensor):\n    y = x\n";
  const size_t length = 3 + rng() % 5;
  for (size_t i = 0; i < length; ++i) text += std::string("    ") + lines[rng() % N] + "\n";
  return text + "    return y, y.sum()\n";
}

}  // namespace

TEST_CASE("strict answers have the interpreter's bits", "[strict]") {
  std::mt19937 rng(5);
  manual_seed(5);
  int fast_differs = 0;
  for (int i = 0; i < 160; ++i) {
    const bool pictures = i % 2 == 0;
    const std::string text = pictures ? random_net(rng, kOfPictures) : random_net(rng, kOfRows);
    const std::vector<int64_t> pixels{1 + (i % 6 == 0), 32, 9 + i % 5, 12};
    const Tensor x =
        numbers(rng, pictures ? pixels : std::vector<int64_t>{1 + i % 13, 32}, i % 3 == 0);
    const Tensor w = numbers(rng, {32, 32, 3, 3}, false), variance = numbers(rng, {32}, false);
    for (int64_t c = 0; c < 32; ++c)
      variance.data_ptr<float>()[c] = std::abs(variance.data_ptr<float>()[c]);
    for (Numerics numerics : {Numerics::Strict, Numerics::Fast}) {
      Net net(text, options(numerics, 1 + i % 2));
      net.with("w", w);
      for (const char* name : {"b", "h", "z"}) net.with(name, numbers(rng, {32}, false));
      net.with("buf", variance);
      const bool same = net.check(x);
      CAPTURE(text, net.before, net.text);
      if (numerics == Numerics::Fast)
        fast_differs += !same;
      else
        CHECK(same);
    }
  }
  if (cpu_kernels().prepared_conv) CHECK(fast_differs > 80);  // else nothing is shown
}

TEST_CASE("a strict convolution spreads no infinity", "[strict]") {
  const std::string text =
      "def net(self, x: Tensor):\n"
      "    return torch.conv2d(x, self.w, self.b, [1, 1], [1, 1])\n";
  manual_seed(1);
  const Tensor x = randn({1, 64, 28, 28}), w = randn({64, 64, 3, 3}), b = randn({64});
  for (float special : {kInf, std::nanf("")}) {
    x.data_ptr<float>()[(7 * 28 + 10) * 28 + 13] = special;
    auto reached = [&](const Module& m) {
      int64_t n = 0;
      const Tensor y = m.run_method("net", {x}).toTensor();
      for (int64_t i = 0; i < y.numel(); ++i) n += !std::isfinite(y.const_data_ptr<float>()[i]);
      return n;
    };
    Net strict(text, options(Numerics::Strict)), fast(text, options(Numerics::Fast));
    for (Net* n : {&strict, &fast}) n->with("w", w), n->with("b", b);
    for (int call = 0; call < 2; ++call) {
      CHECK(reached(strict.planned) == 64 * 9);
      CHECK(reached(strict.plain) == 64 * 9);
    }
    if (cpu_kernels().prepared_conv) CHECK(reached(fast.planned) > 64 * 9);
  }
}

TEST_CASE("what changes no bit is done for strict calls too", "[strict]") {
  Net net(
      "def net(self, x: Tensor):\n"
      "    y = torch.linear(x, self.w, self.b)\n"
      "    return torch.sigmoid(y) * y + x\n",
      options(Numerics::Strict));
  net.with("w", randn({16, 16}));
  net.with("b", randn({16}));
  CHECK(net.check(randn({6, 16})));
  CHECK(net.text.rfind("gemm ", 0) == 0);
  if (cpu_kernels().pointwise) CHECK(net.text.find("\npointwise ") != std::string::npos);

  // Clones and modules below are as strict.
  Module m = load(std::string(SCONCE_FIXTURES) + "/small_cnn.pt", options(Numerics::Strict));
  LoadOptions interpret;
  interpret.mode = Mode::Interpret;
  const Module plain = load(std::string(SCONCE_FIXTURES) + "/small_cnn.pt", interpret);
  const Module copy = m.clone();
  const Tensor x = randn({1, 3, 32, 32});
  const IValue want = plain.forward({x});
  for (int call = 0; call < 2; ++call) {
    CHECK(same_bits(m.forward({x}), want));
    CHECK(same_bits(copy.forward({x}), want));
  }
}

TEST_CASE("passes that change bits are left out where bits are kept", "[strict]") {
  auto marked = [](const char* name) {
    for (const Pass& p : all_passes())
      if (std::string(p.name) == name) return p.changes_bits;
    FAIL(name);
    return false;
  };
  for (const char* name : {"fold_frozen_conv_bn", "fold_transposed_conv_bn"}) CHECK(marked(name));
  for (const char* name : {"freeze_attributes", "constant_propagation", "constant_pooling", "dce"})
    CHECK(!marked(name));
}
