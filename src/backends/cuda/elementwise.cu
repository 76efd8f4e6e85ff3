// SPDX-License-Identifier: Apache-2.0
// Elementwise slots. What is stored is converted to the compute type and back; the function is a
// switch that all threads take alike. The most used functions of one floating dtype have kernels of
// their own, 16 bytes a thread where addresses allow it. Complex numbers are left to the CPU.
#include "backends/cuda/launch.h"
#include "backends/cuda/walk.h"
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

// Elements are filled and moved as integers of their size.
struct Wide {
  uint64_t a, b;
};
// f(T{}) with the integer of so many bytes; false for other sizes.
template <class F>
bool visit_size(size_t bytes, F f) {
  switch (bytes) {
    case 1: return f(uint8_t{});
    case 2: return f(uint16_t{});
    case 4: return f(uint32_t{});
    case 8: return f(uint64_t{});
    case 16: return f(Wide{});
    default: return false;
  }
}

template <class T, int V>
struct Fill {
  Walk<1> w;
  T bits;
  SCONCE_GPU void operator()(int64_t group) const {
    int64_t o[1];
    w.offsets(group, o);
    T v[V];
    for (int j = 0; j < V; ++j) v[j] = bits;
    w.store(0, o[0], w.template count<V>(group), v);
  }
};
// A number's bits as an element.
uint64_t bits_of(ScalarType t, const Number& n) {
  uint64_t bits = 0;
  auto set = [&bits](auto v) { std::memcpy(&bits, &v, sizeof v); };
  switch (t) {
    case ScalarType::Float: set(static_cast<float>(n.d)); break;
    case ScalarType::Double: set(n.d); break;
    case ScalarType::Half: set(Half(static_cast<float>(n.d)).bits); break;
    case ScalarType::BFloat16: set(BFloat16(static_cast<float>(n.d)).bits); break;
    case ScalarType::Bool: set(static_cast<uint8_t>(n.d != 0 || n.i != 0)); break;
    default: set(n.i); break;  // the low bytes
  }
  return bits;
}
bool fill(int index, const FillArgs& a) {
  if (!is_plain(a.out.dtype)) return false;
  const TensorView* v[] = {&a.out};
  Gpu& g = gpu(index);
  const uint64_t bits = bits_of(a.out.dtype, a.value);
  return visit_size(element_size(a.out.dtype), [&](auto tag) {
    using T = decltype(tag);
    if constexpr (std::is_integral_v<T>) {
      auto run = [&](auto width) {
        constexpr int V = decltype(width)::value;
        return walk<1>(v, V, [&](const Walk<1>& w) {
          for_each(g, w.groups, Fill<T, V>{w, static_cast<T>(bits)});
        });
      };
      return run(std::integral_constant<int, kGroup<T>>{}) || run(std::integral_constant<int, 1>{});
    }
    return false;
  });
}

