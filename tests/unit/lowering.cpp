// SPDX-License-Identifier: Apache-2.0
// What shape plans make of recorded calls (runtime/lowering): the same answers as the
// interpreter's, whatever a program does to weights and inputs between calls.
#include <catch2/catch.hpp>
#include <cmath>

#include "backends/kernels.h"
#include "planned_net.h"
#include "sconce/sconce.h"

using namespace sconce;

namespace {

Tensor noise(IntArrayRef sizes, float scale) {
  const Tensor t = randn(sizes);
  float* p = t.data_ptr<float>();
  for (int64_t i = 0; i < t.numel(); ++i) p[i] *= scale;
  return t;
}

struct Net : test::PlannedNet {
  using PlannedNet::PlannedNet;
  Net& with(const char* name, const Tensor& t) {
    PlannedNet::with(name, t);
    return *this;
  }
  void check(const std::vector<Tensor>& inputs, double tolerance = 2e-5) {
    each_call(4, inputs, [&](const IValue& got, const IValue& want) {
      same(got, want, tolerance);
      return true;
    });
  }
  bool has(const std::string& call) const {
    return text.find("\n" + call + " ") != std::string::npos || text.rfind(call + " ", 0) == 0;
  }

 private:
  static void same(const IValue& got, const IValue& want, double tolerance) {
    if (want.isTuple()) {
      for (size_t i = 0; i < want.toTupleRef().items.size(); ++i)
        same(got.toTupleRef().items[i], want.toTupleRef().items[i], tolerance);
      return;
    }
    const Tensor &g = got.toTensorRef(), &w = want.toTensorRef();
    REQUIRE(g.sizes() == w.sizes());
    REQUIRE(g.strides() == w.strides());
    if (w.scalar_type() != kFloat) {
      CHECK(test::same_bits(g, w));
      return;
    }
    const Tensor a = g.contiguous(), b = w.contiguous();
    const float *x = a.const_data_ptr<float>(), *y = b.const_data_ptr<float>();
    int64_t wrong = 0;
    for (int64_t i = 0; i < a.numel(); ++i)
      wrong += std::isnan(y[i])
                   ? !std::isnan(x[i])
                   : !(x[i] == y[i] || std::abs(x[i] - y[i]) <= tolerance * (1 + std::abs(y[i])));
    CHECK(wrong == 0);
  }
};

bool prepared_products() {
  return context().kernels ? context().kernels->linear : cpu_kernels().linear;
}
bool prepared_convolutions() { return cpu_kernels().prepared_conv; }

const char* kMlp =
    "def net(self, x: Tensor) -> Tensor:\n"
    "    return torch.gelu(torch.linear(x, self.w, self.b)) + x\n";

}  // namespace

TEST_CASE("activations and residuals become part of a linear layer", "[lowering]") {
  for (const char* body : {"torch.relu(y)",
                           "torch.gelu(y)",
                           "torch.sigmoid(y)",
                           "torch.silu(y)",
                           "torch.tanh(y)",
                           "torch.hardtanh(y, -0.25, 0.5)",
                           "torch.leaky_relu(y, 0.1)",
                           "torch.hardswish(y)",
                           "torch.hardsigmoid(y)",
                           "torch.relu(y + x)",
                           "torch.relu(x + y)",
                           "x + torch.gelu(y)",
                           "torch.gelu(y) + x",
                           "torch.relu_(y.add_(x))",
                           "torch.relu(y) + y",
                           "(y + x) + x",
                           "torch.add(y, x, alpha=2)",
                           "torch.relu(y)[:, 1:]",
                           "torch.clamp_min(y, 0.1)",
                           "torch.exp(y) + x",
                           "torch.relu(y).t() + x.t()",
                           "y.view(-1) + x.view(-1)"}) {
    CAPTURE(body);
    Net n(std::string("def net(self, x: Tensor) -> Tensor:\n"
                      "    y = torch.linear(x, self.w, self.b)\n    return ") +
          body + "\n");
    n.with("w", randn({24, 24})).with("b", randn({24}));
    n.check({randn({7, 24})});
    if (prepared_products()) CHECK(n.has("linear"));
    CHECK(!n.has("gemm") == prepared_products());
  }
}

