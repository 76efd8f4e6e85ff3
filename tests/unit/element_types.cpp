// SPDX-License-Identifier: Apache-2.0
// Elementwise slots of other dtypes than float, on every instruction set: integers beside the same
// in 64 bits, doubles beside long double, halves' signs, casts, repeated elements; and numbers made
// from nothing beside the plain slots.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "backends/tiles.h"
#include "kernel_tables.h"
#include "ops/op.h"
#include "sconce/sconce.h"

using namespace sconce;

namespace {

// A tensor of rows at `step` elements, whose elements lie `stride` apart.
template <class T>
struct Rows {
  Rows(int64_t rows, int64_t n, int64_t stride = 1)
      : sizes{rows, n},
        strides{n * stride + 3, stride},
        data(static_cast<size_t>(rows * strides[0] + 1)) {}
  T& at(int64_t r, int64_t i) {
    return data[static_cast<size_t>(1 + r * strides[0] + i * strides[1])];
  }
  TensorView view(ScalarType t) {
    TensorView v;
    v.data = data.data() + 1;
    v.sizes = sizes;
    v.strides = strides;
    v.ndim = 2;
    v.dtype = t;
    return v;
  }
  int64_t sizes[2], strides[2];
  std::vector<T> data;
};

int64_t any_integer(test::Numbers& next) {
  const float f = next();
  return static_cast<int64_t>(uint64_t{__builtin_bit_cast(uint32_t, f)} * 2654435761) >> 7;
}

// Integers wrap around.
int64_t exact(Binary op, int64_t a, int64_t b) {
  const auto x = static_cast<uint64_t>(a), y = static_cast<uint64_t>(b);
  switch (op) {
    case Binary::add: return static_cast<int64_t>(x + y);
    case Binary::sub: return static_cast<int64_t>(x - y);
    case Binary::mul: return static_cast<int64_t>(x * y);
    case Binary::bitwise_and: return a & b;
    case Binary::bitwise_or: return a | b;
    case Binary::bitwise_xor: return a ^ b;
    case Binary::maximum: return std::max(a, b);
    case Binary::minimum: return std::min(a, b);
    case Binary::eq: return a == b;
    case Binary::ne: return a != b;
    case Binary::lt: return a < b;
    case Binary::le: return a <= b;
    case Binary::gt: return a > b;
    default: return a >= b;
  }
}

template <class T>
void check_integers(const Kernels& k, ScalarType t) {
  constexpr int64_t kRows = 3;
  test::Numbers next;
  for (int64_t n : {1, 7, 64, 130, 5000})
    for (int64_t stride : {1, 2}) {
      Rows<T> a(kRows, n, stride), b(kRows, n), c(kRows, n, stride);
      Rows<uint8_t> truth(kRows, n, stride);
      for (int64_t r = 0; r < kRows; ++r)
        for (int64_t i = 0; i < n; ++i) {
          a.at(r, i) = static_cast<T>(any_integer(next));
          b.at(r, i) = i % 3 == 0 ? a.at(r, i) : static_cast<T>(any_integer(next));
        }
      for (Binary op : {Binary::add, Binary::sub, Binary::mul, Binary::bitwise_and,
                        Binary::bitwise_or, Binary::bitwise_xor, Binary::maximum, Binary::minimum,
                        Binary::eq, Binary::ne, Binary::lt, Binary::le, Binary::gt, Binary::ge})
        for (int form = 0; form < 4; ++form) {  // two tensors, a row for all, a number on each side
          const bool compares = op == Binary::eq || op == Binary::ne || op == Binary::lt ||
                                op == Binary::le || op == Binary::gt || op == Binary::ge;
          TensorView x = a.view(t), y = b.view(t);
          const int64_t still[2] = {0, 0};
          const Number number{0, static_cast<int64_t>(b.at(0, 0)), 0};
          if (form == 1) y.strides = still;
          if (form == 2) y = {};
          if (form == 3) x = {};
          k.binary({compares ? truth.view(kBool) : c.view(t),
                    x,
                    y,
                    op,
                    Compute::I64,
                    number,
                    {1, 1, 0}});
          bool right = true;
          for (int64_t r = 0; r < kRows; ++r)
            for (int64_t i = 0; i < n; ++i) {
              const auto u = static_cast<int64_t>(form == 3 ? b.at(0, 0) : a.at(r, i));
              const auto v = static_cast<int64_t>(form == 1 || form == 2 ? b.at(0, 0) : b.at(r, i));
              const int64_t e = exact(op, u, v);
              right &=
                  compares ? (truth.at(r, i) == 1) == (e != 0) : c.at(r, i) == static_cast<T>(e);
            }
          INFO(k.name << " op " << static_cast<int>(op) << " form " << form << " of " << n);
          CHECK(right);
        }
      auto unary = [&](Unary op, double p, double q, auto f) {
        k.unary({c.view(t), a.view(t), op, Compute::I64, p, q, 0});
        bool right = true;
        for (int64_t r = 0; r < kRows; ++r)
          for (int64_t i = 0; i < n; ++i)
            right &= c.at(r, i) == static_cast<T>(f(static_cast<int64_t>(a.at(r, i))));
        INFO(k.name << " unary " << static_cast<int>(op) << " of " << n);
        CHECK(right);
      };
      unary(Unary::neg, 0, 0, [](int64_t x) { return exact(Binary::sub, 0, x); });
      unary(Unary::abs, 0, 0, [](int64_t x) { return x < 0 ? exact(Binary::sub, 0, x) : x; });
      unary(Unary::bitwise_not, 0, 0, [](int64_t x) { return ~x; });
      unary(Unary::square, 0, 0, [](int64_t x) { return exact(Binary::mul, x, x); });
      unary(Unary::relu, 0, 0, [](int64_t x) { return std::max<int64_t>(x, 0); });
      unary(Unary::clamp_min, 5, 0, [](int64_t x) { return std::max<int64_t>(x, 5); });
      for (auto [p, q] : {std::pair{3.0, 60.0}, {-70000.0, 70000.0}, {300.0, 400.0}, {9.0, 2.0}})
        unary(Unary::clamp, p, q, [p = p, q = q](int64_t x) {
          return std::min(std::max(x, static_cast<int64_t>(p)), static_cast<int64_t>(q));
        });
    }
}

struct Tested {
  const char* name;
  Unary op;
  long double (*exact)(long double);
  double low, high, ulps;
};
using Long = long double;
const Tested kFunctions[] = {
    {"exp", Unary::exp, [](Long x) { return std::exp(x); }, -745, 709.7, 1.5},
    {"exp2", Unary::exp2, [](Long x) { return std::exp2(x); }, -1074, 1023.9, 1.5},
    {"expm1", Unary::expm1, [](Long x) { return std::expm1(x); }, -50, 709.7, 2},
    {"log", Unary::log, [](Long x) { return std::log(x); }, 0, 1e4, 1.5},
    {"log2", Unary::log2, [](Long x) { return std::log2(x); }, 0, 1e4, 2.5},
    {"log10", Unary::log10, [](Long x) { return std::log10(x); }, 0, 1e4, 2.5},
    {"log1p", Unary::log1p, [](Long x) { return std::log1p(x); }, -0.99, 1e3, 3},
    {"sigmoid", Unary::sigmoid, [](Long x) { return 1 / (1 + std::exp(-x)); }, -700, 700, 3},
    {"tanh", Unary::tanh, [](Long x) { return std::tanh(x); }, -25, 25, 3},
    {"sinh", Unary::sinh, [](Long x) { return std::sinh(x); }, -710.4, 710.4, 3},
    {"cosh", Unary::cosh, [](Long x) { return std::cosh(x); }, -710.4, 710.4, 3},
    {"atanh", Unary::atanh, [](Long x) { return std::atanh(x); }, -0.999, 0.999, 4},
    {"sin", Unary::sin, [](Long x) { return std::sin(x); }, -1000, 1000, 1.5},
    {"cos", Unary::cos, [](Long x) { return std::cos(x); }, -1000, 1000, 1.5},
    {"atan", Unary::atan, [](Long x) { return std::atan(x); }, -30, 30, 2},
    {"asin", Unary::asin, [](Long x) { return std::asin(x); }, -1, 1, 3},
    {"acos", Unary::acos, [](Long x) { return std::acos(x); }, -1, 1, 3},
    {"tan", Unary::tan, [](Long x) { return std::tan(x); }, -1000, 1000, 4},
};

}  // namespace

