// SPDX-License-Identifier: Apache-2.0
// The one arithmetic of sizes, strides, offsets and bytes that come from input. Every tensor keeps
// what check_form() asks; so what is computed from the form of a tensor doesn't overflow.
#pragma once
#include <cstdint>

#include "sconce/array_ref.h"
#include "sconce/error.h"
#include "sconce/scalar_type.h"
#include "sconce/tensor.h"

namespace sconce {

inline int64_t checked_add(int64_t a, int64_t b) {
  int64_t r;
  if (__builtin_add_overflow(a, b, &r)) raise<OpError>(a, " + ", b, " overflows");
  return r;
}
inline int64_t checked_sub(int64_t a, int64_t b) {
  int64_t r;
  if (__builtin_sub_overflow(a, b, &r)) raise<OpError>(a, " - ", b, " overflows");
  return r;
}
inline int64_t checked_mul(int64_t a, int64_t b) {
  int64_t r;
  if (__builtin_mul_overflow(a, b, &r)) raise<OpError>(a, " * ", b, " overflows");
  return r;
}
// The number of elements. Throws OpError for a negative size and for overflow, where a size of 0
// counts as 1: strides are products of sizes too.
int64_t checked_numel(IntArrayRef sizes);
// What every tensor's form keeps: as many strides as sizes, none negative, no more elements than
// bytes can be counted for. Returns the bytes from the storage's start to the end of the last
// element; 0 when there is no element. Throws OpError.
int64_t check_form(IntArrayRef sizes, IntArrayRef strides, int64_t offset, ScalarType dtype);
// A view of the bytes as numbers of another type; strides and offset count those. Throws OpError
// where it leaves the storage, as make_view() does.
Tensor make_view_as(const Tensor& base, ScalarType dtype, DimVector sizes, DimVector strides,
                    int64_t offset);

}  // namespace sconce
