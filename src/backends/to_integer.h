// SPDX-License-Identifier: Apache-2.0
// Floats as integers, the same on every machine.
#pragma once
#include <cstdint>
#include <type_traits>

#ifndef SCONCE_MATH
#define SCONCE_MATH inline
#endif

namespace sconce {

// v without its fraction; an integer as its low bits. Where To has 64 bits, what leaves them and
// NaN become the least number of 64 bits; elsewhere the least of 32, whose low bits are taken: what
// x86 answers, and PyTorch there.
template <class To, class From>
#ifndef SCONCE_DEVICE_MATH
[[gnu::always_inline]]
#endif
SCONCE_MATH To
to_integer(From v) {
  if constexpr (std::is_integral_v<From>) {
    return static_cast<To>(v);
  } else if constexpr (sizeof(To) < 4 || std::is_same_v<To, int32_t>) {
    if (!(v >= From(-2147483648.0) && v < From(2147483648.0))) return static_cast<To>(INT32_MIN);
    return static_cast<To>(static_cast<int32_t>(v));
  } else {
    if (!(v >= From(-9223372036854775808.0) && v < From(9223372036854775808.0)))
      return static_cast<To>(INT64_MIN);
    return static_cast<To>(static_cast<int64_t>(v));
  }
}

}  // namespace sconce