TEST_CASE("integers of every width, as in 64 bits", "[element_types]") {
  for (const Kernels& k : test::all_tables()) {
    check_integers<uint8_t>(k, kByte);
    check_integers<int8_t>(k, kChar);
    check_integers<int16_t>(k, kShort);
    check_integers<int32_t>(k, kInt);
    check_integers<int64_t>(k, kLong);
  }
}

TEST_CASE("functions of doubles are as exact as is promised", "[element_types]") {
  constexpr int64_t kCount = 4003;
  for (const Kernels& k : test::all_tables())
    for (const Tested& f : kFunctions) {
      Rows<double> in(2, kCount), out(2, kCount);
      for (int64_t i = 0; i < kCount; ++i) {
        const double part = static_cast<double>(i) / kCount;
        in.at(0, i) = f.low + (f.high - f.low) * part;
        const double small = std::exp(-600 * part) * std::min(0.99, f.high);
        in.at(1, i) = f.low < 0 && i % 2 ? std::max(-small, f.low) : small;
      }
      k.unary({out.view(kDouble), in.view(kDouble), f.op, Compute::F64, 0, 0, 0});
      double worst = 0;
      for (int64_t r = 0; r < 2; ++r)
        for (int64_t i = 0; i < kCount; ++i) {
          const Long e = f.exact(static_cast<Long>(in.at(r, i)));
          int exponent;
          std::frexp(static_cast<double>(e), &exponent);
          const double unit = std::ldexp(1.0, std::max(exponent - 53, -1074));
          const double x = out.at(r, i);
          worst = std::max(worst, e == 0 || std::isinf(static_cast<double>(e))
                                      ? (x == static_cast<double>(e) ? 0 : 100)
                                      : static_cast<double>(std::fabs(x - e)) / unit);
        }
      INFO(k.name << ": " << f.name << " is off by " << worst);
      CHECK(worst <= f.ulps);
    }
}

