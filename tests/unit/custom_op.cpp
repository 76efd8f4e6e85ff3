// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "sconce/libtorch.h"
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

namespace {
// A kernel that gives x times factor, or what stands in a list first, times factor.
libtorch::OwnKernel times(double factor) {
  return [factor](Call& c) {
    const IValue& v = c.in(0);
    Tensor x = v.isTensor() ? v.toTensor() : v.toListRef().items.at(0).toTensor();
    Tensor r = x.clone();
    for (int64_t i = 0; i < r.numel(); ++i) r.data_ptr<float>()[i] *= static_cast<float>(factor);
    c.out(0, r);
  };
}
float first(const Module& m, const char* method) {
  return m.run_method(method, {full({2}, 1)}).toTensor().data_ptr<float>()[1];
}
}  // namespace

TEST_CASE("operators of a program are defined and implemented in any order") {
  using libtorch::KernelPlace;
  libtorch::implement_operator("test_own::early", KernelPlace::Implicit, times(2));
  libtorch::define_operators(
      {"test_own::early(Tensor x) -> Tensor", "test_own::late(Tensor x) -> Tensor",
       "test_own::late.all(Tensor[] x) -> Tensor", "test_own::never(Tensor x) -> Tensor"});
  Module m = compile(R"(
def early(x: Tensor) -> Tensor:
    return torch.ops.test_own.early(x)
def late(x: Tensor) -> Tensor:
    return torch.ops.test_own.late(x)
def late_all(x: Tensor) -> Tensor:
    return torch.ops.test_own.late([x, x])
def never(x: Tensor) -> Tensor:
    return torch.ops.test_own.never(x)
)");
  CHECK(first(m, "early") == 2);
  CHECK_THROWS_AS(first(m, "late"), Error);
  libtorch::implement_operator("test_own::late", KernelPlace::Autograd, times(3));
  CHECK(first(m, "late") == 3);
  libtorch::implement_operator("test_own::late", KernelPlace::Explicit, times(4));
  CHECK(first(m, "late") == 4);
  libtorch::implement_operator("test_own::late", KernelPlace::Cuda, times(5));
  CHECK(first(m, "late") == 4);
  libtorch::implement_operator("test_own::late", KernelPlace::Cpu, times(6));
  CHECK(first(m, "late") == 6);
  // An overload has kernels of its own; the list's tensor tells the device.
  CHECK_THROWS_AS(first(m, "late_all"), Error);
  libtorch::implement_operator("test_own::late.all", KernelPlace::Cpu, times(7));
  CHECK(first(m, "late_all") == 7);
  libtorch::implement_operator("test_own::never", KernelPlace::Cuda, times(1));
  CHECK_THROWS_AS(first(m, "never"), Error);

  CHECK_THROWS_AS(libtorch::define_operators({"test_own::early(Tensor x) -> Tensor"}), Error);
  CHECK_THROWS_AS(libtorch::define_operators({"test_own::broken(Tensor x"}), Error);
  CHECK_THROWS_AS(libtorch::implement_operator("aten::relu", KernelPlace::Cpu, times(1)), Error);
  // What sconce has stays sconce's.
  libtorch::define_operators(
      {"torchvision::nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"});
}
