// SPDX-License-Identifier: Apache-2.0
// Names and promotion of element types; device text.
#include "sconce/scalar_type.h"

#include <algorithm>
#include <iterator>

#include "sconce/error.h"

namespace sconce {

namespace {
struct Row {
  ScalarType type;
  const char* name;
  const char* dtype;
};
constexpr Row kRows[] = {
    {ScalarType::Byte, "Byte", "uint8"},
    {ScalarType::Char, "Char", "int8"},
    {ScalarType::Short, "Short", "int16"},
    {ScalarType::Int, "Int", "int32"},
    {ScalarType::Long, "Long", "int64"},
    {ScalarType::Half, "Half", "float16"},
    {ScalarType::Float, "Float", "float32"},
    {ScalarType::Double, "Double", "float64"},
    {ScalarType::ComplexHalf, "ComplexHalf", "complex32"},
    {ScalarType::ComplexFloat, "ComplexFloat", "complex64"},
    {ScalarType::ComplexDouble, "ComplexDouble", "complex128"},
    {ScalarType::Bool, "Bool", "bool"},
    {ScalarType::QInt8, "QInt8", "qint8"},
    {ScalarType::QUInt8, "QUInt8", "quint8"},
    {ScalarType::QInt32, "QInt32", "qint32"},
    {ScalarType::BFloat16, "BFloat16", "bfloat16"},
    {ScalarType::QUInt4x2, "QUInt4x2", "quint4x2"},
    {ScalarType::QUInt2x4, "QUInt2x4", "quint2x4"},
    {ScalarType::Bits1x8, "Bits1x8", "bits1x8"},
    {ScalarType::Bits2x4, "Bits2x4", "bits2x4"},
    {ScalarType::Bits4x2, "Bits4x2", "bits4x2"},
    {ScalarType::Bits8, "Bits8", "bits8"},
    {ScalarType::Bits16, "Bits16", "bits16"},
    {ScalarType::Float8_e5m2, "Float8_e5m2", "float8_e5m2"},
    {ScalarType::Float8_e4m3fn, "Float8_e4m3fn", "float8_e4m3fn"},
    {ScalarType::Float8_e5m2fnuz, "Float8_e5m2fnuz", "float8_e5m2fnuz"},
    {ScalarType::Float8_e4m3fnuz, "Float8_e4m3fnuz", "float8_e4m3fnuz"},
    {ScalarType::UInt16, "UInt16", "uint16"},
    {ScalarType::UInt32, "UInt32", "uint32"},
    {ScalarType::UInt64, "UInt64", "uint64"},
};
const Row* find(ScalarType t) {
  for (const Row& r : kRows)
    if (r.type == t) return &r;
  return nullptr;
}
}  // namespace

const char* scalar_type_name(ScalarType t) {
  const Row* r = find(t);
  return r ? r->name : "Undefined";
}
const char* dtype_name(ScalarType t) {
  const Row* r = find(t);
  return r ? r->dtype : "undefined";
}
bool scalar_type_from_name(const std::string& name, ScalarType* out) {
  for (const Row& r : kRows)
    if (name == r.name) return *out = r.type, true;
  return false;
}

ScalarType promote_types(ScalarType a, ScalarType b) {
  if (a == b) return a;
  if (a == ScalarType::Undefined) return b;
  if (b == ScalarType::Undefined) return a;
  if (is_quantized(a) || is_quantized(b))
    raise<OpError>("promote_types: quantised types do not promote");
  auto rank = [](ScalarType t) {
    return t == kBool ? 0 : is_integral(t) ? 1 : is_floating(t) ? 2 : 3;
  };
  int ra = rank(a), rb = rank(b);
  auto to_complex = [](ScalarType t) {
    return t == kDouble || t == kComplexDouble          ? kComplexDouble
           : t == kHalf || t == ScalarType::ComplexHalf ? ScalarType::ComplexHalf
                                                        : kComplexFloat;
  };
  if (ra == 3 || rb == 3) {
    ScalarType ca = ra >= 2 ? to_complex(a) : to_complex(b), cb = rb >= 2 ? to_complex(b) : ca;
    if (ca == kComplexDouble || cb == kComplexDouble) return kComplexDouble;
    return ca == cb ? ca : kComplexFloat;
  }
  if (ra == 2 || rb == 2) {
    if (ra != rb) return ra > rb ? a : b;
    if (a == kDouble || b == kDouble) return kDouble;
    return kFloat;  // half with bfloat16, or either with float
  }
  if (ra != rb) return ra > rb ? a : b;
  // Two different integer types: unsigned with the same or a larger size widens to the next signed
  // one.
  auto sgn = [](ScalarType t) { return t != kByte && t < ScalarType::UInt16; };
  size_t sa = element_size(a), sb = element_size(b);
  if (sgn(a) == sgn(b)) return sa >= sb ? a : b;
  ScalarType u = sgn(a) ? b : a, s = sgn(a) ? a : b;
  if (element_size(s) > element_size(u)) return s;
  if (u == kByte) return kShort;
  raise<OpError>(
      "Promotion for uint16, uint32, uint64 types is not supported, attempted to promote ",
      scalar_type_name(a), " and ", scalar_type_name(b));
}

namespace {
// By the number of the type.
constexpr const char* kDeviceNames[] = {"cpu", "cuda", "mkldnn",       "opengl", "opencl", "ideep",
                                        "hip", "fpga", "maia",         "xla",    "vulkan", "metal",
                                        "xpu", "mps",  "meta",         "hpu",    "ve",     "lazy",
                                        "ipu", "mtia", "privateuseone"};
}  // namespace

std::string Device::str() const {
  std::string s = kDeviceNames[static_cast<size_t>(type)];
  return index >= 0 ? s + ":" + std::to_string(index) : s;
}

Device Device::parse(const std::string& text) {
  size_t colon = text.find(':');
  std::string kind = text.substr(0, colon);
  if (kind == "ort") kind = "maia";  // its name until PyTorch 2.2
  auto name = std::find(std::begin(kDeviceNames), std::end(kDeviceNames), kind);
  if (name == std::end(kDeviceNames))
    raise<Error>("Expected one of cpu, cuda, meta, ... device type at start of device string: ",
                 text);
  Device d;
  d.type = static_cast<DeviceType>(name - std::begin(kDeviceNames));
  if (colon != std::string::npos) {
    std::string idx = text.substr(colon + 1);
    if (idx.empty() || idx.size() > 2 || idx.find_first_not_of("0123456789") != std::string::npos ||
        (idx.size() > 1 && idx[0] == '0'))
      raise<Error>("Invalid device string: '", text, "'");
    d.index = static_cast<int8_t>(std::stoi(idx));
  }
  return d;
}

}  // namespace sconce
