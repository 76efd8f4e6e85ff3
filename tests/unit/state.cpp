// SPDX-License-Identifier: Apache-2.0
// A module that is changed between calls and while it is called, and what that leaves in memory.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "../resident.h"
#include "changes.h"
#include "core/context.h"
#include "sconce/sconce.h"
#include "verify.h"

using namespace sconce;

namespace {
std::string fixture(const std::string& name) { return std::string(SCONCE_FIXTURES) + "/" + name; }
float first(const Tensor& t) { return t.data_ptr<const float>()[0]; }
}  // namespace

TEST_CASE("what is replaced is freed: training switched 1,800 times") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr int kRounds = 100;  // freed memory is kept for a while there
  constexpr int64_t kMost = int64_t{1} << 40;
#else
  constexpr int kRounds = 1800;
  constexpr int64_t kMost = 8 << 20;
#endif
  Module m = load(fixture("mlp.pt"));
  Tensor x = ones({1, 32});
  auto round = [&](int i) {
    m.train(i % 2 == 0);
    m.forward({x});
  };
  for (int i = 0; i < 20; ++i) round(i);
  int64_t before = resident();
  for (int i = 0; i < kRounds; ++i) round(i);
  CHECK(resident() - before < kMost);
}

TEST_CASE("what is replaced is freed: a weight set before each of 1,000 calls") {
  Module m = load(fixture("mlp.pt"));
  Tensor x = ones({1, 32});
  auto round = [&](int i) {
    tool::set_slot(m, {"layers", "3", "weight"}, full({32, 32}, 0.01 * (i % 7)));
    m.forward({x});
  };
  for (int i = 0; i < 20; ++i) round(i);
  int64_t before = resident();
  for (int i = 0; i < 1000; ++i) round(i);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(resident() - before < (8 << 20));
#else
  (void)before;
#endif
}

namespace {
struct Counter {
  Allocator plain;
  std::atomic<int> allocations{0};
};
void* allocate(void* self, size_t n) {
  auto* c = static_cast<Counter*>(self);
  ++c->allocations;
  return c->plain.allocate(c->plain.self, n);
}
void deallocate(void* self, void* p, size_t n) {
  auto* c = static_cast<Counter*>(self);
  c->plain.deallocate(c->plain.self, p, n);
}
}  // namespace

TEST_CASE("after sixty sets of shapes a new one still gets a plan") {
  Module m = load(fixture("mlp.pt"));
  for (int64_t rows = 2; rows < 62; ++rows)
    for (int call = 0; call < 2; ++call) m.forward({ones({rows, 32})});
  Counter counter;
  counter.plain = default_context().allocator;
  default_context().allocator = {allocate, deallocate, &counter};
  std::vector<int> allocations;
  // The last of them, a new one, and the first, which comes back.
  for (int64_t rows : {61, 70, 2}) {
    Tensor x = ones({rows, 32});
    for (int call = 0; call < 3; ++call) m.forward({x});
    counter.allocations = 0;
    m.forward({x});
    allocations.push_back(counter.allocations);
  }
  default_context().allocator = counter.plain;
  CHECK(allocations == std::vector<int>{1, 1, 1});
}

// In the order in which a call may meet them: each answer is of one value of each attribute.
TEST_CASE("threads call a module while its attributes are set") {
  Module m = load(fixture("state.pt"));
  // Of size [3] and of one number each: an answer is x * s + b of one s and one b.
  std::vector<Tensor> biases{zeros({3}), full({3}, 100)};
  Tensor x = full({2, 3}, 1);
  m.setattr("b", biases[0]);
  m.forward({x});
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 3; ++t)
    callers.emplace_back([&] {
      while (!stop) {
        Tensor y = m.forward({x}).toTensor();
        const float* p = y.data_ptr<const float>();
        for (int64_t i = 0; i < y.numel(); ++i) {
          // s is 1 or 2, b is 0 or 100.
          float v = p[i];
          wrong +=
              v != p[0] || !(v == 0.5f || v == 1 || v == 2 || v == 100.5f || v == 101 || v == 102);
        }
      }
    });
  std::thread writer([&] {
    for (int i = 0; i < 200; ++i) {
      m.setattr("b", biases[static_cast<size_t>(i % 2)]);
      m.setattr("s", i % 3 == 0 ? 1.0 : 2.0);
      // What was set is seen by the call that begins after it.
      float want = (i % 3 == 0 ? 1.0f : 2.0f) + (i % 2 ? 100.0f : 0.0f);
      wrong += first(m.forward({x}).toTensor()) != want;
    }
    stop = true;
  });
  writer.join();
  for (auto& t : callers) t.join();
  CHECK(wrong == 0);
}

