// SPDX-License-Identifier: Apache-2.0
// Shape plans that put chains of elementwise calls into one (runtime/lowering/fuse_pointwise.cpp):
// the interpreter's bits, and how many calls are left.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>
#include <sstream>

#include "backends/kernels.h"
#include "planned_net.h"
#include "sconce/sconce.h"

using namespace sconce;

namespace {

using test::same_bits;

struct Net : test::PlannedNet {
  using PlannedNet::PlannedNet;
  Net& with(const char* name, const Tensor& t) {
    PlannedNet::with(name, t);
    return *this;
  }
  bool check(const std::vector<Tensor>& inputs) {
    return each_call(3, inputs,
                     [](const IValue& got, const IValue& want) { return same_bits(got, want); });
  }
  int count(const std::string& call) const {
    std::istringstream lines(text);
    int n = 0;
    for (std::string line; std::getline(lines, line);) n += line.rfind(call + " ", 0) == 0;
    return n;
  }
  int calls() const { return static_cast<int>(std::count(text.begin(), text.end(), '\n')); }
};

bool fuses() { return cpu_kernels().pointwise; }

// What is left of a body that gives y, of x [3, 4, 10] and r [10].
void chain(const std::string& body, int pointwise, int calls) {
  Net net("def net(self, x: Tensor, r: Tensor):\n" + body + "    return y\n");
  CAPTURE(body);
  for (const std::vector<int64_t>& sizes :
       std::vector<std::vector<int64_t>>{{3, 4, 10}, {2, 3, 700}}) {
    CHECK(net.check({randn(sizes), randn({sizes[2]})}));
    CAPTURE(net.before, net.text);
    if (!fuses()) continue;
    CHECK(net.count("pointwise") == pointwise);
    CHECK(net.calls() == calls);
  }
}

}  // namespace

TEST_CASE("what models write by hand is one call", "[pointwise]") {
  chain("    y = x * torch.sigmoid(x)\n", 1, 1);
  chain("    y = 0.5 * x * (1.0 + torch.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))\n", 1, 1);
  chain("    y = x * 0.5 * (1.0 + torch.erf(x / 1.4142135623730951))\n", 1, 1);
  chain("    y = x + r * torch.relu(x)\n", 1, 1);
  chain("    y = torch.clamp(x, -1.0, 1.0) * r - (1.0 - x)\n", 1, 1);
  chain("    y = torch.where(x > 0.0, x, x * 0.1) + 1.0\n", 1, 1);
  chain("    y = (x * 2.0).masked_fill(x < 0.0, -1.0)\n", 1, 2);  // the number is filled in
  chain("    y = torch.lerp(x, x * x, r)\n", 1, 1);
  chain("    y = torch.addcmul(x, x, r, value=0.3) * 2.0\n", 1, 1);
  chain("    y = (x + x.abs()) * torch.exp(-x.abs()) + torch.sigmoid(x) * r\n", 1, 1);
  chain("    y = torch.relu_(x * 2.0).add_(r).mul_(x)\n", 1, 1);
}

TEST_CASE("chains end at what is not elementwise", "[pointwise]") {
  // mean, x - mean and its square, mean of it, and the rest.
  chain(
      "    m = x.mean(-1, keepdim=True)\n    d = x - m\n    v = (d * d).mean(-1, keepdim=True)\n"
      "    y = d / torch.sqrt(v + 1e-5) * r + r\n",
      3, 5);
  chain("    s = torch.sigmoid(x.mean(-1, keepdim=True) * 2.0)\n    y = x * s + x\n", 2, 3);
  chain("    y = (x * 2.0).softmax(-1) * r + x\n", 1, 3);
  chain("    y = torch.cat([x * 2.0 + 1.0, x.exp() - r], 1)\n", 2, 2);  // each to its place
}

TEST_CASE("a call of its own stays as it was recorded", "[pointwise]") {
  chain("    y = x * 2.0\n", 0, 1);
  chain("    y = (x * 2.0, x > r)\n", 0, 2);
}

TEST_CASE("values that others need are results of a chain", "[pointwise]") {
  chain("    a = x * 2.0\n    b = a + r\n    y = (a, b, b.sum(), torch.relu(b))\n", 1, 3);
  chain("    a = x * 2.0\n    b = a.exp()\n    y = (b, a.sum(0), b.sum(0))\n", 1, 3);
  // Four results at most.
  chain(
      "    a = x * 2.0\n    b = a + r\n    c = b.exp()\n    d = c * a\n    e = d - x\n"
      "    y = (a, b, c, d, e)\n",
      1, 2);
  // A truth value that leaves.
  chain("    m = x > 0.0\n    y = (m, torch.where(m, x, r * x) * 2.0)\n", 1, 2);
}

TEST_CASE("chains through other forms of the same elements", "[pointwise]") {
  chain("    y = ((x * 2.0).view(-1) + 1.0).exp()\n", 1, 1);
  chain("    y = (x.reshape(-1, x.size(2)) * r).reshape(x.shape) + x\n", 1, 1);
  chain("    y = (x * r).unsqueeze(1) - x.unsqueeze(1)\n", 1, 1);
  chain("    y = ((x * r).transpose(1, 2) + 1.0).transpose(1, 2) * x\n", 0, 3);
  // Other elements of what the chain writes.
  chain("    a = x * 2.0\n    y = a + a[0]\n", 0, 2);
  chain("    a = x * 2.0\n    y = a + a.flip(0)\n", 1, 2);
}

