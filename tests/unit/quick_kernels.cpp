// SPDX-License-Identifier: Apache-2.0
// Kernels with a quick form for common calls, beside plain loops: powers, divisions of integers,
// extremes, short sums, running sums, woven copies, conversions, gathers, indices, stable sorts,
// transforms.
#include <catch2/catch.hpp>
#include <cmath>
#include <complex>
#include <numeric>
#include <random>

#include "backends/any_fft.h"
#include "kernel_tables.h"
#include "sconce/error.h"

using namespace sconce;
using test::Floats;
using test::Of;

namespace {

const int64_t kLengths[] = {1, 2, 7, 8, 9, 15, 16, 17, 33, 64, 65, 130, 513, 5000};

int64_t divided(Binary op, int64_t a, int64_t b) {
  const int64_t q = a / b, r = a % b;
  const bool down = r != 0 && (r < 0) != (b < 0);
  switch (op) {
    case Binary::floor_div: return q - down;
    case Binary::trunc_div: return q;
    case Binary::remainder: return down ? r + b : r;
    default: return r;
  }
}

bool same(double a, double b) { return a == b || (a != a && b != b); }

}  // namespace

TEST_CASE("powers are rounded all but correctly", "[quick_kernels]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (int64_t n : kLengths) {
      Floats x({n}), y({n}), z({n});
      x.each([&](float& v) { v = std::exp(next() * 40); });
      y.random(next, 3);
      const float odd[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, -1.5f, 1.0f, 1e-42f};
      for (int64_t i = 0; i < std::min<int64_t>(n, 8); ++i) x.at(n - 1 - i) = odd[i];
      if (n > 20) {
        y.at(9) = INFINITY;
        y.at(10) = NAN;
        x.at(11) = -3;
        y.at(11) = 3;
        x.at(12) = -3;
        y.at(12) = -4;
      }
      k.binary({z.view(), x.view(), y.view(), Binary::pow, Compute::F32, {}, {}});
      CHECK(z.intact());
      for (int64_t i = 0; i < n; ++i) {
        INFO(k.name << " " << x.at(i) << " ^ " << y.at(i) << " = " << z.at(i));
        const double exact = std::pow(static_cast<double>(x.at(i)), static_cast<double>(y.at(i)));
        const auto nearest = static_cast<float>(exact);
        const float other = std::nextafter(nearest, exact > nearest ? INFINITY : -INFINITY);
        CHECK((same(z.at(i), nearest) || z.at(i) == other));
      }
    }
}

TEST_CASE("inverse and hyperbolic functions", "[quick_kernels]") {
  test::Numbers next;
  struct {
    Unary op;
    double (*exact)(double);
    float scale;
  } const kFunctions[] = {{Unary::atan, std::atan, 1e3f}, {Unary::asin, std::asin, 1},
                          {Unary::acos, std::acos, 1},    {Unary::tan, std::tan, 1e4f},
                          {Unary::sinh, std::sinh, 90},   {Unary::cosh, std::cosh, 90},
                          {Unary::exp2, std::exp2, 160},  {Unary::log10, std::log10, 1e4f}};
  for (const Kernels& k : test::all_tables())
    for (const auto& f : kFunctions) {
      const int64_t n = 1003;
      Floats x({n}), y({n});
      for (int64_t i = 0; i < n; ++i)
        x.at(i) = next() * (i % 3 == 0 ? f.scale : std::min(f.scale, 0.9f));
      const float odd[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1.0f, -1.0f, 1e-30f};
      for (int64_t i = 0; i < 8; ++i) x.at(i * 100) = odd[i];
      k.unary({y.view(), x.view(), f.op, Compute::F32, 0, 0, 0});
      for (int64_t i = 0; i < n; ++i) {
        const double exact = f.exact(x.at(i));
        const auto nearest = static_cast<float>(exact);
        INFO(k.name << " function " << static_cast<int>(f.op) << " of " << x.at(i) << ": "
                    << y.at(i));
        CHECK((same(y.at(i), nearest) ||
               std::fabs(y.at(i) - exact) <= 4e-7 * std::max(std::fabs(exact), 1e-37)));
      }
      CHECK(y.intact());
    }
  const float values[] = {0.0f,     -0.0f,     1.0f,   -1.0f, 3.5f, -2.25f,
                          INFINITY, -INFINITY, 1e-30f, 1e30f, NAN};
  Floats a({121}), b({121}), c({121});
  for (int64_t i = 0; i < 121; ++i) {
    a.at(i) = values[i / 11];
    b.at(i) = values[i % 11];
  }
  for (const Kernels& k : test::all_tables()) {
    k.binary({c.view(), a.view(), b.view(), Binary::atan2, Compute::F32, {}, {}});
    for (int64_t i = 0; i < 121; ++i) {
      INFO(k.name << " atan2 " << a.at(i) << ", " << b.at(i) << " = " << c.at(i));
      const double exact = std::atan2(static_cast<double>(a.at(i)), static_cast<double>(b.at(i)));
      CHECK(
          (same(c.at(i), exact) || std::fabs(c.at(i) - exact) <= 4e-7 * std::fabs(exact) + 1e-40));
      if (exact == 0) CHECK(std::signbit(c.at(i)) == std::signbit(exact));
    }
  }
}

