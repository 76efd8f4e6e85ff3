// SPDX-License-Identifier: Apache-2.0
// A deep copy of a value: what was one box, one tensor or one storage is one in the copy too.
#pragma once
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>

#include "sconce/ivalue.h"

namespace sconce {

class CloneCopy {
 public:
  // The class and the owner of an object's copy.
  using ClassOf =
      std::function<std::pair<const ClassType*, std::shared_ptr<const void>>(const Object&)>;
  // class_of: null: the object's own.
  explicit CloneCopy(ClassOf class_of = nullptr) : class_of_(std::move(class_of)) {}
  IValue copy(const IValue& v);

 private:
  IValue fresh(const IValue& v);
  IValue tensor(const Tensor& t);
  ClassOf class_of_;
  std::unordered_map<const void*, IValue> boxes_;
  std::unordered_map<const Storage*, Ref<Storage>> storages_;
};

}  // namespace sconce
