// SPDX-License-Identifier: Apache-2.0
// What an argument's value makes long or large ends with the limits, inside of one operator too.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/thread_pool.h"
#include "limited_calls.h"

using namespace sconce;
using namespace sconce::test;
using Catch::Contains;

namespace {

constexpr int64_t kMany = 300'000'000, kRow = int64_t{1} << 23;

}  // namespace

TEST_CASE("degrees of polynomials are interrupted") {
  const char* name = GENERATE("aten::special_laguerre_polynomial_l.n_scalar",
                              "aten::special_legendre_polynomial_p.n_scalar",
                              "aten::special_chebyshev_polynomial_t.n_scalar");
  // Inside of [-1, 1] Chebyshev's have no loop; beyond it they grow, slowly near the end.
  const double x = std::string(name).find("chebyshev") == std::string::npos ? 0.5 : 1 + 1e-15;
  Tensor at = filled({1}, x, kDouble);
  Cancelled limited;
  CHECK_THROWS_WITH(call(name, {at, kMany}), "cancelled");
}

TEST_CASE("rejections without end are interrupted") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Tensor count = filled({1}, nan, kDouble), p = filled({1}, 0.25, kDouble);
  Cancelled limited;
  CHECK_THROWS_WITH(call("aten::binomial", {count, p, IValue()}), "cancelled");
}

TEST_CASE("kernels look at the limits between the parts of a row") {
  Tensor index = wide(0, kRow, ScalarType::Long), one = filled({1}, 0, ScalarType::Float),
         source = wide(1, kRow), places = empty({1, 1}, ScalarType::Long),
         positions = empty({1}, ScalarType::Long), flags = wide(0, kRow, ScalarType::Bool),
         numbers = wide(1, kRow, ScalarType::Int);
  using ops::view_of;
  SECTION("scatter") {
    Cancelled l;
    CHECK_THROWS_WITH(l.c.kernels->scatter(
                          {view_of(one), view_of(index), view_of(source), 0, ScatterMode::add, {}}),
                      "cancelled");
  }
  SECTION("scatter of another kind") {
    Cancelled l;
    CHECK_THROWS_WITH(
        l.c.kernels->scatter(
            {view_of(one), view_of(index), view_of(source), 0, ScatterMode::prod, {}}),
        "cancelled");
  }
  SECTION("nonzero") {
    Cancelled l;
    CHECK_THROWS_WITH(l.c.kernels->nonzero({view_of(places), view_of(numbers)}), "cancelled");
    CHECK_THROWS_WITH(
        l.c.kernels->nonzero({view_of(places), view_of(ops::expand_to(flags, {32, kRow}))}),
        "cancelled");
  }
  SECTION("arg_reduce") {
    Cancelled l;
    Tensor two = ops::expand_to(source, {2, kRow}), at = empty({2}, ScalarType::Long);
    CHECK_THROWS_WITH(l.c.kernels->arg_reduce({{}, view_of(at), view_of(two), true}), "cancelled");
  }
}

TEST_CASE("gather and scatter of rows in parts") {
  // Longer than a part, each index another.
  const int64_t n = (int64_t{1} << 20) + 37;
  Tensor index = call("aten::arange", {n, int64_t{4}, IValue(), IValue(), IValue()})[0].toTensor(),
         turned = call("aten::flip", {index, IValue(std::vector<int64_t>{0})})[0].toTensor();
  Tensor gathered = call("aten::gather", {index, int64_t{0}, turned, false})[0].toTensor();
  CHECK(call("aten::equal", {gathered, turned})[0].toBool());
  Tensor to = call("aten::zeros_like", {index, IValue(), IValue(), IValue(), IValue(), IValue()})[0]
                  .toTensor();
  Tensor scattered = call("aten::scatter.src", {to, int64_t{0}, turned, turned})[0].toTensor();
  CHECK(call("aten::equal", {scattered, index})[0].toBool());
  Tensor added = call("aten::scatter_add", {to, int64_t{0}, turned, index})[0].toTensor();
  CHECK(call("aten::equal", {added, turned})[0].toBool());
}

