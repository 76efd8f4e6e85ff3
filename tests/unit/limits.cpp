// SPDX-License-Identifier: Apache-2.0
// Limits (sconce/limits.h): each exceeded while loading and in a call, and the module afterwards.
#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <thread>

#include "api/runtime.h"
#include "core/budget.h"
#include "ir/graph.h"
#include "sconce/sconce.h"
#include "zip_files.h"

using namespace sconce;
using Catch::Contains;

namespace {
Module compiled(const std::string& text, const Limits& limits = {}) {
  LoadOptions o;
  o.limits = limits;
  return compile(text, o);
}
IValue call(const Module& m, const Limits& limits, std::vector<IValue> in = {}) {
  return m.run_method("f", std::move(in), {}, limits);
}
Limits steps(uint64_t n) {
  Limits l;
  l.steps = n;
  return l;
}
Limits memory(uint64_t megabytes) {
  Limits l;
  l.memory = megabytes << 20;
  return l;
}
Limits seconds(double s) {
  Limits l;
  l.seconds = s;
  return l;
}
constexpr const char* kLoop =
    "def f(n: int) -> int:\n"
    "  s = 0\n"
    "  for i in range(n):\n"
    "    s = s + 1\n"
    "  return s\n";
constexpr const char* kForever =
    "def f() -> int:\n"
    "  i = 0\n"
    "  while True:\n"
    "    i = i + 1\n"
    "  return i\n";
}  // namespace

TEST_CASE("steps are counted exactly, anew in each call") {
  Module m = compiled(kLoop);
  // The call of f is one, each jump back another.
  for (int64_t n : {10, 1500, 5000}) {
    const auto needed = static_cast<uint64_t>(n);
    CHECK(call(m, steps(needed), {n}).toInt() == n);
    CHECK_THROWS_AS(call(m, steps(needed - 1), {n}), LimitError);
    CHECK(call(m, steps(needed), {n}).toInt() == n);
  }
  CHECK(m.run_method("f", {int64_t{100000}}).toInt() == 100000);
}

TEST_CASE("the module's limits are its calls' unless they have their own") {
  Module m = compiled(kLoop, steps(1000));
  CHECK_THROWS_WITH(m.run_method("f", {int64_t{5000}}), Contains("1000 steps"));
  CHECK(call(m, steps(6000), {int64_t{5000}}).toInt() == 5000);
  CHECK(m.run_method("f", {int64_t{500}}).toInt() == 500);
  LoadOptions o;
  o.max_loop_steps = 100;
  CHECK_THROWS_AS(compile(kLoop, o).run_method("f", {int64_t{500}}), LimitError);
}

TEST_CASE("calls, forks and __enter__ share one counter") {
  Module calls = compiled(
      "class C:\n"
      "  n : int\n"
      "  def __init__(self) -> None:\n"
      "    self.n = 0\n"
      "  def __enter__(self) -> int:\n"
      "    for i in range(60):\n"
      "      self.n = self.n + 1\n"
      "    return self.n\n"
      "  def __exit__(self, a: Any, b: Any, c: Any) -> None:\n"
      "    pass\n"
      "def g(x: int) -> int:\n"
      "  for i in range(60):\n"
      "    x = x + 1\n"
      "  return x\n"
      "def f(x: int) -> int:\n"
      "  a = fork(g, x)\n"
      "  b = fork(g, x)\n"
      "  c = C()\n"
      "  with c:\n"
      "    pass\n"
      "  return torch.wait(a) + torch.wait(b) + c.n\n");
  CHECK(call(calls, steps(250), {int64_t{0}}).toInt() == 180);
  for (uint64_t n : {50, 100, 150})
    CHECK_THROWS_AS(call(calls, steps(n), {int64_t{0}}), LimitError);
  CHECK(call(calls, steps(250), {int64_t{0}}).toInt() == 180);
}

namespace {
// An archive of stored records: a module of class M, whose source this is.
std::string archive(const std::string& source, const std::string& state = "}") {
  const std::string proto = "\x80\x02";
  return zip_of({{"a/version", "3\n"},
                 {"a/constants.pkl", proto + ")."},
                 {"a/data.pkl", proto + "c__torch__\nM\n)\x81" + state + "b."},
                 {"a/code/__torch__.py", source}});
}
Module loaded(const std::string& bytes, const Limits& limits) {
  LoadOptions o;
  o.limits = limits;
  return load(bytes.data(), bytes.size(), o);
}
}  // namespace

TEST_CASE("hooks count as their call") {
  const std::string hooked = archive(
      "class M(Module):\n"
      "  __parameters__ = []\n"
      "  __buffers__ = []\n"
      "  __forward_hooks__ = [\"hook\", ]\n"
      "  def forward(self: __torch__.M, x: Tensor) -> Tensor:\n"
      "    return x\n"
      "  def hook(self: __torch__.M, input: Tuple[Tensor], output: Tensor) -> Tensor:\n"
      "    i = 0\n"
      "    while True:\n"
      "      i = torch.add(i, 1)\n"
      "    return output\n");
  Module m = loaded(hooked, steps(1000));
  CHECK_NOTHROW(m.forward({ones({1})}));
  CHECK_THROWS_AS(m({ones({1})}), LimitError);
  CHECK_NOTHROW(m.forward({ones({1})}));
}

