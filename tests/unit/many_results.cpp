// SPDX-License-Identifier: Apache-2.0
// Kernels that make many results side by side or choose among a row's elements: reductions, running
// extremes, sorting, medians, indexing, sampling. Beside loops of one element after the other.
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "backends/median.h"
#include "kernel_tables.h"

using namespace sconce;
using test::Floats;

namespace {

// A dense tensor of integers.
struct Longs : test::Of<int64_t> {
  explicit Longs(std::vector<int64_t> s) : Of(kLong, std::move(s)) {
    std::fill(data.begin(), data.end(), -7);
  }
};

bool same(double x, double y) { return x == y || (x != x && y != y); }

double reduced(Reduce op, const std::vector<float>& row) {
  double s = op == Reduce::prod || op == Reduce::all  ? 1
             : op == Reduce::max || op == Reduce::min ? static_cast<double>(row[0])
                                                      : 0;
  for (float f : row) {
    const auto v = static_cast<double>(f);
    switch (op) {
      case Reduce::max: s = v > s || v != v ? v : s; break;
      case Reduce::min: s = v < s || v != v ? v : s; break;
      case Reduce::prod: s *= v; break;
      case Reduce::any: s = s != 0 || v != 0; break;
      case Reduce::all: s = s != 0 && v != 0; break;
      case Reduce::count_nonzero: s += v != 0; break;
      case Reduce::norm1: s += std::fabs(v); break;
      case Reduce::norm2: s += v * v; break;
      case Reduce::nansum: s += v == v ? v : 0; break;
      default: s += v;
    }
  }
  return op == Reduce::norm2  ? std::sqrt(s)
         : op == Reduce::mean ? s / static_cast<double>(row.size())
                              : s;
}

}  // namespace

TEST_CASE("reductions of columns and of short rows", "[many_results]") {
  test::Numbers next;
  const Reduce ops[] = {Reduce::sum,   Reduce::mean,  Reduce::max,   Reduce::min,
                        Reduce::prod,  Reduce::any,   Reduce::all,   Reduce::count_nonzero,
                        Reduce::norm1, Reduce::norm2, Reduce::nansum};
  // Sizes of results and reduced elements; whether the results' elements lie side by side.
  const struct {
    int64_t results, count;
    bool columns;
  } forms[] = {{300, 10, false}, {33, 1, false}, {257, 31, false}, {8, 700, true}, {519, 3, true}};
  for (const Kernels& k : test::all_tables())
    for (auto [results, count, columns] : forms)
      for (Reduce op : ops)
        for (bool special : {false, true}) {
          // [3, results] kept, [count] reduced.
          Floats x({3, results, count}, columns ? std::vector<int64_t>{results * count, 1, results}
                                                : std::vector<int64_t>{results * count, count, 1});
          Floats y({3, results}, {2 * results + 3, 2});
          x.random(next);
          if (special)
            for (int64_t i = 0; i < x.numel(); i += 17) x.at(i) = i % 2 ? NAN : 0.0f;
          k.reduce({y.view(), x.view(), op, Compute::F32, 2});
          INFO(k.name << " op " << static_cast<int>(op) << ' ' << results << " of " << count);
          bool right = true;
          for (int64_t i = 0; i < y.numel(); ++i) {
            std::vector<float> row;
            for (int64_t j = 0; j < count; ++j) row.push_back(x.at(i * count + j));
            const double expected = reduced(op, row), got = static_cast<double>(y.at(i));
            right = right && (same(expected, got) ||
                              std::fabs(expected - got) <= 1e-5 * (1 + std::fabs(expected)));
          }
          CHECK(right);
          CHECK(y.intact());
        }
}

TEST_CASE("running extremes along either dim", "[many_results]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (bool max : {false, true})
      for (bool across : {false, true}) {
        const int64_t rows = 150, n = 40;
        const std::vector<int64_t> strides =
            across ? std::vector<int64_t>{1, rows} : std::vector<int64_t>{n, 1};
        Floats x({rows, n}, strides), y({rows, n}, strides);
        Longs at({rows, n});
        at.strides = strides;
        x.each([&](float& v) { v = std::floor(next() * 4); });
        x.at(3 * n + 5) = NAN;
        x.at(3 * n + 9) = NAN;
        k.scan({y.view(), at.view(), x.view(), max ? Scan::max : Scan::min, Compute::F32});
        bool right = true;
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t i = 0, best = 0; i < n; ++i) {
            const float v = x.at(r * n + i), kept = x.at(r * n + best);
            if (v != v || (max ? v >= kept : v <= kept)) best = i;
            right =
                right && at.data[static_cast<size_t>(r * strides[0] + i * strides[1])] == best &&
                same(static_cast<double>(y.at(r * n + i)), static_cast<double>(x.at(r * n + best)));
          }
        INFO(k.name << " max " << max << " across " << across);
        CHECK(right);
      }
}

