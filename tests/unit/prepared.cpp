// SPDX-License-Identifier: Apache-2.0
// What a prepared module relies on (core/assumptions.h), storages that share bytes, and plans.
#include <catch2/catch.hpp>
#include <cstring>

#include "api/runtime.h"
#include "core/recorder.h"
#include "sconce/sconce.h"

using namespace sconce;

namespace {
std::string fixture(const std::string& name) { return std::string(SCONCE_FIXTURES) + "/" + name; }
float first(const IValue& v) { return v.toTensorRef().const_data_ptr<float>()[0]; }
// fixtures/state.pt with a method that folds w + 1.
Module folded() {
  Module m = load(fixture("state.pt"));
  m.define(
      "def sum(self, x: Tensor) -> Tensor:\n    return x * (self.b + 1.0)\n"
      "def made(self) -> Tuple[Tensor, Tensor, List[int]]:\n"
      "    return (self.b + 1.0, self.b + 1.0, [1, 2])\n"
      "def written(self, x: Tensor) -> Tensor:\n"
      "    x.add_(1.0)\n    return (self.b * 1.0).sum()\n");
  m.attr("b").toTensor().fill_(2);
  return m;
}
}  // namespace

TEST_CASE("a write is seen by the next call, however it is made") {
  Module m = folded();
  const Tensor x = ones({3}), b = m.attr("b").toTensor();
  CHECK(first(m.run_method("sum", {x})) == 3);
  b.data_ptr<float>()[0] = 4;  // through a pointer that is taken now
  CHECK(first(m.run_method("sum", {x})) == 5);
  float* p = b.data_ptr<float>();
  CHECK(first(m.run_method("sum", {x})) == 5);
  *p = 5;  // through one that was taken before
  CHECK(first(m.run_method("sum", {x})) == 6);
  m.setattr("b", full({3}, 6));
  CHECK(first(m.run_method("sum", {x})) == 7);
  m.load_state_dict({{"b", full({3}, 7)}}, false);
  CHECK(first(m.run_method("sum", {x})) == 8);
}

TEST_CASE("a pointer's writes are the caller's to tell after prepare()") {
  Module m = folded();
  const Tensor x = ones({3});
  float* p = m.attr("b").toTensor().data_ptr<float>();
  m.prepare("sum");
  CHECK(m.plan_text("sum").find("GetAttr") == std::string::npos);
  CHECK(first(m.run_method("sum", {x})) == 3);
  *p = 9;
  m.prepare("sum");
  CHECK(first(m.run_method("sum", {x})) == 10);
}

TEST_CASE("prepare() for an example runs nothing of the method") {
  Module m = compile(R"(
def writes(x):
    x.add_(1)
    return x * 2

def branches(x):
    if bool(x.sum() > 0):
        x.add_(1)
    return x
)");
  const Tensor x = ones({3});
  m.prepare("writes", {x});
  CHECK(first(x) == 1);
  CHECK(first(m.run_method("writes", {x})) == 4);
  CHECK(first(x) == 2);
  CHECK(first(m.run_method("writes", {ones({2, 2})})) == 4);
  m.prepare("branches", {x});
  CHECK(first(x) == 2);
  CHECK(first(m.run_method("branches", {x})) == 3);
  CHECK_THROWS_AS(m.prepare("writes", {x, x}), Error);
  CHECK_THROWS_AS(m.prepare("absent", {x}), Error);
}

TEST_CASE("what is written again and again is not folded a third time") {
  Module m = folded();
  const Tensor x = ones({3});
  Tensor b = m.attr("b").toTensor();
  for (int i = 0; i < 6; ++i) {
    b.fill_(i);
    CHECK(first(m.run_method("sum", {x})) == static_cast<float>(i + 1));
  }
  const auto before = m.impl()->prepared("sum");
  b.fill_(20);
  CHECK(first(m.run_method("sum", {x})) == 21);
  CHECK(m.impl()->prepared("sum") == before);
}

TEST_CASE("a write of one module costs another no preparation") {
  Module a = folded(), b = folded();
  a.run_method("sum", {ones({3})});
  b.run_method("sum", {ones({3})});
  const auto before = b.impl()->prepared("sum");
  const uint64_t epoch = observed_epoch();
  a.attr("b").toTensor().fill_(5);
  CHECK(observed_epoch() > epoch);
  CHECK(b.impl()->prepared("sum") == before);
  // What nothing relies on moves nothing.
  const uint64_t now = observed_epoch();
  ones({3}).fill_(5);
  CHECK(observed_epoch() == now);
}

TEST_CASE("nothing that was folded leaves") {
  Module m = folded();
  for (int call = 0; call < 3; ++call) {
    IValue v = m.run_method("made", {});
    auto& items = v.toTupleRef().items;
    CHECK(first(items[0]) == 3);
    CHECK(first(items[1]) == 3);
    CHECK(items[2].toListRef().items.size() == 2);
    items[0].toTensor().fill_(50);
    CHECK(first(items[1]) == 3);
    items[2].toListRef().items.emplace_back(int64_t{3});
  }
}