TEST_CASE("functions of doubles of what is no ordinary number", "[element_types]") {
  const double inf = INFINITY, nan = NAN;
  struct Case {
    Unary op;
    double in, out;
  };
  const Case cases[] = {
      {Unary::exp, inf, inf},     {Unary::exp, -inf, 0},
      {Unary::exp, nan, nan},     {Unary::exp2, 1024, inf},
      {Unary::exp2, -inf, 0},     {Unary::exp2, nan, nan},
      {Unary::exp, 710, inf},     {Unary::exp, -760, 0},
      {Unary::expm1, -0.0, -0.0}, {Unary::expm1, inf, inf},
      {Unary::expm1, -inf, -1},   {Unary::expm1, nan, nan},
      {Unary::log, 0, -inf},      {Unary::log, -0.0, -inf},
      {Unary::log, -1, nan},      {Unary::log, inf, inf},
      {Unary::log, nan, nan},     {Unary::log1p, -1, -inf},
      {Unary::log1p, inf, inf},   {Unary::log1p, -0.0, -0.0},
      {Unary::log1p, -2, nan},    {Unary::sigmoid, -inf, 0},
      {Unary::sigmoid, inf, 1},   {Unary::silu, -inf, nan},
      {Unary::tanh, inf, 1},      {Unary::tanh, -inf, -1},
      {Unary::tanh, -0.0, -0.0},  {Unary::tanh, nan, nan},
      {Unary::sinh, -0.0, -0.0},  {Unary::sinh, -inf, -inf},
      {Unary::sinh, 711, inf},    {Unary::sinh, nan, nan},
      {Unary::cosh, -inf, inf},   {Unary::cosh, 0, 1},
      {Unary::cosh, nan, nan},    {Unary::atanh, 1, inf},
      {Unary::atanh, -1, -inf},   {Unary::atanh, 2, nan},
      {Unary::atanh, -0.0, -0.0}, {Unary::sin, -0.0, -0.0},
      {Unary::sin, inf, nan},     {Unary::cos, nan, nan},
      {Unary::tan, -0.0, -0.0},   {Unary::sin, 1e22, -0.8522008497671888},
      {Unary::atan, -0.0, -0.0},  {Unary::atan, nan, nan},
      {Unary::asin, -0.0, -0.0},  {Unary::asin, 2, nan},
      {Unary::acos, 1, 0},        {Unary::acos, nan, nan},
      {Unary::acos, -1.5, nan},   {Unary::logit, 0, -inf},
      {Unary::logit, 1, inf},     {Unary::logit, 2, nan},
  };
  for (const Kernels& k : test::all_tables())
    for (const Case& c : cases)
      for (bool floats : {false, true}) {
        if (floats && (std::fabs(c.in) > 500 && std::fabs(c.in) < 1e30)) continue;
        Rows<double> in(1, 1), out(1, 1);
        Rows<float> in_float(1, 1), out_float(1, 1);
        in.at(0, 0) = c.in;
        in_float.at(0, 0) = static_cast<float>(c.in);
        if (floats)
          k.unary({out_float.view(kFloat), in_float.view(kFloat), c.op, Compute::F32, -1, 0, 0});
        else
          k.unary({out.view(kDouble), in.view(kDouble), c.op, Compute::F64, -1, 0, 0});
        const double got = floats ? static_cast<double>(out_float.at(0, 0)) : out.at(0, 0);
        INFO(k.name << " " << static_cast<int>(c.op) << " of " << c.in << ": " << got);
        CHECK((std::isnan(c.out) ? std::isnan(got)
                                 : got == c.out && std::signbit(got) == std::signbit(c.out)));
      }
}

