// SPDX-License-Identifier: Apache-2.0
// Float functions beside the same in double, on every instruction set.
#include <catch2/catch.hpp>
#include <cmath>

#include "kernel_tables.h"

using namespace sconce;
using test::Floats;

namespace {

struct Tested {
  const char* name;
  Unary op;
  double (*exact)(double);
  double low, high, ulps;  // arguments; the error allowed in units of the last place
};
const Tested kFunctions[] = {
    {"exp", Unary::exp, [](double x) { return std::exp(x); }, -104, 89, 1.2},
    {"tanh", Unary::tanh, [](double x) { return std::tanh(x); }, -12, 12, 2.5},
    {"sigmoid", Unary::sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, -87, 30, 2.5},
    {"silu", Unary::silu, [](double x) { return x / (1 + std::exp(-x)); }, -80, 30, 2.5},
    {"erf", Unary::erf, [](double x) { return std::erf(x); }, -6, 6, 1.5},
    {"log", Unary::log, [](double x) { return std::log(x); }, 0, 50, 1},
    {"log2", Unary::log2, [](double x) { return std::log2(x); }, 0, 50, 1.5},
    {"log1p", Unary::log1p, [](double x) { return std::log1p(x); }, -0.99, 5, 2.5},
    {"expm1", Unary::expm1, [](double x) { return std::expm1(x); }, -10, 89, 2},
};

UnaryArgs args(Unary op, TensorView out, TensorView in) {
  return {out, in, op, Compute::F32, 1, 1, 1};
}
// Steps from a to the nearest float of b, as a fraction.
double ulps(float a, double b) {
  const auto nearest = static_cast<float>(b);
  if (std::isinf(nearest) || std::isinf(a)) return a == nearest ? 0 : INFINITY;
  int exponent;
  std::frexp(nearest, &exponent);
  return std::fabs(static_cast<double>(a) - b) / std::ldexp(1.0, std::max(exponent - 24, -149));
}

}  // namespace

TEST_CASE("float functions are as exact as is promised", "[row_kernels]") {
  constexpr int64_t kCount = 20000;
  for (const Kernels& k : test::all_tables())
    for (const Tested& f : kFunctions) {
      Floats in({2 * kCount}), out({2 * kCount});
      for (int64_t i = 0; i < kCount; ++i) {
        const double part = static_cast<double>(i) / kCount;
        in.at(i) = static_cast<float>(f.low + (f.high - f.low) * part);
        // Towards 0 on both sides.
        const double small = std::exp(-80 * part) * std::min(1.0, f.high);
        in.at(kCount + i) =
            static_cast<float>(f.low < 0 && i % 2 ? std::max(-small, f.low) : small);
      }
      k.unary(args(f.op, out.view(), in.view()));
      double worst = 0;
      for (int64_t i = 0; i < 2 * kCount; ++i)
        worst = std::max(worst, ulps(out.at(i), f.exact(static_cast<double>(in.at(i)))));
      INFO(k.name << ": " << f.name << " is off by " << worst);
      CHECK(worst <= f.ulps);
    }
}

TEST_CASE("gelu's error is small beside its argument", "[row_kernels]") {
  constexpr int64_t kCount = 40000;
  for (const Kernels& k : test::all_tables())
    for (bool by_tanh : {false, true}) {
      Floats in({kCount}), out({kCount});
      for (int64_t i = 0; i < kCount; ++i)
        in.at(i) = static_cast<float>(-20 + 40.0 * static_cast<double>(i) / kCount);
      k.unary(args(by_tanh ? Unary::gelu_tanh : Unary::gelu, out.view(), in.view()));
      double worst = 0;
      for (int64_t i = 0; i < kCount; ++i) {
        const double x = static_cast<double>(in.at(i));
        const double exact =
            by_tanh ? 0.5 * x * (1 + std::tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)))
                    : 0.5 * x * std::erfc(-x * 0.70710678118654752440);
        worst = std::max(
            worst, std::fabs(static_cast<double>(out.at(i)) - exact) / std::max(1.0, std::fabs(x)));
      }
      INFO(k.name << ", tanh " << by_tanh << ": " << worst);
      CHECK(worst < 2.5e-7);
    }
}

