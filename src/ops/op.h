// SPDX-License-Identifier: Apache-2.0
// How a typed C++ function becomes an operator: op<f>("aten::relu") unboxes the arguments of a
// Call, runs f, boxes what it returns (sconce/op.h). A row names the operator; its schema stands
// once, in schemas.inc, and a test compares the two.
#pragma once
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>

#include "backends/to_integer.h"
#include "core/device.h"
#include "core/op_table.h"
#include "core/selection.h"

namespace sconce::ops {

// A number that is an int, a float, a bool or complex at run time.
struct Scalar {
  enum class Kind : uint8_t { Int, Double, Bool, Complex } kind = Kind::Int;
  int64_t i = 0;
  double d = 0, im = 0;
  Scalar() = default;
  Scalar(int64_t v) : kind(Kind::Int), i(v), d(static_cast<double>(v)) {}
  Scalar(int v) : Scalar(static_cast<int64_t>(v)) {}
  Scalar(double v) : kind(Kind::Double), i(to_integer<int64_t>(v)), d(v) {}
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

IntVec to_ints(const IValue& v);
inline IValue box(Scalar v) { return v.to_ivalue(); }

}  // namespace sconce::ops

namespace sconce::detail {
#define SCONCE_ARG(Type, spelled, expr)                \
  template <>                                          \
  struct Arg<Type> {                                   \
    static constexpr const char* spelling = spelled;   \
    static Type from(const IValue& v) { return expr; } \
  };
SCONCE_ARG(ops::Scalar, "Scalar", ops::Scalar(v))
SCONCE_ARG(ops::IntVec, "int[]", ops::to_ints(v))
SCONCE_ARG(ops::OptScalar, "Scalar?",
           v.isNone() ? ops::OptScalar() : ops::OptScalar(ops::Scalar(v)))
SCONCE_ARG(ops::OptInts, "int[]?", v.isNone() ? ops::OptInts() : ops::OptInts(ops::to_ints(v)))
SCONCE_ARG(Generator*, "Generator?", v.isNone() ? nullptr : &v.toGeneratorRef())
#undef SCONCE_ARG
}  // namespace sconce::detail

namespace sconce::ops {

using detail::to_doubles;
using detail::to_tensors;
template <auto F>
using Unbox = detail::Unbox<F>;
template <auto F>
constexpr OpDef op(const char* name) {
  return {name, Unbox<F>::call, Unbox<F>::signature};
}
// The tensors that kernels which read their Call themselves are given. Throw OpError for undefined
// ones.
inline const Tensor& tensor_of(const IValue& v) { return detail::Arg<const Tensor&>::from(v); }
inline const Tensor& tensor_in(const Call& c, uint32_t i) { return tensor_of(c.in(i)); }
// A file's rows, as far as they are in this build; the table is made of these.
template <const auto& kRows, class List = OpTable::RowList>
constexpr List rows_in_build() {
  return {kRowsInBuild<kRows>.data(), kRowsInBuild<kRows>.size()};
}
// A kernel that reads its Call itself.
constexpr OpDef raw(const char* name, Kernel k) { return {name, k, nullptr}; }

}  // namespace sconce::ops
