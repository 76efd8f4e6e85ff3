// SPDX-License-Identifier: Apache-2.0
// Softmax, layer norm, recurrent cells and transposing copies on every instruction set: lengths
// about the widths of vectors, strides, numbers that are none, numbers of threads.
#include <catch2/catch.hpp>
#include <cmath>

#include "kernel_tables.h"

using namespace sconce;
using test::Floats;

namespace {

const int64_t kLengths[] = {1,  2,  3,  7,  8,   9,   15,  16,   17,
                            31, 32, 33, 48, 100, 127, 513, 2049, 5000};

// The softmax of a row in double.
std::vector<double> softmax_of(Floats& x, int64_t row, int64_t n, bool log) {
  double max = -INFINITY, sum = 0;
  std::vector<double> r(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) max = std::max(max, static_cast<double>(x.at(row * n + i)));
  for (int64_t i = 0; i < n; ++i) sum += std::exp(static_cast<double>(x.at(row * n + i)) - max);
  for (int64_t i = 0; i < n; ++i) {
    const double shifted = static_cast<double>(x.at(row * n + i)) - max;
    r[static_cast<size_t>(i)] = log ? shifted - std::log(sum) : std::exp(shifted) / sum;
  }
  return r;
}

double worst_softmax_error(Floats& x, Floats& y, int64_t rows, int64_t n, bool log) {
  double worst = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const auto exact = softmax_of(x, r, n, log);
    for (int64_t i = 0; i < n; ++i) {
      const double e = exact[static_cast<size_t>(i)];
      worst = std::max(worst, std::fabs(static_cast<double>(y.at(r * n + i)) - e) /
                                  std::max(std::fabs(e), log ? 1.0 : 1e-30));
    }
  }
  return worst;
}

}  // namespace

TEST_CASE("softmax of rows of all lengths", "[row_kernels]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (int64_t n : kLengths)
      for (bool log : {false, true}) {
        Floats x({3, n}), y({3, n}), apart({3, n}, {2 * n + 1, 2}), z({3, n}, {n + 5, 1});
        x.random(next, 8);
        for (int64_t i = 0; i < 3 * n; ++i) apart.at(i) = x.at(i);
        INFO(k.name << " rows of " << n << " log " << log);
        k.softmax({y.view(), x.view(), log});
        CHECK(worst_softmax_error(x, y, 3, n, log) < (log ? 2e-6 : 3e-6));
        CHECK(y.intact());
        k.softmax({z.view(), apart.view(), log});
        CHECK(z.same_bits(y));
        CHECK(z.intact());
        k.softmax({x.view(), x.view(), log});  // in place
        CHECK(x.same_bits(y));
      }
}

TEST_CASE("softmax along a dim that isn't the last", "[row_kernels]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (int64_t columns : {8, 16, 19, 255, 257, 600})
      for (bool log : {false, true}) {
        const int64_t n = 21;
        Floats x({2, columns, n}, {columns * n, 1, columns}),
            y({2, columns, n}, {columns * n, 1, columns});
        x.random(next, 8);
        k.softmax({y.view(), x.view(), log});
        INFO(k.name << " columns " << columns << " log " << log);
        CHECK(worst_softmax_error(x, y, 2 * columns, n, log) < 3e-6);
        CHECK(y.intact());
      }
}

TEST_CASE("softmax of numbers that are none", "[row_kernels]") {
  const float inf = INFINITY;
  for (const Kernels& k : test::all_tables())
    for (int64_t n : {5, 16, 37}) {
      Floats x({4, n}), y({4, n});
      x.each([](float& v) { v = 0.5f; });
      for (int64_t i = 0; i < n; ++i) x.at(n + i) = -inf;      // nothing to choose from
      for (int64_t i = 0; i < n; ++i) x.at(2 * n + i) = -inf;  // one
      x.at(2 * n + n - 1) = 3;
      x.at(3 * n) = inf;
      x.at(1) = NAN;
      k.softmax({y.view(), x.view(), false});
      INFO(k.name << " rows of " << n);
      bool all = true;
      for (int64_t i = 0; i < n; ++i) {
        all &= std::isnan(y.at(i)) && std::isnan(y.at(n + i));
        all &= y.at(2 * n + i) == (i == n - 1 ? 1.0f : 0.0f);
        all &= std::isnan(y.at(3 * n + i));  // inf - inf
      }
      CHECK(all);
    }
}