TEST_CASE("chains and what is written among them", "[pointwise]") {
  chain("    a = x * 2.0\n    b = a + 1.0\n    a.zero_()\n    y = b * 3.0 + a\n", 2, 3);
  chain("    a = x * 2.0\n    b = a.exp()\n    a.add_(r)\n    y = a * b\n", 1, 1);
  chain("    a = x * 2.0\n    s = a.sum()\n    a.mul_(r)\n    y = a + s\n", 1, 3);
  chain("    x.add_(1.0)\n    x.mul_(r)\n    y = x.exp() + 0.0\n", 1, 3);
  chain("    a = x * 2.0\n    a[0].add_(1.0)\n    y = a * r\n", 0, 3);
}

TEST_CASE("chains that are too long or read too much are several", "[pointwise]") {
  std::string body = "    y = x\n";
  for (int i = 0; i < 150; ++i) body += i % 2 ? "    y = y * 1.01\n" : "    y = torch.sin(y)\n";
  chain(body, 3, 3);
  std::string many = "def net(self";
  std::vector<Tensor> inputs;
  for (int i = 0; i < 12; ++i) {
    many += ", x" + std::to_string(i) + ": Tensor";
    inputs.push_back(randn({50}));
  }
  many += ") -> Tensor:\n    y = x0 * 2.0\n";
  for (int i = 1; i < 12; ++i) many += "    y = torch.tanh(y * x" + std::to_string(i) + ")\n";
  Net wide(many + "    return y\n");
  CHECK(wide.check(inputs));
  if (fuses()) CHECK(wide.count("pointwise") == 2);
}

TEST_CASE("integers and doubles are left alone", "[pointwise]") {
  Net net("def net(self, x: Tensor) -> Tensor:\n    return (x + 1) * 2 - x\n");
  for (ScalarType t : {kLong, kDouble, kHalf}) {
    CHECK(net.check({full({40}, 3).to(t)}));
    CHECK(net.count("pointwise") == 0);
  }
}

TEST_CASE("random elementwise programs have the interpreter's bits", "[pointwise]") {
  std::mt19937 engine(7);
  auto below = [&](size_t n) { return engine() % n; };
  static const char* const kStatements[] = {"A * B",
                                            "A + B",
                                            "A - B",
                                            "A / (B.abs() + 1.0)",
                                            "torch.tanh(A)",
                                            "A.exp()",
                                            "-A",
                                            "A * 1.5",
                                            "2.0 - A",
                                            "torch.relu(A)",
                                            "A.sigmoid()",
                                            "A.clone()",
                                            "A.abs().sqrt()",
                                            "torch.where(A > B, A, B * 0.5)",
                                            "A * r",
                                            "A + A[0]",
                                            "A.transpose(0, 1).contiguous().transpose(0, 1)",
                                            "torch.maximum(A, B)",
                                            "A.mean(0, keepdim=True) + B",
                                            "torch.lerp(A, B, 0.3)",
                                            "(A.reshape(-1) + B.reshape(-1)).reshape(A.shape)",
                                            "torch.addcmul(A, B, r)",
                                            "A.masked_fill(B > 0.0, 0.5)",
                                            "torch.gelu(A)",
                                            "torch.pow(A, 2.0)",
                                            "A.softmax(-1)"};
  static const char* const kWrites[] = {"A.add_(B)",
                                        "A.mul_(0.7)",
                                        "A.relu_()",
                                        "A[0].mul_(r[0])",
                                        "A.copy_(B)",
                                        "A.sub_(r)",
                                        "A.transpose(0, 1).add_(0.1)",
                                        "A.zero_()"};
  for (int round = 0; round < 120; ++round) {
    std::vector<std::string> names = {"x", "z"};
    std::string body = "def net(self, x: Tensor, z: Tensor, r: Tensor):\n";
    auto fill = [&](std::string s) {
      for (char c : {'A', 'B'})
        for (size_t at; (at = s.find(std::string(1, c))) != std::string::npos;)
          s.replace(at, 1, names[below(names.size())]);
      return s;
    };
    const size_t n = 3 + below(25);
    for (size_t i = 0; i < n; ++i) {
      if (below(6) == 0) {
        body += "    " + fill(kWrites[below(std::size(kWrites))]) + "\n";
        continue;
      }
      const std::string made = "t" + std::to_string(i);
      body += "    " + made + " = " + fill(kStatements[below(std::size(kStatements))]) + "\n";
      names.push_back(made);
    }
    body += "    return (" + names.back() + ", " + names[below(names.size())] + ", " +
            names[below(names.size())] + " * 1.0)\n";
    CAPTURE(round, body);
    Net net(body);
    const std::vector<int64_t> sizes = {static_cast<int64_t>(1 + below(4)),
                                        static_cast<int64_t>(1 + below(40)),
                                        static_cast<int64_t>(1 + below(20))};
    CHECK(net.check({randn(sizes), randn(sizes), randn({sizes[2]})}));
  }
}