TEST_CASE("a lowered call says where in the program its work comes from", "[lowering]") {
  Net n(
      "def net(self, x):\n"
      "  y = torch.linear(x, self.w, self.b)\n"
      "  y = torch.relu(y)\n"
      "  y = torch.softmax(y, -1)\n"
      "  y = torch.exp(y) * 2.\n"
      "  return torch.sum(y, [1])\n");
  n.with("w", noise({16, 8}, 1)).with("b", noise({16}, 1));
  n.check({noise({6, 8}, 1)});
  // Lines of the method's text, whatever was fused.
  std::string lines;
  for (const std::string& place : n.places) {
    const size_t column = place.rfind(':'), line = place.rfind(':', column - 1);
    REQUIRE(line != std::string::npos);
    lines += place.substr(line + 1, column - line - 1) + " ";
  }
  CHECK(lines == (prepared_products() ? "2 4 5 6 " : "2 3 4 5 6 "));
}

TEST_CASE("a vector added to a product is its bias", "[lowering]") {
  Net n(
      "def net(self, x: Tensor) -> Tensor:\n"
      "    return torch.relu(torch.matmul(x, self.w) + self.b)\n");
  n.with("w", randn({20, 36})).with("b", randn({36})).check({randn({2, 5, 20})});
  if (prepared_products()) {
    CHECK(!n.has("binary"));
    CHECK(!n.has("unary"));
  }
}

TEST_CASE("what somebody else reads stays", "[lowering]") {
  Net both(
      "def net(self, x: Tensor) -> Tuple[Tensor, Tensor]:\n"
      "    y = torch.linear(x, self.w)\n    return (y, torch.relu(y))\n");
  both.with("w", randn({16, 16})).check({randn({6, 16})});
  CHECK(both.has("unary"));
  Net later(
      "def net(self, x: Tensor) -> Tensor:\n"
      "    y = torch.linear(x, self.w)\n    z = torch.relu(y)\n    return z * y\n");
  later.with("w", randn({16, 16})).check({randn({6, 16})});
  // The residual is written after the product was made, before they are added.
  Net written(
      "def net(self, x: Tensor) -> Tensor:\n"
      "    y = torch.linear(x, self.w)\n    x.mul_(2)\n    return y + x\n");
  written.with("w", randn({16, 16})).check({randn({6, 16})});
  // The sum overwrites what the product reads.
  Net overwrites(
      "def net(self, x: Tensor) -> Tensor:\n"
      "    y = torch.linear(x, self.w)\n    x.add_(y)\n    return torch.relu(x)\n");
  overwrites.with("w", randn({16, 16})).check({randn({6, 16})});
}

TEST_CASE("packed weights follow what a program does to the weights", "[lowering]") {
  Net n(kMlp);
  n.with("w", randn({24, 24})).with("b", randn({24}));
  const Tensor x = randn({6, 24});
  n.check({x});
  for (int round = 0; round < 4; ++round) {  // more often than a weight is packed anew
    for (Module* m : {&n.planned, &n.plain}) m->attr("w").toTensor().fill_(0.125 * round);
    n.check({x});
  }
  n.with("w", randn({24, 24}));
  n.check({x});
  // Through a pointer, taken before a call and used after it.
  float* p[2];
  int i = 0;
  for (Module* m : {&n.planned, &n.plain}) p[i++] = m->attr("w").toTensor().data_ptr<float>();
  n.check({x});
  for (float* q : p) q[5] = 50;
  n.check({x});
}

TEST_CASE("a weight that is given as the input that is written", "[lowering]") {
  const char* method =
      "def net(self, x: Tensor) -> Tensor:\n"
      "    x.add_(1)\n    return torch.linear(x, self.w)\n";
  Net n(method);
  n.with("w", randn({24, 24})).check({randn({24, 24})});
  auto itself = [](Module& m) {
    const Tensor w = m.attr("w").toTensor();
    return m.run_method("net", {w.detach()}).toTensor().clone();
  };
  for (int call = 0; call < 3; ++call) {
    const Tensor got = itself(n.planned), want = itself(n.plain);
    CHECK(std::abs(got.const_data_ptr<float>()[7] - want.const_data_ptr<float>()[7]) < 1e-3);
  }
}

