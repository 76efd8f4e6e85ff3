// SPDX-License-Identifier: Apache-2.0
// Which nodes of two pictures are the same node.
#pragma once
#include "picture.h"

namespace sconce::tool {

struct Matching {
  // Of each node: its counterpart, or kNone for what was removed or added.
  std::vector<size_t> before, after;
  // Of each node with a counterpart: it differs in kind, attributes, types or inputs.
  std::vector<bool> changed_before, changed_after;
  size_t removed = 0, added = 0, changed = 0;
};
Matching match(const Picture& before, const Picture& after);

}  // namespace sconce::tool
