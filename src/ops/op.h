// SPDX-License-Identifier: Apache-2.0
// How a typed C++ function becomes an operator: op<f>("aten::relu") unboxes the arguments of a
// Call, runs f, boxes what it returns. A row names the operator; its schema stands once, in
// schemas.inc, and a test compares the two.
#pragma once
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>

#include "core/op_table.h"

namespace sconce::ops {

// A number that is an int, a float, a bool or complex at run time.
struct Scalar {
  enum class Kind : uint8_t { Int, Double, Bool, Complex } kind = Kind::Int;
  int64_t i = 0;
  double d = 0, im = 0;
  Scalar() = default;
  Scalar(int64_t v) : kind(Kind::Int), i(v), d(static_cast<double>(v)) {}
  Scalar(int v) : Scalar(static_cast<int64_t>(v)) {}
  Scalar(double v) : kind(Kind::Double), d(v) {
    i = v >= -9.2e18 && v <= 9.2e18 ? static_cast<int64_t>(v) : INT64_MIN;
  }
  Scalar(bool v) : kind(Kind::Bool), i(v), d(v) {}
  explicit Scalar(const IValue& v);
  bool is_floating() const { return kind == Kind::Double; }
  bool is_complex() const { return kind == Kind::Complex; }
  ScalarType category() const {
    return kind == Kind::Int       ? kLong
           : kind == Kind::Bool    ? kBool
           : kind == Kind::Complex ? kComplexDouble
                                   : kDouble;
  }
  IValue to_ivalue() const;
};

using IntVec = SmallVec<int64_t, 6>;
using TensorList = std::vector<Tensor>;
using OptTensorList = std::vector<Tensor>;  // undefined entries are None
using OptInt = std::optional<int64_t>;
using OptDouble = std::optional<double>;
using OptBool = std::optional<bool>;
using OptScalar = std::optional<Scalar>;
using OptInts = std::optional<IntVec>;

template <class T>
struct Arg;
#define SCONCE_ARG(Type, spelled, expr)                                 \
  template <>                                                           \
  struct Arg<Type> {                                                    \
    static constexpr const char* spelling = spelled;                    \
    static Type from([[maybe_unused]] const IValue& v) { return expr; } \
  };
IntVec to_ints(const IValue& v);
std::vector<double> to_doubles(const IValue& v);
TensorList to_tensors(const IValue& v);
SCONCE_ARG(int64_t, "int", v.toInt())
SCONCE_ARG(double, "float", v.toDouble())
SCONCE_ARG(bool, "bool", v.toBool())
SCONCE_ARG(Scalar, "Scalar", Scalar(v))
SCONCE_ARG(const std::string&, "str", v.toStringRef())
SCONCE_ARG(IntVec, "int[]", to_ints(v))
SCONCE_ARG(std::vector<double>, "float[]", to_doubles(v))
SCONCE_ARG(TensorList, "Tensor[]", to_tensors(v))
SCONCE_ARG(Device, "Device", v.toDevice())
SCONCE_ARG(OptInt, "int?", v.isNone() ? OptInt() : OptInt(v.toInt()))
SCONCE_ARG(OptDouble, "float?", v.isNone() ? OptDouble() : OptDouble(v.toDouble()))
SCONCE_ARG(OptBool, "bool?", v.isNone() ? OptBool() : OptBool(v.toBool()))
SCONCE_ARG(OptScalar, "Scalar?", v.isNone() ? OptScalar() : OptScalar(Scalar(v)))
SCONCE_ARG(OptInts, "int[]?", v.isNone() ? OptInts() : OptInts(to_ints(v)))
SCONCE_ARG(std::optional<std::string>, "str?",
           v.isNone() ? std::optional<std::string>() : std::optional<std::string>(v.toStringRef()))
SCONCE_ARG(const IValue&, "any", v)
#undef SCONCE_ARG
template <>
struct Arg<const Tensor&> {
  static constexpr const char* spelling = "Tensor";
  static const Tensor& from(const IValue& v) {
    const Tensor& t = v.toTensorRef();
    if (!t.defined()) raise<OpError>("expected a tensor but found an undefined one");
    return t;
  }
};
// A null pointer is None (or an undefined tensor).
template <>
struct Arg<const Tensor*> {
  static constexpr const char* spelling = "Tensor?";
  static const Tensor* from(const IValue& v) {
    if (v.isNone()) return nullptr;
    const Tensor& t = v.toTensorRef();
    return t.defined() ? &t : nullptr;
  }
};
template <>
struct Arg<Generator*> {
  static constexpr const char* spelling = "Generator?";
  static Generator* from(const IValue& v) { return v.isNone() ? nullptr : &v.toGeneratorRef(); }
};

inline IValue box(Tensor t) { return IValue(std::move(t)); }
inline IValue box(int64_t v) { return v; }
inline IValue box(double v) { return v; }
inline IValue box(bool v) { return v; }
inline IValue box(std::string v) { return IValue(std::move(v)); }
inline IValue box(IValue v) { return v; }
inline IValue box(Scalar v) { return v.to_ivalue(); }
inline IValue box(TensorList v) { return IValue(std::move(v)); }
inline IValue box(Device v) { return v; }
inline IValue box(const IntVec& v) { return IValue(v.vec()); }

template <auto F>
struct Unbox;
template <class R, class... A, R (*F)(A...)>
struct Unbox<F> {
  static void call(Call& c) { invoke(c, std::index_sequence_for<A...>{}); }
  template <size_t... I>
  static void invoke(Call& c, std::index_sequence<I...>) {
    if constexpr (std::is_void_v<R>) {
      F(Arg<A>::from(c.in(I))...);
    } else {
      put(c, F(Arg<A>::from(c.in(I))...));
    }
  }
  template <class T>
  static void put(Call& c, T&& v) {
    c.out(0, box(std::forward<T>(v)));
  }
  template <class... T>
  static void put(Call& c, std::tuple<T...>&& v) {
    put_each(c, v, std::index_sequence_for<T...>{});
  }
  template <class Tuple, size_t... I>
  static void put_each(Call& c, Tuple& v, std::index_sequence<I...>) {
    (c.out(I, box(std::move(std::get<I>(v)))), ...);
  }
  // The C++ parameters in schema spelling: "Tensor, int?".
  static std::string signature() {
    std::string s;
    ((s += (s.empty() ? "" : ", ") + std::string(Arg<A>::spelling)), ...);
    return s;
  }
};
template <auto F>
constexpr OpDef op(const char* name) {
  return {name, Unbox<F>::call, Unbox<F>::signature};
}
// A kernel that reads its Call itself.
constexpr OpDef raw(const char* name, Kernel k) { return {name, k, nullptr}; }

}  // namespace sconce::ops
