// SPDX-License-Identifier: Apache-2.0
// Calls of one module from several threads whose code writes what self reaches.
#include <atomic>
#include <catch2/catch.hpp>
#include <sstream>
#include <thread>

#include "api/runtime.h"
#include "sconce/sconce.h"

using namespace sconce;

namespace {
std::string fixture() { return std::string(SCONCE_FIXTURES) + "/../tests/files/shared_state.pt"; }

template <class F>
void on_threads(int n, F f) {
  std::vector<std::thread> threads;
  for (int t = 0; t < n; ++t) threads.emplace_back(f, t);
  for (auto& t : threads) t.join();
}
constexpr int kRounds = 100;

void call_everything(Module m, std::atomic<int>& wrong) {
  m.run_method("start", {});
  on_threads(4, [&](int t) {
    Tensor x = ones({2, 8});
    for (int i = 0; i < kRounds; ++i) {
      try {
        switch ((t + i) % 8) {
          case 0: m.run_method("append", {int64_t{40}}); break;
          case 1: m.run_method("name", {std::to_string(i), int64_t{i}}); break;
          case 2: m.run_method("resize", {int64_t{1 + i % 60}}); break;
          case 3: m.run_method("next", {}); break;
          case 4: m.run_method("through", {x}); break;
          case 5: m.clone().run_method("read", {}); break;
          case 6: m.run_method("read", {}); break;
          default: {
            Tensor y = m.forward({x}).toTensor();
            wrong += y.data_ptr<const float>()[0] != 9;
          }
        }
      } catch (const Error& e) {
        ++wrong;
      }
    }
  });
}
}  // namespace

TEST_CASE("threads call methods that write lists, dicts, sizes and slots") {
  for (Mode mode : {Mode::Optimized, Mode::Interpret}) {
    LoadOptions o;
    o.mode = mode;
    std::atomic<int> wrong{0};
    Module m = load(fixture(), o);
    call_everything(m, wrong);
    CHECK(wrong == 0);
    // None is lost.
    int64_t calls = 1;
    for (int t = 0; t < 4; ++t)
      for (int i = 0; i < kRounds; ++i) calls += (t + i) % 8 == 3;
    CHECK(m.run_method("next", {}).toInt() == calls);
  }
}

TEST_CASE("threads call such methods under the limits for files of unknown origin") {
  LoadOptions o;
  o.limits = Limits::untrusted();
  std::atomic<int> wrong{0};
  call_everything(load(fixture(), o), wrong);
  CHECK(wrong == 0);
}

TEST_CASE("threads of one module print whole lines") {
  std::ostringstream out;
  LoadOptions o;
  o.out = &out;
  Module m = compile("def f(n: int):\n  print(\"line\", n, \"ends\")\n  return n\n", o);
  on_threads(4, [&](int) {
    for (int i = 0; i < kRounds; ++i) m.run_method("f", {int64_t{7}});
  });
  std::string expected;
  for (int i = 0; i < 4 * kRounds; ++i) expected += "line 7 ends\n";
  CHECK(out.str() == expected);
}

TEST_CASE("what writes the module's state is told from what doesn't") {
  for (Mode mode : {Mode::Optimized, Mode::Interpret}) {
    LoadOptions o;
    o.mode = mode;
    Module m = load(fixture(), o);
    auto writes = [&](const char* method) {
      CallScope scope(*m.impl());
      return m.impl()->prepared(method)->plan->writes_state;
    };
    for (const char* name : {"append", "name", "resize", "next", "start"}) CHECK(writes(name));
    // What a call is given is its own; the interface's method says itself that it writes.
    for (const char* name : {"forward", "read", "own", "through"}) CHECK(!writes(name));
  }
}

TEST_CASE("what a call under limits answers is the caller's own") {
  LoadOptions o;
  o.limits = Limits::untrusted();
  const char* source =
      "def f(x, y: List[int]):\n  return x, y\ndef g(x):\n  return [x + 1, x.view(-1)]\n";
  Module m = compile(source, o);
  Tensor x = ones({2});
  IValue list(std::vector<int64_t>{1, 2});
  IValue y = m.run_method("f", {x, list});
  auto& items = y.toTupleRef().items;
  CHECK(items[0].box() != IValue(x).box());
  CHECK(items[1].box() != list.box());
  CHECK(ivalue_equal(items[1], list));
  x.fill_(7);
  CHECK(items[0].toTensorRef().data_ptr<const float>()[0] == 1);
  // Without limits it is what PyTorch says: the same.
  Module plain = compile(source);
  y = plain.run_method("f", {x, list});
  CHECK(y.toTupleRef().items[0].box() == IValue(x).box());
  CHECK(y.toTupleRef().items[1].box() == list.box());
}
