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
  CHECK(run("stepped")[1][0].item<float>() == Approx(0.08847743272781372));
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

TEST_CASE("tensors print as LibTorch prints them") {
  Module m = compile(
      "def text(x: Tensor) -> str:\n"
      "    return str(x)\n");
  auto text = [&](const Tensor& t) { return m.run_method("text", {t}).toStringRef(); };
  auto of = [](std::vector<double> v, ScalarType t = kDouble) {
    return from_blob(v.data(), {static_cast<int64_t>(v.size())}, kDouble).clone().to(t);
  };
  // Two calls of the same sizes: the numbers are read each time.
  CHECK(text(of({1, 1e6}, kLong)) == "       1\n   1e+06\n[ CPULongType{2} ]");
  CHECK(text(of({-2, 1234567}, kLong)) == "      -2\n1.23457e+06\n[ CPULongType{2} ]");
  CHECK(text(of({1.5, 1e6})) == " 1.5000e+00\n 1.0000e+06\n[ CPUDoubleType{2} ]");
  CHECK(text(of({168549.5, -896786.25})) == "100000 *\n 1.6855\n-8.9679\n[ CPUDoubleType{2} ]");
  CHECK(text(of({5, -1442})) == "    5\n-1442\n[ CPUDoubleType{2} ]");
  CHECK(text(of({0.1f}, kFloat)[0]) == "0.10000000149011612\n[ CPUFloatType{} ]");
  CHECK(text(of({1e16})[0]) == "1e+16\n[ CPUDoubleType{} ]");
}

TEST_CASE("nonzero_static cuts and fills") {
  Module m = compile(
      "def f(n: int) -> Tensor:\n"
      "    return torch.nonzero_static(torch.tensor([0, 3, 0, 4]), size=n, fill_value=-1)\n");
  CHECK(values<int64_t>(m.run_method("f", {int64_t{1}})) == Ints{1});
  CHECK(values<int64_t>(m.run_method("f", {int64_t{3}})) == Ints{1, 3, -1});
}

TEST_CASE("torchaudio's operators are built in") {
  Module m = compile(
      "def filter() -> Tensor:\n"
      "    out = torch.zeros([1, 1, 6])\n"
      "    ok = ops.torchaudio._lfilter_core_loop(torch.tensor([[[1., 0., 0., 2.]]]), "
      "torch.tensor([[0.25, -0.5, 1.]]), out)\n"
      "    return out\n"
      "def whole() -> Tensor:\n"
      "    return ops.torchaudio._lfilter(torch.tensor([[[1., 0., 0., 2.]]]), "
      "torch.tensor([[2., -1., 0.5]]), torch.tensor([[2., 0., 0.]]))\n"
      "def align() -> Tensor:\n"
      "    p = torch.tensor([[[0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, "
      "0.8]]])\n"
      "    return ops.torchaudio.forced_align(torch.log(p), torch.tensor([[1, 1, 2]]), "
      "torch.tensor([4]), torch.tensor([3]), 0)[0]\n"
      "def loss() -> Tensor:\n"
      "    x = torch.arange(12).to(6).view([1, 2, 2, 3]) / 7.\n"
      "    return ops.torchaudio.rnnt_loss_forward(x, torch.tensor([[1]], dtype=3), "
      "torch.tensor([2], dtype=3), torch.tensor([1], dtype=3), 0, -1., True)[0]\n");
  const std::vector<float> y{1, 0.5, 0, 1.875};
  CHECK(values<float>(m.run_method("filter", {})) == std::vector<float>{0, 0, 1, 0.5, 0, 1.875});
  CHECK(values<float>(m.run_method("whole", {})) == y);
  CHECK(values<int64_t>(m.run_method("align", {})) == Ints{1, 0, 1, 2});
  CHECK(m.run_method("loss", {}).toTensor().item<float>() == Approx(2.9087772369384766));
}

TEST_CASE("embedding tables are packed and unpacked byte for byte") {
  Module m = compile(
      "def bytes(x: Tensor) -> Tensor:\n"
      "    return ops.quantized.embedding_bag_byte_prepack(x)\n"
      "def nibbles(x: Tensor) -> Tuple[Tensor, Tensor]:\n"
      "    q = ops.quantized.embedding_bag_4bit_prepack(x)\n"
      "    return (q, ops.quantized.embedding_bag_4bit_unpack(q))\n");
  float row[] = {0, 1, 2, 15};
  Tensor x = from_blob(row, {1, 4});
  using Bytes = std::vector<uint8_t>;
  CHECK(values<uint8_t>(m.run_method("bytes", {x})) ==
        Bytes{0, 17, 34, 255, 241, 240, 112, 61, 0, 0, 0, 0});
  IValue packed = m.run_method("nibbles", {x});
  CHECK(values<uint8_t>(packed.toTuple()->elements()[0]) == Bytes{0x10, 0xf2, 0, 60, 0, 0});
  CHECK(values<float>(packed.toTuple()->elements()[1]) == std::vector<float>{0, 1, 2, 15});
}

TEST_CASE("memory of others doesn't grow") {
  Module m = compile(
      "def f(x: Tensor) -> Tensor:\n"
      "    return torch.resize_(x, [8])\n");
  float row[4] = {};
  CHECK_THROWS_AS(m.run_method("f", {from_blob(row, {4})}), Error);
  CHECK(m.run_method("f", {zeros({4})}).toTensor().size(0) == 8);
}

TEST_CASE("gradients of convolutions are convolutions") {
  Module m = compile(
      "def f(x: Tensor, w: Tensor, g: Tensor) -> Tuple[Tensor, Tensor, Tensor]:\n"
      "    return torch.convolution_backward(g, x, w, [1], [1], [0], [1], False, [0], 1, [True, "
      "True, True])\n");
  float x[] = {1, 2, 3}, w[] = {10, 20}, g[] = {1, 100};
  auto r = m.run_method(
      "f", {from_blob(x, {1, 1, 3}), from_blob(w, {1, 1, 2}), from_blob(g, {1, 1, 2})});
  CHECK(values<float>(r.toTuple()->elements()[0]) == std::vector<float>{10, 1020, 2000});
  CHECK(values<float>(r.toTuple()->elements()[1]) == std::vector<float>{201, 302});
  CHECK(values<float>(r.toTuple()->elements()[2]) == std::vector<float>{101});
}
