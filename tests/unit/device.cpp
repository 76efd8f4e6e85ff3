// SPDX-License-Identifier: Apache-2.0
// A device that isn't the CPU, on the emulated CUDA library: its memory can't be read by anything
// but its kernels, so these tests crash where the host touches an element.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <sstream>
#include <thread>

#include "compare.h"
#include "sconce/sconce.h"

using namespace sconce;

namespace {
const Device kCuda{DeviceType::CUDA, 0};
void use_emulation() { setenv("SCONCE_CUDA_LIBRARY", SCONCE_CUDA_EMULATED, 1); }
Tensor numbers(IntArrayRef sizes) {
  Tensor t = empty(sizes);
  for (int64_t i = 0; i < t.numel(); ++i) t.data_ptr<float>()[i] = static_cast<float>(i);
  return t;
}
std::string fixture(const std::string& name) { return std::string(SCONCE_FIXTURES) + "/" + name; }
void check_equal(const Tensor& a, const Tensor& b) {
  auto d = tool::difference(IValue(a), IValue(b), {"close", 1e-5, 1e-6}, "tensor");
  INFO(d.value_or(""));
  CHECK_FALSE(d);
}
}  // namespace

TEST_CASE("tensors go to a device and back with their strides") {
  use_emulation();
  Tensor x = numbers({3, 4}).transpose(0, 1), there = x.to(kCuda);
  CHECK(there.device() == kCuda);
  CHECK(there.strides() == x.strides());
  CHECK(there.to(kCuda).is_same(there));
  CHECK(there.cpu().device() == Device{});
  check_equal(there.cpu(), x);
  // Part of a bigger one, and elements that share memory.
  check_equal(x.select(0, 2).to(kCuda).cpu(), x.select(0, 2));
  CHECK(there.select(0, 1).select(0, 2).item<float>() == 9);
  std::ostringstream text;
  text << there;
  CHECK(text.str().find("CUDAFloatType{4,3}") != std::string::npos);
}

TEST_CASE("operators run where their tensors are") {
  use_emulation();
  Tensor x = numbers({3, 4}), there = x.to(kCuda);
  Tensor sum = there + there.relu() * there;
  CHECK(sum.device() == kCuda);
  check_equal(sum.cpu(), x + x * x);
  check_equal(there.softmax(1).cpu(), x.softmax(1));
  // A tensor of the CPU beside it is copied.
  check_equal((there + ones({4})).cpu(), x + ones({4}));
  there.fill_(2);
  CHECK(there.sum().item<float>() == 24);
}

TEST_CASE("long rows are reduced in pieces") {
  use_emulation();
  // More than one piece, and a last one that is shorter.
  Tensor x = randn({3, 100001}), there = x.to(kCuda);
  Module m = compile(
      "def f(x: Tensor) -> List[Tensor]:\n"
      "    return [x.sum(1), x.amax(1), x.amin(1), x.argmax(1), x.var(1), x.norm(2, 1), "
      "x.logsumexp(1),\n"
      "            x.softmax(1), x.prod(1), (x > -9).all(1), x.mean(1), x.cumsum(1)]\n");
  auto ours = m.run_method("f", {there}).toListVector(),
       cpu = m.run_method("f", {x}).toListVector();
  REQUIRE(ours.size() == cpu.size());
  for (size_t i = 0; i < cpu.size(); ++i) {
    auto d = tool::difference(ours[i], cpu[i], {"close", 1e-4, 1e-4}, std::to_string(i));
    INFO(d.value_or(""));
    CHECK_FALSE(d);
  }
}

