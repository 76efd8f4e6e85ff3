// SPDX-License-Identifier: Apache-2.0
// Bounds of whole random numbers: what a dtype holds and can tell apart.
#pragma once
#include <bit>
#include <cstdint>
#include <cstdlib>

#include "ops/op.h"

namespace sconce::ops {

// The number that v is rounded to.
template <class T>
int64_t told_by(int64_t v) {
  return to_integer<int64_t>(static_cast<double>(static_cast<T>(static_cast<double>(v))));
}
// Whole numbers from [lo, hi), or from lo to the dtype's greatest. Of floats only those count that
// the dtype can tell apart: lo moves up and hi down to the next ones.
template <class T>
int64_t next_up(int64_t from, int digits) {
  if (from == INT64_MAX) return from;  // none is above
  const int64_t next = told_by<T>(from + 1);
  if (next >= from) return from;
  const int n = static_cast<int>(std::bit_width(static_cast<uint64_t>(std::abs(from + 1)))) - 1;
  return next + (int64_t{1} << (n - digits + 1));
}
template <class T>
int64_t next_down(int64_t to, int digits) {
  const int64_t next = told_by<T>(to - 1);
  if (next < to) return to;
  const int n = static_cast<int>(std::bit_width(static_cast<uint64_t>(std::abs(to - 1)))) - 1;
  return next - (int64_t{1} << (n - digits + 1));
}
struct WholeRange {
  double least, greatest;
  int digits;  // of a float: all whole numbers below 2^digits are there
};
inline WholeRange whole_range(ScalarType t) {
  switch (t) {
    case kHalf: return {-65504, 65504, 11};
    case kBFloat16: return {-3.3895313892515355e38, 3.3895313892515355e38, 8};
    case kFloat: return {-3.4028234663852886e38, 3.4028234663852886e38, 24};
    case kDouble: return {-1.7976931348623157e308, 1.7976931348623157e308, 53};
    case kBool: return {0, 1, 0};
    case kByte: return {0, 255, 0};
    case kChar: return {-128, 127, 0};
    case kShort: return {-32768, 32767, 0};
    case kInt: return {-2147483648.0, 2147483647.0, 0};
    case kLong: return {-9223372036854775808.0, 9223372036854775807.0, 0};
    default: raise<OpError>("\"random_from_to\" not implemented for '", scalar_type_name(t), "'");
  }
}
inline int64_t move_bound(ScalarType t, int64_t v, bool up, int digits) {
  switch (t) {
    case kHalf: return up ? next_up<Half>(v, digits) : next_down<Half>(v, digits);
    case kBFloat16: return up ? next_up<BFloat16>(v, digits) : next_down<BFloat16>(v, digits);
    case kFloat: return up ? next_up<float>(v, digits) : next_down<float>(v, digits);
    default: return up ? next_up<double>(v, digits) : next_down<double>(v, digits);
  }
}

}  // namespace sconce::ops
