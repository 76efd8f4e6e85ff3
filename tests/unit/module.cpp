// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <atomic>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <thread>

#include "compare.h"
#include "core/context.h"
#include "sconce/sconce.h"

using namespace sconce;

namespace {
std::string fixture(const std::string& name) { return std::string(SCONCE_FIXTURES) + "/" + name; }
std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}
}  // namespace

TEST_CASE("an archive loads from a path, from memory and from a stream") {
  std::string bytes = bytes_of(fixture("small_cnn.pt"));
  std::istringstream stream(bytes);
  Tensor x = randn({1, 3, 32, 32});
  Tensor a = load(fixture("small_cnn.pt")).forward({x}).toTensor();
  Tensor b = load(bytes.data(), bytes.size()).forward({x}).toTensor();
  Tensor c = load(stream).forward({x}).toTensor();
  tool::Tolerance exact{"exact", 0, 0};
  CHECK(!tool::difference(a, b, exact, "b"));
  CHECK(!tool::difference(a, c, exact, "c"));
}

TEST_CASE("every truncation of an archive is a clear error") {
  std::string bytes = bytes_of(fixture("router.pt"));
  for (size_t n = 0; n < bytes.size(); n += 97) CHECK_THROWS_AS(load(bytes.data(), n), Error);
}

TEST_CASE("flipped bytes never crash") {
  struct Archive {
    const char* name;
    std::vector<int64_t> input;
    size_t step;
  };
  for (const Archive& a :
       {Archive{"router.pt", {2, 8}, 41}, Archive{"old_model_json.pt", {1, 3}, 7}}) {
    const std::string bytes = bytes_of(fixture(a.name));
    for (size_t at = 0; at < bytes.size(); at += a.step) {
      std::string broken = bytes;
      broken[at] = static_cast<char>(broken[at] ^ 0x55);
      try {
        Module m = load(broken.data(), broken.size());
        m.forward({randn(a.input)});
      } catch (const Error&) {
        // the usual outcome
      }
    }
  }
  SUCCEED();
}

namespace {
struct Counted {
  Allocator plain;
  std::atomic<int> allocations{0};
};
void* count_allocate(void* self, size_t n) {
  auto* c = static_cast<Counted*>(self);
  ++c->allocations;
  return c->plain.allocate(c->plain.self, n);
}
void count_deallocate(void* self, void* p, size_t n) {
  auto* c = static_cast<Counted*>(self);
  c->plain.deallocate(c->plain.self, p, n);
}
}  // namespace

TEST_CASE("a second call with the same shapes allocates nothing but its output") {
  Module m = load(fixture("mlp.pt"));
  Tensor x = ones({1, 32});
  Counted counted;
  counted.plain = default_context().allocator;
  default_context().allocator = {count_allocate, count_deallocate, &counted};
  Tensor first = m.forward({x}).toTensor();
  CHECK(counted.allocations > 1);
  for (int call = 2; call < 5; ++call) {
    INFO("call " << call);
    counted.allocations = 0;
    Tensor y = m.forward({x}).toTensor();
    CHECK(counted.allocations == 1);
    CHECK(y.sizes() == first.sizes());
    CHECK(std::memcmp(y.raw_data(), first.raw_data(), static_cast<size_t>(y.numel()) * 4) == 0);
  }
  default_context().allocator = counted.plain;
}

TEST_CASE("source text compiles and runs with no archive") {
  Module m = compile(
      "def fib(n: int) -> int:\n"
      "    a = 0\n"
      "    b = 1\n"
      "    for i in range(n):\n"
      "        a, b = b, a + b\n"
      "    return a\n"
      "def twice(n: int) -> int:\n"
      "    return fib(n) * 2\n");
  CHECK(m.run_method("fib", {IValue(int64_t{10})}).toInt() == 55);
  CHECK(m.run_method("twice", {IValue(int64_t{10})}).toInt() == 110);
  CHECK_THROWS_AS(compile("def f(x: int) -> int:\n    return y\n"), ScriptError);
  CHECK_THROWS_AS(compile("def f(x: int -> int:\n    return x\n"), ScriptError);
}