TEST_CASE("integers are divided exactly", "[quick_kernels]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (Binary op : {Binary::floor_div, Binary::trunc_div, Binary::remainder, Binary::fmod})
      for (double scale : {20.0, 1e6, 1.1e15, 9e18}) {
        const int64_t n = 523;
        Of<int64_t> a(kLong, {n}), b(kLong, {n}), c(kLong, {n});
        for (int64_t i = 0; i < n; ++i) {
          b[i] = static_cast<int64_t>(next() * (i % 2 ? scale : 30));
          if (b[i] == 0) b[i] = i % 3 ? 1 : -1;
          a[i] = static_cast<int64_t>(next() * scale);
          if (i % 5 == 0 && scale > 1e18)
            a[i] = INT64_MAX - i;
          else if (i % 5 == 0)  // near a multiple of the divisor
            a[i] = static_cast<int64_t>(scale / 40 / (1 + std::abs(static_cast<double>(b[i])))) *
                       b[i] -
                   i % 2;
        }
        k.binary({c.view(), a.view(), b.view(), op, Compute::I64, {}, {}});
        for (int64_t i = 0; i < n; ++i) {
          INFO(k.name << " " << a[i] << " by " << b[i]);
          CHECK(c[i] == divided(op, a[i], b[i]));
        }
      }
}

TEST_CASE("extremes, norms and variances of rows and columns", "[quick_kernels]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (int64_t n : kLengths)
      for (int64_t bad : {int64_t{-1}, int64_t{0}, n / 2, n - 1}) {
        Floats x({2, n}), across({n, 9}), y({2}), z({9});
        x.random(next, 5);
        across.random(next, 5);
        if (bad >= 0) {
          x.at(n + bad) = NAN;
          across.at(bad * 9 + 4) = NAN;
        }
        INFO(k.name << " of " << n << " nan at " << bad);
        for (Reduce op : {Reduce::max, Reduce::min}) {
          auto best = [op](float a, float b) {
            return op == Reduce::max ? std::max(a, b) : std::min(a, b);
          };
          k.reduce({y.view(), x.view(), op, Compute::F32, 0});
          TensorView turned = across.view();
          const int64_t sizes[] = {9, n}, strides[] = {1, 9};
          turned.sizes = sizes;
          turned.strides = strides;
          k.reduce({z.view(), turned, op, Compute::F32, 0});
          for (int64_t r = 0; r < 2; ++r) {
            float exact = x.at(r * n);
            for (int64_t i = 0; i < n; ++i) exact = best(exact, x.at(r * n + i));
            CHECK(same(y.at(r), r == 1 && bad >= 0 ? NAN : exact));
          }
          for (int64_t c = 0; c < 9; ++c) {
            float exact = across.at(c);
            for (int64_t i = 0; i < n; ++i) exact = best(exact, across.at(i * 9 + c));
            CHECK(same(z.at(c), c == 4 && bad >= 0 ? NAN : exact));
          }
        }
        if (bad >= 0) continue;
        double squares = 0, sum = 0, apart = 0;
        for (int64_t i = 0; i < n; ++i) {
          const double v = x.at(i);
          squares += v * v;
          sum += v;
        }
        for (int64_t i = 0; i < n; ++i)
          apart += std::pow(x.at(i) - sum / static_cast<double>(n), 2);
        k.reduce({y.view(), x.view(), Reduce::norm2, Compute::F32, 0});
        CHECK(y.at(0) == Approx(std::sqrt(squares)).epsilon(1e-6));
        k.var({y.view(), {}, x.view(), 0, false});
        CHECK(y.at(0) == Approx(apart / static_cast<double>(n)).epsilon(1e-6).margin(1e-12));
      }
}