TEST_CASE("source text makes tensors on a device, and reads them") {
  use_emulation();
  Module m = compile(
      "def made(n: int) -> Tensor:\n"
      "    x = torch.arange(n, device='cuda')\n"
      "    y = torch.tensor([1, 2, 3], device='cuda')\n"
      "    if bool((x > 1).any()):\n"
      "        x = x + y.sum()\n"
      "    return x.to('cpu') + torch.zeros_like(x, device='cpu')\n"
      "def placed(x: Tensor) -> Tuple[Device, bool, int]:\n"
      "    return (x.device, x.is_cuda, int(x.max()))\n"
      "def picked(x: Tensor, i: int) -> Tensor:\n"
      "    return x[torch.tensor([0, i], device=x.device)]\n"
      "def divided(x: Tensor, y: Tensor) -> Tensor:\n"
      "    return x // y\n"
      "def inverted(x: Tensor) -> Tensor:\n"
      "    return torch.inverse(x)\n");
  CHECK(m.run_method("made", {IValue(int64_t{4})}).toTensor().sum().item<int64_t>() == 30);
  Tensor x = numbers({4}).to(kCuda);
  CHECK(ivalue_str(m.run_method("placed", {x})) == "(cuda:0, True, 3)");
  CHECK(m.run_method("picked", {x, IValue(int64_t{3})}).toTensor().sum().item<float>() == 3);
  // What a kernel finds is raised where the host next looks.
  Tensor wrong = m.run_method("picked", {x, IValue(int64_t{9})}).toTensor();
  CHECK_THROWS_AS(wrong.cpu(), OpError);
  Tensor ints = m.run_method("made", {IValue(int64_t{2})}).toTensor().to(kCuda);
  Tensor quotient = m.run_method("divided", {ints, (ints - ints)}).toTensor();
  CHECK_THROWS_WITH(quotient.cpu(), Catch::Matchers::Contains("ZeroDivisionError"));
  check_equal(x.cpu(), numbers({4}));
  // No kernel of the device: the CPU's, over copies.
  Tensor square = full({1, 1}, 4).to(kCuda);
  Tensor inverse = m.run_method("inverted", {square}).toTensor();
  CHECK(inverse.device() == kCuda);
  CHECK(inverse.item<float>() == 0.25f);
}

TEST_CASE("a device that lacks a kernel says so when it must be strict") {
  use_emulation();
  LoadOptions strict;
  strict.strict_device = true;
  Module m = compile("def f(x: Tensor) -> Tensor:\n    return torch.inverse(x)\n", strict);
  CHECK_THROWS_WITH(m.run_method("f", {full({1, 1}, 4).to(kCuda)}),
                    Catch::Matchers::Contains("no kernel on cuda:0"));
}

TEST_CASE("devices that are not there are errors") {
  use_emulation();
  CHECK_THROWS_AS(ones({1}).to(Device::parse("cuda:9")), OpError);
  CHECK_THROWS_AS(ones({1}).to(Device::parse("xpu")), OpError);
  Module m = load(fixture("small_cnn.pt"));
  CHECK_THROWS_AS(m.to(Device::parse("cuda:9")), OpError);
}

TEST_CASE("a module moves with what it shares, and back") {
  use_emulation();
  Tensor x = randn({1, 3, 32, 32});
  Module m = load(fixture("small_cnn.pt"));
  Tensor before = m.forward({x}).toTensor();
  m.to(kCuda);
  for (auto& p : m.parameters()) CHECK(p.device() == kCuda);
  Tensor there = m.forward({x.to(kCuda)}).toTensor();
  CHECK(there.device() == kCuda);
  check_equal(there.cpu(), before);
  m.to(Device{});
  check_equal(m.forward({x}).toTensor(), before);
  LoadOptions options;
  options.device = kCuda;
  check_equal(load(fixture("small_cnn.pt"), options).forward({x.to(kCuda)}).toTensor().cpu(),
              before);
}

TEST_CASE("an archive saved on a device that is not there runs on the CPU") {
  use_emulation();
  Tensor x = randn({5, 4});
  // There: cuda:0 is emulated.
  Module m = load(fixture("saved_on_cuda.pt"));
  CHECK(m.parameters()[0].device() == kCuda);
  Tensor there = m.forward({x.to(kCuda)}).toTensor();
  m.to(Device{});
  check_equal(m.forward({x}).toTensor(), there.cpu());
  LoadOptions options;
  options.device = Device{};
  Module here = load(fixture("saved_on_cuda.pt"), options);
  CHECK(here.parameters()[0].device() == Device{});
  check_equal(here.forward({x}).toTensor(), there.cpu());
}

TEST_CASE("threads share a device") {
  use_emulation();
  LoadOptions options;
  options.device = kCuda;
  Module m = load(fixture("small_cnn.pt"), options);
  Tensor x = randn({1, 3, 32, 32}).to(kCuda);
  Tensor expected = m.forward({x}).toTensor().cpu();
  std::vector<std::thread> threads;
  std::vector<Tensor> answers(4);
  for (size_t i = 0; i < answers.size(); ++i)
    threads.emplace_back([&, i] { answers[i] = m.forward({x}).toTensor().cpu(); });
  for (auto& t : threads) t.join();
  for (auto& a : answers) check_equal(a, expected);
}
