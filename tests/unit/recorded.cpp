// SPDX-License-Identifier: Apache-2.0
// Operators whose answers follow from PyTorch's algorithm rather than from mathematics: beside each
// call stands what PyTorch 2.13 answered.
#include <catch2/catch.hpp>

#include "sconce/sconce.h"

using namespace sconce;

namespace {

template <class T>
std::vector<T> values(const IValue& v) {
  Tensor t = v.toTensor().contiguous();
  return {t.data_ptr<T>(), t.data_ptr<T>() + t.numel()};
}
using Ints = std::vector<int64_t>;

}  // namespace

TEST_CASE("equal elements are sorted where PyTorch leaves them") {
  Module m = compile(
      "def ties() -> Tensor:\n"
      "    return torch.arange(20) * 7 % 5\n"
      "def up() -> Tensor:\n"
      "    return torch.sort(ties())[1]\n"
      "def down(t: int) -> Tensor:\n"
      "    return torch.sort(ties().to(t), -1, True)[1]\n"
      "def stable() -> Tensor:\n"
      "    return torch.argsort(ties(), stable=True)\n"
      "def short() -> Tensor:\n"
      "    return torch.argsort(torch.slice(ties(), 0, 0, 16))\n"
      "def long() -> bool:\n"
      "    x = torch.arange(40000) % 5\n"
      "    return torch.equal(torch.argsort(x), torch.argsort(x, stable=True))\n"
      "def mode() -> Tensor:\n"
      "    return torch.mode(ties())[1]\n"
      "def all(sorted: bool) -> Tensor:\n"
      "    return torch.topk(ties(), 20, -1, True, sorted)[1]\n");
  const Ints up{0, 5, 15, 10, 18, 3, 13, 8, 1, 16, 11, 6, 9, 14, 4, 19, 12, 7, 17, 2},
      down{2, 17, 7, 12, 19, 4, 14, 9, 1, 16, 11, 6, 8, 13, 3, 18, 10, 15, 5, 0};
  CHECK(values<int64_t>(m.run_method("up", {})) == up);
  for (ScalarType t : {kLong, kByte, kDouble, kHalf})
    CHECK(values<int64_t>(m.run_method("down", {static_cast<int64_t>(t)})) == down);
  CHECK(values<int64_t>(m.run_method("stable", {})) ==
        Ints{0, 5, 10, 15, 3, 8, 13, 18, 1, 6, 11, 16, 4, 9, 14, 19, 2, 7, 12, 17});
  CHECK(values<int64_t>(m.run_method("short", {})) ==
        Ints{0, 5, 10, 15, 3, 8, 13, 1, 6, 11, 4, 9, 14, 2, 7, 12});
  CHECK(m.run_method("long", {}).toBool());
  CHECK(m.run_method("mode", {}).toTensor().item<int64_t>() == 10);
  CHECK(values<int64_t>(m.run_method("all", {true})) ==
        Ints{2, 17, 12, 7, 19, 9, 14, 4, 16, 1, 11, 6, 8, 13, 18, 3, 0, 10, 5, 15});
  CHECK(values<int64_t>(m.run_method("all", {false})) ==
        Ints{1, 19, 2, 17, 4, 16, 14, 7, 12, 9, 11, 0, 8, 13, 6, 10, 18, 3, 5, 15});
}

TEST_CASE("random numbers go where PyTorch's walk over the strides puts them") {
  Module m = compile(
      "def permuted() -> Tensor:\n"
      "    return torch.empty([4, 5]).t().normal_(0., 1.)\n"
      "def whole() -> Tensor:\n"
      "    return torch.empty([2, 3]).t().random_(100)\n"
      "def stepped() -> Tensor:\n"
      "    return torch.slice(torch.empty([3, 4]), 1, 0, 4, 2).uniform_(0., 1.)\n"
      "def nothing(n: int) -> Tensor:\n"
      "    return torch.empty([3]).random_(n)\n");
  auto run = [&](const char* f) {
    manual_seed(0);
    return m.run_method(f, {}).toTensor();
  };
  // 20 numbers, but not contiguous: one after the other, not in blocks of 16.
  Tensor x = run("permuted");
  CHECK(x[0][0].item<float>() == Approx(1.5409960746765137));
  CHECK(x[1][0].item<float>() == Approx(-0.293428897857666));
  CHECK(x[0][1].item<float>() == Approx(-1.3985954523086548));
  CHECK(values<float>(run("whole")) == std::vector<float>{44, 60, 39, 63, 33, 79});
  CHECK(run("stepped")[1][0].item<float>() == Approx(0.455627977848053));
  CHECK_THROWS_AS(m.run_method("nothing", {int64_t{0}}), Error);
}

TEST_CASE("means between two integers are rounded as each of PyTorch's kernels does") {
  Module m = compile(
      "def number() -> Tensor:\n"
      "    x = (torch.arange(48) * 7 % 11).reshape([1, 3, 4, 4])\n"
      "    return torch._make_per_tensor_quantized_tensor(x.to(0), .5, 3)\n"
      "def mean() -> Tensor:\n"
      "    return torch.int_repr(torch.mean(number(), [2, 3]))\n"
      "def pool() -> Tensor:\n"
      "    return torch.int_repr(torch.avg_pool2d(number(), [2, 2]))\n"
      "def adaptive() -> Tensor:\n"
      "    return torch.int_repr(torch.adaptive_avg_pool2d(number(), [2, 2]))\n"
      "def steps() -> Tensor:\n"
      "    return torch.int_repr(torch.quantize_per_tensor(torch.arange(6) * .5, 1., 3, 13))\n");
  using Bytes = std::vector<uint8_t>;
  const Bytes pooled{4, 7, 5, 5, 6, 3, 7, 4, 5, 5, 3, 6};
  CHECK(values<uint8_t>(m.run_method("mean", {})) == Bytes{5, 5, 5});
  CHECK(values<uint8_t>(m.run_method("pool", {})) == pooled);
  CHECK(values<uint8_t>(m.run_method("adaptive", {})) == pooled);
  CHECK(values<uint8_t>(m.run_method("steps", {})) == Bytes{3, 4, 4, 4, 5, 6});
}