TEST_CASE("scalar arithmetic and its jumps") {
  Module m = compile(
      "def collatz(n: int) -> int:\n"
      "    steps = 0\n"
      "    while n != 1:\n"
      "        if n % 2 == 0:\n"
      "            n = n // 2\n"
      "        else:\n"
      "            n = 3 * n + 1\n"
      "        steps += 1\n"
      "    return steps\n"
      "def compared(x: float, y: float) -> int:\n"
      "    bits = 0\n"
      "    if x < y:\n"
      "        bits = bits | 1\n"
      "    if x <= y:\n"
      "        bits = bits | 2\n"
      "    if x > y:\n"
      "        bits = bits | 4\n"
      "    if x >= y:\n"
      "        bits = bits | 8\n"
      "    return bits ^ 16\n"
      "def divided(a: int, b: int) -> Tuple[int, int]:\n"
      "    return (a // b,\n"
      "            -a % b)\n");
  CHECK(m.run_method("collatz", {IValue(int64_t{27})}).toInt() == 111);
  auto compared = [&](double x, double y) {
    return m.run_method("compared", {IValue(x), IValue(y)}).toInt();
  };
  CHECK(compared(1, 2) == (16 | 1 | 2));
  CHECK(compared(2, 2) == (16 | 2 | 8));
  CHECK(compared(3, 2) == (16 | 4 | 8));
  CHECK(compared(std::nan(""), 2) == 16);
  auto divided = [&](int64_t a, int64_t b) {
    return ivalue_str(m.run_method("divided", {IValue(a), IValue(b)}));
  };
  CHECK(divided(7, -2) == "(-4, -1)");
  CHECK(divided(-7, 2) == "(-4, 1)");
  CHECK(divided(std::numeric_limits<int64_t>::min(), -1) == "(-9223372036854775808, 0)");
  CHECK_THROWS_WITH(divided(1, 0), Catch::Matchers::Contains("line 22") &&
                                       Catch::Matchers::Contains("return (a // b") &&
                                       Catch::Matchers::Contains("division by 0"));
  // The comparison is part of the jump; constants stand in the frame's last slots.
  std::string plan = m.plan_text("collatz");
  CHECK(plan.find("JumpIfNotEqInt") != std::string::npos);
  CHECK(plan.find("EqInt", plan.find("JumpIfNotEqInt") + 14) == std::string::npos);
  CHECK(plan.find(" = 3\n") < plan.find("0 "));
}

TEST_CASE("methods can be added to a module") {
  Module m = load(fixture("mlp.pt"));
  m.define("def double(self, x: Tensor) -> Tensor:\n    return self.forward(x) * 2\n");
  Tensor x = ones({1, 32});
  Tensor a = m.forward({x}).toTensor(), b = m.run_method("double", {x}).toTensor();
  CHECK(b.data_ptr<float>()[0] == Approx(2 * a.data_ptr<float>()[0]));
  CHECK_THROWS_AS(m.define("def double(self) -> int:\n    return 1\n"), ScriptError);
}

TEST_CASE("the peephole pass decides what types say") {
  Module m = compile(
      "def f(x: Tensor, n: int) -> int:\n"
      "    k = [1, 2, 3]\n"
      "    if x is None:\n"
      "        return 0\n"
      "    return (n + 0) * 1 + len(k)\n");
  std::string before = m.graph_text("f"), after = m.graph_text("f", "peephole,dce");
  CHECK(before.find("aten::len") != std::string::npos);
  CHECK(after.find("aten::len") == std::string::npos);
  CHECK(after.find("aten::mul") == std::string::npos);
  CHECK(m.run_method("f", {ones({1}), IValue(int64_t{4})}).toInt() == 7);
}

TEST_CASE("eight threads get the answers of one") {
  for (const char* name : {"small_cnn", "hybrid", "lstm_loop", "mlp"}) {
    Module m = load(fixture(std::string(name) + ".pt"));
    auto cases = tool::read_cases(fixture(std::string(name) + ".io.pt"));
    auto inputs = tool::convert_inputs(m, cases[0].method, cases[0].inputs);
    IValue expected = m.run_method(cases[0].method, inputs);
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 10; ++i)
          if (tool::difference(m.run_method(cases[0].method, inputs), expected, {"exact", 0, 0},
                               ""))
            ++wrong;
      });
    for (auto& t : threads) t.join();
    CHECK(wrong == 0);
  }
}

TEST_CASE("threads compile one method, and load one archive twice, at once") {
  Module m = load(fixture("hybrid.pt"));
  auto cases = tool::read_cases(fixture("hybrid.io.pt"));
  auto inputs = tool::convert_inputs(m, cases[0].method, cases[0].inputs);
  IValue expected = load(fixture("hybrid.pt")).run_method(cases[0].method, inputs);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      Module own = t % 2 ? load(fixture("hybrid.pt")) : m;
      own.graph_text(cases[0].method);
      if (tool::difference(own.run_method(cases[0].method, inputs), expected, {"exact", 0, 0}, ""))
        ++wrong;
    });
  for (auto& t : threads) t.join();
  CHECK(wrong == 0);
}

