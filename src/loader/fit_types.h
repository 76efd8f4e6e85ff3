// SPDX-License-Identifier: Apache-2.0
// Values of pickles and the types that the code declares for them. PyTorch believes the file; code
// that is compiled for the declared types can't.
#pragma once
#include <map>
#include <utility>

#include "sconce/ivalue.h"

namespace sconce {

// What was looked at with which type, and whether it fits: shared values are walked once.
using FittedValues = std::map<std::pair<const void*, TypePtr>, bool>;

// Gives containers their static types (pickles of versions 1 and 2 have none, named tuples never)
// and an int where a float is declared its float. False when something in v isn't of type t.
bool fit_types(IValue& v, TypePtr t, FittedValues& seen);

}  // namespace sconce
