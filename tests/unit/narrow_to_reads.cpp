// SPDX-License-Identifier: Apache-2.0
// Rows that nobody reads aren't computed (runtime/lowering/narrow_to_reads.cpp), and those that
// somebody reads are.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <sstream>

#include "planned_net.h"
#include "sconce/sconce.h"

using namespace sconce;

namespace {

bool close(const IValue& got, const IValue& want) {
  const Tensor &g = got.toTensorRef(), &w = want.toTensorRef();
  if (g.sizes() != w.sizes() || g.strides() != w.strides()) return false;
  const Tensor a = g.contiguous(), b = w.contiguous();
  const float *x = a.const_data_ptr<float>(), *y = b.const_data_ptr<float>();
  for (int64_t i = 0; i < a.numel(); ++i)
    if (!(std::isnan(y[i]) ? std::isnan(x[i])
                           : std::abs(x[i] - y[i]) <= 3e-5 * (1 + std::abs(y[i]))))
      return false;
  return true;
}

// A block of a transformer without its attention, of which `wanted` looks at a part of h.
std::string block(const std::string& wanted) {
  return "def net(self, x: Tensor) -> Tensor:\n"
         "    h = torch.linear(torch.gelu(torch.linear(x, self.w, self.b)), self.h) + x\n"
         "    h = torch.layer_norm(h, [24])\n"
         "    return " +
         wanted + "\n";
}

struct Net : test::PlannedNet {
  explicit Net(const std::string& method) : PlannedNet(method) {
    with("w", randn({48, 24}));
    with("b", randn({48}));
    with("h", randn({24, 48}));
    with("z", randn({5, 24}));
  }
  bool right(const std::vector<Tensor>& inputs) { return each_call(3, inputs, close); }
  // Elements that the calls write, as they are run and as they were recorded.
  int64_t computed() const { return elements(text); }
  int64_t recorded() const { return elements(before); }

 private:
  static int64_t elements(const std::string& calls) {
    int64_t sum = 0;
    std::istringstream lines(calls);
    for (std::string line; std::getline(lines, line);) {
      size_t at = line.find('>');
      int64_t n = 1;
      for (at = line.find('[', at) + 1; line[at] != ':' && line[at] != ']';) {
        size_t used = 0;
        n *= std::stoll(line.substr(at), &used);
        at += used + (line[at + used] == ',');
      }
      sum += n;
    }
    return sum;
  }
};

}  // namespace

TEST_CASE("rows that nobody reads aren't computed", "[lowering]") {
  struct Case {
    const char* wanted;
    std::vector<int64_t> sizes;
    int64_t rows;  // of 12, or 4 times 12
  };
  for (const Case& c :
       {Case{"torch.linear(h[:, 0], self.z)", {1, 12, 24}, 1},
        Case{"torch.linear(h[:, -1], self.z)", {1, 12, 24}, 1},
        Case{"torch.linear(h[:, 3:5], self.z)", {1, 12, 24}, 2},
        Case{"torch.linear(h[3], self.z)", {12, 24}, 1},
        Case{"torch.linear(h[:, 5], self.z)", {4, 12, 24}, 4},
        Case{"torch.linear(h[1, 2:4], self.z)", {4, 12, 24}, 2},
        Case{"torch.linear(h[2], self.z)", {4, 12, 24}, 12},
        Case{"torch.linear(h[:, 0], self.z) + torch.linear(h[:, 1], self.z)", {1, 12, 24}, 2},
        Case{"torch.linear(torch.flip(h, [1])[:, 0], self.z)", {1, 12, 24}, 1},
        Case{"torch.linear(torch.as_strided(h[:, 1], [3, 24], [96, 1]), self.z)", {1, 12, 24}, 3},
        Case{"torch.exp(h[:, 0])", {1, 12, 24}, 1}}) {
    CAPTURE(c.wanted);
    Net n(block(c.wanted));
    CHECK(n.right({randn(c.sizes)}));
    // Both products, their activation, their sum, the norm: 48 + 24 + 24 a row once fused, at most
    // 48 + 48 + 24 + 24 + 24. What follows is small.
    CHECK(n.computed() <= c.rows * (48 + 48 + 24 + 24 + 24 + 2 * 24));
    CHECK(n.recorded() > 2 * n.computed());
  }
}

