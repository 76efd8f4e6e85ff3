// SPDX-License-Identifier: Apache-2.0
// Attention on every instruction set: sizes about the register tiles, heads that lie between each
// other, masks, rows that see nothing, numbers of threads.
#include <catch2/catch.hpp>
#include <cmath>

#include "kernel_tables.h"
#include "sconce/sconce.h"

using namespace sconce;
using test::Floats;

namespace {

struct Case {
  int64_t batch, heads, queries, keys, width, values;
  bool between, causal;
  int mask;  // 0: none, 1: [keys] for all, 2: [queries, keys] for all, 3: of each head
};

struct Operands {
  Floats q, k, v, mask;
  explicit Operands(const Case& c)
      : q(sizes(c, c.queries, c.width), strides(c, c.queries, c.width)),
        k(sizes(c, c.keys, c.width), strides(c, c.keys, c.width)),
        v(sizes(c, c.keys, c.values), strides(c, c.keys, c.values)),
        mask(sizes(c, c.queries, c.keys), mask_strides(c)) {}
  // [batch, heads, rows, columns], dense or with the heads of a row beside each other.
  static std::vector<int64_t> sizes(const Case& c, int64_t rows, int64_t columns) {
    return {c.batch, c.heads, rows, columns};
  }
  static std::vector<int64_t> strides(const Case& c, int64_t rows, int64_t columns) {
    if (!c.between) return {};
    return {rows * c.heads * columns, columns, c.heads * columns, 1};
  }
  static std::vector<int64_t> mask_strides(const Case& c) {
    if (c.mask == 3) return {};
    return {0, 0, c.mask == 2 ? c.keys : 0, 1};
  }
};

// The largest error beside a double's answer.
double worst_error(const Case& c, Operands& x, Floats& out, double scale) {
  double worst = 0;
  std::vector<double> s(static_cast<size_t>(c.keys));
  for (int64_t head = 0; head < c.batch * c.heads; ++head)
    for (int64_t i = 0; i < c.queries; ++i) {
      double max = -INFINITY, sum = 0;
      for (int64_t j = 0; j < c.keys; ++j) {
        double d = 0;
        for (int64_t e = 0; e < c.width; ++e)
          d += static_cast<double>(x.q.at((head * c.queries + i) * c.width + e)) *
               static_cast<double>(x.k.at((head * c.keys + j) * c.width + e));
        d *= scale;
        if (c.mask) d += static_cast<double>(x.mask.at((head * c.queries + i) * c.keys + j));
        if (c.causal && j > i) d = -INFINITY;
        s[static_cast<size_t>(j)] = d;
        max = std::max(max, d);
      }
      const bool hidden = max == -INFINITY;
      for (double& d : s) sum += d = hidden ? 0 : std::exp(d - max);
      for (int64_t d = 0; d < c.values; ++d) {
        double exact = 0;
        for (int64_t j = 0; j < c.keys; ++j)
          exact += s[static_cast<size_t>(j)] *
                   static_cast<double>(x.v.at((head * c.keys + j) * c.values + d));
        if (!hidden) exact /= sum;
        const double error =
            std::fabs(exact - static_cast<double>(out.at((head * c.queries + i) * c.values + d)));
        worst = error <= worst ? worst : error;  // nan stays
      }
    }
  return worst;
}

}  // namespace