TEST_CASE("sums of many short rows have the bits of each row alone", "[quick_kernels]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (int64_t n : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 25, 31, 32, 33})
      for (int64_t rows : {7, 16, 17, 33, 50})
        for (int64_t gap : {0, 3})
          for (Reduce op : {Reduce::sum, Reduce::mean}) {
            INFO(k.name << " " << rows << " rows of " << n << ", apart " << gap);
            Floats x({rows, n}, {n + gap, 1}), all({rows}), one({1});
            x.random(next, 100);
            x.at(n * (rows / 2)) = -0.0f;
            k.reduce({all.view(), x.view(), op, Compute::F32, 0});
            int64_t wrong = 0;
            for (int64_t r = 0; r < rows; ++r) {
              TensorView row = x.view();
              row.data = static_cast<float*>(row.data) + r * (n + gap);
              const int64_t sizes[] = {1, n};
              row.sizes = sizes;
              k.reduce({one.view(), row, op, Compute::F32, 0});
              const float a = all.at(r), b = one.at(0);
              wrong += std::memcmp(&a, &b, sizeof a) != 0;
            }
            CHECK(wrong == 0);
          }
}

TEST_CASE("sums of columns of halves", "[quick_kernels]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (ScalarType t : {kHalf, kBFloat16})
      for (int64_t columns : {8, 9, 16, 40, 129, 300})
        for (int64_t rows : {2, 31, 32, 33, 100}) {
          INFO(k.name << " " << rows << " x " << columns << " " << scalar_type_name(t));
          Floats x({rows, columns});
          x.random(next, 2);
          const auto size = static_cast<size_t>(rows * columns);
          std::vector<uint16_t> in(size), out(static_cast<size_t>(columns));
          for (size_t i = 0; i < size; ++i)
            in[i] = test::half_bits(t, x.at(static_cast<int64_t>(i)));
          TensorView from = x.view(), to;
          const int64_t sizes[] = {columns, rows}, strides[] = {1, columns};
          from.data = in.data();
          from.sizes = sizes;
          from.strides = strides;
          from.dtype = to.dtype = t;
          to.data = out.data();
          to.sizes = sizes;
          to.strides = strides;
          to.ndim = 1;
          k.reduce({to, from, Reduce::sum, Compute::F32, 0});
          int64_t wrong = 0;
          for (int64_t c = 0; c < columns; ++c) {
            double sum = 0, most = 0;
            for (int64_t r = 0; r < rows; ++r) {
              const double v = test::half_value(t, in[static_cast<size_t>(r * columns + c)]);
              sum += v;
              most += std::abs(v);
            }
            const double unit = t == kHalf ? 1.0 / 2048 : 1.0 / 256;
            wrong += !(std::abs(test::half_value(t, out[static_cast<size_t>(c)]) - sum) <=
                       unit * std::abs(sum) + 1e-5 * most);
          }
          CHECK(wrong == 0);
        }
}