TEST_CASE("layer norms of rows of all lengths", "[row_kernels]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (int64_t n : kLengths)
      for (int form = 0; form < 4; ++form) {  // 0: plain, 1: weight, 2: both, 3: RMS and weight
        Floats x({3, n}, {n + 3, 1}), y({3, n}), w({n}), b({n}), mean({3, 1}, {1, 1}),
            rstd({3, 1}, {1, 1});
        x.random(next, 2).each([](float& v) { v += 3; });
        w.random(next), b.random(next);
        LayerNormArgs a{y.view(), {}, {}, x.view(), {}, {}, 1e-5, form == 3};
        if (form != 0) a.weight = w.view();
        if (form == 2) a.bias = b.view();
        a.mean = mean.view(), a.rstd = rstd.view();
        k.layer_norm(a);
        double worst = 0;
        for (int64_t r = 0; r < 3; ++r) {
          double s = 0, q = 0;
          for (int64_t i = 0; i < n; ++i) s += static_cast<double>(x.at(r * n + i));
          s = form == 3 ? 0 : s / static_cast<double>(n);
          for (int64_t i = 0; i < n; ++i)
            q += std::pow(static_cast<double>(x.at(r * n + i)) - s, 2);
          const double scale = 1 / std::sqrt(q / static_cast<double>(n) + 1e-5);
          for (int64_t i = 0; i < n; ++i) {
            double v = (static_cast<double>(x.at(r * n + i)) - s) * scale;
            if (form != 0) v *= static_cast<double>(w.at(i));
            if (form == 2) v += static_cast<double>(b.at(i));
            worst = std::max(worst, std::fabs(v - static_cast<double>(y.at(r * n + i))));
          }
          CHECK(static_cast<double>(mean.at(r)) == Approx(s).margin(1e-6));
          CHECK(static_cast<double>(rstd.at(r)) == Approx(scale).epsilon(1e-5));
        }
        INFO(k.name << " rows of " << n << " form " << form << ": " << worst);
        // One element has no spread: rounding of the mean is all there is, times 1 / sqrt(eps).
        CHECK(worst < (n == 1 ? 1e-4 : n < 4 ? 2e-5 : 2e-6));
        CHECK(y.intact());
      }
}

TEST_CASE("row kernels give the same bits on any number of threads", "[row_kernels]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables()) {
    Floats x({301, 517}), w({517}), b({517});
    x.random(next, 4), w.random(next), b.random(next);
    Floats columns({3, 700, 50}, {700 * 50, 1, 700});
    columns.random(next, 4);
    Floats soft({301, 517}), norm({301, 517}), down({3, 700, 50}, {700 * 50, 1, 700});
    auto run = [&](Floats& s, Floats& n, Floats& d) {
      k.softmax({s.view(), x.view(), false});
      k.layer_norm({n.view(), {}, {}, x.view(), w.view(), b.view(), 1e-5, false});
      k.softmax({d.view(), columns.view(), false});
    };
    run(soft, norm, down);
    for (int threads : {1, 2, 7}) {
      Floats s({301, 517}), n({301, 517}), d({3, 700, 50}, {700 * 50, 1, 700});
      test::with_threads(threads, [&] { run(s, n, d); });
      INFO(k.name << " on " << threads);
      CHECK(s.same_bits(soft));
      CHECK(n.same_bits(norm));
      CHECK(d.same_bits(down));
    }
  }
}

