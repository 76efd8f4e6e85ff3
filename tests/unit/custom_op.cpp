// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "sconce/sconce.h"

using namespace sconce;

namespace {
int calls = 0;
Tensor twice(const Tensor& x, int64_t times) {
  ++calls;
  Tensor out = empty(x.sizes());
  for (int64_t i = 0; i < x.numel(); ++i)
    out.data_ptr<float>()[i] = x.data_ptr<float>()[i] * static_cast<float>(times);
  return out;
}
std::tuple<std::string, std::vector<int64_t>> describe(std::optional<double> d,
                                                       std::vector<int64_t> v) {
  std::vector<int64_t> r(v.rbegin(), v.rend());
  return {d ? "some" : "none", r};
}
void count_call(const IValue&) { ++calls; }
}  // namespace

TEST_CASE("operators of the host") {
  register_operators({op<twice>("test_ops::twice(Tensor x, int times=2) -> Tensor"),
                      op<describe>("test_ops::describe(float? d, int[2] v) -> (str, int[])"),
                      op<count_call>("test_ops::count_call(Any x) -> ()")});
  Module m = compile(R"(
def f(x: Tensor) -> Tensor:
    y = torch.ops.test_ops.twice(x)
    torch.ops.test_ops.count_call(1)
    name, sizes = torch.ops.test_ops.describe(None, [1, 2])
    assert name == "none" and sizes == [2, 1]
    return torch.relu(torch.ops.test_ops.twice(y, 5))
)");
  // The later calls would replay a recording, which an operator that looks at elements must not be
  // part of.
  for (int i = 1; i <= 3; ++i) {
    calls = 0;
    Tensor y = m.run_method("f", {full({3}, i)}).toTensor();
    CHECK(y.data_ptr<float>()[2] == 10.f * static_cast<float>(i));
    CHECK(calls == 3);
  }
  CHECK_THROWS_AS(register_operators({op<twice>("test_ops::twice(Tensor x, int times) -> Tensor")}),
                  Error);
  CHECK_THROWS_AS(register_operators({op<twice>("aten::relu(Tensor x, int times) -> Tensor")}),
                  Error);
  CHECK_THROWS_AS(register_operators({{"test_ops::broken(Tensor x", nullptr}}), Error);
  CHECK_THROWS_AS(load_plugin("no_such_file.so"), Error);
}

TEST_CASE("a custom operator's C++ parameters are compared with its schema") {
  using detail::Unbox;
  CHECK(Unbox<twice>::matches("a::b(Tensor(a!) x, int times=2) -> Tensor(a!)"));
  CHECK(Unbox<twice>::matches("a::b(Tensor x, *, int times=2) -> Tensor"));
  CHECK_FALSE(Unbox<twice>::matches("a::b(Tensor x, float times) -> Tensor"));
  CHECK_FALSE(Unbox<twice>::matches("a::b(Tensor x) -> Tensor"));
  CHECK_FALSE(Unbox<twice>::matches("a::b(Tensor x, int times, int more) -> Tensor"));
  CHECK_FALSE(Unbox<twice>::matches("a::b(Tensor? x, int times) -> Tensor"));
}