TEST_CASE("sums of columns of int64 wrap around", "[quick_kernels]") {
  std::mt19937_64 next(5);
  for (const Kernels& k : test::all_tables())
    for (int64_t columns : {8, 9, 16, 40, 129, 300})
      for (int64_t rows : {2, 31, 33, 100})
        // The first: one row again and again.
        for (int64_t pad : {-columns, int64_t{0}, int64_t{3}}) {
          INFO(k.name << " " << rows << " x " << columns << ", apart " << pad);
          const int64_t step = columns + pad;
          std::vector<int64_t> in(static_cast<size_t>(rows * (columns + 3))),
              out(static_cast<size_t>(columns));
          for (int64_t& v : in) v = static_cast<int64_t>(next());
          const int64_t sizes[] = {columns, rows}, strides[] = {1, step};
          k.reduce({{out.data(), sizes, strides, 1, kLong},
                    {in.data(), sizes, strides, 2, kLong},
                    Reduce::sum,
                    Compute::I64,
                    0});
          int64_t wrong = 0;
          for (int64_t c = 0; c < columns; ++c) {
            uint64_t sum = 0;
            for (int64_t r = 0; r < rows; ++r)
              sum += static_cast<uint64_t>(in[static_cast<size_t>(r * step + c)]);
            wrong += out[static_cast<size_t>(c)] != static_cast<int64_t>(sum);
          }
          CHECK(wrong == 0);
        }
}

TEST_CASE("running sums of columns", "[quick_kernels]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (int64_t columns : {1, 7, 8, 33, 129, 300})
      for (int64_t pad : {0, 5}) {
        const int64_t n = 11, row = columns + pad;
        Floats x({2, columns, n}, {n * row, 1, row}), y({2, columns, n}, {n * columns, 1, columns});
        x.random(next);
        INFO(k.name << " " << columns);
        k.scan({y.view(), {}, x.view(), Scan::sum, Compute::F32});
        for (int64_t r = 0; r < 2 * columns; ++r) {
          double sum = 0;
          for (int64_t i = 0; i < n; ++i) {
            sum += x.at(r * n + i);
            CHECK(y.at(r * n + i) == static_cast<float>(sum));
          }
        }
        CHECK(y.intact());
      }
}

TEST_CASE("copies weave rows and take them apart", "[quick_kernels]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (int64_t rows : {2, 3, 4, 5})
      for (int64_t n : {1, 8, 9, 31, 64, 100}) {
        Floats apart({2, n, rows}, {rows * n, 1, n}), woven({2, n, rows}),
            back({2, n, rows}, {rows * (n + 3), 1, n + 3});
        apart.random(next);
        INFO(k.name << " " << rows << " of " << n);
        k.copy({woven.view(), apart.view()});
        CHECK(woven.same_bits(apart));
        CHECK(woven.intact());
        k.copy({back.view(), woven.view()});
        CHECK(back.same_bits(apart));
        CHECK(back.intact());
      }
}

TEST_CASE("where with one answer for a row", "[quick_kernels]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (int64_t n : kLengths) {
      std::vector<uint8_t> bytes = {1, 0, 7};
      const int64_t sizes[] = {3, n}, strides[] = {1, 0};
      TensorView cond;
      cond.data = bytes.data();
      cond.sizes = sizes;
      cond.strides = strides;
      cond.ndim = 2;
      cond.dtype = kBool;
      Floats a({3, n}), b({3, n}, {0, 0}), c({3, n});
      a.random(next);
      b.random(next);
      k.ternary({c.view(), cond, a.view(), b.view(), Ternary::where, Compute::F32, {}, {}, {}});
      for (int64_t i = 0; i < 3 * n; ++i)
        CHECK(c.at(i) == (bytes[static_cast<size_t>(i / n)] ? a.at(i) : b.at(i)));
      CHECK(c.intact());
    }
}

