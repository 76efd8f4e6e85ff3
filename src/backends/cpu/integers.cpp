// SPDX-License-Identifier: Apache-2.0
// Elementwise functions of integers in their own width. The elementwise slots compute integers in
// 64 bits, which is right for every width and wastes most of a vector on the smaller ones: what
// comes out the same in any width (sums, products and bits wrap around, an order is an order) is
// computed here as it is stored. Entry: binary_integers(), unary_integers().
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "backends/cpu/cpu.h"
#include "backends/cpu/parallel.h"
#include "backends/ivdep.h"
#include "backends/tiles.h"

namespace sconce::SCONCE_ISA {

// For the unary and binary slots. False for other functions, dtypes and numbers.
bool binary_integers(const BinaryArgs& args);
bool unary_integers(const UnaryArgs& args);

namespace {

// n elements that lie `stride` bytes apart, side by side, and back.
void gather(size_t es, const char* p, int64_t stride, int64_t n, char* to) {
  visit_element_size(es, [=](auto tag) {
    using T = decltype(tag);
    auto* from = reinterpret_cast<const T*>(p);
    auto* out = reinterpret_cast<T*>(to);
    const int64_t s = stride / static_cast<int64_t>(sizeof(T));
    for (int64_t i = 0; i < n; ++i) out[i] = from[i * s];
  });
}
void spread(size_t es, const char* from, int64_t n, char* p, int64_t stride) {
  visit_element_size(es, [=](auto tag) {
    using T = decltype(tag);
    auto* in = reinterpret_cast<const T*>(from);
    auto* to = reinterpret_cast<T*>(p);
    const int64_t s = stride / static_cast<int64_t>(sizeof(T));
    for (int64_t i = 0; i < n; ++i) to[i * s] = in[i];
  });
}

bool compares(Binary op) {
  return op == Binary::eq || op == Binary::ne || op == Binary::lt || op == Binary::le ||
         op == Binary::gt || op == Binary::ge;
}

template <class T>
[[gnu::noinline]] void compare(Binary op, const T* a, const T* b, uint8_t* out, int64_t n) {
  auto each = [=](auto f) __attribute__((always_inline)) {
    SCONCE_IVDEP  // the result is none of the operands, or the same elements
    for (int64_t i = 0; i < n; ++i) out[i] = f(a[i], b[i]);
  };
  switch (op) {
    case Binary::eq: return each([](T x, T y) { return x == y; });
    case Binary::ne: return each([](T x, T y) { return x != y; });
    case Binary::lt: return each([](T x, T y) { return x < y; });
    case Binary::le: return each([](T x, T y) { return x <= y; });
    case Binary::gt: return each([](T x, T y) { return x > y; });
    default: return each([](T x, T y) { return x >= y; });
  }
}
// False for functions that it doesn't know; n of 0 asks.
template <class T>
[[gnu::noinline]] bool calculate(Binary op, const T* a, const T* b, T* out, int64_t n) {
  // Unsigned and no narrower than int: it wraps around.
  using U = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  auto each = [=](auto f) __attribute__((always_inline)) {
    SCONCE_IVDEP  // the result is none of the operands, or the same elements
    for (int64_t i = 0; i < n; ++i)
      out[i] = static_cast<T>(f(static_cast<U>(a[i]), static_cast<U>(b[i])));
    return true;
  };
  auto choose = [=](auto f) __attribute__((always_inline)) {
    SCONCE_IVDEP
    for (int64_t i = 0; i < n; ++i) out[i] = f(a[i], b[i]);
    return true;
  };
  switch (op) {
    case Binary::add: return each([](U x, U y) { return x + y; });
    case Binary::sub: return each([](U x, U y) { return x - y; });
    case Binary::mul: return each([](U x, U y) { return x * y; });
    case Binary::bitwise_and: return each([](U x, U y) { return x & y; });
    case Binary::bitwise_or: return each([](U x, U y) { return x | y; });
    case Binary::bitwise_xor: return each([](U x, U y) { return x ^ y; });
    case Binary::maximum: return choose([](T x, T y) { return x > y ? x : y; });
    case Binary::minimum: return choose([](T x, T y) { return x < y ? x : y; });
    default: return false;
  }
}

// What is done with dense operands: f(itself, the operands, place of the results, count).
struct Work {
  void (*f)(const Work&, const char* const*, char*, int64_t);
  Binary op;
  int64_t low, high;  // of a clamp
};

// The work on all elements, whatever their size: the walk is there once. In the place of an operand
// that isn't given stands the number.
void each_run(const Loops<3>& loops, const bool (&given)[2], size_t size, size_t out_size,
              const char* number, const Work& work) {
  const auto es = static_cast<int64_t>(size), out_es = static_cast<int64_t>(out_size);
  parallel_loops(loops, 0.03, [&](const Loops<3>& part) {
    constexpr int64_t kBytes = 4096;
    const int64_t elements = kBytes / std::max(es, out_es);
    alignas(64) char tile[3][kBytes];
    for (int k = 0; k < 2; ++k)
      if (!given[k]) gather(size, number, 0, std::min(elements, part.sizes[part.nd - 1]), tile[k]);
    part.rows([&](char** p, const int64_t* st, int64_t n) {
      const bool there = st[0] == out_es;
      bool dense[2], whole = there;
      for (int k = 0; k < 2; ++k) {
        dense[k] = given[k] && st[k + 1] == es;
        whole &= dense[k];
        if (given[k] && st[k + 1] == 0) gather(size, p[k + 1], 0, std::min(elements, n), tile[k]);
      }
      const int64_t most = whole ? n : elements;
      for (int64_t i = 0; i < n; i += most) {
        const int64_t m = std::min(most, n - i);
        const char* x[2];
        for (int k = 0; k < 2; ++k) {
          x[k] = dense[k] ? p[k + 1] + i * es : tile[k];
          if (given[k] && !dense[k] && st[k + 1] != 0)
            gather(size, p[k + 1] + i * st[k + 1], st[k + 1], m, tile[k]);
        }
        char* to = there ? p[0] + i * out_es : tile[2];
        work.f(work, x, to, m);
        if (!there) spread(out_size, to, m, p[0] + i * st[0], st[0]);
      }
    });
  });
}

constexpr int64_t kNoSteps[kMaxDims] = {};

// f(T{}) for the dtypes whose elements are integers of up to 32 bits. False for others.
template <class F>
bool visit_narrow(ScalarType t, F f) {
  switch (t) {
    case kByte: return f(uint8_t{});
    case kChar: return f(int8_t{});
    case kShort: return f(int16_t{});
    case kInt: return f(int32_t{});
    default: return false;
  }
}

template <class T>
bool fits(int64_t v) {
  return v >= std::numeric_limits<T>::min() && v <= std::numeric_limits<T>::max();
}

}  // namespace

bool binary_integers(const BinaryArgs& args) {
  const TensorView &a = args.a, &b = args.b;
  if (args.compute != Compute::I64 || (!a.data && !b.data)) return false;
  const ScalarType t = a.data ? a.dtype : b.dtype;
  const bool truth = compares(args.op);
  if ((a.data && b.data && a.dtype != b.dtype) || args.out.dtype != (truth ? kBool : t) ||
      (args.scale.i != 1 && (args.op == Binary::add || args.op == Binary::sub)))
    return false;
  auto walk = [&](TensorView x, TensorView y, const bool(&given)[2], size_t size,
                  const char* number, const Work& work) {
    for (TensorView* v : {&x, &y})
      if (!v->data) {
        *v = args.out;
        v->strides = kNoSteps;
      }
    const TensorView* v[] = {&args.out, &x, &y};
    each_run(Loops<3>(v), given, size, element_size(args.out.dtype), number, work);
  };
  auto run = [&](auto tag) {
    using T = decltype(tag);
    if constexpr (sizeof(T) < 8)
      if (!truth && !calculate<T>(args.op, nullptr, nullptr, nullptr, 0)) return false;
    const bool given[2] = {a.data != nullptr, b.data != nullptr};
    if (!(given[0] && given[1]) && !fits<T>(args.scalar.i)) return false;
    const T number = static_cast<T>(args.scalar.i);
    Work work{nullptr, args.op, 0, 0};
    if (truth)
      work.f = [](const Work& w, const char* const* x, char* to, int64_t n) {
        compare(w.op, reinterpret_cast<const T*>(x[0]), reinterpret_cast<const T*>(x[1]),
                reinterpret_cast<uint8_t*>(to), n);
      };
    else if constexpr (sizeof(T) < 8)
      work.f = [](const Work& w, const char* const* x, char* to, int64_t n) {
        calculate(w.op, reinterpret_cast<const T*>(x[0]), reinterpret_cast<const T*>(x[1]),
                  reinterpret_cast<T*>(to), n);
      };
    walk(a, b, given, sizeof(T), reinterpret_cast<const char*>(&number), work);
    return true;
  };
  if (t == kLong && truth) return run(int64_t{});
  return visit_narrow(t, run);
}

bool unary_integers(const UnaryArgs& args) {
  const ScalarType t = args.in.dtype;
  if (t != args.out.dtype) return false;
  // Most are functions of the operand and a number.
  BinaryArgs same{args.out, args.in, {}, Binary::add, Compute::I64, {}, {1, 1, 0}};
  auto with = [&](Binary op, double number) {
    if (!(std::fabs(number) < 2147483648.0)) return false;
    same.op = op;
    same.scalar.i = static_cast<int64_t>(number);
    return binary_integers(same);
  };
  // So is the sign of a half, which is a bit.
  if ((t == kHalf || t == kBFloat16) && (args.op == Unary::neg || args.op == Unary::abs)) {
    same.out.dtype = same.a.dtype = kShort;
    return args.op == Unary::neg ? with(Binary::bitwise_xor, -32768)
                                 : with(Binary::bitwise_and, 32767);
  }
  if (args.compute != Compute::I64) return false;
  // each(x, least, most) of every element.
  const TensorView* v[] = {&args.out, &args.in, &args.in};
  auto map = [&](auto each, int64_t low, int64_t high) {
    return visit_narrow(t, [&](auto tag) {
      using T = decltype(tag);
      using F = decltype(each);
      const bool given[2] = {true, true};
      const Work work{[](const Work& w, const char* const* x, char* to, int64_t n) {
                        const auto* from = reinterpret_cast<const T*>(x[0]);
                        auto* out = reinterpret_cast<T*>(to);
                        const T least = static_cast<T>(w.low), most = static_cast<T>(w.high);
                        SCONCE_IVDEP  // the result is the operand, or none of it
                        for (int64_t i = 0; i < n; ++i) out[i] = F{}(from[i], least, most);
                      },
                      Binary::add, std::max<int64_t>(low, std::numeric_limits<T>::min()),
                      std::min<int64_t>(high, std::numeric_limits<T>::max())};
      each_run(Loops<3>(v), given, sizeof(T), sizeof(T), nullptr, work);
      return true;
    });
  };
  switch (args.op) {
    case Unary::neg: std::swap(same.a, same.b); return with(Binary::sub, 0);
    case Unary::bitwise_not: return with(Binary::bitwise_xor, t == kByte ? 255 : -1);
    case Unary::relu: return with(Binary::maximum, 0);
    case Unary::clamp_min: return with(Binary::maximum, args.p);
    case Unary::clamp_max: return with(Binary::minimum, args.p);
    case Unary::square:
      same.op = Binary::mul;
      same.b = args.in;
      return binary_integers(same);
    case Unary::abs:
      return map(
          [](auto x, auto, auto) {
            using T = decltype(x);
            if constexpr (std::is_unsigned_v<T>) return x;
            return static_cast<T>(x < T{} ? 0u - static_cast<uint32_t>(x)
                                          : static_cast<uint32_t>(x));
          },
          0, 0);
    case Unary::clamp: {
      if (args.p != args.p || args.q != args.q) return false;
      auto bound = [](double x) {
        return static_cast<int64_t>(std::clamp(x, -2147483648.0, 2147483647.0));
      };
      const int64_t most = bound(args.q), least = std::min(bound(args.p), most);
      // A bound that the dtype doesn't reach bounds nothing; one that none of its numbers satisfy
      // would wrap around.
      if (!visit_narrow(t, [=](auto tag) {
            using T = decltype(tag);
            return least <= std::numeric_limits<T>::max() && most >= std::numeric_limits<T>::min();
          }))
        return false;
      return map(
          [](auto x, auto low, auto high) {
            const auto y = x < low ? low : x;
            return y > high ? high : y;
          },
          least, most);
    }
    default: return false;
  }
}

}  // namespace sconce::SCONCE_ISA