TEST_CASE("stable sorts of numbers that are equal, none, or of all bits", "[many_results]") {
  test::Numbers next;
  for (int64_t n : {1, 2, 100, 255, 256, 3000})
    for (bool descending : {false, true}) {
      Floats x({2, n}), y({2, n});
      Longs at({2, n}), wide({n}), sorted({n}), places({n});
      x.each([&](float& v) { v = std::floor(next() * 9) * 0.0f + std::floor(next() * 9); });
      for (int64_t i = 0; i < n; i += 31) x.at(i) = i % 2 ? NAN : -0.0f;
      for (auto& v : wide.data)
        v = static_cast<int64_t>(static_cast<double>(next()) * 9e18) >> (next() > 0 ? 60 : 0);
      ref_kernels().sort({y.view(), at.view(), x.view(), descending, true, -1, true, false});
      ref_kernels().sort(
          {sorted.view(), places.view(), wide.view(), descending, true, -1, true, false});
      INFO("rows of " << n << " descending " << descending);
      auto less = [](float p, float q) { return p < q || (q != q && p == p); };
      bool right = true;
      for (int64_t r = 0; r < 2; ++r) {
        std::vector<int64_t> order(static_cast<size_t>(n));
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](int64_t p, int64_t q) {
          return descending ? less(x.at(r * n + q), x.at(r * n + p))
                            : less(x.at(r * n + p), x.at(r * n + q));
        });
        for (int64_t i = 0; i < n; ++i)
          right = right &&
                  at.data[static_cast<size_t>(r * n + i)] == order[static_cast<size_t>(i)] &&
                  same(static_cast<double>(y.at(r * n + i)),
                       static_cast<double>(x.at(r * n + order[static_cast<size_t>(i)])));
      }
      std::vector<int64_t> order(static_cast<size_t>(n));
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](int64_t p, int64_t q) {
        const int64_t u = wide.data[static_cast<size_t>(p)], v = wide.data[static_cast<size_t>(q)];
        return descending ? u > v : u < v;
      });
      CHECK(right);
      CHECK(places.data == order);
      Longs alone({n});
      ref_kernels().sort({alone.view(), {}, wide.view(), descending, true, -1, true, false});
      CHECK(alone.data == sorted.data);
    }
}

TEST_CASE("medians", "[many_results]") {
  test::Numbers next;
  for (int64_t n : {4, 7, 50, 333}) {
    Longs row({n}), sorted({n}), places({n}), middle({1}), place({1});
    for (auto& v : row.data) v = static_cast<int64_t>(next() * 4);
    ref_kernels().sort({sorted.view(), places.view(), row.view(), false, true, -1, true, false});
    ref_kernels().sort(
        {middle.view(), place.view(), row.view(), false, true, kMedian, false, true});
    CHECK(middle.data[0] == sorted.data[static_cast<size_t>((n - 1) / 2)]);
    CHECK(place.data[0] == places.data[static_cast<size_t>((n - 1) / 2)]);
  }
  Floats x({3, 5}), y({3, 1});
  Longs at({3, 1});
  const float rows[] = {5, 1, 4, 2, 3, 7, NAN, 6, NAN, 9, NAN, NAN, NAN, NAN, NAN};
  for (int64_t i = 0; i < 15; ++i) x.at(i) = rows[i];
  ref_kernels().sort({y.view(), at.view(), x.view(), false, true, kMedian, false, true});
  CHECK(y.at(0) == 3);
  CHECK(y.at(1) != y.at(1));
  CHECK(y.at(2) != y.at(2));
  CHECK(at.data == std::vector<int64_t>{4, 1, 0});
  ref_kernels().sort({y.view(), at.view(), x.view(), false, true, kNanMedian, false, true});
  CHECK(y.at(0) == 3);
  CHECK(y.at(1) == 7);
  CHECK(y.at(2) != y.at(2));
  CHECK(at.data[1] == 0);
}