TEST_CASE("floats become integers and halves", "[quick_kernels]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (float special :
         {0.0f, 2147483520.0f, 2147483648.0f, -2147483648.0f, 1e18f, 1e30f, NAN, INFINITY}) {
      const int64_t n = 530;
      Floats x({n}), back({n});
      x.random(next, 60000);
      x.at(n - 2) = special;
      Of<int64_t> y(kLong, {n});
      k.copy({y.view(), x.view()});
      for (int64_t i = 0; i < n; ++i) {
        const float v = x.at(i);
        CHECK(y[i] == (std::fabs(v) < 9.2e18f ? static_cast<int64_t>(v) : INT64_MIN));
      }
      Of<Half> h(kHalf, {n});
      k.copy({h.view(), x.view()});
      k.copy({back.view(), h.view()});
      for (int64_t i = 0; i < n; ++i) {
        CHECK(same(static_cast<float>(h[i]), static_cast<float>(Half(x.at(i)))));
        CHECK(same(back.at(i), static_cast<float>(h[i])));
      }
    }
}

TEST_CASE("batch norm of rows", "[quick_kernels]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (int64_t c : {1, 3, 16, 37}) {
      Floats x({5, c}), y({5, c}), mean({c}), var({c});
      x.random(next);
      mean.random(next);
      var.each([&](float& v) { v = 1 + next() / 2; });
      k.batch_norm({y.view(), x.view(), mean.view(), var.view(), {}, {}, 1e-5});
      for (int64_t i = 0; i < 5 * c; ++i)
        CHECK(y.at(i) ==
              Approx((x.at(i) - mean.at(i % c)) / std::sqrt(var.at(i % c) + 1e-5)).margin(1e-6));
      CHECK(y.intact());
    }
}

TEST_CASE("depthwise convolutions of tensors as they come", "[quick_kernels]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (int64_t c : {16, 21})
      for (int64_t m : {1, 2})
        for (int64_t stride : {1, 2})
          for (int64_t size : {3, 5}) {
            const int64_t h = 9, w = 7, pad = size / 2, oh = (h - 1) / stride + 1,
                          ow = (w - 1) / stride + 1;
            Floats x({2, c, h, w}), last({2, c, h, w}, {c * h * w, 1, c * w, c}),
                kernel({c * m, 1, size, size}), bias({c * m}), y({2, c * m, oh, ow}),
                z({2, c * m, oh, ow}, {c * m * oh * ow, 1, c * m * ow, c * m});
            x.random(next);
            kernel.random(next);
            bias.random(next);
            for (int64_t i = 0; i < x.numel(); ++i) last.at(i) = x.at(i);
            ConvArgs a{
                y.view(),  x.view(), kernel.view(), bias.view(), {stride, stride, 1}, {pad, pad, 0},
                {1, 1, 1}, c,        false};
            k.conv(a);
            CHECK(y.intact());
            a.out = z.view();
            a.in = last.view();
            k.conv(a);
            CHECK(z.same_bits(y));
            CHECK(z.intact());
            double worst = 0;
            for (int64_t i = 0; i < y.numel(); ++i) {
              const int64_t ox = i % ow, oy = i / ow % oh, o = i / ow / oh % (c * m),
                            n = i / ow / oh / (c * m);
              double sum = bias.at(o);
              for (int64_t q = 0; q < size * size; ++q) {
                const int64_t iy = oy * stride - pad + q / size, ix = ox * stride - pad + q % size;
                if (iy >= 0 && iy < h && ix >= 0 && ix < w)
                  sum += static_cast<double>(kernel.at(o * size * size + q)) *
                         x.at(((n * c + o / m) * h + iy) * w + ix);
              }
              worst = std::max(worst, std::fabs(sum - y.at(i)));
            }
            INFO(k.name << " " << c << " channels times " << m << " stride " << stride << " size "
                        << size);
            CHECK(worst < 5e-6);
          }
}