TEST_CASE("convolutions with what follows them", "[lowering]") {
  struct Case {
    const char* body;
    DimVector weight, input;
  };
  const Case cases[] = {
      {"torch.relu(torch.conv2d(x, self.w, self.b, [1, 1], [1, 1], [1, 1], 1))",
       {32, 16, 3, 3},
       {2, 16, 9, 11}},
      {"torch.relu_(torch.conv2d(x, self.w, self.b, [2, 2], [1, 1], [1, 1], 1))",
       {40, 3, 7, 7},
       {1, 3, 30, 33}},
      {"torch.relu(torch.conv2d(x, self.w, self.b, [1, 1], [1, 1], [1, 1], 1) + x)",
       {16, 16, 3, 3},
       {1, 16, 8, 8}},
      {"torch.conv2d(torch.relu(torch.conv2d(x, self.w, self.b, [1, 1], [0, 0], [1, 1], 1)), "
       "self.w, self.b, [1, 1], [0, 0], [1, 1], 1) + x",
       {24, 24, 1, 1},
       {3, 24, 5, 6}},
      {"torch.max_pool2d(torch.silu(torch.conv2d(x, self.w, self.b, [1, 1], [1, 1], [1, 1], 1)), "
       "[2, 2]).flatten(1)",
       {32, 32, 3, 3},
       {2, 32, 8, 8}},
      {"torch.conv2d(torch.cat([torch.conv2d(x, self.w, self.b, [1, 1], [1, 1], [1, 1], 1), x], "
       "1)[:, 5:21], self.w, None, [1, 1], [1, 1], [1, 1], 1)",
       {16, 16, 3, 3},
       {1, 16, 7, 9}},
      {"torch.conv2d(x, self.w, self.b, [1, 1], [1, 1], [1, 1], 16) * torch.sigmoid(x.mean([2, 3], "
       "True))",
       {16, 1, 3, 3},
       {2, 16, 8, 10}},
      {"torch.conv2d(x, self.w, self.b, [1, 1], [2, 2], [2, 2], 2).relu().permute(0, 2, 3, "
       "1).contiguous()",
       {32, 8, 3, 3},
       {1, 16, 8, 8}},
      {"torch.conv1d(x, self.w, self.b, [2], [3], [1], 1).relu()", {24, 16, 5}, {2, 16, 40}},
      {"torch.conv2d(x[:, :, 1:, 2:], self.w, self.b, [1, 1], [1, 1], [1, 1], 1)",
       {16, 16, 3, 3},
       {1, 16, 9, 9}},
      {"torch.conv2d(torch.conv2d(x, self.w, None, [1, 1], [1, 1], [1, 1], 1).view(1, 2, 8, 6, "
       "6).transpose(1, 2).reshape(1, 16, 6, 6), self.w, None, [1, 1], [1, 1], [1, 1], 1)",
       {16, 16, 3, 3},
       {1, 16, 6, 6}},
      {"torch.conv2d(torch.softmax(torch.conv2d(x, self.w, None, [1, 1], [1, 1], [1, 1], 1), 1), "
       "self.w, None, [1, 1], [1, 1], [1, 1], 1)",
       {16, 16, 3, 3},
       {1, 16, 6, 6}},
      {"torch.upsample_nearest2d(torch.conv2d(x, self.w, self.b, [1, 1], [1, 1], [1, 1], 1), [16, "
       "16], None, None) + 1",
       {16, 16, 3, 3},
       {1, 16, 8, 8}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.body);
    Net n(std::string("def net(self, x: Tensor) -> Tensor:\n    return ") + c.body + "\n");
    n.with("w", noise(c.weight, 0.1f)).with("b", randn({c.weight[0]}));
    n.check({randn(c.input)}, 1e-4);
    // A picture whose channels are last already.
    if (c.input.size() == 4)
      n.check({randn({c.input[0], c.input[2], c.input[3], c.input[1]}).permute({0, 3, 1, 2})},
              1e-4);
    if (prepared_convolutions()) CHECK(n.has("prepared_conv"));
  }
}