TEST_CASE("gathers and scatters of narrow shapes", "[many_results]") {
  test::Numbers next;
  const int64_t rows = 100, columns = 6;
  Floats x({rows, columns}), y({rows, 2}), sum({rows, columns});
  Longs index({rows, 2});
  x.random(next);
  sum.each([](float& v) { v = 1; });
  for (int64_t i = 0; i < 2 * rows; ++i) index.data[static_cast<size_t>(i)] = i / 3 % columns;
  ref_kernels().gather({y.view(), x.view(), index.view(), 1});
  ref_kernels().scatter(
      {sum.view(), index.view(), {}, 1, ScatterMode::add, {.d = 2, .i = 2, .im = 0}});
  bool right = true;
  std::vector<float> expected(static_cast<size_t>(rows * columns), 1.0f);
  for (int64_t i = 0; i < 2 * rows; ++i) {
    const int64_t at = i / 2 * columns + index.data[static_cast<size_t>(i)];
    right = right && y.at(i) == x.at(at);
    expected[static_cast<size_t>(at)] += 2;
  }
  for (int64_t i = 0; i < rows * columns; ++i)
    right = right && sum.at(i) == expected[static_cast<size_t>(i)];
  CHECK(right);
  index.data[3] = columns;
  CHECK_THROWS_AS(ref_kernels().gather({y.view(), x.view(), index.view(), 1}), OpError);
}

TEST_CASE("sampling at the points of a grid", "[many_results]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (int nd : {2, 3})
      for (int64_t mode : {0, 1, 2})
        for (int64_t padding : {0, 1, 2})
          for (bool align : {false, true}) {
            if (nd == 3 && mode == 2) continue;
            Floats x(nd == 2 ? std::vector<int64_t>{2, 3, 5, 7}
                             : std::vector<int64_t>{2, 3, 5, 4, 7}),
                grid(nd == 2 ? std::vector<int64_t>{2, 3, 70, 2}
                             : std::vector<int64_t>{2, 2, 3, 70, 3});
            const std::vector<int64_t> sizes =
                nd == 2 ? std::vector<int64_t>{2, 3, 3, 70} : std::vector<int64_t>{2, 3, 2, 3, 70};
            Floats y(sizes), expected(sizes);
            x.random(next);
            grid.random(next, 1.7f);
            k.grid_sample({y.view(), x.view(), grid.view(), mode, padding, align});
            ref_kernels().grid_sample(
                {expected.view(), x.view(), grid.view(), mode, padding, align});
            double worst = 0;
            for (int64_t i = 0; i < y.numel(); ++i)
              worst = std::max(worst, std::fabs(static_cast<double>(y.at(i) - expected.at(i))));
            INFO(k.name << ' ' << nd << "-d mode " << mode << " padding " << padding << align);
            CHECK(worst < 1e-5);
            CHECK(y.intact());
          }
}

TEST_CASE("largest and smallest elements of columns and of short rows", "[many_results]") {
  test::Numbers next;
  const struct {
    int64_t results, count;
    bool columns;
  } forms[] = {{300, 10, false}, {33, 1, false}, {129, 40, true}, {8, 300, true}, {5, 70, false}};
  for (const Kernels& k : test::all_tables())
    for (auto [results, count, columns] : forms)
      for (bool max : {false, true}) {
        const std::vector<int64_t> strides = columns
                                                 ? std::vector<int64_t>{results * count, 1, results}
                                                 : std::vector<int64_t>{results * count, count, 1};
        Floats x({3, results, count}, strides), y({3, results}, {2 * results + 3, 2});
        Longs at({3, results}), alone({3, results});
        x.each([&](float& v) { v = std::floor(next() * 9); });
        for (int64_t i = 0; i < x.numel(); i += 61) x.at(i) = NAN;
        k.arg_reduce({y.view(), at.view(), x.view(), max});
        k.arg_reduce({{}, alone.view(), x.view(), max});
        bool right = at.data == alone.data && y.intact();
        for (int64_t i = 0; i < y.numel(); ++i) {
          int64_t best = 0;
          for (int64_t j = 1; j < count; ++j) {
            const float v = x.at(i * count + j), kept = x.at(i * count + best);
            if (kept == kept && (v != v || (max ? v > kept : v < kept))) best = j;
          }
          right = right && at.data[static_cast<size_t>(i)] == best &&
                  same(static_cast<double>(y.at(i)), static_cast<double>(x.at(i * count + best)));
        }
        INFO(k.name << ' ' << results << " of " << count << " max " << max);
        CHECK(right);
      }
}