TEST_CASE("functions of two doubles, and of what is no ordinary number", "[element_types]") {
  const double values[] = {0.0,  -0.0, 1,     -1,     0.3,    -2.5,     1e-300,    -1e-310,
                           1e20, -7,   1e300, -1e308, 5e-324, INFINITY, -INFINITY, NAN};
  struct Case {
    Binary op;
    double (*exact)(double, double);
  };
  const Case cases[] = {
      {Binary::atan2, [](double a, double b) { return std::atan2(a, b); }},
      {Binary::hypot, [](double a, double b) { return std::hypot(a, b); }},
      {Binary::fmod, [](double a, double b) { return std::fmod(a, b); }},
      {Binary::logaddexp,
       [](double a, double b) {
         return a == b && std::isinf(a) ? a
                                        : std::fmax(a, b) + std::log1p(std::exp(-std::fabs(a - b)));
       }},
  };
  for (const Kernels& k : test::all_tables())
    for (const Case& c : cases)
      for (double x : values)
        for (double y : values) {
          Rows<double> a(1, 1), b(1, 1), out(1, 1);
          a.at(0, 0) = x;
          b.at(0, 0) = y;
          k.binary({out.view(kDouble),
                    a.view(kDouble),
                    b.view(kDouble),
                    c.op,
                    Compute::F64,
                    {},
                    {1, 1, 0}});
          const double got = out.at(0, 0);
          double e = c.exact(x, y);
          if (c.op == Binary::logaddexp && x != y && (std::isinf(x) || std::isinf(y)))
            e = std::isnan(x) || std::isnan(y) ? NAN : std::fmax(x, y);
          INFO(k.name << " " << static_cast<int>(c.op) << " of " << x << ", " << y << ": " << got
                      << ", not " << e);
          if (std::isnan(e))
            CHECK(std::isnan(got));
          else
            CHECK((got == e || std::fabs(got - e) <= std::fabs(e) * 4e-16));
          if (c.op == Binary::atan2 && !std::isnan(e)) CHECK(std::signbit(got) == std::signbit(e));
        }
}

TEST_CASE("the sign of a half is a bit", "[element_types]") {
  for (const Kernels& k : test::all_tables())
    for (ScalarType t : {kHalf, kBFloat16}) {
      Rows<uint16_t> in(1, 100), out(1, 100);
      for (int64_t i = 0; i < 100; ++i) in.at(0, i) = static_cast<uint16_t>(i * 655);
      k.unary({out.view(t), in.view(t), Unary::neg, Compute::F32, 0, 0, 0});
      bool right = true;
      for (int64_t i = 0; i < 100; ++i) right &= out.at(0, i) == (in.at(0, i) ^ 0x8000);
      k.unary({out.view(t), in.view(t), Unary::abs, Compute::F32, 0, 0, 0});
      for (int64_t i = 0; i < 100; ++i) right &= out.at(0, i) == (in.at(0, i) & 0x7fff);
      INFO(k.name);
      CHECK(right);
    }
}

