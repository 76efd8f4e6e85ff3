// SPDX-License-Identifier: Apache-2.0
// Products that the caches hold, few rows and batches of them, on every instruction set.
#include <catch2/catch.hpp>
#include <cmath>

#include "kernel_tables.h"

using namespace sconce;
using test::Floats;

namespace {

// out [B, m, n] = alpha a b + beta out + bias, beside the same in double: the largest error.
struct Product {
  Floats a, b, out, bias;
  int64_t batch, m, n, k;
  Product(int64_t batch, int64_t m, int64_t n, int64_t k, bool columns, test::Numbers& next)
      : a({batch, m, k}, {m * (k + 3), k + 3, 1}),
        b({batch, k, n}, columns ? std::vector<int64_t>{n * (k + 1), 1, k + 1}
                                 : std::vector<int64_t>{k * (n + 2), n + 2, 1}),
        out({batch, m, n}, {m * (n + 5), n + 5, 1}),
        bias({n}),
        batch(batch),
        m(m),
        n(n),
        k(k) {
    a.random(next), b.random(next), bias.random(next);
  }
  double worst(const Kernels& kernels, double alpha, double beta, bool with_bias) {
    out.each([](float& x) { x = 2; });
    kernels.gemm(
        {out.view(), a.view(), b.view(), with_bias ? bias.view() : TensorView{}, alpha, beta});
    double worst = 0;
    for (int64_t i = 0; i < batch * m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double s = 0;
        for (int64_t p = 0; p < k; ++p)
          s += static_cast<double>(a.at(i * k + p)) *
               static_cast<double>(b.at((i / m * k + p) * n + j));
        s = alpha * s + beta * 2 + (with_bias ? static_cast<double>(bias.at(j)) : 0);
        worst = std::max(worst, std::fabs(s - static_cast<double>(out.at(i * n + j))));
      }
    return worst;
  }
};

}  // namespace

TEST_CASE("products in the cache, of all forms", "[row_kernels]") {
  test::Numbers next;
  const int64_t sizes[][3] = {
      {1, 1, 1},     {1, 33, 40},   {2, 7, 19},    {3, 64, 17},  {4, 5, 100}, {5, 16, 16},
      {7, 130, 33},  {8, 70, 64},   {9, 15, 3},    {12, 65, 31}, {13, 48, 8}, {25, 31, 65},
      {37, 129, 15}, {1, 300, 600}, {6, 230, 500}, {30, 41, 1},  {50, 1, 70}, {4, 4, 4}};
  for (const Kernels& kernels : test::all_tables())
    for (const auto& s : sizes)
      for (bool columns : {false, true}) {
        Product p(2, s[0], s[1], s[2], columns, next);
        INFO(kernels.name << " " << s[0] << " x " << s[1] << " x " << s[2] << " columns "
                          << columns);
        CHECK(p.worst(kernels, 1, 0, false) < 5e-5);
        CHECK(p.worst(kernels, 1.5, 1, false) < 5e-5);
        CHECK(p.worst(kernels, 0.5, -0.5, false) < 5e-5);
        CHECK(p.worst(kernels, 1, 0, true) < 5e-5);
        CHECK(p.out.intact());
      }
}

TEST_CASE("batches of products give the same bits on any number of threads", "[row_kernels]") {
  test::Numbers next;
  for (const Kernels& kernels : test::all_tables())
    for (int64_t m : {1, 2, 3, 6, 50}) {
      const bool one_large = m == 2 || m == 3;
      Product p(one_large ? 1 : 40, m, one_large ? 901 : 70, one_large ? 1300 : 64,
                m == 2 || m == 6, next);
      CHECK(p.worst(kernels, 1, 0, false) < 1e-4);
      Floats one = p.out;
      for (int threads : {2, 7}) {
        test::with_threads(threads, [&] { p.worst(kernels, 1, 0, false); });
        INFO(kernels.name << " " << m << " rows, threads " << threads);
        CHECK(p.out.same_bits(one));
      }
    }
}

TEST_CASE("elementwise calls and reductions give the same bits on any number of threads",
          "[row_kernels]") {
  test::Numbers next;
  for (const Kernels& kernels : test::all_tables()) {
    Floats x({3, 301, 403}), row({3, 301, 403}, {0, 0, 1}), y({3, 301, 403}), sums({3, 301}),
        columns({3, 403});
    x.random(next, 3), row.random(next);
    const int64_t turned_sizes[] = {3, 403, 301}, turned_strides[] = {301 * 403, 1, 403};
    auto run = [&](Floats& to, Floats& s, Floats& c) {
      kernels.unary({to.view(), x.view(), Unary::gelu, Compute::F32, 0, 0, 0});
      BinaryArgs b{};
      b.out = b.a = to.view(), b.b = row.view();
      b.op = Binary::mul, b.compute = Compute::F32, b.scale.d = 1;
      kernels.binary(b);
      TernaryArgs t{};
      t.out = t.a = to.view(), t.b = x.view(), t.c = row.view();
      t.op = Ternary::addcmul, t.compute = Compute::F32, t.value.d = 0.5;
      kernels.ternary(t);
      kernels.reduce({s.view(), to.view(), Reduce::sum, Compute::F32, 0});
      TensorView turned = to.view();
      turned.sizes = turned_sizes, turned.strides = turned_strides;
      kernels.reduce({c.view(), turned, Reduce::max, Compute::F32, 0});
    };
    run(y, sums, columns);
    for (int threads : {1, 2, 7}) {
      Floats to({3, 301, 403}), s({3, 301}), c({3, 403});
      test::with_threads(threads, [&] { run(to, s, c); });
      INFO(kernels.name << " on " << threads);
      CHECK(to.same_bits(y));
      CHECK(s.same_bits(sums));
      CHECK(c.same_bits(columns));
    }
  }
}
