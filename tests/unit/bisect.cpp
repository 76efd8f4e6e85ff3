// SPDX-License-Identifier: Apache-2.0
// The search for the first operator out of tolerance must name the one that is wrong.
#include <catch2/catch.hpp>

#include "bisect.h"
#include "core/context.h"
#include "ir/source.h"
#include "sconce/op.h"

using namespace sconce;
using namespace sconce::tool;

namespace {

// Wrong in its last element where the module under test, which has two threads, calls it.
Tensor sometimes(const Tensor& x) {
  Tensor y = x.clone();
  if (context().num_threads == 2) y.data_ptr<float>()[y.numel() - 1] += 0.5f;
  return y;
}
// The same from the third element on.
Tensor on_three(const Tensor& x) { return x.numel() < 3 ? x.clone() : sometimes(x); }

void add_operators() {
  static const bool once = [] {
    register_operators({op<sometimes>("test_bisect::sometimes(Tensor x) -> Tensor"),
                        op<on_three>("test_bisect::on_three(Tensor x) -> Tensor")});
    return true;
  }();
  (void)once;
}

BisectSides sides_of(const char* source, Mode mode) {
  add_operators();
  BisectSides s;
  s.tested = [=] {
    LoadOptions o;
    o.num_threads = 2;
    o.mode = mode;
    return compile(source, o);
  };
  s.reference = [=] {
    LoadOptions o;
    o.mode = Mode::Interpret;
    return compile(source, o);
  };
  s.optimized = mode == Mode::Optimized;
  return s;
}
std::vector<Case> calls_of(const char* method, std::vector<IValue> inputs) {
  Case c;
  c.method = method;
  c.inputs = std::move(inputs);
  c.output = IValue();
  return {c};
}
BisectResult search(const char* source, std::vector<IValue> inputs, Mode mode = Mode::Optimized) {
  return bisect_cases(sides_of(source, mode), calls_of("f", std::move(inputs)), std::nullopt,
                      nullptr);
}

}  // namespace

TEST_CASE("bisect: the wrong operator of straight-line code is named, with what it takes") {
  for (Mode mode : {Mode::Interpret, Mode::Optimized}) {
    const BisectResult r = search(R"(
def f(x: Tensor) -> Tensor:
    y = torch.relu(x) + 1
    z = torch.ops.test_bisect.sometimes(y * 2)
    return torch.exp(z).sum()
)",
                                  {ones({2, 3})}, mode);
    REQUIRE(r.outcome == BisectResult::Outcome::Operator);
    CHECK(r.look == "values");
    CHECK(r.finding->point.kind == "test_bisect::sometimes");
    CHECK(r.finding->point.range.source->line(r.finding->point.range.start) ==
          "z = torch.ops.test_bisect.sometimes(y * 2)");
    REQUIRE(r.finding->inputs.size() == 1);
    CHECK(r.finding->inputs[0].find("float32 [2, 3]") != std::string::npos);
    REQUIRE(r.finding->figures.size() == 1);
    CHECK(r.finding->figures[0].max_abs == 0.5);
    CHECK(r.finding->figures[0].out == 1);
    CHECK_FALSE(r.answer.empty());
  }
}

TEST_CASE("bisect: in a loop, the turn is told") {
  const BisectResult r = search(R"(
def f(x: Tensor, n: int) -> Tensor:
    for i in range(n):
        x = torch.cat([x, x[:1]])
        x = torch.ops.test_bisect.on_three(x)
    return x
)",
                                {ones({1}), IValue(int64_t{4})});
  REQUIRE(r.outcome == BisectResult::Outcome::Operator);
  CHECK(r.finding->point.kind == "test_bisect::on_three");
  CHECK(r.finding->point.nested);
  CHECK(r.finding->occurrence == 1);
}

TEST_CASE("bisect: behind calls, of functions too that are called at run time") {
  const BisectResult r = search(R"(
def inner(x: Tensor) -> Tensor:
    return torch.ops.test_bisect.sometimes(x) * 3
def outer(x: Tensor) -> Tensor:
    return inner(x + 1)
def f(x: Tensor) -> Tensor:
    return outer(torch.relu(x)) + outer(x)
)",
                                {ones({2})});
  REQUIRE(r.outcome == BisectResult::Outcome::Operator);
  CHECK(r.finding->point.kind == "test_bisect::sometimes");
  CHECK(r.finding->point.range.source->line(r.finding->point.range.start) ==
        "return torch.ops.test_bisect.sometimes(x) * 3");
}

TEST_CASE("bisect: a wrong value that the answer doesn't show is named too") {
  const BisectResult r = search(R"(
def f(x: Tensor) -> Tensor:
    return torch.ops.test_bisect.sometimes(x) > 100
)",
                                {ones({3})});
  REQUIRE(r.outcome == BisectResult::Outcome::Operator);
  CHECK(r.answer.empty());
  CHECK(r.finding->point.kind == "test_bisect::sometimes");
}