TEST_CASE("gathers, scatters and indices look at every index", "[quick_kernels]") {
  test::Numbers next;
  const Kernels& k = ref_kernels();
  for (int64_t n : {1, 5, 300}) {
    Floats in({3, 7}), out({3, n}), sums({3, 7}), src({3, n});
    in.random(next);
    src.random(next);
    Of<int64_t> index(kLong, {3, n});
    for (int64_t i = 0; i < 3 * n; ++i) index[i] = (i * 5 + i / n) % 7;
    k.gather({out.view(), in.view(), index.view(), 1});
    for (int64_t i = 0; i < 3 * n; ++i) CHECK(out.at(i) == in.at(i / n * 7 + index[i]));
    sums.each([](float& v) { v = 0; });
    k.scatter({sums.view(), index.view(), src.view(), 1, ScatterMode::add, {}});
    double all = 0, added = 0;
    src.each([&](float v) { all += v; });
    sums.each([&](float v) { added += v; });
    CHECK(added == Approx(all).margin(1e-4));
    for (int64_t bad : {int64_t{-1}, int64_t{7}, INT64_MIN, INT64_MAX}) {
      const int64_t good = std::exchange(index[n - 1], bad);
      CHECK_THROWS_AS(k.gather({out.view(), in.view(), index.view(), 1}), OpError);
      CHECK_THROWS_AS(k.scatter({sums.view(), index.view(), src.view(), 1, ScatterMode::add, {}}),
                      OpError);
      index[n - 1] = good;
    }
    // One index for a row of the result.
    Floats rows({n, 7});
    Of<int64_t> spread(kLong, {n, 7}, {1, 0});
    for (int64_t i = 0; i < n; ++i) spread[i] = i % 3;
    k.gather({rows.view(), in.view(), spread.view(), 0});
    for (int64_t i = 0; i < 7 * n; ++i) CHECK(rows.at(i) == in.at(i / 7 % 3 * 7 + i % 7));
  }
}

TEST_CASE("advanced indices of rows, columns and elements", "[quick_kernels]") {
  test::Numbers next;
  const Kernels& k = ref_kernels();
  for (int64_t n : {1, 6, 257, 600})
    for (int64_t rest : {1, 3, 40}) {
      Floats in({9, rest}), out({n, rest}), turned({n, rest}, {1, n});
      in.random(next);
      Of<int64_t> at(kLong, {n});
      for (int64_t i = 0; i < n; ++i) at[i] = i * 7 % 18 - 9;  // negative ones count from the end
      TensorView rows = in.view();
      rows.sizes += 1;
      rows.strides += 1;
      rows.ndim = 1;
      IndexArgs a{};
      a.out = out.view();
      a.in = rows;
      a.index[0] = at.view();
      a.n_index = a.index_ndim = 1;
      a.size[0] = 9;
      a.step[0] = rest;
      k.index(a);
      auto place = [&](int64_t i) { return (at[i / rest] + 9) % 9 * rest + i % rest; };
      for (int64_t i = 0; i < n * rest; ++i) CHECK(out.at(i) == in.at(place(i)));
      a.out = turned.view();
      k.index(a);
      CHECK(turned.same_bits(out));
      // Put: the last of those that name one place stays; accumulate: all of them count.
      Floats all({9, rest});
      all.each([](float& v) { v = 0; });
      std::vector<float> last(static_cast<size_t>(9 * rest), 0), sum = last;
      for (int64_t i = 0; i < n * rest; ++i) {
        last[static_cast<size_t>(place(i))] = out.at(i) = next();
        sum[static_cast<size_t>(place(i))] += out.at(i);
      }
      a.out = out.view();
      a.in.data = all.view().data;
      a.put = true;
      k.index(a);
      for (int64_t i = 0; i < 9 * rest; ++i) CHECK(all.at(i) == last[static_cast<size_t>(i)]);
      all.each([](float& v) { v = 0; });
      a.accumulate = true;
      k.index(a);
      for (int64_t i = 0; i < 9 * rest; ++i) CHECK(all.at(i) == sum[static_cast<size_t>(i)]);
      for (int64_t bad : {int64_t{9}, int64_t{-10}}) {
        at[n - 1] = bad;
        CHECK_THROWS_AS(k.index(a), OpError);
      }
    }
}

