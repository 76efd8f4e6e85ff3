// SPDX-License-Identifier: Apache-2.0
// Elementwise slots: one thread an element. What is stored is converted to the compute type and
// back; the function is a switch that all threads take alike. Complex numbers are left to the CPU.
#include "backends/cuda/gpu.h"
#include "backends/scalar_math.h"

namespace sconce::cuda {

namespace {

// f(C{}) with the compute type; false for complex ones.
template <class F>
bool visit_compute(Compute c, F f) {
  switch (c) {
    case Compute::F32: return f(float{});
    case Compute::F64: return f(double{});
    case Compute::I64: return f(int64_t{});
    default: return false;
  }
}
template <class C>
C number_as(const Number& n) {
  if constexpr (std::is_same_v<C, int64_t>)
    return n.i;
  else
    return static_cast<C>(n.d);
}

template <class C>
struct Fill {
  Strided<1> s;
  ScalarType t;
  C value;
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t o[1];
    s.offsets(i, o);
    store<C>(t, s.base[0] + o[0], value);
  }
};
bool fill(int index, const FillArgs& a) {
  if (!is_plain(a.out.dtype)) return false;
  const TensorView* v[] = {&a.out};
  auto run = [&](auto value) {
    Fill<decltype(value)> f;
    if (!strided<1>(v, f.s)) return false;
    f.t = a.out.dtype;
    f.value = value;
    for_each(gpu(index), f.s.total, f);
    return true;
  };
  if (a.out.dtype == kBool) return run(int64_t{a.value.d != 0 || a.value.i != 0});
  return is_integral(a.out.dtype) ? run(a.value.i) : run(a.value.d);
}

// Elements of one dtype are moved as integers of their size.
template <class T>
struct Move {
  Strided<2> s;
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t o[2];
    s.offsets(i, o);
    *reinterpret_cast<T*>(s.base[0] + o[0]) = *reinterpret_cast<const T*>(s.base[1] + o[1]);
  }
};
struct Wide {
  uint64_t a, b;
};
template <class C>
struct Convert {
  Strided<2> s;
  ScalarType to, from;
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t o[2];
    s.offsets(i, o);
    store<C>(to, s.base[0] + o[0], load<C>(from, s.base[1] + o[1]));
  }
};
bool copy(int index, const CopyArgs& a) {
  const TensorView* v[] = {&a.out, &a.in};
  Strided<2> s;
  if (!strided<2>(v, s)) return false;
  Gpu& g = gpu(index);
  const ScalarType to = a.out.dtype, from = a.in.dtype;
  if (to == from) {
    switch (element_size(to)) {
      case 1: for_each(g, s.total, Move<uint8_t>{s}); return true;
      case 2: for_each(g, s.total, Move<uint16_t>{s}); return true;
      case 4: for_each(g, s.total, Move<uint32_t>{s}); return true;
      case 8: for_each(g, s.total, Move<uint64_t>{s}); return true;
      case 16: for_each(g, s.total, Move<Wide>{s}); return true;
      default: return false;
    }
  }
  if (!is_plain(to) || !is_plain(from)) return false;
  // Through the kind that loses nothing.
  if (is_integral(from, true) && to != kDouble)
    for_each(g, s.total, Convert<int64_t>{s, to, from});
  else if (from == kDouble || is_integral(from, true))
    for_each(g, s.total, Convert<double>{s, to, from});
  else
    for_each(g, s.total, Convert<float>{s, to, from});
  return true;
}

