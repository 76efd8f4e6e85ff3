// SPDX-License-Identifier: Apache-2.0
// Elementwise slots: fill, copy, unary, binary, ternary. One loop per function and compute type
// over tiles.
#include "backends/cpu/cpu.h"
#include "backends/cpu/float_tiles.h"
#include "backends/cpu/parallel.h"
#include "backends/scalar_math.h"
#include "backends/cpu/integer_division.h"
#include "backends/cpu/vector_double.h"
#include "backends/cpu/vector_math.h"
#include "backends/cpu/vector_pow.h"
#include "backends/cpu/vector_trig.h"
#include "backends/cpu/wide.h"
#include "backends/special_math.h"
#include "backends/ivdep.h"
#include "backends/tiles.h"

namespace sconce::SCONCE_ISA {

bool move_elements(const CopyArgs& a);                                              // copy.cpp
bool binary_integers(const BinaryArgs&args), unary_integers(const UnaryArgs&args);  // integers.cpp

namespace {

void fill(const FillArgs& a) {
  const TensorView* v[] = {&a.out};
  Loops<1> loops(v);
  visit_dtype(a.out.dtype, [&](auto tag) {
    using T = decltype(tag);
    T x;
    if constexpr (std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>)
      x = number_as<T>(a.value);
    else if constexpr (std::is_same_v<T, bool>)
      x = a.value.d != 0 || a.value.i != 0;
    else if constexpr (std::is_integral_v<T>)
      x = static_cast<T>(a.value.i);
    else
      x = convert<T>(a.value.d);
    loops.rows([&](char** p, const int64_t* st, int64_t n) {
      if (st[0] == static_cast<int64_t>(sizeof(T))) {
        if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
          auto* q = reinterpret_cast<uint16_t*>(p[0]);
          const auto bits = __builtin_bit_cast(uint16_t, x);
          for (int64_t i = 0; i < n; ++i) q[i] = bits;
        } else {
          T* q = reinterpret_cast<T*>(p[0]);
          for (int64_t i = 0; i < n; ++i) q[i] = x;
        }
      } else {
        for (int64_t i = 0; i < n; ++i) *reinterpret_cast<T*>(p[0] + i * st[0]) = x;
      }
    });
  });
}

void copy(const CopyArgs& a) {
  if (move_elements(a)) return;
  const TensorView* v[] = {&a.out, &a.in};
  Loops<2> loops(v);
  // Through the widest kind that loses nothing.
  ScalarType from = a.in.dtype, to = a.out.dtype;
  Compute c = is_complex(from) && is_complex(to) ? Compute::C128
              : (is_integral(from, true) && !is_floating(to) && !is_complex(to)) ||
                      (is_integral(from, true) && to != kDouble)
                  ? Compute::I64
              : is_complex(from) || is_complex(to) ? Compute::C128
                                                   : Compute::F64;
  if ((from == kFloat || from == kHalf || from == kBFloat16) && !is_complex(to)) c = Compute::F32;
  if (from == kDouble && !is_complex(to)) c = Compute::F64;
  // What becomes a float is rounded to one once, and to a half through it.
  if ((is_integral(from, true) && to == kFloat) ||
      ((is_integral(from, true) || from == kDouble) && (to == kHalf || to == kBFloat16)))
    c = Compute::F32;
  const bool to_int = to == kInt && is_integral(from, true);
  visit_compute(c, [&](auto tag) {
    using C = decltype(tag);
    const bool own_from = from == own_dtype<C>(), own_to = to == own_dtype<C>();
    loops.rows([&](char** p, const int64_t* st, int64_t n) {
      constexpr auto e = static_cast<int64_t>(sizeof(C));
      if (to == kBool && st[0] == 1)
        return load_tile(from, p[1], st[1], n, reinterpret_cast<bool*>(p[0]));
      if (to_int && st[0] == 4)
        return load_tile(from, p[1], st[1], n, reinterpret_cast<int32_t*>(p[0]));
      if (own_from && st[1] == e)
        return store_tile(to, p[0], st[0], n, reinterpret_cast<const C*>(p[1]));
      if (own_to && st[0] == e) return load_tile(from, p[1], st[1], n, reinterpret_cast<C*>(p[0]));
      C buf[kTile];
      for (int64_t i = 0; i < n; i += kTile) {
        int64_t m = std::min(kTile, n - i);
        load_tile(from, p[1] + i * st[1], st[1], m, buf);
        store_tile(to, p[0] + i * st[0], st[0], m, buf);
      }
    });
  });
}

[[noreturn]] void unsupported_type() {
  raise<OpError>("this function is not defined for the tensor's dtype");
}

// Functions of integers that can leave their range wrap around, as PyTorch's do. False for others.
inline bool wrapping_unary(Unary op, const int64_t* in, int64_t* out, int64_t n) {
  if (op != Unary::neg && op != Unary::abs && op != Unary::square) return false;
  for (int64_t i = 0; i < n; ++i) {
    const auto x = static_cast<uint64_t>(in[i]);
    out[i] = static_cast<int64_t>(op == Unary::square             ? x * x
                                  : op == Unary::neg || in[i] < 0 ? 0 - x
                                                                  : x);
  }
  return true;
}
inline bool wrapping_binary(Binary op, int64_t scale, const int64_t* a, const int64_t* b,
                            int64_t* out, int64_t n) {
  const auto s = static_cast<uint64_t>(op == Binary::sub ? 0 - static_cast<uint64_t>(scale)
                                                         : static_cast<uint64_t>(scale));
  auto x = [=](int64_t i) { return static_cast<uint64_t>(a[i]); };
  auto y = [=](int64_t i) { return static_cast<uint64_t>(b[i]); };
  if (op == Binary::mul) {
    SCONCE_IVDEP  // the result is none of the operands, or the same elements
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<int64_t>(x(i) * y(i));
  } else if (op == Binary::add || op == Binary::sub) {
    SCONCE_IVDEP
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<int64_t>(x(i) + y(i) * s);
  } else {
    return false;
  }
  return true;
}

// Never inlined: a function's rounding is that of one piece of machine code, whoever calls it.
template <class T>
[[gnu::noinline]] void unary_tile(Unary op, T p, T q, T r, const T* in, T* out, int64_t n) {
  if constexpr (std::is_same_v<T, float>)
    if (op == Unary::pow_scalar
            ? pow_floats(in, &p, 0, out, n)
            : vector_unary(op, p, q, r, in, out, n) || more_unary(op, p, in, out, n))
      return;
  if constexpr (std::is_same_v<T, double>)
    if (double_unary(op, p, q, r, in, out, n)) return;
  if constexpr (std::is_same_v<T, int64_t>)
    if (wrapping_unary(op, in, out, n)) return;
  switch (op) {
// clang-format off
#define LOOP(expr)                      \
  for (int64_t i = 0; i < n; ++i) {     \
    [[maybe_unused]] const T x = in[i]; \
    out[i] = static_cast<T>(expr);      \
  }                                     \
  break;
#define SCONCE_UNARY_ALL(name, expr) case Unary::name: LOOP(expr)
#define SCONCE_UNARY_REAL(name, expr)            \
  case Unary::name:                              \
    if constexpr (std::is_floating_point_v<T>) { \
      LOOP(expr)                                 \
    } else {                                     \
      unsupported_type();        \
    }                                            \
    break;
#define SCONCE_UNARY_INT(name, expr)       \
  case Unary::name:                        \
    if constexpr (std::is_integral_v<T>) { \
      LOOP(expr)                           \
    } else {                               \
      unsupported_type();        \
    }                                      \
    break;
#include "backends/unary.def"
#undef SCONCE_UNARY_ALL
#undef SCONCE_UNARY_REAL
#undef SCONCE_UNARY_INT
    case Unary::pow_scalar: LOOP(pow_value(x, p))
    case Unary::real:
    case Unary::conj: LOOP(x)
    case Unary::imag: LOOP(T(0))
    case Unary::angle: LOOP(x < T(0) ? T(3.14159265358979323846) : (x == x ? T(0) : x))
    case Unary::complex_abs: LOOP(x < T(0) ? -x : x)
  }
#undef LOOP
  // clang-format on
}

template <class C>
void complex_tile(const UnaryArgs& a, const C* in, C* out, int64_t n) {
  using R = typename C::value_type;
  auto each = [&](auto f) {
    for (int64_t i = 0; i < n; ++i) out[i] = C(f(in[i]));
  };
  switch (a.op) {
    case Unary::neg: return each([](C x) { return -x; });
    case Unary::identity: return each([](C x) { return x; });
    case Unary::conj: return each([](C x) { return std::conj(x); });
    case Unary::real: return each([](C x) { return C(x.real()); });
    case Unary::imag: return each([](C x) { return C(x.imag()); });
    case Unary::angle: return each([](C x) { return C(std::arg(x)); });
    case Unary::abs:
    case Unary::complex_abs: return each([](C x) { return C(std::abs(x)); });
    case Unary::square: return each([](C x) { return x * x; });
    case Unary::exp: return each([](C x) { return std::exp(x); });
    case Unary::exp2: return each([](C x) { return std::exp(x * R(0.69314718055994530942)); });
    case Unary::expm1: return each([](C x) { return std::exp(x) - R(1); });
    case Unary::log: return each([](C x) { return std::log(x); });
    case Unary::log2: return each([](C x) { return std::log(x) / R(0.69314718055994530942); });
    case Unary::log10: return each([](C x) { return std::log10(x); });
    case Unary::log1p: return each([](C x) { return std::log(x + R(1)); });
    case Unary::sqrt: return each([](C x) { return std::sqrt(x); });
    case Unary::rsqrt: return each([](C x) { return R(1) / std::sqrt(x); });
    case Unary::reciprocal: return each([](C x) { return R(1) / x; });
    case Unary::sin: return each([](C x) { return std::sin(x); });
    case Unary::cos: return each([](C x) { return std::cos(x); });
    case Unary::tan: return each([](C x) { return std::tan(x); });
    case Unary::sinh: return each([](C x) { return std::sinh(x); });
    case Unary::cosh: return each([](C x) { return std::cosh(x); });
    case Unary::tanh: return each([](C x) { return std::tanh(x); });
    case Unary::asin: return each([](C x) { return std::asin(x); });
    case Unary::acos: return each([](C x) { return std::acos(x); });
    case Unary::atan: return each([](C x) { return std::atan(x); });
    case Unary::asinh: return each([](C x) { return std::asinh(x); });
    case Unary::acosh: return each([](C x) { return std::acosh(x); });
    case Unary::atanh: return each([](C x) { return std::atanh(x); });
    case Unary::sigmoid: return each([](C x) { return R(1) / (R(1) + std::exp(-x)); });
    case Unary::silu: return each([](C x) { return x / (R(1) + std::exp(-x)); });
    case Unary::sign:
      return each([](C x) {
        R m = std::abs(x);
        return m == R(0) ? C(0) : x / m;
      });
    case Unary::sinc:
      return each([](C x) {
        C t = x * R(3.14159265358979323846);
        return x == C(0) ? C(1) : std::sin(t) / t;
      });
    case Unary::logical_not: return each([](C x) { return C(x == C(0) ? R(1) : R(0)); });
    case Unary::isnan:
      return each(
          [](C x) { return C(std::isnan(x.real()) || std::isnan(x.imag()) ? R(1) : R(0)); });
    case Unary::isinf:
      return each(
          [](C x) { return C(std::isinf(x.real()) || std::isinf(x.imag()) ? R(1) : R(0)); });
    case Unary::isfinite:
      return each(
          [](C x) { return C(std::isfinite(x.real()) && std::isfinite(x.imag()) ? R(1) : R(0)); });
    case Unary::pow_scalar: {
      C e(static_cast<R>(a.p), static_cast<R>(a.q));
      if (e == C(2)) return each([](C x) { return x * x; });
      return each([&](C x) { return std::pow(x, e); });
    }
    default: raise<OpError>("this function is not defined for complex numbers");
  }
}

void unary(const UnaryArgs& a) {
  const TensorView* v[] = {&a.out, &a.in};
  if (a.op == Unary::logical_not && a.in.dtype == kBool && a.out.dtype == kBool) {
    Loops<2>(v).rows([](char** p, const int64_t* st, int64_t n) {
      auto* from = reinterpret_cast<const uint8_t*>(p[1]);
      auto* to = reinterpret_cast<uint8_t*>(p[0]);
      const int64_t x = st[0], y = st[1];
      if (x == 1 && y == 1)
        for (int64_t i = 0; i < n; ++i) to[i] = from[i] == 0;
      else
        for (int64_t i = 0; i < n; ++i) to[i * x] = from[i * y] == 0;
    });
    return;
  }
  if (unary_integers(a)) return;
  Loops<2> loops(v);
  visit_compute(a.compute, [&](auto tag) {
    using C = decltype(tag);
    constexpr bool complex =
        std::is_same_v<C, std::complex<float>> || std::is_same_v<C, std::complex<double>>;
    bool direct = !complex && a.in.dtype == own_dtype<C>() && a.out.dtype == own_dtype<C>();
    auto tile = [&](const C* in, C* out, int64_t n) {
      if constexpr (complex)
        complex_tile<C>(a, in, out, n);
      else
        unary_tile<C>(a.op, convert<C>(a.p), convert<C>(a.q), convert<C>(a.r), in, out, n);
    };
    share_rows(loops, 0.2, [&](char** p, const int64_t* st, int64_t n) {
      alignas(64) C in[kTile], out[kTile];
      bool dense = direct && st[0] == static_cast<int64_t>(sizeof(C)) && st[1] == st[0];
      for (int64_t i = 0; i < n; i += kTile) {
        int64_t m = std::min(kTile, n - i);
        if (dense) {
          tile(reinterpret_cast<const C*>(p[1]) + i, reinterpret_cast<C*>(p[0]) + i, m);
          continue;
        }
        load_tile(a.in.dtype, p[1] + i * st[1], st[1], m, in);
        tile(in, out, m);
        store_tile(a.out.dtype, p[0] + i * st[0], st[0], m, out);
      }
    });
  });
}

template <class T>
bool complex_binary_tile(Binary op, const T* pa, const T* pb, T* out, int64_t n) {
  using R = typename T::value_type;
  auto each = [&](auto f) {
    for (int64_t i = 0; i < n; ++i) out[i] = T(f(pa[i], pb[i]));
    return true;
  };
  auto truth = [](bool b) { return b ? R(1) : R(0); };
  const T zero(0);
  switch (op) {
    case Binary::div: return each([](T a, T b) { return a / b; });
    case Binary::pow: return each([](T a, T b) { return std::pow(a, b); });
    case Binary::logical_and: return each([&](T a, T b) { return truth(a != zero && b != zero); });
    case Binary::logical_or: return each([&](T a, T b) { return truth(a != zero || b != zero); });
    case Binary::logical_xor:
      return each([&](T a, T b) { return truth((a != zero) != (b != zero)); });
    case Binary::xlogy: return each([&](T a, T b) { return a == zero ? zero : a * std::log(b); });
    case Binary::logaddexp: return each([](T a, T b) { return log_add_exp(a, b); });
    case Binary::complex_of: return each([](T a, T b) { return T(a.real(), b.real()); });
    default: return false;
  }
}

template <class T>
[[gnu::noinline]] void binary_tile(Binary op, T s, const T* pa, const T* pb, T* out, int64_t n) {
  if constexpr (!std::is_arithmetic_v<T>)
    if (complex_binary_tile(op, pa, pb, out, n)) return;
  if constexpr (std::is_same_v<T, int64_t>)
    if (wrapping_binary(op, s, pa, pb, out, n)) return;
  if constexpr (std::is_same_v<T, float>)
    if (op == Binary::pow ? pow_floats(pa, pb, 1, out, n)
                          : divide_numbers(op, pa, pb, out, n) || more_binary(op, pa, pb, out, n))
      return;
  if constexpr (std::is_same_v<T, float>)
    if (op == Binary::atan2) {
      SCONCE_IVDEP  // the result is none of the operands, or the same elements
      for (int64_t i = 0; i < n; ++i) out[i] = arc_tangent(pa[i], pb[i]);
      return;
    }
  if constexpr (std::is_same_v<T, double>)
    if (divide_numbers(op, pa, pb, out, n) || double_binary(op, pa, pb, out, n)) return;
  if constexpr (std::is_same_v<T, int64_t>)
    if (divide_integers(op, pa, pb, out, n)) return;
  if constexpr (std::is_arithmetic_v<T>)
    if (op == Binary::logical_and || op == Binary::logical_or) {
      const bool both = op == Binary::logical_and;
      SCONCE_IVDEP
      for (int64_t i = 0; i < n; ++i) {
        const bool x = pa[i] != T(0), y = pb[i] != T(0);  // no branches: vectors have none
        out[i] = static_cast<T>(both ? x & y : x | y);
      }
      return;
    }
  switch (op) {
// clang-format off
#define LOOP(expr)                      \
  for (int64_t i = 0; i < n; ++i) {     \
    [[maybe_unused]] const T a = pa[i], b = pb[i]; \
    out[i] = static_cast<T>(expr);      \
  }                                     \
  break;
#define SCONCE_BINARY_ALL(name, expr) case Binary::name: LOOP(expr)
#define SCONCE_BINARY_ORD(name, expr)          \
  case Binary::name:                           \
    if constexpr (std::is_arithmetic_v<T>) {   \
      LOOP(expr)                               \
    } else {                                   \
      unsupported_type();        \
    }                                          \
    break;
#define SCONCE_BINARY_REAL(name, expr)           \
  case Binary::name:                             \
    if constexpr (std::is_floating_point_v<T>) { \
      LOOP(expr)                                 \
    } else {                                     \
      unsupported_type();        \
    }                                            \
    break;
#define SCONCE_BINARY_INT(name, expr)      \
  case Binary::name:                       \
    if constexpr (std::is_integral_v<T>) { \
      LOOP(expr)                           \
    } else {                               \
      unsupported_type();        \
    }                                      \
    break;
#include "backends/binary.def"
#undef SCONCE_BINARY_ALL
#undef SCONCE_BINARY_ORD
#undef SCONCE_BINARY_REAL
#undef SCONCE_BINARY_INT
    case Binary::pow:
      if constexpr (std::is_arithmetic_v<T>) {
        LOOP(pow_value(a, b))
      }
      break;
    case Binary::complex_of: break;
  }
#undef LOOP
  // clang-format on
}

// Truth values and bytes, dense: without tiles. False for other functions and forms.
bool binary_bytes(const BinaryArgs& args) {
  const TensorView &o = args.out, &a = args.a, &b = args.b;
  if (!a.data || !b.data || o.dtype != kBool || a.dtype != kBool || b.dtype != kBool) return false;
  Binary op = args.op;
  if (op != Binary::bitwise_and && op != Binary::bitwise_or && op != Binary::bitwise_xor &&
      op != Binary::logical_and && op != Binary::logical_or && op != Binary::logical_xor &&
      op != Binary::eq && op != Binary::ne)
    return false;
  const TensorView* v[] = {&o, &a, &b};
  Loops<3> loops(v);
  loops.rows([&](char** p, const int64_t* st, int64_t n) {
    auto each = [&](auto f) {
      auto *x = reinterpret_cast<const uint8_t*>(p[1]), *y = reinterpret_cast<const uint8_t*>(p[2]);
      auto* z = reinterpret_cast<uint8_t*>(p[0]);
      if (st[0] == 1 && st[1] == 1 && st[2] == 1)
        for (int64_t i = 0; i < n; ++i) z[i] = f(x[i], y[i]);
      else
        for (int64_t i = 0; i < n; ++i) z[i * st[0]] = f(x[i * st[1]], y[i * st[2]]);
    };
    if (op == Binary::eq)
      each([](uint8_t x, uint8_t y) { return static_cast<uint8_t>((x != 0) == (y != 0)); });
    else if (op == Binary::ne)
      each([](uint8_t x, uint8_t y) { return static_cast<uint8_t>((x != 0) != (y != 0)); });
    else if (op == Binary::bitwise_and || op == Binary::logical_and)
      each([](uint8_t x, uint8_t y) { return static_cast<uint8_t>(x & y); });
    else if (op == Binary::bitwise_or || op == Binary::logical_or)
      each([](uint8_t x, uint8_t y) { return static_cast<uint8_t>(x | y); });
    else
      each([](uint8_t x, uint8_t y) { return static_cast<uint8_t>(x ^ y); });
  });
  return true;
}

// Floats whose short rows meet one row again and again, as those of an image with channels last and
// a factor for each channel do: a tile of that row is made once. False for other forms.
bool binary_repeated_rows(const BinaryArgs& args, const Loops<3>& loops) {
  constexpr int64_t es = sizeof(float);
  const int row = loops.nd - 1, above = row - 1;
  if (args.out.dtype != kFloat || args.a.dtype != kFloat || args.b.dtype != kFloat || above < 0)
    return false;
  const int64_t n = loops.sizes[row], rows = loops.sizes[above];
  if (n > kTile / 2 || rows < 4) return false;
  for (int k = 0; k < 3; ++k)
    if (loops.strides[k][row] != es) return false;
  const int64_t dense = n * es, sa = loops.strides[1][above], sb = loops.strides[2][above];
  if (loops.strides[0][above] != dense || !((sa == dense && sb == 0) || (sa == 0 && sb == dense)))
    return false;
  const int64_t at_once = kTile / n;
  const Interrupt limits(context());
  auto of_part = [&](const Loops<3>& part) {
    Loops<3> outer = part;
    outer.sizes[row] = outer.sizes[above] = 1;
    Interrupt interrupt = limits;
    outer.whole_rows([&](char** p, const int64_t*, int64_t) {
      alignas(64) float tile[kTile];
      auto* out = reinterpret_cast<float*>(p[0]);
      auto *a = reinterpret_cast<const float*>(p[1]), *b = reinterpret_cast<const float*>(p[2]);
      for (int64_t r = 0; r < std::min(part.sizes[above], at_once); ++r)
        std::memcpy(tile + r * n, sa == 0 ? a : b, static_cast<size_t>(n) * sizeof(float));
      for (int64_t r = 0; r < part.sizes[above]; r += at_once) {
        const int64_t m = std::min(at_once, part.sizes[above] - r) * n;
        binary_tile<float>(args.op, static_cast<float>(args.scale.d), sa == 0 ? tile : a + r * n,
                           sb == 0 ? tile : b + r * n, out + r * n, m);
        interrupt.passed(m);
      }
    });
  };
  // Fewer rows might be cut within a row.
  if (rows >= 16)
    parallel_loops(loops, 0.1, of_part);
  else
    of_part(loops);
  return true;
}

// Arithmetic of two dense tensors of halves, widened and rounded in registers. False for other
// functions and forms.
template <class T>
bool binary_wide(const BinaryArgs& args, const Loops<3>& loops) {
  const int row = loops.nd - 1;
  for (int k = 0; k < 3; ++k)
    if (loops.strides[k][row] != static_cast<int64_t>(sizeof(T))) return false;
  auto run = [&](auto f) {
    parallel_loops(loops, 0.1, [&](const Loops<3>& part) {
      part.rows([&](char** p, const int64_t*, int64_t n) {
        auto *x = reinterpret_cast<const T*>(p[1]), *y = reinterpret_cast<const T*>(p[2]);
        auto* z = reinterpret_cast<T*>(p[0]);
        int64_t i = 0;
        for (; i + kFloats <= n; i += kFloats)
          store_wide(z + i, f(load_wide(x + i), load_wide(y + i)));
        if (i == n) return;
        T rest[kFloats];
        store_wide(rest, f(load_wide_part(x + i, n - i), load_wide_part(y + i, n - i)));
        std::copy_n(rest, n - i, z + i);
      });
    });
    return true;
  };
  switch (args.op) {
    case Binary::add: return args.scale.d == 1 && run([](Floats x, Floats y) { return x + y; });
    case Binary::sub: return args.scale.d == 1 && run([](Floats x, Floats y) { return x - y; });
    case Binary::mul: return run([](Floats x, Floats y) { return x * y; });
    case Binary::div: return run([](Floats x, Floats y) { return x / y; });
    default: return false;
  }
}

void binary(const BinaryArgs& args) {
  if (binary_bytes(args) || binary_integers(args)) return;
  TensorView a = args.a, b = args.b;
  static const int64_t zeros[kMaxDims] = {0};
  // A missing operand is the scalar: it is filled once into its tile.
  bool sa = !a.data, sb = !b.data;
  int64_t dummy = 0;
  auto stand_in = [&](TensorView& v) {
    v = args.out;
    v.data = &dummy;
    v.strides = zeros;
  };
  if (sa) stand_in(a);
  if (sb) stand_in(b);
  const TensorView* v[] = {&args.out, &a, &b};
  Loops<3> loops(v);
  if (args.compute == Compute::F32 && !sa && !sb) {
    if (binary_repeated_rows(args, loops)) return;
    const ScalarType t = args.out.dtype;
    if (a.dtype == t && b.dtype == t)
      if (t == kHalf ? binary_wide<Half>(args, loops)
                     : t == kBFloat16 && binary_wide<BFloat16>(args, loops))
        return;
  }
  visit_compute(args.compute, [&](auto tag) {
    using C = decltype(tag);
    constexpr ScalarType own = own_dtype<C>();
    bool da = !sa && a.dtype == own, db = !sb && b.dtype == own, dout = args.out.dtype == own;
    const C scalar = number_as<C>(args.scalar), scale = number_as<C>(args.scale);
    constexpr auto es = static_cast<int64_t>(sizeof(C));
    parallel_loops(loops, 0.1, [&](const Loops<3>& part) {
      alignas(64) C ta[kTile], tb[kTile], to[kTile];
      if (sa) std::fill(ta, ta + kTile, scalar);
      if (sb) std::fill(tb, tb + kTile, scalar);
      part.rows([&](char** p, const int64_t* st, int64_t n) {
        for (int64_t i = 0; i < n; i += kTile) {
          int64_t m = std::min(kTile, n - i);
          const C *pa = ta, *pb = tb;
          if (!sa) {
            if (da && st[1] == es)
              pa = reinterpret_cast<const C*>(p[1]) + i;
            else
              load_tile(a.dtype, p[1] + i * st[1], st[1], m, ta);
          }
          if (!sb) {
            if (db && st[2] == es)
              pb = reinterpret_cast<const C*>(p[2]) + i;
            else
              load_tile(b.dtype, p[2] + i * st[2], st[2], m, tb);
          }
          if (dout && st[0] == es) {
            binary_tile<C>(args.op, scale, pa, pb, reinterpret_cast<C*>(p[0]) + i, m);
          } else {
            binary_tile<C>(args.op, scale, pa, pb, to, m);
            store_tile(args.out.dtype, p[0] + i * st[0], st[0], m, to);
          }
        }
      });
    });
  });
}

// where with operands of the result's dtype: elements are moved whatever they are, without branches
// on the condition. False for other forms.
bool where_moves(const TernaryArgs& args) {
  const ScalarType t = args.out.dtype;
  const size_t es = element_size(t);
  if (args.op != Ternary::where || !args.b.data || !args.c.data || args.b.dtype != t ||
      args.c.dtype != t || element_size(args.a.dtype) != 1 || es > 8)
    return false;
  const TensorView* v[] = {&args.out, &args.a, &args.b, &args.c};
  Loops<4> loops(v);
  visit_element_size(es, [&](auto tag) {
    using T = decltype(tag);
    if constexpr (std::is_integral_v<T>) {
      constexpr auto e = static_cast<int64_t>(sizeof(T));
      share_rows(loops, 0.1, [&](char** p, const int64_t* st, int64_t n) {
        auto* out = reinterpret_cast<T*>(p[0]);
        auto* cond = reinterpret_cast<const uint8_t*>(p[1]);
        auto *x = reinterpret_cast<const T*>(p[2]), *y = reinterpret_cast<const T*>(p[3]);
        auto each = [&](int64_t so, int64_t sc, int64_t sx, int64_t sy)
            __attribute__((always_inline)) {
          SCONCE_IVDEP  // the result is none of the operands, or the same elements
          for (int64_t i = 0; i < n; ++i) {
            T mask = static_cast<T>(-static_cast<T>(cond[i * sc] != 0)), u = x[i * sx],
              w = y[i * sy];
            out[i * so] = static_cast<T>(w ^ ((u ^ w) & mask));
          }
        };
        const bool dense = st[0] == e && st[1] == 1;
        if (st[1] == 0 && st[0] == e && (*cond ? st[2] : st[3]) == e)  // one answer for the row
          std::memmove(out, *cond ? x : y, static_cast<size_t>(n) * sizeof(T));
        else if (dense && st[2] == e && st[3] == e)
          each(1, 1, 1, 1);
        else if (dense && st[2] == 0 && st[3] == e)
          each(1, 1, 0, 1);
        else if (dense && st[2] == e && st[3] == 0)
          each(1, 1, 1, 0);
        else
          each(st[0] / e, st[1], st[2] / e, st[3] / e);
      });
    }
  });
  return true;
}

template <class T>
[[gnu::noinline]] void ternary_tile(Ternary op, T value, const T* pa, const T* pb, const T* pc,
                                    T* out, int64_t n) {
  auto each = [&](auto f) {
    SCONCE_IVDEP  // the result is none of the operands, or the same elements
    for (int64_t i = 0; i < n; ++i) out[i] = f(pa[i], pb[i], pc[i]);
  };
  switch (op) {
    case Ternary::addcmul:
      return each(
          [v = static_cast<Wrapping<T>>(value)](Wrapping<T> a, Wrapping<T> b, Wrapping<T> c) {
            return static_cast<T>(a + v * b * c);
          });
    case Ternary::addcdiv: return each([=](T a, T b, T c) { return a + value * b / c; });
    case Ternary::lerp:
      return each([=](T a, T b, T c) {
        if constexpr (std::is_floating_point_v<T>)
          return std::abs(c) < T(0.5) ? a + c * (b - a) : b - (b - a) * (T(1) - c);
        else
          return a + c * (b - a);
      });
    case Ternary::clamp:
      if constexpr (std::is_arithmetic_v<T>)
        return each([](T x, T low, T high) {
          if (x != x) return x;
          x = low != low || x < low ? low : x;
          return high != high || x > high ? high : x;
        });
      break;
    case Ternary::where: return each([](T a, T b, T c) { return a != T(0) ? b : c; });
  }
}

void ternary(const TernaryArgs& args) {
  if (where_moves(args)) return;
  TensorView b = args.b, c = args.c;
  static const int64_t zeros[kMaxDims] = {0};
  int64_t dummy = 0;
  bool sb = !b.data, sc = !c.data;
  auto stand_in = [&](TensorView& v) {
    v = args.out;
    v.data = &dummy;
    v.strides = zeros;
  };
  if (sb) stand_in(b);
  if (sc) stand_in(c);
  const TensorView* v[] = {&args.out, &args.a, &b, &c};
  Loops<4> loops(v);
  visit_compute(args.compute, [&](auto tag) {
    using C = decltype(tag);
    constexpr auto es = static_cast<int64_t>(sizeof(C));
    constexpr ScalarType own = own_dtype<C>();
    const C value = number_as<C>(args.value);
    parallel_loops(loops, 0.2, [&](const Loops<4>& part) {
      alignas(64) C ta[kTile], tb[kTile], tc[kTile];
      if (sb) std::fill(tb, tb + kTile, number_as<C>(args.scalar_b));
      if (sc) std::fill(tc, tc + kTile, number_as<C>(args.scalar_c));
      part.rows([&](char** p, const int64_t* st, int64_t n) {
        for (int64_t i = 0; i < n; i += kTile) {
          int64_t m = std::min(kTile, n - i);
          // Where it stands if it is dense C, else in the tile.
          auto operand = [&](const TensorView& view, int k, bool number, C* tile) -> const C* {
            if (number) return tile;
            const char* at = p[k] + i * st[k];
            if (view.dtype == own && st[k] == es) return reinterpret_cast<const C*>(at);
            load_tile(view.dtype, at, st[k], m, tile);
            return tile;
          };
          const C *pb = operand(b, 2, sb, tb), *pc = operand(c, 3, sc, tc);
          char* to = p[0] + i * st[0];
          if (args.op == Ternary::where) {
            bool cond[kTile];
            load_tile(args.a.dtype, p[1] + i * st[1], st[1], m, cond);
            for (int64_t k = 0; k < m; ++k) ta[k] = cond[k] ? pb[k] : pc[k];
          } else {
            const C* pa = operand(args.a, 1, false, ta);
            if (args.out.dtype == own && st[0] == es) {
              ternary_tile<C>(args.op, value, pa, pb, pc, reinterpret_cast<C*>(to), m);
              continue;
            }
            ternary_tile<C>(args.op, value, pa, pb, pc, ta, m);
          }
          store_tile(args.out.dtype, to, st[0], m, ta);
        }
      });
    });
  });
}

}  // namespace

void unary_floats(Unary op, float p, float q, float r, const float* in, float* out, int64_t n) {
  unary_tile<float>(op, p, q, r, in, out, n);
}
void binary_floats(Binary op, float alpha, const float* a, const float* b, float* out, int64_t n) {
  binary_tile<float>(op, alpha, a, b, out, n);
}
void ternary_floats(Ternary op, float value, const float* a, const float* b, const float* c,
                    float* out, int64_t n) {
  ternary_tile<float>(op, value, a, b, c, out, n);
}

SCONCE_KERNEL(fill)
SCONCE_KERNEL(copy)
SCONCE_KERNEL(unary)
SCONCE_KERNEL(binary)
SCONCE_KERNEL(ternary)

}  // namespace sconce::SCONCE_ISA
