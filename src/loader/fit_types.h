// SPDX-License-Identifier: Apache-2.0
// Values of pickles and the types that the code declares for them. PyTorch believes the file; code
// that is compiled for the declared types can't.
#pragma once
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sconce/ivalue.h"

namespace sconce {

// What was looked at with which type, and whether it fits: shared values are walked once. One for
// all values of an archive, since a container has one type wherever it stands.
struct FittedValues {
  std::map<std::pair<const void*, TypePtr>, bool> known;
  std::unordered_map<const void*, TypePtr> types;  // of lists and dicts that fitted
  std::vector<IValue> keep;                        // so that no address is used twice
};

// Gives containers their static types (pickles of versions 1 and 2 have none, named tuples never)
// and an int where a float is declared its float. False when something in v isn't of type t.
bool fit_types(IValue& v, TypePtr t, FittedValues& seen);

}  // namespace sconce
