// SPDX-License-Identifier: Apache-2.0
// A deep copy of a value: what was one box, one tensor or one storage is one in the copy too.
#pragma once
#include <unordered_map>

#include "sconce/ivalue.h"

namespace sconce {

class CloneCopy {
 public:
  IValue copy(const IValue& v);

 private:
  IValue fresh(const IValue& v);
  IValue tensor(const Tensor& t);
  std::unordered_map<const void*, IValue> boxes_;
  std::unordered_map<const Storage*, Ref<Storage>> storages_;
};

}  // namespace sconce
