// SPDX-License-Identifier: Apache-2.0
// Division of indices by numbers that a kernel knows from its start. Those of 32 bits multiply by a
// number that the host has found (Granlund and Montgomery 1994); 64-bit ones divide.
#pragma once
#include <cstdint>

#ifdef __CUDACC__
#define SCONCE_DIVISION __host__ __device__ __forceinline__
#else
#define SCONCE_DIVISION inline
#endif

namespace sconce::cuda {

// I: uint32_t or uint64_t. Numerators and the divisor are below 2^31 where I has 32 bits.
template <class I>
struct Divisor {
  I n = 1;
  Divisor() = default;
  explicit Divisor(int64_t divisor) : n(static_cast<I>(divisor)) {}
  SCONCE_DIVISION I divide(I x) const { return x / n; }
  // Divides x, and gives what is left.
  SCONCE_DIVISION I split(I& x) const {
    const I quotient = divide(x), rest = x - quotient * n;
    x = quotient;
    return rest;
  }
};

template <>
struct Divisor<uint32_t> {
  uint32_t n = 1, multiplier = 1, shift = 0;
  Divisor() = default;
  // divisor: 1 to 2^31 - 1; others are not divided by.
  explicit Divisor(int64_t divisor) {
    if (divisor < 1 || divisor >= int64_t{1} << 31) return;
    n = static_cast<uint32_t>(divisor);
    while (shift < 31 && (uint32_t{1} << shift) < n) ++shift;
    const uint64_t power = uint64_t{1} << shift;
    multiplier = static_cast<uint32_t>((uint64_t{1} << 32) * (power - n) / n + 1);
  }
  SCONCE_DIVISION uint32_t divide(uint32_t x) const {
#ifdef __CUDA_ARCH__
    const uint32_t high = __umulhi(x, multiplier);
#else
    const auto high = static_cast<uint32_t>(static_cast<uint64_t>(x) * multiplier >> 32);
#endif
    return (high + x) >> shift;  // both below 2^31
  }
  SCONCE_DIVISION uint32_t split(uint32_t& x) const {
    const uint32_t quotient = divide(x), rest = x - quotient * n;
    x = quotient;
    return rest;
  }
};

}  // namespace sconce::cuda
