// SPDX-License-Identifier: Apache-2.0
// Which operators a build of sconce must have so that modules load and run as they do here. Found
// out by preparing them: what their graphs call, before and after the passes that run first; what
// is asked of the operator table and run meanwhile; and what those operators are made of.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "sconce/module.h"

namespace sconce {

struct NeededOperators {
  std::set<std::string> names;  // full names, and names of which every overload must be known
  bool composites = false;      // some are written in TorchScript (ops/composites.h)
};
// No other thread may use sconce meanwhile. Throws what compiling a method throws.
NeededOperators needed_operators(const std::vector<std::string>& files);

}  // namespace sconce
