// SPDX-License-Identifier: Apache-2.0
// Medians, as calls of the sort slot for one element of each row (SortArgs::only_kth): k is one of
// these. Of an even number the lower of the two in the middle.
#pragma once
#include <cstdint>

namespace sconce {

constexpr int64_t kMedian = -1;     // the first nan where there is one
constexpr int64_t kNanMedian = -2;  // of what isn't nan

}  // namespace sconce