TEST_CASE("casts between integers, truth values, halves and doubles", "[element_types]") {
  for (const Kernels& k : test::all_tables())
    for (int64_t stride : {1, 2}) {
      Rows<int32_t> ints(2, 700, stride), back(2, 700, stride);
      Rows<int64_t> longs(2, 700);
      Rows<float> floats(2, 700, stride);
      Rows<uint8_t> truth(2, 700);
      Rows<double> doubles(2, 700);
      Rows<uint16_t> halves(2, 700);
      for (int64_t r = 0; r < 2; ++r)
        for (int64_t i = 0; i < 700; ++i) {
          ints.at(r, i) = static_cast<int32_t>(i % 7 ? (i * 6700417) ^ (r << 30) : 0);
          longs.at(r, i) = (int64_t{ints.at(r, i)} << 20) + ints.at(r, i);
          doubles.at(r, i) = static_cast<double>(i) * 0.3 - 100;
        }
      k.copy({floats.view(kFloat), ints.view(kInt)});
      k.copy({truth.view(kBool), ints.view(kInt)});
      k.copy({back.view(kInt), longs.view(kLong)});
      k.copy({halves.view(kHalf), doubles.view(kDouble)});
      bool right = true;
      for (int64_t r = 0; r < 2; ++r)
        for (int64_t i = 0; i < 700; ++i) {
          right &= floats.at(r, i) == static_cast<float>(ints.at(r, i));
          right &= (truth.at(r, i) == 1) == (ints.at(r, i) != 0);
          right &= back.at(r, i) == static_cast<int32_t>(longs.at(r, i));
          right &= halves.at(r, i) ==
                   __builtin_bit_cast(uint16_t, Half(static_cast<float>(doubles.at(r, i))));
        }
      k.copy({floats.view(kFloat), longs.view(kLong)});
      for (int64_t r = 0; r < 2; ++r)
        for (int64_t i = 0; i < 700; ++i)
          right &= floats.at(r, i) == static_cast<float>(longs.at(r, i));
      INFO(k.name << " stride " << stride);
      CHECK(right);
    }
}

namespace {
template <class T>
void check_repeats(const Kernels& k, ScalarType t) {
  constexpr int64_t kLength = 37;
  for (int64_t count : {2, 3, 4, 5}) {
    std::vector<T> in(kLength), out(static_cast<size_t>(kLength * count));
    for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<T>(i + 1);
    const int64_t sizes[2] = {kLength, count}, to[2] = {count, 1}, from[2] = {1, 0};
    TensorView o, v;
    o.data = out.data();
    v.data = in.data();
    o.sizes = v.sizes = sizes;
    o.strides = to;
    v.strides = from;
    o.ndim = v.ndim = 2;
    o.dtype = v.dtype = t;
    k.copy({o, v});
    bool right = true;
    for (size_t i = 0; i < out.size(); ++i) right &= out[i] == in[i / static_cast<size_t>(count)];
    INFO(k.name << " " << count << " times");
    CHECK(right);
  }
}
}  // namespace

TEST_CASE("each element several times side by side", "[element_types]") {
  for (const Kernels& k : test::all_tables()) {
    check_repeats<uint8_t>(k, kByte);
    check_repeats<uint16_t>(k, kHalf);
    check_repeats<int32_t>(k, kInt);
    check_repeats<double>(k, kDouble);
  }
}

TEST_CASE("numbers from nothing have the plain slots' bits", "[element_types]") {
  const Kernels &fast = cpu_kernels(), &plain = ref_kernels();
  for (int64_t n : {2, 15, 16, 17, 33, 4096, 70001})
    for (ScalarType t : {kFloat, kDouble, kHalf, kBFloat16}) {
      std::vector<double> a(static_cast<size_t>(n)), b(static_cast<size_t>(n));
      const int64_t sizes[1] = {n}, strides[1] = {1};
      auto view = [&](std::vector<double>& v) {
        TensorView r;
        r.data = v.data();
        r.sizes = sizes;
        r.strides = strides;
        r.ndim = 1;
        r.dtype = t;
        return r;
      };
      Generator g(7), h(7);
      fast.random({view(a), {}, {}, Random::normal, 0.5, 2, 0, 0, &g});
      plain.random({view(b), {}, {}, Random::normal, 0.5, 2, 0, 0, &h});
      INFO(n << " of " << scalar_type_name(t));
      CHECK(std::memcmp(a.data(), b.data(), a.size() * element_size(t)) == 0);
      CHECK(g.random() == h.random());
      const Number start{-3.7, 0, 0}, end{8.1, 0, 0};
      fast.sequence({view(a), {}, Sequence::linspace, start, end, {}});
      plain.sequence({view(b), {}, Sequence::linspace, start, end, {}});
      CHECK(std::memcmp(a.data(), b.data(), a.size() * element_size(t)) == 0);
    }
}

