// SPDX-License-Identifier: Apache-2.0
// A device that isn't the CPU, on the emulated CUDA library: its memory can't be read by anything
// but its kernels, so these tests crash where the host touches an element. scripts/gpu_check runs
// them on a GPU.
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <sstream>
#include <thread>

#include "compare.h"
#include "sconce/sconce.h"

using namespace sconce;

namespace {
const Device kCuda{DeviceType::CUDA, 0};
// Unless the environment names another library: that of a GPU.
void use_emulation() { setenv("SCONCE_CUDA_LIBRARY", SCONCE_CUDA_EMULATED, 0); }
Tensor numbers(IntArrayRef sizes) {
  Tensor t = empty(sizes);
  for (int64_t i = 0; i < t.numel(); ++i) t.data_ptr<float>()[i] = static_cast<float>(i);
  return t;
}
std::string fixture(const std::string& name) {
  const char* moved = std::getenv("SCONCE_FIXTURES");  // on another machine
  return std::string(moved ? moved : SCONCE_FIXTURES) + "/" + name;
}
void check_equal(const Tensor& a, const Tensor& b) {
  auto d = tool::difference(IValue(a), IValue(b), {"close", 1e-5, 1e-6}, "tensor");
  INFO(d.value_or(""));
  CHECK_FALSE(d);
}
}  // namespace

