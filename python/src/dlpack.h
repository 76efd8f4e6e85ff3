// SPDX-License-Identifier: Apache-2.0
// DLPack's structures, version 1, as its specification lays them out.
#pragma once
#include <sconce/scalar_type.h>

#include <cstdint>

namespace sconce::python::dlpack {

constexpr int32_t kCpu = 1, kCuda = 2, kCudaHost = 3;
constexpr uint64_t kReadOnly = 1;

struct DeviceOf {
  int32_t type, id;
};
struct Type {
  uint8_t code, bits;
  uint16_t lanes;
};
struct Tensor {
  void* data;
  DeviceOf device;
  int32_t ndim;
  Type dtype;
  int64_t *shape, *strides;  // in elements; strides may be null: C-contiguous
  uint64_t byte_offset;
};
struct Managed {
  Tensor tensor;
  void* context;
  void (*deleter)(Managed*);
};
struct ManagedVersioned {
  struct {
    uint32_t major, minor;
  } version;
  void* context;
  void (*deleter)(ManagedVersioned*);
  uint64_t flags;
  Tensor tensor;
};

struct Row {
  ScalarType dtype;
  uint8_t code;
};
constexpr Row kRows[] = {
    {kChar, 0},
    {kShort, 0},
    {kInt, 0},
    {kLong, 0},
    {kByte, 1},
    {ScalarType::UInt16, 1},
    {ScalarType::UInt32, 1},
    {ScalarType::UInt64, 1},
    {kHalf, 2},
    {kFloat, 2},
    {kDouble, 2},
    {kBFloat16, 4},
    {ScalarType::ComplexHalf, 5},
    {kComplexFloat, 5},
    {kComplexDouble, 5},
    {kBool, 6},
    {ScalarType::Float8_e4m3fn, 10},
    {ScalarType::Float8_e4m3fnuz, 11},
    {ScalarType::Float8_e5m2, 12},
    {ScalarType::Float8_e5m2fnuz, 13},
};
inline bool dtype_from(Type t, ScalarType& out) {
  if (t.lanes != 1) return false;
  for (const Row& r : kRows)
    if (r.code == t.code && element_size(r.dtype) * 8 == t.bits) {
      out = r.dtype;
      return true;
    }
  return false;
}
inline bool dtype_to(ScalarType dtype, Type& out) {
  for (const Row& r : kRows)
    if (r.dtype == dtype) {
      out = {r.code, static_cast<uint8_t>(element_size(dtype) * 8), 1};
      return true;
    }
  return false;
}

}  // namespace sconce::python::dlpack
