// SPDX-License-Identifier: Apache-2.0
// Arguments for fuzzed calls, by their declared types.
#pragma once
#include <cstddef>
#include <cstdint>

#include "sconce/sconce.h"

namespace sconce::fuzz {

// Choices: bytes of the input while there are some, else of a generator with a seed.
class Draw {
 public:
  explicit Draw(uint64_t seed) : state_(seed * 2 + 1) {}
  Draw(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  // 0 to n - 1
  uint64_t below(uint64_t n) { return n ? next() % n : 0; }

 private:
  uint64_t next() {
    if (at_ < size_) return data_[at_++];
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return state_ >> 33;
  }
  const uint8_t* data_ = nullptr;
  size_t size_ = 0, at_ = 0;
  uint64_t state_ = 1;
};

// Small numbers and tensors that models take.
IValue plausible_value(TypePtr t, Draw& draw);
// Ends of ranges, empty and odd tensors.
IValue hostile_value(TypePtr t, Draw& draw);

}  // namespace sconce::fuzz
