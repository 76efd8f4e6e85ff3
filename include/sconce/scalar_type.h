// SPDX-License-Identifier: Apache-2.0
// Element types with PyTorch's numbering, the 16-bit float types, and devices.
#pragma once
#include <complex>
#include <cstdint>
#include <cstring>
#include <string>

#include "sconce/export.h"

namespace sconce {

enum class ScalarType : int8_t {
  Byte = 0,
  Char,
  Short,
  Int,
  Long,
  Half,
  Float,
  Double,
  ComplexHalf,
  ComplexFloat,
  ComplexDouble,
  Bool,
  QInt8,
  QUInt8,
  QInt32,
  BFloat16,
  QUInt4x2,
  QUInt2x4,
  Bits1x8,
  Bits2x4,
  Bits4x2,
  Bits8,
  Bits16,
  Float8_e5m2,
  Float8_e4m3fn,
  Float8_e5m2fnuz,
  Float8_e4m3fnuz,
  UInt16,
  UInt32,
  UInt64,
  Undefined = 127
};

constexpr ScalarType kByte = ScalarType::Byte, kChar = ScalarType::Char, kShort = ScalarType::Short,
                     kInt = ScalarType::Int, kLong = ScalarType::Long, kHalf = ScalarType::Half,
                     kFloat = ScalarType::Float, kDouble = ScalarType::Double,
                     kBool = ScalarType::Bool, kBFloat16 = ScalarType::BFloat16,
                     kComplexFloat = ScalarType::ComplexFloat,
                     kComplexDouble = ScalarType::ComplexDouble;

// Bytes of one element; 0 for an unknown type.
constexpr size_t element_size(ScalarType t) {
  switch (t) {
    case ScalarType::Short:
    case ScalarType::Half:
    case ScalarType::BFloat16:
    case ScalarType::Bits16:
    case ScalarType::UInt16: return 2;
    case ScalarType::Int:
    case ScalarType::Float:
    case ScalarType::ComplexHalf:
    case ScalarType::QInt32:
    case ScalarType::UInt32: return 4;
    case ScalarType::Long:
    case ScalarType::Double:
    case ScalarType::ComplexFloat:
    case ScalarType::UInt64: return 8;
    case ScalarType::ComplexDouble: return 16;
    case ScalarType::Undefined: return 0;
    default: return t >= ScalarType::Byte && t < ScalarType::UInt16 ? 1 : 0;
  }
}
// PyTorch's C++ name: "Float", "Long", ...
SCONCE_API const char* scalar_type_name(ScalarType t);
// Python's name without "torch.": "float32", "int64", ...
SCONCE_API const char* dtype_name(ScalarType t);
SCONCE_API bool scalar_type_from_name(const std::string& cpp_name, ScalarType* out);

constexpr bool is_complex(ScalarType t) {
  return t == ScalarType::ComplexHalf || t == kComplexFloat || t == kComplexDouble;
}
constexpr bool is_float8(ScalarType t) {
  return t >= ScalarType::Float8_e5m2 && t <= ScalarType::Float8_e4m3fnuz;
}
constexpr bool is_floating(ScalarType t) {
  return t == kHalf || t == kFloat || t == kDouble || t == kBFloat16 || is_float8(t);
}
constexpr bool is_quantized(ScalarType t) {
  return t == ScalarType::QInt8 || t == ScalarType::QUInt8 || t == ScalarType::QInt32 ||
         t == ScalarType::QUInt4x2 || t == ScalarType::QUInt2x4;
}
constexpr bool is_integral(ScalarType t, bool with_bool = false) {
  return (t >= kByte && t <= kLong) || (t >= ScalarType::UInt16 && t <= ScalarType::UInt64) ||
         (with_bool && t == kBool);
}
// The type that both convert to (PyTorch's promote_types).
SCONCE_API ScalarType promote_types(ScalarType a, ScalarType b);

struct Half {
  uint16_t bits;
  Half() = default;
  explicit Half(float f) : bits(from_float(f)) {}
  operator float() const { return to_float(bits); }
  static uint16_t from_float(float f) {
    uint32_t x;
    std::memcpy(&x, &f, 4);
    uint32_t sign = (x >> 16) & 0x8000u, abs = x & 0x7fffffffu;
    if (abs > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
    if (abs >= 0x47800000u) return static_cast<uint16_t>(sign | 0x7c00u);
    if (abs < 0x38800000u) {  // subnormal: let the float adder round
      float m;
      std::memcpy(&m, &abs, 4);
      m += 0.5f;
      uint32_t r;
      std::memcpy(&r, &m, 4);
      return static_cast<uint16_t>(sign | (r - 0x3f000000u));
    }
    uint32_t r = abs + 0xfffu + ((abs >> 13) & 1u);
    return static_cast<uint16_t>(sign | ((r - 0x38000000u) >> 13));
  }
  static float to_float(uint16_t h) {
    uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16, e = (h >> 10) & 31u, m = h & 1023u, x;
    if (e == 31) {
      x = sign | 0x7f800000u | (m << 13);
    } else if (e) {
      x = sign | ((e + 112u) << 23) | (m << 13);
    } else {
      float f = static_cast<float>(m) * 5.9604644775390625e-08f;
      std::memcpy(&x, &f, 4);
      x |= sign;
    }
    float f;
    std::memcpy(&f, &x, 4);
    return f;
  }
};

struct BFloat16 {
  uint16_t bits;
  BFloat16() = default;
  explicit BFloat16(float f) {
    uint32_t x;
    std::memcpy(&x, &f, 4);
    if ((x & 0x7fffffffu) > 0x7f800000u)
      bits = 0x7fc0;
    else
      bits = static_cast<uint16_t>((x + 0x7fffu + ((x >> 16) & 1u)) >> 16);
  }
  operator float() const {
    uint32_t x = static_cast<uint32_t>(bits) << 16;
    float f;
    std::memcpy(&f, &x, 4);
    return f;
  }
};

enum class DeviceType : int8_t { CPU = 0, CUDA = 1, Meta = 14, Other = 20 };

struct Device {
  DeviceType type = DeviceType::CPU;
  int8_t index = -1;
  bool operator==(Device o) const { return type == o.type && index == o.index; }
  bool operator!=(Device o) const { return !(*this == o); }
  SCONCE_API std::string str() const;
  // Throws sconce::Error for an unknown device text.
  SCONCE_API static Device parse(const std::string& text);
};

}  // namespace sconce
