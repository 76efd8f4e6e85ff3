// SPDX-License-Identifier: Apache-2.0
// Where bytes go, one after another.
#pragma once
#include <cstddef>

namespace sconce {

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  // All of them, or Error.
  virtual void write(const void* data, size_t size) = 0;
};

}  // namespace sconce