TEST_CASE("bisect: where a condition turns out otherwise, the condition is named") {
  const BisectResult r = search(R"(
def f(x: Tensor) -> Tensor:
    if bool(torch.ops.test_bisect.sometimes(x).sum() > 3.2):
        return x * 2
    return x + 5
)",
                                {ones({3})});
  REQUIRE(r.outcome == BisectResult::Outcome::Operator);
  CHECK(r.finding->point.kind == "test_bisect::sometimes");
}

TEST_CASE("bisect: what agrees is said to") {
  for (Mode mode : {Mode::Interpret, Mode::Optimized}) {
    const BisectResult r = search(R"(
def f(x: Tensor, n: int) -> Tensor:
    for i in range(n):
        x = x.add_(1) * 2
    return x
)",
                                  {ones({2, 2}), IValue(int64_t{3})}, mode);
    CHECK(r.outcome == BisectResult::Outcome::Agree);
    CHECK(r.cases == 1);
    CHECK(r.values >= 6);
  }
}

TEST_CASE("bisect: random numbers are the same on both sides, or nothing behind them is compared") {
  const char* source = R"(
def f(x: Tensor) -> Tensor:
    y = x + 1
    return torch.rand([3]) * y
)";
  const auto cases = calls_of("f", {ones({3})});
  const BisectSides s = sides_of(source, Mode::Optimized);
  TraceFile written;
  const BisectResult same = bisect_cases(s, cases, std::nullopt, &written);
  CHECK(same.outcome == BisectResult::Outcome::Agree);
  CHECK(same.values == 3);
  BisectSides recorded = s;
  recorded.recorded = &written;
  CHECK(bisect_cases(recorded, cases, std::nullopt, nullptr).values == 1);
}

TEST_CASE("bisect: what only folding changes is found by prefixes") {
  // To the bit, the two modes differ where a convolution is planned, or where the normalization
  // that is folded into it rounds otherwise; each operator by itself doesn't.
  const std::string model = std::string(SCONCE_FIXTURES) + "/small_cnn.pt";
  std::vector<Case> cases = read_cases(std::string(SCONCE_FIXTURES) + "/small_cnn.io.pt");
  cases.resize(1);
  cases[0].tolerance.check = "exact";
  BisectSides s;
  s.tested = [&] { return load(model); };
  s.reference = [&] {
    LoadOptions o;
    o.mode = Mode::Interpret;
    return load(model, o);
  };
  const BisectResult r = bisect_cases(s, cases, std::nullopt, nullptr);
  REQUIRE(r.outcome == BisectResult::Outcome::Operator);
  CHECK(r.look == "prefixes");
  CHECK((r.finding->point.kind == "aten::_convolution" ||
         r.finding->point.kind == "aten::batch_norm"));
  CHECK_FALSE(r.answer.empty());
  CHECK_FALSE(r.finding->point.module_path.empty());
}

TEST_CASE("bisect: a trace that was written is one to compare with") {
  const char* source = R"(
def f(x: Tensor, n: int) -> Tensor:
    a, b = torch.split(x, 1)
    for i in range(n):
        a = torch.ops.test_bisect.sometimes(a + b)
    return a
)";
  const auto cases = calls_of("f", {ones({2, 2}), IValue(int64_t{2})});
  BisectSides s = sides_of(source, Mode::Interpret);
  TraceFile written;
  written.made_by = "a test";
  // Against itself: what the module under test makes is written.
  BisectSides right = s;
  right.tested = s.reference;
  CHECK(bisect_cases(right, cases, std::nullopt, &written).outcome == BisectResult::Outcome::Agree);
  const std::string path = "bisect_test.trace.pt";
  write_trace_file(path, written);
  const TraceFile read = read_trace(path);
  std::remove(path.c_str());
  CHECK(read.made_by == "a test");
  REQUIRE(read.calls.size() == 1);
  CHECK(read.calls[0].steps.size() == written.calls[0].steps.size());
  s.recorded = &read;
  const BisectResult r = bisect_cases(s, cases, std::nullopt, nullptr);
  REQUIRE(r.outcome == BisectResult::Outcome::Operator);
  CHECK(r.finding->point.kind == "test_bisect::sometimes");
  CHECK(r.finding->occurrence == 0);
  // Another program's.
  TraceFile other = read;
  other.calls[0].kinds[1] = "aten::tanh";
  s.recorded = &other;
  CHECK_THROWS_AS(bisect_cases(s, cases, std::nullopt, nullptr), FormatError);
  CHECK_THROWS_AS(read_trace(std::string(SCONCE_FIXTURES) + "/mlp.io.pt"), FormatError);
}