TEST_CASE("limits hold while a file is loaded") {
  auto with_state = [](const std::string& body) {
    return archive(
        "class M(Module):\n"
        "  __parameters__ = []\n"
        "  __buffers__ = []\n"
        "  def __setstate__(self: __torch__.M, s: int) -> NoneType:\n" +
            body + "    return None\n",
        "K\x01");
  };
  const std::string forever = with_state(
      "    i = 0\n"
      "    while True:\n"
      "      i = torch.add(i, 1)\n");
  CHECK_THROWS_WITH(loaded(forever, steps(1000)), Contains("steps"));
  CHECK_THROWS_WITH(loaded(forever, seconds(0.05)), Contains("seconds"));
  Limits cancelled;
  cancelled.cancel = std::make_shared<std::atomic<bool>>(true);
  CHECK_THROWS_WITH(loaded(forever, cancelled), Contains("cancelled"));
  const std::string large = with_state(
      "    l = annotate(List[int], [0])\n"
      "    while True:\n"
      "      l = torch.add(l, l)\n");
  CHECK_THROWS_WITH(loaded(large, memory(8)), Contains("of memory"));
  CHECK_NOTHROW(loaded(with_state("    pass\n"), steps(1000)));
  // A pickle that unfolds: tuples of two of the tuple before, and 40 of them.
  std::string laughs = "K\x01";
  for (int i = 0; i < 40; ++i) laughs += std::string("q") + char(i) + "h" + char(i) + "\x86";
  CHECK_THROWS_WITH(
      loaded(
          archive("class M(Module):\n  def f(self: __torch__.M) -> int:\n    return 1\n", laughs),
          {}),
      Contains("unfolds"));
}

TEST_CASE("memory of tensors is given back") {
  Module m = compiled(
      "def f(n: int, keep: int) -> Tensor:\n"
      "  l = [torch.zeros([1])]\n"
      "  for i in range(n):\n"
      "    x = torch.zeros([262144])\n"
      "    if i < keep:\n"
      "      l.append(x)\n"
      "  return l[0]\n",
      memory(16));
  auto account = m.impl()->memory;
  REQUIRE(account);
  const uint64_t before = account->held();
  for (int i = 0; i < 3; ++i) {
    CHECK_NOTHROW(m.run_method("f", {int64_t{100}, int64_t{3}}));
    CHECK_THROWS_WITH(m.run_method("f", {int64_t{100}, int64_t{50}}), Contains("of memory"));
  }
  CHECK_THROWS_AS(call(m, memory(1), {int64_t{3}, int64_t{3}}), LimitError);
  CHECK(account->held() <= before + 65536);  // the prepared graph
  {
    IValue kept = m.run_method("f", {int64_t{0}, int64_t{0}});
    CHECK(account->held() > before);
  }
}

TEST_CASE("containers and texts are memory too") {
  const char* bodies[] = {
      "  l = [0]\n  while True:\n    l += l\n  return len(l)\n",
      "  l = [0]\n  while True:\n    l.append(1)\n  return len(l)\n",
      "  return len([0] * 100000000000)\n",
      "  s = 'ab'\n  while True:\n    s = s + s\n  return len(s)\n",
      "  return len('a'.zfill(100000000000))\n",
      "  s = 'a'.ljust(1000000)\n  return len(s.replace(' ', s))\n",
      "  s = 'a'.ljust(1000000)\n  return len(s.join(s.split(' ')))\n",
      "  d = {0: 0}\n  i = 0\n  while True:\n    d[i] = i\n    i = i + 1\n  return len(d)\n",
      "  l = [i for i in range(100000000000)]\n  return len(l)\n",
      "  l = ['a']\n  while True:\n    l.append(str(len(l)))\n  return len(l)\n",
      "  t = (0, 0)\n  l = [t]\n  while True:\n    l.append((len(l), 1))\n  return len(l)\n",
  };
  for (const char* body : bodies) {
    INFO(body);
    Limits l = memory(8);
    l.seconds = 60;
    Module m =
        compiled("def f() -> int:\n" + std::string(body) + "def ok() -> int:\n  return 7\n", l);
    CHECK_THROWS_WITH(m.run_method("f", {}), Contains("of memory"));
    CHECK(m.run_method("ok", {}).toInt() == 7);
    CHECK(m.impl()->memory->held() < 4 << 20);
  }
}