TEST_CASE("recurrent cells of all widths", "[row_kernels]") {
  test::Numbers next;
  auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  for (const Kernels& k : test::all_tables())
    for (int64_t H : {1, 3, 7, 8, 9, 16, 17, 40})
      for (int form = 0; form < 3; ++form) {  // 0: LSTM, 1: with hidden gates apart, 2: GRU
        const int64_t B = 3, G = form == 2 ? 3 : 4;
        Floats g({B, G * H}, {G * H + 2, 1}), u({B, G * H}), before({B, H}, {H + 1, 1}),
            h({B, H}, {H + 5, 1}), c({B, H});
        g.random(next, 3), u.random(next, 3), before.random(next, 2);
        RnnCellArgs a{h.view(), {}, g.view(), {}, {}, {}, form == 2};
        if (form != 0) a.hidden_gates = u.view();
        if (form == 2) a.h_prev = before.view();
        if (form != 2) a.c = c.view(), a.c_prev = before.view();
        k.rnn_cell(a);
        double worst = 0;
        for (int64_t b = 0; b < B; ++b)
          for (int64_t i = 0; i < H; ++i) {
            auto x = [&](int64_t n) { return static_cast<double>(g.at(b * G * H + n * H + i)); };
            auto y = [&](int64_t n) {
              return form ? static_cast<double>(u.at(b * G * H + n * H + i)) : 0;
            };
            const auto old = static_cast<double>(before.at(b * H + i));
            double out;
            if (form == 2) {
              const double r = sigmoid(x(0) + y(0)), z = sigmoid(x(1) + y(1)),
                           n = std::tanh(x(2) + r * y(2));
              out = (old - n) * z + n;
            } else {
              const double state =
                  sigmoid(x(1) + y(1)) * old + sigmoid(x(0) + y(0)) * std::tanh(x(2) + y(2));
              worst = std::max(worst, std::fabs(state - static_cast<double>(c.at(b * H + i))));
              out = sigmoid(x(3) + y(3)) * std::tanh(state);
            }
            worst = std::max(worst, std::fabs(out - static_cast<double>(h.at(b * H + i))));
          }
        INFO(k.name << " width " << H << " form " << form);
        CHECK(worst < 1e-6);
        CHECK(h.intact());
        CHECK(c.intact());
      }
}

TEST_CASE("copies in another order of dims", "[row_kernels]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (int64_t rows : {1, 5, 8, 16, 19, 33, 70})
      for (int64_t columns : {1, 7, 16, 17, 32, 65})
        for (int64_t bytes : {1, 2, 4, 8}) {
          // [2, columns, rows] out of [2, rows, columns], elements of so many bytes.
          std::vector<uint8_t> in(static_cast<size_t>(2 * rows * columns * bytes)), out(in.size());
          for (auto& b : in) b = static_cast<uint8_t>(static_cast<int>(next() * 120));
          const int64_t sizes[] = {2, columns, rows}, dense[] = {rows * columns, rows, 1},
                        across[] = {rows * columns, 1, columns};
          TensorView from, to;
          from.dtype = to.dtype = bytes == 1   ? kByte
                                  : bytes == 2 ? kShort
                                  : bytes == 4 ? kInt
                                               : kLong;
          from.ndim = to.ndim = 3;
          from.sizes = to.sizes = sizes;
          from.strides = across, to.strides = dense;
          from.data = in.data(), to.data = out.data();
          auto check = [&] {
            bool same = true;
            for (int64_t p = 0; p < 2; ++p)
              for (int64_t c = 0; c < columns; ++c)
                for (int64_t r = 0; r < rows; ++r)
                  same &=
                      std::memcmp(&out[static_cast<size_t>(((p * columns + c) * rows + r) * bytes)],
                                  &in[static_cast<size_t>(((p * rows + r) * columns + c) * bytes)],
                                  static_cast<size_t>(bytes)) == 0;
            return same;
          };
          INFO(k.name << " " << rows << " x " << columns << " of " << bytes << " bytes");
          k.copy({to, from});
          CHECK(check());
          std::fill(out.begin(), out.end(), uint8_t{77});
          test::with_threads(3, [&] { k.copy({to, from}); });
          CHECK(check());
        }
}

TEST_CASE("large copies are shared between threads", "[row_kernels]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables()) {
    Floats heads({4, 130, 12, 64}), merged({4, 12, 130, 64}, {12 * 130 * 64, 130 * 64, 64, 1}),
        square({700, 900}), turned({700, 900}, {1, 700});
    heads.random(next), square.random(next);
    TensorView permuted = heads.view();
    const int64_t sizes[] = {4, 12, 130, 64}, strides[] = {130 * 12 * 64, 64, 12 * 64, 1};
    permuted.sizes = sizes, permuted.strides = strides;
    test::with_threads(3, [&] {
      k.copy({merged.view(), permuted});
      k.copy({turned.view(), square.view()});
    });
    bool same = turned.same_bits(square);
    for (int64_t n = 0; n < 4; ++n)
      for (int64_t h = 0; h < 12; ++h)
        for (int64_t t = 0; t < 130; ++t)
          for (int64_t e = 0; e < 64; ++e)
            same &= merged.at(((n * 12 + h) * 130 + t) * 64 + e) ==
                    heads.at(((n * 130 + t) * 12 + h) * 64 + e);
    INFO(k.name);
    CHECK(same);
    CHECK(merged.intact());
    CHECK(turned.intact());
  }
}
