// SPDX-License-Identifier: Apache-2.0
// Lists of weights, and packed parameters, that a graph reads from its module when it runs: they
// are never taken for constant. A shape plan may be replayed as long as they hold what they held
// when it was recorded.
#pragma once
#include <optional>
#include <vector>

#include "ir/graph.h"
#include "sconce/ivalue.h"

namespace sconce {

class AttributeReads {
 public:
  // Nullopt: the graph reads other attributes, writes some, uses its module in another way, or may
  // write what it reads.
  static std::optional<AttributeReads> of(const Graph& g);
  bool empty() const { return paths_.empty(); }
  // The values now, as they stand in the module. self: the graph's first input.
  std::vector<IValue> values(const IValue& self) const;

 private:
  std::vector<std::vector<size_t>> paths_;  // slots from self on
};

// A value as it was read: a list's very tensors, of the same forms; the very object and its state.
class AttributeForm {
 public:
  explicit AttributeForm(const IValue& v);
  bool matches(const IValue& v) const;

 private:
  IValue object_, state_;  // of packed parameters
  struct Form {
    IValue tensor;
    const Storage* storage;
    ScalarType dtype;
    DimVector sizes, strides;
    int64_t offset;
    bool same(const IValue& v) const;
  };
  std::vector<Form> tensors_;
};

}  // namespace sconce