template <class T, int V>
struct Move {
  Walk<2> w;
  SCONCE_GPU void operator()(int64_t group) const {
    int64_t o[2];
    w.offsets(group, o);
    const int n = w.template count<V>(group);
    T v[V];
    w.load(1, o[1], n, v);
    w.store(0, o[0], n, v);
  }
};
// Where out's neighbours are apart in the input, and the input's in out: squares of elements
// through shared memory, so that both are read and written along their own last dim.
template <class T>
struct Transpose {
  static constexpr int kSide = 32;
  struct Shared {
    T at[kSide][kSide + 1];
  };
  char* base[2];              // out, in
  int x, y;                   // sizes of out's last dim and of the input's
  int64_t out_step, in_step;  // of the other one's last dim, in bytes
  Divisor<uint32_t> tiles_x, tiles_y;
  int nd;  // of the other dims
  Divisor<uint32_t> sizes[kDims];
  int64_t steps[2][kDims];  // in bytes, the last dim first
  // The corner of a tile.
  SCONCE_GPU void corner(int64_t block, int& cx, int& cy, int64_t (&o)[2]) const {
    uint32_t rest = static_cast<uint32_t>(block);
    auto place = [&rest](const Divisor<uint32_t>& d) {
      const uint32_t q = d.divide(rest), at = rest - q * d.n;
      rest = q;
      return at;
    };
    cx = static_cast<int>(place(tiles_x)) * kSide;
    cy = static_cast<int>(place(tiles_y)) * kSide;
    o[0] = o[1] = 0;
    for (int d = 0; d < nd; ++d) {
      const uint32_t at = place(sizes[d]);
      o[0] += at * steps[0][d];
      o[1] += at * steps[1][d];
    }
  }
  SCONCE_GPU void first(Shared& s, int64_t block, int thread) const {
    int cx, cy;
    int64_t o[2];
    corner(block, cx, cy, o);
    const int column = thread % kSide;
    for (int row = thread / kSide; row < kSide; row += kBlock / kSide)
      if (cx + row < x && cy + column < y)
        s.at[row][column] =
            reinterpret_cast<const T*>(base[1] + o[1] + (cx + row) * in_step)[cy + column];
  }
  SCONCE_GPU void second(const Shared& s, int64_t block, int thread) const {
    int cx, cy;
    int64_t o[2];
    corner(block, cx, cy, o);
    const int column = thread % kSide;
    for (int row = thread / kSide; row < kSide; row += kBlock / kSide)
      if (cy + row < y && cx + column < x)
        reinterpret_cast<T*>(base[0] + o[0] + (cy + row) * out_step)[cx + column] =
            s.at[column][row];
  }
};
// False where the views are no transposed ones.
template <class T>
bool transpose(Gpu& g, const TensorView* const* v) {
  constexpr int64_t kLeast = 8, es = sizeof(T);
  const Loops<2> l(v);
  const int last = l.nd - 1;
  int other = -1;
  for (int d = 0; d < last; ++d)
    if (l.strides[1][d] == es) other = d;
  constexpr int64_t side = Transpose<T>::kSide, most = int64_t{1} << 30;
  if (l.nd > kDims || other < 0 || l.strides[0][last] != es || l.strides[1][last] == es ||
      l.sizes[last] < kLeast || l.sizes[other] < kLeast || l.sizes[last] > most ||
      l.sizes[other] > most)
    return false;
  Transpose<T> f;
  for (int k = 0; k < 2; ++k) f.base[k] = reachable(l.base[k]);
  f.x = static_cast<int>(l.sizes[last]);
  f.y = static_cast<int>(l.sizes[other]);
  f.out_step = l.strides[0][other];
  f.in_step = l.strides[1][last];
  const int64_t tiles_x = (f.x + side - 1) / side, tiles_y = (f.y + side - 1) / side;
  f.tiles_x = Divisor<uint32_t>(tiles_x);
  f.tiles_y = Divisor<uint32_t>(tiles_y);
  int64_t blocks = tiles_x * tiles_y;
  f.nd = 0;
  for (int d = last - 1; d >= 0; --d) {
    if (d == other) continue;
    blocks *= l.sizes[d];
    if (l.sizes[d] == 0 || blocks >= kMostIndexed) return false;
    f.sizes[f.nd] = Divisor<uint32_t>(l.sizes[d]);
    for (int k = 0; k < 2; ++k) f.steps[k][f.nd] = l.strides[k][d];
    ++f.nd;
  }
  if (blocks >= kMostIndexed) return false;
  in_phases(g, blocks, f);
  return true;
}
template <class C>
struct Convert {
  Walk<2> w;
  ScalarType to, from;
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t o[2];
    w.offsets(i, o);
    store<C>(to, w.base[0] + o[0], load<C>(from, w.base[1] + o[1]));
  }
};
bool copy(int index, const CopyArgs& a) {
  const TensorView* v[] = {&a.out, &a.in};
  Gpu& g = gpu(index);
  const ScalarType to = a.out.dtype, from = a.in.dtype;
  if (to == from)
    return visit_size(element_size(to), [&](auto tag) {
      using T = decltype(tag);
      auto run = [&](auto width) {
        constexpr int V = decltype(width)::value;
        return walk<2>(v, V, [&](const Walk<2>& w) { for_each(g, w.groups, Move<T, V>{w}); });
      };
      return run(std::integral_constant<int, kGroup<T>>{}) || run(std::integral_constant<int, 1>{});
    });
  if (!is_plain(to) || !is_plain(from)) return false;
  auto run = [&](auto tag) {
    using C = decltype(tag);
    return walk<2>(v, 1, [&](const Walk<2>& w) { for_each(g, w.groups, Convert<C>{w, to, from}); });
  };
  // Through the kind that loses nothing.
  if (is_integral(from, true) && to != kDouble) return run(int64_t{});
  return from == kDouble || is_integral(from, true) ? run(double{}) : run(float{});
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
  Walk<2> w;
  ScalarType to, from;
  UnaryFunction<T> f;
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t o[2];
    w.offsets(i, o);
    store<T>(to, w.base[0] + o[0], f(load<T>(from, w.base[1] + o[1])));
  }
};
// One function of a floating dtype.
template <class E, Unary op, int V>
struct MapOneGroups {
  Walk<2> w;
  float p, q, r;
  SCONCE_GPU void operator()(int64_t group) const {
    int64_t o[2];
    w.offsets(group, o);
    const int n = w.template count<V>(group);
    const UnaryFunction<float> f{op, p, q, r};
    float x[V];
    w.template load_floats<E>(1, o[1], n, x);
    for (int j = 0; j < V; ++j) x[j] = f(x[j]);
    w.template store_floats<E>(0, o[0], n, x);
  }
};
// False where it must be done by MapOne.
template <class E>
bool unary_groups(Gpu& g, const UnaryArgs& a, const TensorView* const* v) {
  constexpr int V = kGroup<typename E::Stored>;
  auto run = [&](auto tag) {
    constexpr Unary op = decltype(tag)::value;
    return walk<2>(v, V, [&](const Walk<2>& w) {
      for_each(g, w.groups,
               MapOneGroups<E, op, V>{w, static_cast<float>(a.p), static_cast<float>(a.q),
                                      static_cast<float>(a.r)});
    });
  };
  switch (a.op) {
#define SCONCE_CASE(name) \
  case Unary::name: return run(std::integral_constant<Unary, Unary::name>{});
    SCONCE_CASE(relu)
    SCONCE_CASE(gelu)
    SCONCE_CASE(gelu_tanh)
    SCONCE_CASE(sigmoid)
    SCONCE_CASE(silu)
    SCONCE_CASE(tanh)
    SCONCE_CASE(exp)
    SCONCE_CASE(log)
    SCONCE_CASE(sqrt)
    SCONCE_CASE(rsqrt)
    SCONCE_CASE(abs)
    SCONCE_CASE(neg)
    SCONCE_CASE(square)
    SCONCE_CASE(clamp)
    SCONCE_CASE(clamp_min)
    SCONCE_CASE(clamp_max)
    SCONCE_CASE(hardswish)
    SCONCE_CASE(hardsigmoid)
    SCONCE_CASE(leaky_relu)
    SCONCE_CASE(elu)
    SCONCE_CASE(sin)
    SCONCE_CASE(cos)
    SCONCE_CASE(erf)
    SCONCE_CASE(reciprocal)
#undef SCONCE_CASE
    default: return false;
  }
}
bool unary(int index, const UnaryArgs& a) {
  if (!is_plain(a.out.dtype) || !is_plain(a.in.dtype)) return false;
  const TensorView* v[] = {&a.out, &a.in};
  Gpu& g = gpu(index);
  if (a.compute == Compute::F32 && a.out.dtype == a.in.dtype &&
      visit_floats(a.out.dtype, [&](auto e) { return unary_groups<decltype(e)>(g, a, v); }))
    return true;
  return visit_compute(a.compute, [&](auto tag) {
    using T = decltype(tag);
    if (!has_unary<T>(a.op)) return false;
    return walk<2>(v, 1, [&](const Walk<2>& w) {
      for_each(g, w.groups,
               MapOne<T>{w,
                         a.out.dtype,
                         a.in.dtype,
                         {a.op, static_cast<T>(a.p), static_cast<T>(a.q), static_cast<T>(a.r)}});
    });
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
  Walk<3> w;
  ScalarType to, ta, tb;
  bool number_a, number_b;
  T number;
  BinaryFunction<T> f;
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t o[3];
    w.offsets(i, o);
    const T a = number_a ? number : load<T>(ta, w.base[1] + o[1]);
    const T b = number_b ? number : load<T>(tb, w.base[2] + o[2]);
    store<T>(to, w.base[0] + o[0], f.checked(a, b));
  }
};
// One function of a floating dtype.
template <class E, Binary op, int V>
struct MapTwoGroups {
  Walk<3> w;
  bool number_a, number_b;
  float number, scale;
  SCONCE_GPU void operand(int k, bool is_number, int64_t offset, int n, float (&to)[V]) const {
    if (!is_number) return w.template load_floats<E>(k, offset, n, to);
    for (int j = 0; j < V; ++j) to[j] = number;
  }
  SCONCE_GPU void operator()(int64_t group) const {
    int64_t o[3];
    w.offsets(group, o);
    const int n = w.template count<V>(group);
    const BinaryFunction<float> f{op, scale, nullptr};
    float a[V], b[V];
    operand(1, number_a, o[1], n, a);
    operand(2, number_b, o[2], n, b);
    for (int j = 0; j < V; ++j) a[j] = f(a[j], b[j]);
    w.template store_floats<E>(0, o[0], n, a);
  }
};
// False where it must be done by MapTwo.
template <class E>
bool binary_groups(Gpu& g, const BinaryArgs& args, const TensorView* const* v) {
  constexpr int V = kGroup<typename E::Stored>;
  auto run = [&](auto tag) {
    constexpr Binary op = decltype(tag)::value;
    return walk<3>(v, V, [&](const Walk<3>& w) {
      for_each(g, w.groups,
               MapTwoGroups<E, op, V>{w, !args.a.data, !args.b.data, number_as<float>(args.scalar),
                                      number_as<float>(args.scale)});
    });
  };
  switch (args.op) {
#define SCONCE_CASE(name) \
  case Binary::name: return run(std::integral_constant<Binary, Binary::name>{});
    SCONCE_CASE(add)
    SCONCE_CASE(sub)
    SCONCE_CASE(mul)
    SCONCE_CASE(div)
    SCONCE_CASE(maximum)
    SCONCE_CASE(minimum)
#undef SCONCE_CASE
    default: return false;
  }
}
bool binary(int index, const BinaryArgs& args) {
  const bool number_a = !args.a.data, number_b = !args.b.data;
  const TensorView a = number_a ? stand_in(args.out) : args.a,
                   b = number_b ? stand_in(args.out) : args.b;
  if (!is_plain(args.out.dtype) || !is_plain(a.dtype) || !is_plain(b.dtype)) return false;
  const TensorView* v[] = {&args.out, &a, &b};
  Gpu& g = gpu(index);
  if (args.compute == Compute::F32 && args.out.dtype == a.dtype && args.out.dtype == b.dtype &&
      visit_floats(args.out.dtype, [&](auto e) { return binary_groups<decltype(e)>(g, args, v); }))
    return true;
  return visit_compute(args.compute, [&](auto tag) {
    using T = decltype(tag);
    if (!has_binary<T>(args.op)) return false;
    return walk<3>(v, 1, [&](const Walk<3>& w) {
      for_each(g, w.groups,
               MapTwo<T>{w,
                         args.out.dtype,
                         a.dtype,
                         b.dtype,
                         number_a,
                         number_b,
                         number_as<T>(args.scalar),
                         {args.op, number_as<T>(args.scale), reachable(g.fault())}});
    });
  });
}

template <class T>
struct MapThree {
  Walk<4> w;
  ScalarType to, ta, tb, tc;
  bool number_b, number_c;
  Ternary op;
  T value, scalar_b, scalar_c;
  SCONCE_GPU void operator()(int64_t i) const {
    int64_t o[4];
    w.offsets(i, o);
    const T b = number_b ? scalar_b : load<T>(tb, w.base[2] + o[2]);
    const T c = number_c ? scalar_c : load<T>(tc, w.base[3] + o[3]);
    T r;
    if (op == Ternary::where) {
      r = load<int64_t>(ta, w.base[1] + o[1]) != 0 ? b : c;
    } else {
      const T a = load<T>(ta, w.base[1] + o[1]);
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
    store<T>(to, w.base[0] + o[0], r);
  }
};
// where() of one floating dtype: a chooses.
template <class E, int V>
struct ChooseGroups {
  Walk<4> w;
  bool number_b, number_c;
  float b, c;
  SCONCE_GPU void operand(int k, bool is_number, float number, int64_t offset, int n,
                          float (&to)[V]) const {
    if (!is_number) return w.template load_floats<E>(k, offset, n, to);
    for (int j = 0; j < V; ++j) to[j] = number;
  }
  SCONCE_GPU void operator()(int64_t group) const {
    int64_t o[4];
    w.offsets(group, o);
    const int n = w.template count<V>(group);
    uint8_t chosen[V];
    float x[V], y[V];
    w.load(1, o[1], n, chosen);
    operand(2, number_b, b, o[2], n, x);
    operand(3, number_c, c, o[3], n, y);
    for (int j = 0; j < V; ++j) x[j] = chosen[j] ? x[j] : y[j];
    w.template store_floats<E>(0, o[0], n, x);
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
  Gpu& g = gpu(index);
  const ScalarType to = args.out.dtype;
  if (args.op == Ternary::where && args.compute == Compute::F32 && args.a.dtype == kBool &&
      to == b.dtype && to == c.dtype && visit_floats(to, [&](auto e) {
        constexpr int V = kGroup<typename decltype(e)::Stored>;
        return walk<4>(v, V, [&](const Walk<4>& w) {
          for_each(
              g, w.groups,
              ChooseGroups<decltype(e), V>{w, number_b, number_c, number_as<float>(args.scalar_b),
                                           number_as<float>(args.scalar_c)});
        });
      }))
    return true;
  return visit_compute(args.compute, [&](auto tag) {
    using T = decltype(tag);
    if (std::is_integral_v<T> && args.op == Ternary::addcdiv) return false;
    MapThree<T> m;
    m.to = to;
    m.ta = args.a.dtype;
    m.tb = b.dtype;
    m.tc = c.dtype;
    m.number_b = number_b;
    m.number_c = number_c;
    m.op = args.op;
    m.value = number_as<T>(args.value);
    m.scalar_b = number_as<T>(args.scalar_b);
    m.scalar_c = number_as<T>(args.scalar_c);
    return walk<4>(v, 1, [&](const Walk<4>& w) {
      m.w = w;
      for_each(g, w.groups, m);
    });
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