TEST_CASE("float functions of what is no ordinary number", "[row_kernels]") {
  const float inf = INFINITY;
  struct Case {
    Unary op;
    float in, out;
  };
  const Case cases[] = {
      {Unary::exp, inf, inf},       {Unary::exp, -inf, 0},
      {Unary::exp, -0.0f, 1},       {Unary::exp, 89, inf},
      {Unary::exp, -110, 0},        {Unary::exp, NAN, NAN},
      {Unary::tanh, inf, 1},        {Unary::tanh, -inf, -1},
      {Unary::tanh, -0.0f, -0.0f},  {Unary::tanh, NAN, NAN},
      {Unary::sigmoid, inf, 1},     {Unary::sigmoid, -inf, 0},
      {Unary::sigmoid, NAN, NAN},   {Unary::silu, inf, inf},
      {Unary::silu, -inf, NAN},     {Unary::silu, -0.0f, -0.0f},
      {Unary::erf, inf, 1},         {Unary::erf, -inf, -1},
      {Unary::erf, -0.0f, -0.0f},   {Unary::erf, NAN, NAN},
      {Unary::gelu, inf, inf},      {Unary::gelu, -inf, NAN},
      {Unary::gelu, -0.0f, -0.0f},  {Unary::gelu, NAN, NAN},
      {Unary::gelu, 1e30f, 1e30f},  {Unary::gelu, -1e30f, -0.0f},
      {Unary::gelu_tanh, inf, inf}, {Unary::gelu_tanh, NAN, NAN},
      {Unary::log, 0, -inf},        {Unary::log, -1, NAN},
      {Unary::log, inf, inf},       {Unary::log, NAN, NAN},
      {Unary::log1p, -1, -inf},     {Unary::log1p, inf, inf},
      {Unary::log1p, -0.0f, -0.0f}, {Unary::expm1, -inf, -1},
      {Unary::expm1, inf, inf},     {Unary::expm1, -0.0f, -0.0f},
      {Unary::expm1, NAN, NAN},     {Unary::mish, inf, inf},
      {Unary::softplus, 100, 100},  {Unary::softplus, NAN, NAN},
      {Unary::elu, -inf, -1},       {Unary::logsigmoid, -inf, -inf},
      {Unary::logsigmoid, inf, 0},
  };
  for (const Kernels& k : test::all_tables())
    for (const Case& c : cases)
      for (int64_t n : {1, 19}) {  // in a whole vector and in a part of one
        Floats in({n}), out({n});
        in.each([&](float& x) { x = c.in; });
        UnaryArgs a = args(c.op, out.view(), in.view());
        if (c.op == Unary::softplus) a.q = 20;
        k.unary(a);
        INFO(k.name << " op " << static_cast<int>(c.op) << " of " << c.in << " gives "
                    << out.at(0));
        for (int64_t i = 0; i < n; ++i) {
          if (std::isnan(c.out)) {
            CHECK(std::isnan(out.at(i)));
          } else {
            CHECK(out.at(i) == c.out);
            if (c.op != Unary::sigmoid) CHECK(std::signbit(out.at(i)) == std::signbit(c.out));
          }
        }
      }
}

TEST_CASE("a function's bits don't depend on an element's place", "[row_kernels]") {
  const Unary ops[] = {Unary::exp,       Unary::tanh,     Unary::sigmoid, Unary::silu,  Unary::erf,
                       Unary::gelu,      Unary::log,      Unary::log2,    Unary::log1p, Unary::mish,
                       Unary::gelu_tanh, Unary::softplus, Unary::expm1,   Unary::elu};
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (Unary op : ops) {
      Floats in({67}), all({67});
      in.each([&](float& x) { x = std::fabs(next()) * 5; });
      k.unary(args(op, all.view(), in.view()));
      CHECK(all.intact());
      for (int64_t from : {0, 3, 16, 50}) {
        const int64_t n = 67 - from;
        Floats part({n}), out({n});
        for (int64_t i = 0; i < n; ++i) part.at(i) = in.at(from + i);
        k.unary(args(op, out.view(), part.view()));
        bool same = true;
        for (int64_t i = 0; i < n; ++i)
          same &= std::memcmp(&out.at(i), &all.at(from + i), sizeof(float)) == 0;
        INFO(k.name << " op " << static_cast<int>(op) << " from " << from);
        CHECK(same);
        CHECK(out.intact());
      }
    }
}