template <class T>
struct UnaryFunction {
  Unary op;
  T p, q, r;
  SCONCE_GPU T operator()(T x) const {
    switch (op) {
// clang-format off
#define SCONCE_UNARY_ALL(name, expr) \
  case Unary::name: return static_cast<T>(expr);
#define SCONCE_UNARY_REAL(name, expr) \
  case Unary::name: \
    if constexpr (std::is_floating_point_v<T>) return static_cast<T>(expr); \
    break;
#define SCONCE_UNARY_INT(name, expr) \
  case Unary::name: \
    if constexpr (std::is_integral_v<T>) return static_cast<T>(expr); \
    break;
#define SCONCE_UNARY_HOST(name, expr) \
  case Unary::name: \
    break;
#include "backends/unary.def"
#undef SCONCE_UNARY_ALL
#undef SCONCE_UNARY_REAL
#undef SCONCE_UNARY_INT
        // clang-format on
      case Unary::pow_scalar: return pow_value(x, p);
      case Unary::real:
      case Unary::conj: return x;
      case Unary::imag: return T(0);
      case Unary::angle: return x < T(0) ? T(3.14159265358979323846) : (x == x ? T(0) : x);
      case Unary::complex_abs: return x < T(0) ? -x : x;
    }
    return T(0);
  }
};
// Which functions there are for integers and for real numbers.
template <class T>
bool has_unary(Unary op) {
  switch (op) {
// clang-format off
#define SCONCE_UNARY_ALL(name, expr) \
  case Unary::name: return true;
#define SCONCE_UNARY_REAL(name, expr) \
  case Unary::name: return std::is_floating_point_v<T>;
#define SCONCE_UNARY_INT(name, expr) \
  case Unary::name: return std::is_integral_v<T>;
#define SCONCE_UNARY_HOST(name, expr) \
  case Unary::name: \
    return false;
#include "backends/unary.def"
#undef SCONCE_UNARY_ALL
#undef SCONCE_UNARY_REAL
#undef SCONCE_UNARY_INT
      // clang-format on
    default: return true;
  }
}
template <class T>
struct MapOne {
  Strided<2> s;
  ScalarType to, from;
  UnaryFunction<T> f;
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t o[2];
    s.offsets(i, o);
    store<T>(to, s.base[0] + o[0], f(load<T>(from, s.base[1] + o[1])));
  }
};
bool unary(int index, const UnaryArgs& a) {
  if (!is_plain(a.out.dtype) || !is_plain(a.in.dtype)) return false;
  const TensorView* v[] = {&a.out, &a.in};
  return visit_compute(a.compute, [&](auto tag) {
    using T = decltype(tag);
    MapOne<T> m;
    if (!has_unary<T>(a.op) || !strided<2>(v, m.s)) return false;
    m.to = a.out.dtype;
    m.from = a.in.dtype;
    m.f = {a.op, static_cast<T>(a.p), static_cast<T>(a.q), static_cast<T>(a.r)};
    for_each(gpu(index), m.s.total, m);
    return true;
  });
}

template <class T>
struct BinaryFunction {
  Binary op;
  T s;
  int* fault;
  SCONCE_GPU T operator()(T a, T b) const {
    switch (op) {
// clang-format off
#define SCONCE_BINARY_ALL(name, expr) \
  case Binary::name: \
    return static_cast<T>(expr);
#define SCONCE_BINARY_ORD(name, expr) SCONCE_BINARY_ALL(name, expr)
#define SCONCE_BINARY_REAL(name, expr) \
  case Binary::name: \
    if constexpr (std::is_floating_point_v<T>) return static_cast<T>(expr); \
    break;
#define SCONCE_BINARY_INT(name, expr) \
  case Binary::name: \
    if constexpr (std::is_integral_v<T>) return static_cast<T>(expr); \
    break;
#define SCONCE_BINARY_HOST(name, expr) \
  case Binary::name: \
    break;
#include "backends/binary.def"
#undef SCONCE_BINARY_ALL
#undef SCONCE_BINARY_ORD
#undef SCONCE_BINARY_REAL
#undef SCONCE_BINARY_INT
        // clang-format on
      case Binary::pow: return pow_value(a, b);
      case Binary::complex_of: break;
    }
    return T(0);
  }
  SCONCE_GPU T checked(T a, T b) const {
    if constexpr (std::is_integral_v<T>)
      if (b == 0 && (op == Binary::floor_div || op == Binary::trunc_div ||
                     op == Binary::remainder || op == Binary::fmod))
        *fault = Gpu::ZeroDivision;
    return (*this)(a, b);
  }
};
template <class T>
bool has_binary(Binary op) {
  switch (op) {
// clang-format off
#define SCONCE_BINARY_ALL(name, expr) \
  case Binary::name: \
    return true;
#define SCONCE_BINARY_ORD(name, expr) SCONCE_BINARY_ALL(name, expr)
#define SCONCE_BINARY_REAL(name, expr) \
  case Binary::name: return std::is_floating_point_v<T>;
#define SCONCE_BINARY_INT(name, expr) \
  case Binary::name: return std::is_integral_v<T>;
#define SCONCE_BINARY_HOST(name, expr) \
  case Binary::name: \
    return false;
#include "backends/binary.def"
#undef SCONCE_BINARY_ALL
#undef SCONCE_BINARY_ORD
#undef SCONCE_BINARY_REAL
#undef SCONCE_BINARY_INT
      // clang-format on
    default: return op == Binary::pow;
  }
}