TEST_CASE("calls without elements take time too") {
  Cancelled limited;
  auto many = [&] {
    for (int i = 0; i < 100'000; ++i) limited.budget.work(0, "nothing");
  };
  CHECK_THROWS_WITH(many(), "cancelled");
}

TEST_CASE("room for rows of numbers that stand in one place is counted") {
  const int64_t n = int64_t{1} << 28;
  Tensor x = wide(1, n);
  Limits none;
  Limited limited(none);
  CHECK_THROWS_AS(call("aten::argmax", {x, IValue(int64_t{0}), false}), LimitError);
  CHECK_THROWS_AS(call("prim::rangelist", {n}), LimitError);
}

TEST_CASE("limits hold on the threads that share the work") {
  ThreadPool pool(3);
  Cancelled limited;
  limited.c.pool = &pool;
  std::atomic<int> seen{0}, pools{0};
  pool.run(64, [&](int64_t) {
    seen += context().budget == &limited.budget;
    pools += context().pool != nullptr && &context() != &limited.c;
    std::this_thread::yield();
  });
  CHECK(seen == 64);
  CHECK(pools == 0);
}

TEST_CASE("paddings and windows that overflow") {
  const int64_t most = std::numeric_limits<int64_t>::max();
  auto list = [](std::initializer_list<int64_t> v) { return IValue(std::vector<int64_t>(v)); };
  Tensor x = filled({2, 4, 6}, 1, ScalarType::Float), one = filled({1, 1, 1}, 1, ScalarType::Float);
  CHECK_THROWS_AS(call("aten::replication_pad2d", {x, list({most - 1, most - 1, -2, 3})}), OpError);
  CHECK_THROWS_AS(call("aten::replication_pad1d", {one, list({-most - 1, most})}), OpError);
  const int64_t half = int64_t{1} << 32;
  CHECK_THROWS_AS(call("aten::col2im", {one, list({4, 4}), list({half, half}), list({1, 1}),
                                        list({0, 0}), list({1, 1})}),
                  OpError);
  CHECK_THROWS_AS(call("aten::im2col", {filled({1, 1, 2, 2}, 1, ScalarType::Float), list({1, 1}),
                                        list({1, 1}), list({most, 0}), list({1, 1})}),
                  OpError);
}

TEST_CASE("windows that lie in the padding for the most part") {
  // The mean over 2^20 places of which one is an element; the maximum of that one.
  const int64_t k = int64_t{1} << 20;
  auto list = [](int64_t v) { return IValue(std::vector<int64_t>{v}); };
  Tensor x = filled({1, 1, 2}, 3, ScalarType::Float);
  Tensor mean =
      call("aten::avg_pool1d", {x, list(k), list(1), list(k / 2), false, true})[0].toTensor();
  REQUIRE(mean.numel() == 3);
  CHECK(mean.data_ptr<float>()[0] == Approx(6.0 / static_cast<double>(k)));
  Tensor max =
      call("aten::max_pool1d", {x, list(7), list(2), list(3), list(1), false})[0].toTensor();
  REQUIRE(max.numel() == 1);
  CHECK(max.data_ptr<float>()[0] == 3);
}

TEST_CASE("a handle of the profiler is a tensor") {
  CHECK(call("profiler::_record_function_enter", {"name", IValue()})[0].isTensor());
}

TEST_CASE("a quantized layer without input") {
  auto params = make_ref<ListBox>(types::any());
  Tensor h = filled({1, 1, 1}, 0, ScalarType::Float);
  CHECK_THROWS_WITH(call("aten::quantized_gru.input",
                         {Tensor(), h, IValue(params), false, int64_t{0}, 0.0, false, false, true}),
                    Contains("undefined"));
}

TEST_CASE("multinomial finds the number by bisection") {
  Tensor p = empty({5}, ScalarType::Double);
  const double values[] = {0, 0.5, 0, 0.5, 0};
  for (int i = 0; i < 5; ++i) p.data_ptr<double>()[i] = values[i];
  Tensor drawn = call("aten::multinomial", {p, int64_t{200}, true, IValue()})[0].toTensor();
  bool first = false, second = false;
  for (int i = 0; i < 200; ++i) {
    const int64_t k = drawn.data_ptr<int64_t>()[i];
    CHECK((k == 1 || k == 3));
    first |= k == 1;
    second |= k == 3;
  }
  CHECK((first && second));
}
