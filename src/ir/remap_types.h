// SPDX-License-Identifier: Apache-2.0
// Puts other classes in the place of some, wherever types stand: in graphs and their subgraphs, in
// schemas, inside of containers. A copy of a module has classes of its own this way.
#pragma once
#include <unordered_map>

#include "core/schema.h"
#include "ir/graph.h"

namespace sconce {

class TypeRemap {
 public:
  // table: where types that mention a class are interned.
  explicit TypeRemap(TypeTable& table) : table_(table) {}
  void add(TypePtr from, TypePtr to) { map_[from] = to; }
  TypePtr operator()(TypePtr t);
  FunctionSchema operator()(const FunctionSchema& s);
  // In place. Subgraphs become copies, which no other graph has.
  void apply(Graph& g);

 private:
  void apply(Block* b);
  TypePtr rebuilt(TypePtr t);
  TypeTable& table_;
  std::unordered_map<TypePtr, TypePtr> map_;
};

}  // namespace sconce