TEST_CASE("attention of all shapes", "[attention]") {
  const Case cases[] = {
      {1, 2, 1, 1, 1, 1, false, false, 0},     {1, 3, 1, 128, 64, 64, true, false, 0},
      {2, 2, 3, 5, 16, 16, false, true, 0},    {1, 4, 4, 300, 64, 64, true, false, 1},
      {2, 3, 5, 7, 3, 6, true, false, 2},      {1, 2, 12, 16, 32, 32, true, false, 0},
      {1, 2, 13, 33, 20, 33, false, false, 3}, {2, 2, 37, 41, 80, 80, true, false, 3},
      {1, 3, 49, 49, 32, 32, true, false, 1},  {1, 1, 97, 197, 64, 128, false, false, 0},
      {1, 2, 100, 100, 24, 40, true, true, 0}, {1, 1, 70, 30, 16, 17, false, true, 0},
      {1, 1, 20, 2100, 8, 8, false, false, 2}, {1, 2, 6, 0, 4, 4, false, false, 0},
      {1, 1, 9, 65, 0, 5, false, false, 0},
  };
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (const Case& c : cases) {
      Operands x(c);
      x.q.random(next, 2), x.k.random(next, 2), x.v.random(next);
      x.mask.random(next);
      for (int64_t i = 0; i < x.mask.numel(); ++i)
        if (i % 7 == 3) x.mask.at(i) = -INFINITY;
      Floats out(Operands::sizes(c, c.queries, c.values),
                 Operands::strides(c, c.queries, c.values));
      out.each([](float& v) { v = NAN; });
      const double scale = 0.3;
      k.attention({out.view(), x.q.view(), x.k.view(), x.v.view(),
                   c.mask ? x.mask.view() : TensorView{}, scale, c.causal, false});
      INFO(k.name << " queries " << c.queries << " keys " << c.keys << " width " << c.width
                  << " values " << c.values << " mask " << c.mask);
      CHECK(worst_error(c, x, out, scale) < 2e-6);
      CHECK(out.intact());
    }
}

TEST_CASE("attention with keys that are stored column by column", "[attention]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (int64_t queries : {2, 19}) {
      const Case c{1, 3, queries, 37, 24, 16, false, false, 0};
      Operands x(c);
      x.q.random(next, 2), x.k.random(next, 2), x.v.random(next);
      Floats columns({1, 3, 37, 24}, {0, 37 * 24, 1, 37}), out({1, 3, queries, 16});
      for (int64_t i = 0; i < columns.numel(); ++i) columns.at(i) = x.k.at(i);
      k.attention({out.view(), x.q.view(), columns.view(), x.v.view(), {}, 0.2, false, false});
      INFO(k.name << " queries " << queries);
      CHECK(worst_error(c, x, out, 0.2) < 2e-6);
      CHECK(out.intact());
    }
}

TEST_CASE("attention of what is masked and of what is no number", "[attention]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (int64_t queries : {3, 15, 30}) {
      const bool plain = queries == 30;  // nothing to choose from gives nan
      const Case c{1, 1, queries, 20, 8, 8, false, false, 2};
      Operands x(c);
      x.q.random(next), x.k.random(next), x.v.random(next);
      x.mask.each([](float& v) { v = 0; });
      for (int64_t j = 0; j < c.keys; ++j) x.mask.at(j) = -INFINITY;  // the first row sees nothing
      x.q.at(2 * c.width) = NAN;
      Floats out({1, 1, queries, 8});
      k.attention({out.view(), x.q.view(), x.k.view(), x.v.view(), x.mask.view(), 1, false, plain});
      bool zeros = true, nans = true, others = true;
      for (int64_t d = 0; d < 8; ++d) {
        zeros &= plain ? std::isnan(out.at(d)) : out.at(d) == 0;
        others &= std::isfinite(out.at(8 + d));
        nans &= std::isnan(out.at(16 + d));
      }
      INFO(k.name << " queries " << queries);
      CHECK(zeros);
      CHECK(others);
      CHECK(nans);
    }
}

TEST_CASE("attention gives the same bits on any number of threads", "[attention]") {
  const Case cases[] = {{1, 3, 130, 130, 32, 32, true, true, 0},
                        {1, 1, 200, 77, 64, 48, false, false, 0}};
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (const Case& c : cases) {
      Operands x(c);
      x.q.random(next, 2), x.k.random(next, 2), x.v.random(next);
      auto run = [&](Floats& out) {
        k.attention({out.view(), x.q.view(), x.k.view(), x.v.view(), {}, 0.2, c.causal, false});
      };
      Floats one({c.batch, c.heads, c.queries, c.values});
      run(one);
      for (int threads : {1, 2, 7}) {
        Floats out({c.batch, c.heads, c.queries, c.values});
        test::with_threads(threads, [&] { run(out); });
        INFO(k.name << " on " << threads);
        CHECK(out.same_bits(one));
      }
    }
}
