// SPDX-License-Identifier: Apache-2.0
// May-alias and mutation analysis: inclusion-based points-to sets over memory locations (Andersen
// 1994), with the contents of containers as a second level. What leaves the graph's sight
// (attributes, calls, inputs) is a wildcard.
#pragma once
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ir/graph.h"

namespace sconce {

// A normalisation that may be training: it moves its running statistics, inputs 3 and 4, though no
// schema says so.
bool writes_statistics(const Node* n);
// An operator of a namespace that nobody has registered: it may write every argument, and what it
// returns may be anything.
bool is_unknown_operator(const Node* n);

class AliasDb {
 public:
  // apart: what a module's attributes hold is memory of its own at each place where one is read, so
  // that its writers are those of this place (freezing asks for each of them).
  explicit AliasDb(const Graph& g, bool apart = false);
  // Values of this type can be written in place.
  static bool is_mutable_type(TypePtr t);
  // Some node may write memory that v, or something it contains, refers to.
  bool has_writers(const Value* v) const;
  // The same of v alone: elements that are written don't count.
  bool has_writers_itself(const Value* v) const;
  // n writes memory that outlives the graph: inputs, attributes, constants, what calls may see.
  bool writes_to_wildcard(const Node* n) const;
  // n may write what one of the values refers to, contents included.
  bool writes_to_alias(const Node* n, const std::unordered_set<const Value*>& values) const;
  // v, or something in it, may still be referred to when the graph has run: it is returned, stored
  // in an attribute or handed to a call.
  bool may_escape(const Value* v) const;
  bool may_alias(const Value* a, const Value* b) const;
  // a, or something in it, may be the same memory as b, or something in it.
  bool may_contain_alias(const Value* a, const Value* b) const;
  // The values that n writes in place (also the arguments of calls and of unknown operators).
  std::vector<Value*> written(const Node* n) const;

 private:
  using LocSet = std::unordered_set<uint32_t>;
  struct Loc {
    bool wildcard = false;
    bool constant = false;  // memory of a constant: it outlives the graph
    LocSet contains;
  };
  uint32_t new_loc();
  uint32_t wildcard_of(TypePtr t);
  void analyze(const Block* b);
  void analyze(const Node* n);
  bool add(const Value* v, uint32_t loc);
  bool add_all(const Value* v, const LocSet& locs);
  void fresh(const Value* v);
  void constant(const Value* v);
  uint32_t constant_loc(const IValue& v);
  bool written_by_some(const LocSet& locs) const;
  void contain(const Value* container, const LocSet& locs);
  void make_wildcard(const Value* v);
  void spread_wildcard();
  LocSet closure(const Value* v) const;
  bool touches(const LocSet& a, const LocSet& b) const;
  const LocSet& of(const Value* v) const;

  static constexpr uint32_t kNone = ~uint32_t{0};
  std::vector<Loc> locs_;
  std::unordered_map<const Value*, LocSet> points_;
  std::unordered_map<const Value*, uint32_t> fresh_;
  std::unordered_map<TypePtr, uint32_t> wildcards_;
  std::unordered_map<const void*, uint32_t> constants_;  // by storage or box
  std::vector<const Node*> writers_;
  LocSet returned_;  // what the graph's outputs refer to
  bool apart_ = false;
  bool changed_ = false;
  bool first_pass_ = true;
};

}  // namespace sconce