TEST_CASE("rows that somebody reads are computed", "[lowering]") {
  const int64_t whole = 12 * (48 + 24 + 24);
  for (const char* wanted : {"h", "h[:, 0]",  // a part of the answer's storage
                             "torch.linear(h[:, 0], self.z) + torch.sum(h)",
                             "torch.linear(h[:, 0], self.z) + torch.linear(h[:, 11], self.z)",
                             "torch.linear(torch.flip(h, [1, 2])[0], self.z)",
                             "torch.linear(torch.cat([h[:, 6:], h[:, :6]], 1)[:, 2], self.z)",
                             "torch.linear(torch.cumsum(h, 1)[:, 5], self.z)",
                             "torch.linear(h[0, torch.floor_divide(torch.arange(12), 3)], self.z)",
                             "torch.linear(torch.softmax(h, 1)[:, 5], self.z)",
                             "torch.linear(torch.as_strided(h[:, 0], [5, 24], [60, 1]), self.z)"}) {
    CAPTURE(wanted);
    Net n(block(wanted));
    CHECK(n.right({randn({1, 12, 24})}));
    CHECK(n.computed() >= whole);
  }
}

TEST_CASE("rows written over, added to, or read before they change", "[lowering]") {
  for (const char* body : {"h = torch.exp(x)\n    y = h[:, 3] * 2.\n    h[:, 3] = torch.sin(y)\n"
                           "    return torch.linear(h[:, 3], self.z)",
                           "h = torch.exp(x)\n    h.add_(x)\n    h.mul_(2.)\n"
                           "    return torch.linear(h[:, 0], self.z)",
                           "h = torch.exp(x)\n    y = torch.linear(h, self.w)\n    h.mul_(3.)\n"
                           "    return torch.linear(h[:, 0], self.z) + torch.sum(y)",
                           "h = torch.zeros_like(x)\n    h[:, 1:3] = torch.exp(x[:, 1:3])\n"
                           "    return torch.linear(h[:, 0] + h[:, 2], self.z)",
                           "h = torch.exp(x).transpose(0, 1).contiguous()\n    h = torch.sin(h)\n"
                           "    return torch.linear(h[4], self.z)",
                           "h = torch.to(torch.exp(x), 7) * 2.\n"
                           "    return torch.linear(torch.to(h[:, 7], 6), self.z)"}) {
    CAPTURE(body);
    for (int64_t batch : {1, 3}) {
      Net n(std::string("def net(self, x: Tensor) -> Tensor:\n    ") + body + "\n");
      CHECK(n.right({randn({batch, 12, 24})}));
    }
  }
}

TEST_CASE("attention keeps the rows that are read, and all keys", "[lowering]") {
  for (const char* call :
       {"torch.scaled_dot_product_attention(q, k, v)",
        "torch.scaled_dot_product_attention(q, k, v, None, 0., True)",
        "torch.scaled_dot_product_attention(q, k, v, m)",
        "torch.matmul(torch.softmax(torch.matmul(q, k.transpose(-2, -1)) / 2. + m, -1), v)"}) {
    CAPTURE(call);
    for (int64_t batch : {1, 2}) {
      Net n(std::string("def net(self, x: Tensor, m: Tensor) -> Tensor:\n"
                        "    q, k, v = torch.linear(x, self.w), torch.linear(x, self.w), "
                        "torch.linear(x * 2., self.w)\n"
                        "    q = q.view(x.size(0), 12, 4, 12).transpose(1, 2)\n"
                        "    k = k.view(x.size(0), 12, 4, 12).transpose(1, 2)\n"
                        "    v = v.view(x.size(0), 12, 4, 12).transpose(1, 2)\n"
                        "    y = ") +
            call +
            ".transpose(1, 2).reshape(x.size(0), 12, 48)\n"
            "    y = torch.linear(y, self.h) + x\n"
            "    return torch.linear(y[:, 2], self.z)\n");
      CHECK(n.right({randn({batch, 12, 24}), randn({batch, 4, 12, 12})}));
    }
  }
}

TEST_CASE("what a row holds that isn't computed reaches nobody", "[lowering]") {
  Net n(block("torch.linear(h[:, 3], self.z)"));
  Tensor x = randn({1, 12, 24});
  for (int64_t i = 0; i < 24; ++i)
    x.data_ptr<float>()[5 * 24 + i] = std::numeric_limits<float>::quiet_NaN();
  CHECK(n.right({x}));
}

TEST_CASE("a row that raises is computed though nobody reads it", "[lowering]") {
  Net n(
      "def net(self, x: Tensor) -> Tensor:\n"
      "    h = torch.floor_divide(torch.ones_like(x), x)\n"
      "    return torch.exp(h[:, 0])\n");
  const Tensor good = ones({1, 12}, kLong), bad = good.clone();
  bad.data_ptr<int64_t>()[7] = 0;
  (void)n.planned.run_method("net", {good});
  CHECK_THROWS_WITH(n.planned.run_method("net", {bad}), Catch::Contains("ZeroDivisionError"));
}