TEST_CASE("the work of one operator is known before it starts") {
  Limits l;
  l.operator_work = 1'000'000;
  Module m = compiled(
      "def f(x: Tensor) -> Tensor:\n  return torch.mm(x, x)\n"
      "def g(x: Tensor) -> Tensor:\n  return x.expand([1000000, 10000]).sum()\n",
      l);
  CHECK_NOTHROW(m.run_method("f", {ones({64, 64})}));
  CHECK_THROWS_WITH(m.run_method("f", {ones({128, 128})}), Contains("gemm"));
  CHECK_THROWS_AS(m.run_method("g", {ones({1, 1})}), LimitError);
  CHECK_NOTHROW(m.run_method("f", {ones({64, 64})}));
}

TEST_CASE("time and depth end") {
  Module m = compiled(kForever);
  const auto start = std::chrono::steady_clock::now();
  CHECK_THROWS_WITH(call(m, seconds(0.05)), Contains("seconds"));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));

  Module deep = compiled(
      "class C:\n"
      "  o : Optional[C]\n"
      "  def __init__(self) -> None:\n"
      "    self.o = None\n"
      "  def __enter__(self) -> int:\n"
      "    o = self.o\n"
      "    if o is not None:\n"
      "      with o:\n"
      "        pass\n"
      "    return 1\n"
      "  def __exit__(self, a: Any, b: Any, c: Any) -> None:\n"
      "    pass\n"
      "def f() -> int:\n"
      "  c = C()\n"
      "  c.o = c\n"
      "  with c:\n"
      "    pass\n"
      "  return 1\n");
  CHECK_THROWS_AS(deep.run_method("f", {}), LimitError);
}

TEST_CASE("another thread cancels") {
  Module m = compiled(kForever);
  Limits l;
  l.cancel = std::make_shared<std::atomic<bool>>(false);
  std::thread other([flag = l.cancel] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    flag->store(true);
  });
  CHECK_THROWS_WITH(call(m, l), Contains("cancelled"));
  other.join();
  Limits fresh = steps(1000);
  CHECK_THROWS_WITH(call(m, fresh), Contains("steps"));
}

TEST_CASE("limits hold while code is compiled") {
  // Each function's text is small; what it would be with all calls copied in isn't.
  std::string text = "def g0(x: int) -> int:\n  return x + 1\n";
  for (int i = 1; i < 40; ++i) {
    const std::string g = "g" + std::to_string(i), below = "g" + std::to_string(i - 1);
    text += "def " + g + "(x: int) -> int:\n  return " + below + "(x) + " + below + "(x)\n";
  }
  Module m = compiled(text + "def f(x: int) -> int:\n  return g39(x)\n");
  CHECK_THROWS_WITH(m.run_method("f", {int64_t{1}}, {}, steps(10000)), Contains("steps"));
  CHECK(m.run_method("g8", {int64_t{1}}).toInt() == 512);

  // What PyTorch emits twice is emitted twice within itself, but not without end.
  std::string chain = "7", index = "0";
  for (int i = 0; i < 60; ++i) chain += " % 7", index = "x[" + index + "]";
  Module twice = compiled("def f() -> int:\n  return " + chain + "\n");
  CHECK(twice.run_method("f", {}).toInt() == 0);
  Module nested = compiled("def f(x: Tensor) -> Tensor:\n  return " + index + "\n");
  CHECK(nested.defined());

  std::string unrolled = "def f(x: int) -> int:\n  t = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)\n";
  std::string indent = "  ";
  for (int i = 0; i < 12; ++i) {
    unrolled += indent + "for a" + std::to_string(i) + " in t:\n";
    indent += "  ";
  }
  unrolled += indent + "x = x + 1\n  return x\n";
  CHECK_THROWS_AS(compiled(unrolled, memory(64)), LimitError);
}

TEST_CASE("graph text ends") {
  for (const char* value : {"Type{0", "Type{", "(undefined)", "1 [ CPUFloatType{1}"})
    CHECK_THROWS_AS(parse_graph(std::string("graph():\n  %1 : Tensor = prim::Constant[value=") +
                                    value + "\n  return (%1)\n",
                                &op_table()),
                    Error);
}

TEST_CASE("a budget is inherited by what is called within") {
  Module inner = compiled(kForever), outer = compiled(kLoop);
  Limits l = steps(100);
  Budget budget(l, nullptr);
  Context c = default_context();
  c.budget = &budget;
  ContextScope scope(&c);
  CHECK_THROWS_AS(inner.run_method("f", {}), LimitError);
  CHECK_THROWS_AS(outer.run_method("f", {int64_t{1}}), LimitError);  // nothing is left
}

TEST_CASE("one call at a time under the limits for files of unknown origin") {
  Module m = compiled(
      "class C:\n"
      "  n : List[int]\n"
      "  def __init__(self) -> None:\n"
      "    self.n = [0]\n"
      "def f(x: int) -> int:\n"
      "  c = C()\n"
      "  for i in range(x):\n"
      "    c.n.append(i)\n"
      "  return len(c.n)\n",
      Limits::untrusted());
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) right += m.run_method("f", {int64_t{100}}).toInt() == 101;
    });
  for (auto& t : threads) t.join();
  CHECK(right == 80);
}
