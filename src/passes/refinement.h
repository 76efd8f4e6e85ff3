// SPDX-License-Identifier: Apache-2.0
// What is known where a comparison has decided:
//
//   %c = aten::eq(%x, %three)
//   prim::If(%c)
//     block0():   %x is 3 here
//     block1():
//
// A Refinement says so of some values (refine_integer_values: their numbers; list idioms: lists'
// lengths). Each bool may carry two, one for when it is true, one for when it is false; `and`, `or`
// and `not` join them, and a branch that raises leaves the other's behind it.
#pragma once
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "ir/graph.h"

namespace sconce {

using Refinement = std::map<const Value*, int64_t>;

struct BoolRefinement {
  Refinement if_true, if_false;
};

class Refinements {
 public:
  bool known(const Value* condition) const { return of_bool_.count(condition) != 0; }
  BoolRefinement& of(const Value* condition) { return of_bool_[condition]; }
  // Of the If n, whose blocks have been walked with these refinements at their ends; current is
  // what holds in n's own block from here on.
  void join(Node* n, Refinement& current, const Refinement& then, const Refinement& otherwise);
  // Nodes that raise, negate, or compare a bool with a constant.
  void common(Node* n);

 private:
  std::unordered_map<const Value*, BoolRefinement> of_bool_;
  std::unordered_set<const Block*> raising_;
};

}  // namespace sconce
