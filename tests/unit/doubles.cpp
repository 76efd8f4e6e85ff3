// SPDX-License-Identifier: Apache-2.0
// Convolutions of doubles, products of a vector by dense columns, factorisations of small matrices.
#include <catch2/catch.hpp>
#include <cmath>

#include "kernel_tables.h"

using namespace sconce;

namespace {

// A dense tensor of doubles.
struct Doubles : test::Of<double> {
  explicit Doubles(std::vector<int64_t> s) : Of(kDouble, std::move(s)) {}
  Doubles& random(test::Numbers& next) {
    for (double& x : data) x = static_cast<double>(next());
    return *this;
  }
  double& at(int64_t i) { return (*this)[i]; }
};

}  // namespace

TEST_CASE("convolutions of doubles", "[doubles]") {
  test::Numbers next;
  const struct {
    int64_t height, width, kernel, stride, padding, dilation, groups;
  } forms[] = {{1, 1300, 3, 1, 1, 1, 1},
               {9, 13, 3, 2, 1, 1, 2},
               {7, 8, 2, 1, 3, 2, 1},
               {5, 5, 5, 3, 9, 1, 1},
               {6, 40, 1, 1, 0, 1, 2}};
  for (const Kernels& k : test::all_tables())
    for (auto f : forms) {
      const int64_t rows = f.height == 1 ? 1 : f.kernel, N = 2, in = 4, out = 8,
                    per = in / f.groups;
      auto size = [&](int64_t n, int64_t taps, int64_t pad) {
        return (n + 2 * pad - f.dilation * (taps - 1) - 1) / f.stride + 1;
      };
      const int64_t pad0 = f.height == 1 ? 0 : f.padding, h = size(f.height, rows, pad0),
                    w = size(f.width, f.kernel, f.padding);
      Doubles x({N, in, f.height, f.width}), weight({out, per, rows, f.kernel}), bias({out}),
          y({N, out, h, w});
      x.random(next), weight.random(next), bias.random(next);
      ConvArgs a{};
      a.out = y.view(), a.in = x.view(), a.weight = weight.view(), a.bias = bias.view();
      for (int d = 0; d < 3; ++d) {
        a.stride[d] = f.stride, a.dilation[d] = f.dilation;
        a.padding[d] = d == 0 ? pad0 : f.padding;
      }
      a.groups = f.groups;
      k.conv(a);
      double worst = 0;
      for (int64_t i = 0; i < N * out * h * w; ++i) {
        const int64_t q = i % w, p = i / w % h, o = i / w / h % out, n = i / w / h / out;
        double s = bias.at(o);
        for (int64_t c = 0; c < per; ++c)
          for (int64_t r = 0; r < rows; ++r)
            for (int64_t t = 0; t < f.kernel; ++t) {
              const int64_t u = p * f.stride - pad0 + r * f.dilation,
                            v = q * f.stride - f.padding + t * f.dilation;
              if (u < 0 || u >= f.height || v < 0 || v >= f.width) continue;
              const int64_t channel = o / (out / f.groups) * per + c;
              s += x.at(((n * in + channel) * f.height + u) * f.width + v) *
                   weight.at(((o * per + c) * rows + r) * f.kernel + t);
            }
        worst = std::max(worst, std::fabs(s - y.at(i)));
      }
      INFO(k.name << ' ' << f.height << " x " << f.width << " kernel " << f.kernel);
      CHECK(worst < 1e-12);
    }
}

TEST_CASE("a vector by dense columns", "[doubles]") {
  test::Numbers next;
  for (const Kernels& kernels : test::all_tables())
    for (int64_t m : {1, 5, 130})
      for (int64_t k : {1, 2, 9, 200}) {
        test::Floats a({1, m, k}, {m * k, 1, m}), b({1, k, 1}), out({1, m, 1});
        a.random(next), b.random(next);
        kernels.gemm({out.view(), a.view(), b.view(), {}, 1, 0});
        double worst = 0;
        for (int64_t i = 0; i < m; ++i) {
          double s = 0;
          for (int64_t p = 0; p < k; ++p)
            s += static_cast<double>(a.at(i * k + p)) * static_cast<double>(b.at(p));
          worst = std::max(worst, std::fabs(s - static_cast<double>(out.at(i))));
        }
        INFO(kernels.name << ' ' << m << " x " << k);
        CHECK(worst < 1e-5);
        CHECK(out.intact());
      }
}

TEST_CASE("small matrices are factorised and solved", "[doubles]") {
  test::Numbers next;
  for (int64_t n : {1, 2, 3, 16}) {
    Doubles a({1, n, n}), b({1, n, 2}), lu({1, n, n}), x({1, n, 2}), lower({1, n, n});
    a.random(next), b.random(next);
    if (n > 1) a.at(0) = 0;  // needs another row
    std::vector<int32_t> pivots(static_cast<size_t>(n)), info{-1};
    auto ints = [](std::vector<int32_t>& v, const int64_t* sizes, const int64_t* strides,
                   int32_t ndim) {
      TensorView r;
      r.data = v.data();
      r.sizes = sizes;
      r.strides = strides;
      r.ndim = ndim;
      r.dtype = kInt;
      return r;
    };
    const int64_t p_sizes[] = {1, n}, p_strides[] = {n, 1}, i_sizes[] = {1}, i_strides[] = {1};
    LinalgArgs f{};
    f.op = Linalg::lu;
    f.in[0] = a.view(), f.out[0] = lu.view();
    f.out[1] = ints(pivots, p_sizes, p_strides, 2), f.out[2] = ints(info, i_sizes, i_strides, 1);
    ref_kernels().linalg(f);
    CHECK(info[0] == 0);
    LinalgArgs s{};
    s.op = Linalg::lu_solve;
    s.in[0] = lu.view(), s.in[1] = f.out[1], s.in[2] = b.view(), s.out[0] = x.view();
    ref_kernels().linalg(s);
    double worst = 0;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t c = 0; c < 2; ++c) {
        double r = -b.at(i * 2 + c);
        for (int64_t j = 0; j < n; ++j) r += a.at(i * n + j) * x.at(j * 2 + c);
        worst = std::max(worst, std::fabs(r));
      }
    CHECK(worst < 1e-11);
    // a a^T + 1
    Doubles positive({1, n, n});
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) {
        positive.at(i * n + j) = i == j;
        for (int64_t q = 0; q < n; ++q) positive.at(i * n + j) += a.at(i * n + q) * a.at(j * n + q);
      }
    LinalgArgs c{};
    c.op = Linalg::cholesky;
    c.in[0] = positive.view(), c.out[0] = lower.view(), c.out[1] = f.out[2];
    ref_kernels().linalg(c);
    CHECK(info[0] == 0);
    worst = 0;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double r = -positive.at(i * n + j);
        for (int64_t q = 0; q < n; ++q) r += lower.at(i * n + q) * lower.at(j * n + q);
        worst = std::max(worst, std::fabs(r));
      }
    CHECK(worst < 1e-11);
  }
}