TEST_CASE("floats become integers as on x86", "[element_types]") {
  const double two63 = 9223372036854775808.0, nan = std::numeric_limits<double>::quiet_NaN(),
               inf = std::numeric_limits<double>::infinity();
  CHECK(to_integer<int64_t>(-2.9) == -2);
  CHECK(to_integer<int64_t>(std::nextafter(two63, 0.0)) == 9223372036854774784);
  CHECK(to_integer<int64_t>(-two63) == INT64_MIN);
  for (double v : {two63, std::nextafter(-two63, -inf), inf, -inf, nan}) {
    CHECK(to_integer<int64_t>(v) == INT64_MIN);
    CHECK(to_integer<int32_t>(v) == INT32_MIN);
    CHECK(to_integer<int16_t>(v) == 0);
    CHECK(ops::Scalar(v).i == INT64_MIN);
  }
  CHECK(ops::Scalar(9.21e18).i == 9210000000000000000);
  CHECK(to_integer<int32_t>(2147483647.5) == INT32_MAX);
  CHECK(to_integer<int32_t>(2147483648.0) == INT32_MIN);
  CHECK(to_integer<uint8_t>(-1.0f) == 255);
  CHECK(to_integer<int8_t>(300.0f) == 44);
  CHECK(to_integer<int64_t>(-9223372036854775808.0f) == INT64_MIN);
  CHECK(to_integer<int64_t>(9223371487098961920.0f) == 9223371487098961920);
}

TEST_CASE("numbers between 9.2e18 and 2^63 fill tensors of integers", "[element_types]") {
  const Module m = compile(
      "def f(x: Tensor) -> List[Tensor]:\n"
      "    return [torch.full([2], 9.21e18, dtype=4), torch.masked_fill(x, x > 0, -9.21e18),\n"
      "            torch.constant_pad_nd(x, [0, 1], 9.22e18)[1:], torch.fill_(x, 9.2e18 + "
      "4096)]\n");
  const IValue all = m.run_method("f", {ones({1}, kLong)});
  int64_t got[4];
  for (size_t i = 0; i < 4; ++i) got[i] = all.toTensorVector()[i].const_data_ptr<int64_t>()[0];
  CHECK(got[0] == 9210000000000000000);
  CHECK(got[1] == -9210000000000000000);
  CHECK(got[2] == 9220000000000000000);
  CHECK(got[3] == 9200000000000004096);
}

TEST_CASE("arithmetic of halves is that of floats, rounded", "[element_types]") {
  test::Numbers next;
  for (const Kernels& k : test::all_tables())
    for (ScalarType t : {kHalf, kBFloat16})
      for (int64_t n : {1, 7, 8, 15, 16, 17, 33, 70}) {
        std::vector<uint16_t> a(static_cast<size_t>(3 * n)), b(a.size()), out(a.size());
        for (size_t i = 0; i < a.size(); ++i) {
          a[i] = test::half_bits(t, next() * 100);
          b[i] = test::half_bits(t, next());
        }
        a[0] = test::half_bits(t, std::numeric_limits<float>::infinity());
        a.back() = test::half_bits(t, std::numeric_limits<float>::quiet_NaN());
        b[a.size() / 2] = test::half_bits(t, 0);
        a[a.size() / 2] = test::half_bits(t, 65504);
        const int64_t sizes[] = {3, n}, dense[] = {n, 1}, once[] = {0, 1};
        auto view = [&](std::vector<uint16_t>& v, const int64_t* strides) {
          return TensorView{v.data(), sizes, strides, 2, t, nullptr};
        };
        for (bool repeated : {false, true})
          for (Binary op : {Binary::add, Binary::sub, Binary::mul, Binary::div}) {
            INFO(k.name << " " << n << " " << scalar_type_name(t) << " " << static_cast<int>(op));
            BinaryArgs args{};
            args.out = view(out, dense);
            args.a = view(a, dense);
            args.b = view(b, repeated ? once : dense);
            args.op = op;
            args.compute = Compute::F32;
            args.scale = {1, 0, 1};
            k.binary(args);
            int64_t wrong = 0;
            for (size_t i = 0; i < out.size(); ++i) {
              const float x = test::half_value(t, a[i]),
                          y = test::half_value(t, b[repeated ? i % static_cast<size_t>(n) : i]),
                          z = op == Binary::add   ? x + y
                              : op == Binary::sub ? x - y
                              : op == Binary::mul ? x * y
                                                  : x / y;
              const float got = test::half_value(t, out[i]),
                          want = test::half_value(t, test::half_bits(t, z));
              wrong += !(got == want || (got != got && want != want));
            }
            CHECK(wrong == 0);
          }
      }
}