TEST_CASE("an operator on several threads gives the answer of one") {
  const char* text =
      "def f(a: Tensor, b: Tensor) -> Tensor:\n"
      "    return torch.matmul(a, b)\n";
  LoadOptions four;
  four.num_threads = 4;
  Module one = compile(text), many = compile(text, four);
  manual_seed(1);
  for (int64_t m : {130, 7, 500}) {
    Tensor a = randn({m, 300}), b = randn({300, 260});
    Tensor x = one.run_method("f", {a, b}).toTensor(), y = many.run_method("f", {a, b}).toTensor();
    CHECK(std::memcmp(x.raw_data(), y.raw_data(), static_cast<size_t>(x.numel()) * 4) == 0);
  }
  // The pool serves one caller at a time; the others work alone.
  Tensor a = randn({200, 300}), b = randn({300, 260});
  Tensor x = one.run_method("f", {a, b}).toTensor();
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t)
    callers.emplace_back([&] {
      for (int i = 0; i < 5; ++i) {
        Tensor y = many.run_method("f", {a, b}).toTensor();
        wrong += std::memcmp(x.raw_data(), y.raw_data(), static_cast<size_t>(x.numel()) * 4) != 0;
      }
    });
  for (auto& t : callers) t.join();
  CHECK(wrong == 0);
}

TEST_CASE("threads call an operator written in TorchScript for the first time at once") {
  Module m = compile(
      "def f(x: Tensor) -> Tensor:\n"
      "    return torch.corrcoef(x)\n");
  manual_seed(3);
  Tensor x = randn({4, 50});
  std::vector<Tensor> answers(8);
  std::vector<std::thread> callers;
  for (auto& answer : answers)
    callers.emplace_back([&] { answer = m.run_method("f", {x}).toTensor(); });
  for (auto& t : callers) t.join();
  for (auto& answer : answers)
    CHECK(std::memcmp(answer.raw_data(), answers[0].raw_data(), 16 * sizeof(float)) == 0);
}

TEST_CASE("threads may call a method that sets an attribute") {
  Module m = load(fixture("counter.pt"));
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) m.forward({zeros({2, 3})});
    });
  for (auto& t : threads) t.join();
  int64_t calls = m.run_method("calls", {}).toInt();
  CHECK(calls > 0);
  CHECK(calls <= 160);
}

TEST_CASE("attributes can be read and set") {
  Module m = load(fixture("hybrid.pt"));
  CHECK(m.attr("temperature").toDouble() == 1.0);
  m.setattr("temperature", IValue(2.0));
  CHECK(m.attr("temperature").toDouble() == 2.0);
  CHECK_THROWS_AS(m.attr("absent"), Error);
  CHECK(m.has_method("set_temperature"));
  CHECK(!m.has_method("absent"));
}

TEST_CASE("parameters have PyTorch's names") {
  Module m = load(fixture("small_cnn.pt"));
  auto p = m.named_parameters();
  REQUIRE(!p.empty());
  CHECK(p[0].name == "features.0.0.weight");
  CHECK(p[0].value.sizes() == IntArrayRef({8, 3, 3, 3}));
  CHECK(m.named_buffers()[0].name == "features.0.1.running_mean");
}

TEST_CASE("graphs are PyTorch's text") {
  for (const char* name : {"small_cnn", "router", "postprocess", "hybrid", "narrow_resnet",
                           "lstm_loop", "mlp", "counter"}) {
    Module m = load(fixture(std::string(name) + ".pt"));
    CHECK(tool::normalized_graph(m.graph_text()) ==
          tool::normalized_graph(bytes_of(fixture(std::string(name) + ".graph.txt"))));
  }
}

TEST_CASE("batch norms fold into convolutions") {
  Module m = load(fixture("small_cnn.pt"));
  std::string before = m.graph_text("forward", "inline");
  std::string after = m.graph_text(
      "forward",
      "inline,scalar_rewrite,freeze_attributes,constant_propagation,fold_frozen_conv_bn,dce");
  CHECK(before.find("aten::batch_norm") != std::string::npos);
  CHECK(after.find("aten::batch_norm") == std::string::npos);
  CHECK_THROWS_AS(m.graph_text("forward", "no_such_pass"), Error);
}
