// SPDX-License-Identifier: Apache-2.0
// While it lives, what this thread calls is made at once and is no part of what is recorded.
#pragma once
#include <utility>

#include "core/context.h"

namespace sconce {

class Unrecorded {
 public:
  Unrecorded() = default;
  Unrecorded(const Unrecorded&) = delete;
  ~Unrecorded() { context().recorder = before_; }

 private:
  Recorder* const before_ = std::exchange(context().recorder, nullptr);
};

}  // namespace sconce