TEST_CASE("tensors go to a device and back with their strides", "[device]") {
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

TEST_CASE("operators run where their tensors are", "[device]") {
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

TEST_CASE("long rows are reduced in pieces", "[device]") {
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

TEST_CASE("source text makes tensors on a device, and reads them", "[device]") {
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

TEST_CASE("a device that lacks a kernel says so when it must be strict", "[device]") {
  use_emulation();
  LoadOptions strict;
  strict.strict_device = true;
  Module m = compile("def f(x: Tensor) -> Tensor:\n    return torch.inverse(x)\n", strict);
  CHECK_THROWS_WITH(m.run_method("f", {full({1, 1}, 4).to(kCuda)}),
                    Catch::Matchers::Contains("no kernel on cuda:0"));
}

TEST_CASE("devices that are not there are errors", "[device]") {
  use_emulation();
  CHECK_THROWS_AS(ones({1}).to(Device::parse("cuda:9")), OpError);
  CHECK_THROWS_AS(ones({1}).to(Device::parse("xpu")), OpError);
  Module m = load(fixture("small_cnn.pt"));
  CHECK_THROWS_AS(m.to(Device::parse("cuda:9")), OpError);
}

TEST_CASE("a module moves with what it shares, and back", "[device]") {
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

TEST_CASE("an archive saved on a device that is not there runs on the CPU", "[device]") {
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

TEST_CASE("threads share a device", "[device][threads]") {
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

TEST_CASE("memory that a device lacks is an error, and the module stays usable",
          "[device][memory]") {
  use_emulation();
  LoadOptions options;
  options.device = kCuda;
  Module m = load(fixture("small_cnn.pt"), options);
  Tensor x = randn({1, 3, 32, 32}).to(kCuda);
  Tensor before = m.forward({x}).toTensor().cpu();
  Module large = compile(
      "def f(n: int) -> Tensor:\n"
      "    return torch.zeros([n, 1024, 1024], device='cuda')\n");
  CHECK_THROWS_AS(large.run_method("f", {IValue(int64_t{1} << 24)}), OutOfMemory);
  CHECK_THROWS_WITH(large.run_method("f", {IValue(int64_t{1} << 24)}),
                    Catch::Matchers::Contains("cannot allocate 70368744177664 bytes") &&
                        Catch::Matchers::Contains("bytes are free"));
  check_equal(m.forward({x}).toTensor().cpu(), before);
}

TEST_CASE("a device tells what it is", "[device]") {
  use_emulation();
  REQUIRE(cuda_device_count() > 0);
  CudaDevice d = cuda_device();
  CHECK_FALSE(d.description.empty());
  CHECK(d.free_bytes <= d.total_bytes);
  CHECK_THROWS_WITH(cuda_device(63), Catch::Matchers::Contains("cuda:63 is not available"));
  CHECK_FALSE(allow_tf32());
  set_allow_tf32(true);
  CHECK(allow_tf32());
  set_allow_tf32(false);
}

TEST_CASE("two devices keep their tensors apart", "[device]") {
  use_emulation();
  if (cuda_device_count() < 2) return;
  const Device second{DeviceType::CUDA, 1};
  Tensor x = randn({3, 4}), here = x.to(kCuda), there = here.to(second);
  CHECK(there.device() == second);
  check_equal((there + there).cpu(), x + x);
  CHECK_THROWS_WITH(here + there, Catch::Matchers::Contains("on the same device"));
  Module m = load(fixture("small_cnn.pt"));
  Tensor picture = randn({1, 3, 32, 32}), expected = m.forward({picture}).toTensor();
  m.to(second);
  Tensor out = m.forward({picture.to(second)}).toTensor();
  CHECK(out.device() == second);
  check_equal(out.cpu(), expected);
}

TEST_CASE("a fault is told to the thread whose kernel found it", "[device][threads]") {
  use_emulation();
  Module m = compile(
      "def f(x: Tensor, i: int) -> Tensor:\n"
      "    return x[torch.tensor([0, i], device=x.device)]\n");
  Tensor x = numbers({4}).to(kCuda);
  std::atomic<int> raised{0}, right{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t)
    threads.emplace_back([&, t] {
      for (int k = 0; k < 30; ++k) {
        const bool wrong = t % 2;
        Tensor y = m.run_method("f", {x, IValue(int64_t{wrong ? 7 : 3})}).toTensor();
        try {
          right += y.cpu().sum().item<float>() == 3;
        } catch (const OpError&) {
          ++raised;
        }
      }
    });
  for (auto& t : threads) t.join();
  CHECK(raised == 90);
  CHECK(right == 90);
}

TEST_CASE("products and convolutions of many forms are the CPU's", "[device]") {
  use_emulation();
  Module m = compile(
      "def product(a: Tensor, b: Tensor) -> Tensor:\n    return a @ b\n"
      "def conv(x: Tensor, w: Tensor, b: Tensor, stride: int, pad: int, dilation: int, groups: "
      "int) -> Tensor:\n"
      "    return torch.conv2d(x, w, b, [stride, stride], [pad, pad], [dilation, dilation], "
      "groups)\n");
  auto same = [&](const char* method, std::vector<IValue> inputs) {
    Tensor expected = m.run_method(method, inputs).toTensor();
    for (IValue& v : inputs)
      if (v.isTensor()) v = IValue(v.toTensor().to(kCuda));
    Tensor out = m.run_method(method, inputs).toTensor().cpu();
    auto d = tool::difference(IValue(out), IValue(expected), {"close", 1e-4, 1e-4}, method);
    INFO(d.value_or(""));
    CHECK_FALSE(d);
  };
  for (int64_t n : {1, 7, 64, 130}) {
    Tensor a = randn({n, 33}), b = randn({33, 65});
    same("product", {a, b});
    same("product", {a.transpose(0, 1), randn({n, 5})});
    same("product", {randn({3, n, 33}), b});
    same("product", {randn({3, 33, n}).transpose(1, 2), randn({3, 33, 9})});
  }
  const int64_t forms[][7] = {// images, channels out, groups, taps, stride, pad, dilation
                              {1, 16, 1, 1, 1, 0, 1},  {2, 16, 1, 1, 2, 0, 1},
                              {2, 16, 1, 3, 1, 1, 1},  {3, 32, 1, 3, 2, 1, 1},
                              {2, 16, 16, 3, 1, 1, 1}, {2, 32, 4, 3, 1, 2, 2},
                              {1, 24, 1, 7, 2, 3, 1},  {5, 16, 1, 5, 3, 0, 1}};
  for (auto& f : forms)
    same("conv", {randn({f[0], 16, 19, 21}), randn({f[1], 16 / f[2], f[3], f[3]}), randn({f[1]}),
                  IValue(f[4]), IValue(f[5]), IValue(f[6]), IValue(f[2])});
}

TEST_CASE("calls of equal shapes answer anew each time", "[device]") {
  use_emulation();
  Module cpu = load(fixture("small_cnn.pt")), m = load(fixture("small_cnn.pt"));
  m.to(kCuda);
  // Other addresses, answers that are kept, and a weight that is written in between.
  std::vector<Tensor> inputs, answers;
  for (int i = 0; i < 6; ++i) {
    inputs.push_back(randn({1, 3, 32, 32}));
    answers.push_back(m.forward({inputs.back().to(kCuda)}).toTensor());
  }
  for (size_t i = 0; i < inputs.size(); ++i)
    check_equal(answers[i].cpu(), cpu.forward({inputs[i]}).toTensor());
  for (auto& p : m.parameters()) p.fill_(0.01);
  for (auto& p : cpu.parameters()) p.fill_(0.01);
  for (int i = 0; i < 4; ++i)
    check_equal(m.forward({inputs[0].to(kCuda)}).toTensor().cpu(),
                cpu.forward({inputs[0]}).toTensor());
  // A part of a larger tensor, and more than one shape in turn.
  Module f = compile(
      "def f(x: Tensor, y: Tensor) -> Tuple[Tensor, Tensor]:\n"
      "    z = (x + y).relu()\n"
      "    return (z * 2, z.sum(0))\n");
  for (int i = 0; i < 12; ++i) {
    Tensor x = randn({9, 5 + i % 3}), y = randn({5 + i % 3});
    Tensor there = x.to(kCuda), part = there.slice(0, 2, 7, 1), row = y.to(kCuda);
    auto ours = f.run_method("f", {part, row}).toTupleRef().items;
    auto theirs = f.run_method("f", {x.slice(0, 2, 7, 1), y}).toTupleRef().items;
    for (size_t k = 0; k < 2; ++k) check_equal(ours[k].toTensor().cpu(), theirs[k].toTensor());
  }
}
