// SPDX-License-Identifier: Apache-2.0
// Host values as arguments of a method: what PyTorch's Python binding does to a value for a
// declared type.
#pragma once
#include "sconce/ivalue.h"

namespace sconce {

// v as a value of type t: ints become floats, untyped lists and dicts get their element types,
// tuples become the NamedTuple. Containers are copied. Throws OpError when v cannot be a t.
IValue convert_argument(const IValue& v, TypePtr t);

}  // namespace sconce