TEST_CASE("an input that is one of the weights is not folded when it is written") {
  Module m = folded();
  CHECK(first(m.run_method("written", {zeros({3})})) == 6);
  CHECK(first(m.run_method("written", {m.attr("b")})) == 9);
  CHECK(first(m.run_method("written", {zeros({3})})) == 9);
}

TEST_CASE("storages share bytes until one is written") {
  const Tensor a = full({4}, 1);
  const Ref<Storage> twin = a.impl()->storage->share();
  CHECK(twin->data() == a.impl()->storage->data());
  Tensor view = a.slice(0, 1, 3);
  view.fill_(5);
  CHECK(twin->data() != a.impl()->storage->data());
  CHECK(a.const_data_ptr<float>()[1] == 5);
  CHECK(static_cast<const float*>(twin->data())[1] == 1);
  // Bytes that the host may write are copied at once.
  a.data_ptr<float>();
  CHECK(a.impl()->storage->share()->data() != a.impl()->storage->data());
}

TEST_CASE("a clone is a module of its own") {
  Module m = folded();
  Module copy = m.clone();
  const Tensor x = ones({3});
  CHECK(copy.attr("b").toTensor().impl()->storage->data() ==
        m.attr("b").toTensor().impl()->storage->data());
  CHECK(first(copy.run_method("sum", {x})) == 3);
  m.attr("b").toTensor().fill_(8);
  CHECK(first(copy.run_method("sum", {x})) == 3);
  CHECK(first(m.run_method("sum", {x})) == 9);
  copy.setattr("b", full({3}, 1));
  CHECK(first(copy.run_method("sum", {x})) == 2);
  CHECK(first(m.run_method("sum", {x})) == 9);
}

TEST_CASE("a module's dtype changes in place; state_dict and back") {
  Module m = folded();
  const Tensor b = m.attr("b").toTensor();
  m.to(kDouble);
  CHECK(b.dtype() == kDouble);
  CHECK(m.run_method("sum", {ones({3}, kDouble)}).toTensor().dtype() == kDouble);
  m.to(kFloat);
  CHECK_THROWS_AS(m.to(kLong), OpError);
  auto state = m.state_dict();
  Module other = load(fixture("state.pt"));
  other.load_state_dict(state);
  CHECK(first(other.attr("b")) == 2);
  CHECK_THROWS_WITH(other.load_state_dict({{"b", ones({4})}}, false),
                    Catch::Matchers::Contains("b (is [3], given [4])"));
  CHECK_THROWS_WITH(other.load_state_dict({{"b", ones({3})}}),
                    Catch::Matchers::Contains("not given: "));
  CHECK_THROWS_WITH(other.load_state_dict({{"nothing", ones({3})}}),
                    Catch::Matchers::Contains("not in the module: nothing"));
}

TEST_CASE("plans tell apart what a graph asks of its inputs") {
  Module m = compile(
      "def row(x: Tensor) -> Tensor:\n    return torch.as_strided(x, [2], [1], 0) * 1.0\n"
      "def place(x: Tensor) -> Tensor:\n    return x * x.storage_offset()\n"
      "def times(x: Tensor, k: float) -> Tensor:\n    return x * k\n"
      "def one(x: Tensor, y: Tensor) -> bool:\n    return x is y\n");
  Tensor t = empty({4, 2});
  for (int i = 0; i < 8; ++i) t.data_ptr<float>()[i] = static_cast<float>(i + 1);
  for (int64_t i : {0, 0, 1, 2}) {
    CHECK(first(m.run_method("row", {t.select(0, i)})) == 1);
    CHECK(first(m.run_method("place", {t.select(0, i)})) ==
          static_cast<float>((2 * i + 1) * 2 * i));
  }
  for (double k : {0.0, 0.0, -0.0, 0.0})
    CHECK(std::signbit(first(m.run_method("times", {ones({1}), k}))) == std::signbit(k));
  const Tensor u = ones({1}), w = ones({1});
  for (int i = 0; i < 2; ++i) {
    CHECK(m.run_method("one", {u, u}).toBool());
    CHECK(!m.run_method("one", {u, w}).toBool());
  }
}

TEST_CASE(
    "what the host works out from sizes is part of a plan, what it reads of elements is not") {
  Module m = compile(
      "def halves(x: Tensor) -> Tensor:\n"
      "    n = torch.tensor(x.size(0)) // 2\n"
      "    return x.slice(0, 0, int(n)) + float(torch.tensor(x.size(1)) * 2)\n"
      "def upto(x: Tensor) -> Tensor:\n"
      "    return x.slice(0, 0, int(x[0, 0])) * 2.0\n");
  for (int64_t rows : {4, 4, 4, 6, 6, 6, 4})
    for (int64_t columns : {2, 3}) {
      Tensor y = m.run_method("halves", {ones({rows, columns})}).toTensor();
      CHECK(y.size(0) == rows / 2);
      CHECK(first(y) == static_cast<float>(1 + 2 * columns));
    }
  for (float n : {1.f, 2.f, 2.f, 3.f, 1.f}) {
    Tensor x = full({5, 2}, n);
    CHECK(m.run_method("upto", {x}).toTensor().size(0) == static_cast<int64_t>(n));
  }
}