TEST_CASE("threads call a module while attributes below its root are set") {
  Module m = load(fixture("state.pt"));
  m.define("def parts(self, x: Tensor) -> Tensor:\n    return self.left(x) + self.right(x) * 0\n");
  std::vector<Tensor> weights{full({3}, 1), full({3}, 2)};
  Tensor x = full({2, 3}, 1);
  tool::set_slot(m, {"left", "b"}, zeros({3}));
  tool::set_slot(m, {"right", "b"}, zeros({3}));
  tool::set_slot(m, {"left", "w"}, weights[0]);
  m.run_method("parts", {x});
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 3; ++t)
    callers.emplace_back([&] {
      while (!stop) {
        float v = first(m.run_method("parts", {x}).toTensor());
        wrong += v != 1 && v != 2;
      }
    });
  for (int i = 0; i < 200; ++i) {
    tool::set_slot(m, {"left", "w"}, weights[static_cast<size_t>(i % 2)]);
    wrong += first(m.run_method("parts", {x}).toTensor()) != (i % 2 ? 2.0f : 1.0f);
  }
  stop = true;
  for (auto& t : callers) t.join();
  CHECK(wrong == 0);
}

TEST_CASE("threads run their modules while the bytes of another are written between its calls") {
  Module written = load(fixture("state.pt"));
  const char* names[] = {"state.pt", "mlp.pt", "small_cnn.pt"};
  std::vector<int64_t> sizes[] = {{2, 3}, {1, 32}, {1, 3, 16, 16}};
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 3; ++t)
    callers.emplace_back([&, t] {
      Module m = load(fixture(names[t]));
      Tensor x = ones(sizes[t]);
      IValue expected = m.forward({x});
      while (!stop)
        if (tool::difference(m.forward({x}), expected, {"exact", 0, 0}, "")) ++wrong;
    });
  Tensor b = written.attr("b").toTensor(), x = zeros({2, 3});
  for (int i = 0; i < 200; ++i) {
    b.fill_(i);
    wrong += first(written.forward({x}).toTensor()) != static_cast<float>(i);
    // A pointer too, from the middle on.
    if (i < 100) continue;
    b.data_ptr<float>()[0] = -1;
    wrong += first(written.forward({x}).toTensor()) != -1;
  }
  stop = true;
  for (auto& t : callers) t.join();
  CHECK(wrong == 0);
}

TEST_CASE("threads make a module train and call others") {
  // train() is exclusive to its own module; what it moves is looked at by all.
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      Module m = load(fixture(t % 2 ? "state.pt" : "small_cnn.pt"));
      Tensor x = t % 2 ? ones({2, 3}) : ones({1, 3, 16, 16});
      m.eval();
      IValue expected = m.forward({x});
      for (int i = 0; i < 20; ++i) {
        m.train(true);
        m.eval();
        if (tool::difference(m.forward({x}), expected, {"exact", 0, 0}, "")) ++wrong;
      }
    });
  for (auto& t : threads) t.join();
  CHECK(wrong == 0);
}

TEST_CASE("every kind of change is told from none") {
  // The kinds are worth what they change: on this module each one has a place.
  Module m = load(fixture("state.pt"));
  tool::Case c;
  c.inputs = {ones({2, 3}), ones({2, 3})};
  for (auto& k : tool::kinds_of_change()) {
    INFO(k.name);
    CHECK(!k.places(m, {c}).empty());
    CHECK(k.first != nullptr);
  }
  CHECK(!tool::state_difference(m, load(fixture("state.pt")), {}));
  tool::set_slot(m, {"left", "n"}, int64_t{7});
  CHECK(tool::state_difference(m, load(fixture("state.pt")), {}) ==
        "attribute left.n: 7, expected 1");
}

TEST_CASE("what shares memory is compared") {
  tool::Side a, b;
  a.module = load(fixture("state.pt")), b.module = load(fixture("state.pt"));
  Tensor x = ones({3}), y = ones({3});
  a.inputs = {{x}}, b.inputs = {{y}};
  a.answers = {x}, b.answers = {y};
  CHECK(!tool::sharing_difference(a, b));
  b.answers = {y.select(0, 0)};
  CHECK(tool::sharing_difference(a, b) ==
        "sharing: answer 0 is the same as input 0 of call 0, expected nothing before it");
  b.answers = {ones({3})};
  CHECK(tool::sharing_difference(a, b) ==
        "sharing: answer 0 shares memory with input 0 of call 0, expected nothing before it");
}
