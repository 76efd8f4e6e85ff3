// SPDX-License-Identifier: Apache-2.0
// mt19937 as PyTorch's CPU generator draws from it. Source: Matsumoto & Nishimura 1998.
#include "sconce/ivalue.h"

namespace sconce {

void Generator::manual_seed(uint64_t seed) {
  seed_ = seed;
  state_[0] = static_cast<uint32_t>(seed);
  for (uint32_t i = 1; i < 624; ++i)
    state_[i] = 1812433253u * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
  left_ = 1;
  next_ = 0;
  has_next_normal = has_next_float_normal = false;
}

void Generator::next_state() {
  auto mix = [](uint32_t u, uint32_t v) { return (u & 0x80000000u) | (v & 0x7fffffffu); };
  auto twist = [&](uint32_t u, uint32_t v) {
    return (mix(u, v) >> 1) ^ ((v & 1u) ? 0x9908b0dfu : 0u);
  };
  for (int i = 0; i < 227; ++i) state_[i] = state_[i + 397] ^ twist(state_[i], state_[i + 1]);
  for (int i = 227; i < 623; ++i) state_[i] = state_[i - 227] ^ twist(state_[i], state_[i + 1]);
  state_[623] = state_[396] ^ twist(state_[623], state_[0]);
  left_ = 624;
  next_ = 0;
}

uint32_t Generator::random() {
  if (--left_ == 0) next_state();
  uint32_t y = state_[next_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  y ^= y >> 18;
  return y;
}

}  // namespace sconce