// Operands that stand for a number: the output's sizes, one address.
const int64_t kZeros[kMaxDims] = {0};
TensorView stand_in(const TensorView& out) {
  TensorView v = out;
  v.strides = kZeros;
  return v;
}

template <class T>
struct MapTwo {
  Strided<3> s;
  ScalarType to, ta, tb;
  bool number_a, number_b;
  T number;
  BinaryFunction<T> f;
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t o[3];
    s.offsets(i, o);
    const T a = number_a ? number : load<T>(ta, s.base[1] + o[1]);
    const T b = number_b ? number : load<T>(tb, s.base[2] + o[2]);
    store<T>(to, s.base[0] + o[0], f.checked(a, b));
  }
};
bool binary(int index, const BinaryArgs& args) {
  const bool number_a = !args.a.data, number_b = !args.b.data;
  const TensorView a = number_a ? stand_in(args.out) : args.a,
                   b = number_b ? stand_in(args.out) : args.b;
  if (!is_plain(args.out.dtype) || !is_plain(a.dtype) || !is_plain(b.dtype)) return false;
  const TensorView* v[] = {&args.out, &a, &b};
  return visit_compute(args.compute, [&](auto tag) {
    using T = decltype(tag);
    MapTwo<T> m;
    if (!has_binary<T>(args.op) || !strided<3>(v, m.s)) return false;
    // A number's strides of zero don't make the others scattered.
    m.to = args.out.dtype;
    m.ta = a.dtype;
    m.tb = b.dtype;
    m.number_a = number_a;
    m.number_b = number_b;
    m.number = number_as<T>(args.scalar);
    Gpu& g = gpu(index);
    m.f = {args.op, number_as<T>(args.scale), reachable(g.fault())};
    for_each(g, m.s.total, m);
    return true;
  });
}

template <class T>
struct MapThree {
  Strided<4> s;
  ScalarType to, ta, tb, tc;
  bool number_b, number_c;
  Ternary op;
  T value, scalar_b, scalar_c;
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t o[4];
    s.offsets(i, o);
    const T b = number_b ? scalar_b : load<T>(tb, s.base[2] + o[2]);
    const T c = number_c ? scalar_c : load<T>(tc, s.base[3] + o[3]);
    T r;
    if (op == Ternary::where) {
      r = load<int64_t>(ta, s.base[1] + o[1]) != 0 ? b : c;
    } else {
      const T a = load<T>(ta, s.base[1] + o[1]);
      switch (op) {
        case Ternary::addcmul: r = a + value * b * c; break;
        case Ternary::addcdiv:
          if constexpr (std::is_floating_point_v<T>)
            r = a + value * b / c;
          else
            r = a;
          break;
        case Ternary::lerp:
          if constexpr (std::is_floating_point_v<T>)
            r = std::abs(c) < T(0.5) ? a + c * (b - a) : b - (b - a) * (T(1) - c);
          else
            r = a + c * (b - a);
          break;
        default:  // clamp
          r = a;
          if (r == r) {
            r = b != b ? b : r < b ? b : r;
            r = c != c ? c : c < r ? c : r;
          }
      }
    }
    store<T>(to, s.base[0] + o[0], r);
  }
};
bool ternary(int index, const TernaryArgs& args) {
  const bool number_b = !args.b.data, number_c = !args.c.data;
  const TensorView b = number_b ? stand_in(args.out) : args.b,
                   c = number_c ? stand_in(args.out) : args.c;
  if (!is_plain(args.out.dtype) || !is_plain(args.a.dtype) || !is_plain(b.dtype) ||
      !is_plain(c.dtype))
    return false;
  const TensorView* v[] = {&args.out, &args.a, &b, &c};
  return visit_compute(args.compute, [&](auto tag) {
    using T = decltype(tag);
    if (std::is_integral_v<T> && args.op == Ternary::addcdiv) return false;
    MapThree<T> m;
    if (!strided<4>(v, m.s)) return false;
    m.to = args.out.dtype;
    m.ta = args.a.dtype;
    m.tb = b.dtype;
    m.tc = c.dtype;
    m.number_b = number_b;
    m.number_c = number_c;
    m.op = args.op;
    m.value = number_as<T>(args.value);
    m.scalar_b = number_as<T>(args.scalar_b);
    m.scalar_c = number_as<T>(args.scalar_c);
    for_each(gpu(index), m.s.total, m);
    return true;
  });
}

}  // namespace

void add_elementwise(DevicePlugin& p) {
  p.fill = fill;
  p.copy = copy;
  p.unary = unary;
  p.binary = binary;
  p.ternary = ternary;
}

}  // namespace sconce::cuda
