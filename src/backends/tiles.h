// SPDX-License-Identifier: Apache-2.0
// Tiles: strided elements of any dtype are converted to a compute type, some 512 at a time,
// computed and converted back.
#pragma once
#include <cmath>
#include <complex>
#include <cstring>

#include "backends/kernels.h"
#include "backends/loops.h"
#include "backends/to_integer.h"

#ifdef SCONCE_ISA
#define SCONCE_TILES SCONCE_ISA
#else
#define SCONCE_TILES ref
#endif

// n elements from p on, `stride` bytes apart, as C, and back: one function for each instruction set
// and C (float, double, int64_t, bool, complex), whoever calls it (convert_tiles.h has them).
namespace sconce::SCONCE_TILES {
template <class C>
void load_tile(ScalarType t, const char* p, int64_t stride, int64_t n, C* out);
template <class C>
void store_tile(ScalarType t, char* p, int64_t stride, int64_t n, const C* in);
}  // namespace sconce::SCONCE_TILES

namespace sconce {
namespace {

constexpr int64_t kTile = 512;

// What sums and products of C are taken as: 64-bit integers wrap around.
template <class C>
using Wrapping = std::conditional_t<std::is_same_v<C, int64_t>, uint64_t, C>;

template <class To, class From>
inline To convert(From v) {
  if constexpr (std::is_same_v<To, std::complex<float>> ||
                std::is_same_v<To, std::complex<double>>) {
    using R = typename To::value_type;
    if constexpr (std::is_same_v<From, std::complex<float>> ||
                  std::is_same_v<From, std::complex<double>>)
      return To(static_cast<R>(v.real()), static_cast<R>(v.imag()));
    else
      return To(static_cast<R>(v), R(0));
  } else if constexpr (std::is_same_v<From, std::complex<float>> ||
                       std::is_same_v<From, std::complex<double>>) {
    return convert<To>(v.real());
  } else if constexpr (std::is_same_v<To, Half> || std::is_same_v<To, BFloat16>) {
    return To(static_cast<float>(v));
  } else if constexpr (std::is_same_v<To, bool>) {
    return v != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return to_integer<To>(v);
  } else {
    return static_cast<To>(v);
  }
}

// f(T{}) with the C++ type that dtype is stored as.
template <class F>
inline void visit_dtype(ScalarType t, F f) {
  switch (t) {
    case ScalarType::Byte:
    case ScalarType::QUInt8: return f(uint8_t{});
    case ScalarType::Char:
    case ScalarType::QInt8: return f(int8_t{});
    case ScalarType::Short: return f(int16_t{});
    case ScalarType::Int:
    case ScalarType::QInt32: return f(int32_t{});
    case ScalarType::Long: return f(int64_t{});
    case ScalarType::UInt16: return f(uint16_t{});
    case ScalarType::UInt32: return f(uint32_t{});
    case ScalarType::UInt64: return f(uint64_t{});
    case ScalarType::Half: return f(Half{});
    case ScalarType::BFloat16: return f(BFloat16{});
    case ScalarType::Float: return f(float{});
    case ScalarType::Double: return f(double{});
    case ScalarType::Bool: return f(bool{});
    case ScalarType::ComplexFloat: return f(std::complex<float>{});
    case ScalarType::ComplexDouble: return f(std::complex<double>{});
    default: raise<OpError>("no kernel for elements of type ", scalar_type_name(t));
  }
}

// f(a value of a type of es bytes): what moves elements need not know their dtype.
template <class F>
inline void visit_element_size(size_t es, F f) {
  switch (es) {
    case 1: return f(uint8_t{});
    case 2: return f(uint16_t{});
    case 4: return f(uint32_t{});
    case 8: return f(uint64_t{});
    default: return f(std::complex<double>{});
  }
}

// The dtype whose elements are C.
template <class C>
constexpr ScalarType own_dtype() {
  return std::is_same_v<C, float>                  ? kFloat
         : std::is_same_v<C, double>               ? kDouble
         : std::is_same_v<C, int64_t>              ? kLong
         : std::is_same_v<C, bool>                 ? kBool
         : std::is_same_v<C, std::complex<float>>  ? kComplexFloat
         : std::is_same_v<C, std::complex<double>> ? kComplexDouble
                                                   : ScalarType::Undefined;
}

// f(C{}) with the compute type.
template <class F>
inline void visit_compute(Compute c, F f) {
  switch (c) {
    case Compute::F32: return f(float{});
    case Compute::F64: return f(double{});
    case Compute::I64: return f(int64_t{});
    case Compute::C64: return f(std::complex<float>{});
    case Compute::C128: return f(std::complex<double>{});
  }
}
template <class C>
inline C number_as(const Number& n) {
  if constexpr (std::is_same_v<C, int64_t>)
    return n.i;
  else if constexpr (std::is_floating_point_v<C>)
    return static_cast<C>(n.d);
  else
    return C(static_cast<typename C::value_type>(n.d), static_cast<typename C::value_type>(n.im));
}

}  // namespace
}  // namespace sconce