TEST_CASE("attention written by hand", "[lowering]") {
  const char* tail =
      "    p = torch.softmax(s, -1)\n"
      "    return torch.matmul(p, v).permute(0, 2, 1, 3).contiguous().view(x.size(0), x.size(1), "
      "-1)\n";
  for (const char* scores :
       {"torch.matmul(q, k.transpose(-1, -2)) / 4.0 + mask",
        "torch.matmul(q, k.transpose(-1, -2)) * 0.3", "torch.matmul(q, k.transpose(-1, -2))",
        "mask + torch.matmul(q, k.transpose(-1, -2)) / 4",
        "torch.matmul(q, k.transpose(-1, -2)).div_(4.0).add_(mask)",
        "(torch.matmul(q, k.transpose(-1, -2)) + mask) * 2.0"}) {
    for (int64_t batch : {1, 2}) {
      CAPTURE(scores, batch);
      Net n(std::string("def net(self, x: Tensor, mask: Tensor) -> Tensor:\n"
                        "    q = torch.linear(x, self.w).view(x.size(0), x.size(1), 4, "
                        "16).permute(0, 2, 1, 3)\n"
                        "    k = torch.linear(x, self.b).view(x.size(0), x.size(1), 4, "
                        "16).permute(0, 2, 1, 3)\n"
                        "    v = torch.linear(x, self.h).view(x.size(0), x.size(1), 4, "
                        "16).permute(0, 2, 1, 3)\n"
                        "    s = ") +
            scores + "\n" + tail);
      for (const char* w : {"w", "b", "h"}) n.with(w, noise({64, 64}, 0.1f));
      Tensor mask = zeros({batch, 1, 1, 10});
      mask.data_ptr<float>()[3] = -1e4f;
      n.check({randn({batch, 10, 64}), mask}, 1e-4);
      if (std::string(scores).find(") * 2.0") == std::string::npos && batch == 1)
        CHECK(n.has("attention"));
      // A row that sees nothing is NaN.
      n.check({randn({batch, 10, 64}), full({batch, 1, 1, 10}, -INFINITY)}, 1e-4);
    }
  }
}

TEST_CASE("tensors that nobody reads are not made", "[lowering]") {
  Net n(
      "def net(self, x: Tensor) -> Tensor:\n"
      "    unused = torch.zeros([100]) + 1\n    return x + 1\n");
  n.check({randn({3, 4})});
  CHECK(!n.has("fill"));
}

TEST_CASE("an embedding that is a layer's weight too is in memory once", "[lowering]") {
  const char* text =
      "def net(self, i: Tensor) -> Tensor:\n"
      "    return torch.linear(torch.embedding(self.w, i), self.w)\n";
  auto ids = [](IntArrayRef sizes, int64_t step) {
    const Tensor t = ones(sizes, kLong);
    for (int64_t k = 0; k < t.numel(); ++k) t.data_ptr<int64_t>()[k] = k * step % 70;
    return t;
  };
  Net n(text);
  n.with("w", randn({70, 24}));
  n.check({ids({7}, 11)});
  if (!prepared_products()) return;
  CHECK(n.has("packed_embedding"));
  CHECK(n.has("linear"));
  n.check({ids({3, 5}, 13)});
  CHECK(n.has("packed_embedding"));
  n.check({ids({2}, 69)});
  // Indices out of range are the interpreter's errors.
  for (int64_t bad : {-1, 70, 1000}) {
    const Tensor i = ids({7}, 1);
    i.data_ptr<int64_t>()[3] = bad;
    std::string want, got;
    for (auto [module, message] : {std::pair{&n.plain, &want}, std::pair{&n.planned, &got}}) {
      try {
        (void)module->run_method("net", {i});
      } catch (const std::exception& e) {
        *message = e.what();
      }
    }
    CHECK(!want.empty());
    CHECK(got == want);
  }
  // What is written is seen.
  n.with("w", randn({70, 24}));
  n.check({ids({7}, 11)});
  for (Module* m : {&n.planned, &n.plain}) {
    Tensor w = m->attr("w").toTensor();
    w.data_ptr<float>()[5 * 24] = 100;
  }
  n.check({ids({7}, 5)});

  // A part of the table, a table read otherwise too, and a product with the rows as they are.
  for (const char* body : {"torch.linear(torch.embedding(self.w, i), self.w[3:])",
                           "torch.linear(torch.embedding(self.w, i), self.w) + torch.sum(self.w)",
                           "torch.matmul(torch.embedding(self.w, i)[:, :20], self.w[:20])",
                           "torch.linear(torch.embedding(self.w[1:], i), self.w)",
                           "torch.linear(torch.embedding(self.w, i), self.w) + "
                           "torch.linear(torch.embedding(self.w, i + 1), self.w)"}) {
    CAPTURE(body);
    Net other(std::string("def net(self, i: Tensor) -> Tensor:\n    return ") + body + "\n");
    other.with("w", randn({70, 24}));
    other.check({ids({9}, 3)});
  }
}