TEST_CASE("stable sorts keep equals in their order", "[quick_kernels]") {
  test::Numbers next;
  const Kernels& k = ref_kernels();
  for (int64_t n : {1, 255, 256, 5000})
    for (bool descending : {false, true})
      for (double scale : {3.0, 5e4, 9e18}) {
        Of<int64_t> x(kLong, {n}), y(kLong, {n}), at(kLong, {n});
        Floats f({n}), g({n});
        Of<int64_t> where(kLong, {n});
        for (int64_t i = 0; i < n; ++i) {
          x[i] = static_cast<int64_t>(next() * scale);
          f.at(i) = i % 11 == 3   ? NAN
                    : i % 7 == 2  ? (i % 2 ? 0.0f : -0.0f)
                    : i % 13 == 1 ? -INFINITY
                                  : std::round(next() * 9);
        }
        k.sort({y.view(), at.view(), x.view(), descending, true, -1, true, false});
        k.sort({g.view(), where.view(), f.view(), descending, true, -1, true, false});
        INFO(n << " descending " << descending << " to " << scale);
        auto sorted = [&](auto less, auto value, Of<int64_t>& places) {
          std::vector<int64_t> order(static_cast<size_t>(n));
          std::iota(order.begin(), order.end(), int64_t{0});
          std::stable_sort(order.begin(), order.end(), [&](int64_t p, int64_t q) {
            return descending ? less(value(q), value(p)) : less(value(p), value(q));
          });
          return order == places.data;
        };
        CHECK(sorted(
            std::less<>(), [&](int64_t i) { return x[i]; }, at));
        CHECK(sorted([](float p, float q) { return p < q || (q != q && p == p); },
                     [&](int64_t i) { return f.at(i); }, where));
        for (int64_t i = 0; i < n; ++i) {
          CHECK(y[i] == x[at[i]]);
          CHECK(same(g.at(i), f.at(where[i])));
        }
      }
}

TEST_CASE("Fourier transforms of many rows", "[quick_kernels]") {
  using C = std::complex<float>;
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (int64_t rows : {1, 8, 16, 19})
      for (int64_t n : {1, 2, 3, 4, 6, 7, 8, 30, 45, 64, 100, 128, 200, 254, 512})
        for (bool inverse : {false, true}) {
          INFO(k.name << " " << rows << " rows of " << n << " inverse " << inverse);
          auto compare = [&](auto& in, auto& out, auto& plain) {
            const FftArgs a{out.view(), in.view(), inverse, 0.5},
                b{plain.view(), in.view(), inverse, 0.5};
            k.fft(a);
            ref::any_fft(b);
            double worst = 0;
            for (size_t i = 0; i < out.data.size(); ++i)
              worst = std::max(worst, static_cast<double>(std::abs(out.data[i] - plain.data[i])));
            return worst / std::sqrt(static_cast<double>(n));
          };
          auto number = [&] { return C(next(), next()); };
          Of<C> z(kComplexFloat, {rows, n}, {n + 3, 1}), whole(kComplexFloat, {rows, n}),
              same(kComplexFloat, {rows, n});
          for (C& v : z.data) v = number();
          CHECK(compare(z, whole, same) < 2e-6);
          Of<float> x(kFloat, {rows, n}, {1, rows});
          for (float& v : x.data) v = next();
          CHECK(compare(x, whole, same) < 2e-6);
          const int64_t half = n / 2 + 1;
          Of<C> some(kComplexFloat, {rows, half}), others(kComplexFloat, {rows, half});
          CHECK(compare(x, some, others) < 2e-6);
          if (!inverse) continue;
          for (C& v : some.data) v = number();
          Of<float> y(kFloat, {rows, n}), w(kFloat, {rows, n});
          CHECK(compare(some, y, w) < 2e-6);
        }
}
