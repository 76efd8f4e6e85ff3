// SPDX-License-Identifier: Apache-2.0
// PyTorch's alias analysis, decision for decision: passes that bear PyTorch's names ask it, so that
// they rewrite what PyTorch's rewrite and nothing else. Coarser than AliasDb, which is what the
// runtime relies on: whatever enters a container or leaves one joins one class for each type
// ("wildcard"), and so do the graph's inputs.
//
// Every mutable value has an element. An element points to others (what it may be the same as) and
// contains others; one that points to none is a place in memory. A value may be written when a
// place of its own is written by some node.
#pragma once
#include <memory>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ir/graph.h"

namespace sconce {

class TorchAliasDb {
 public:
  explicit TorchAliasDb(Graph& g);

  static bool is_mutable_type(TypePtr t);
  // Some node writes what v itself may refer to; its elements don't count.
  bool has_writers(const Value* v) const;
  // The same of any input or output of n.
  bool has_writers(const Node* n) const;
  bool has_writers(const std::vector<Value*>& values) const;
  // n, blocks within included, writes what one of the values may refer to.
  bool writes_to_alias(const Node* n, const std::unordered_set<const Value*>& values) const;
  // n itself writes memory that outlives the graph or stands in a container.
  bool writes_to_wildcard(const Node* n) const;
  bool may_alias(const std::unordered_set<const Value*>& a,
                 const std::unordered_set<const Value*>& b) const;
  bool may_contain_alias(const std::vector<Value*>& a, const std::vector<Value*>& b) const;
  // Values of a may become the same as values of b: nobody writes them, and they don't both leave
  // the graph.
  bool may_unite(const std::vector<Value*>& a, const std::vector<Value*>& b) const;
  // n could stand before / after point with what it needs, or what needs it, beside it.
  bool could_move_before(Node* n, Node* point) { return try_move(n, point, true, true); }
  // Moves it, when it could be.
  bool move_before(Node* n, Node* point) { return try_move(n, point, true, false); }
  bool move_after(Node* n, Node* point) { return try_move(n, point, false, false); }
  // After a rewrite: now stands for the memory of old, and old for one of its own.
  void replace(const Value* old, const Value* now);

 private:
  using Places = std::set<uint32_t>;
  struct Element {
    const Value* value = nullptr;  // null: the wildcard of a type
    Places points_to, contains;
    mutable bool known = false;
    mutable Places places;
  };
  class Moving;

  const std::vector<TypePtr>& alias_types(TypePtr t) const;
  std::vector<TypePtr> compute_alias_types(TypePtr t) const;
  bool is_mutable(const Value* v) const { return !alias_types(v->type).empty(); }
  TypePtr single(const std::vector<TypePtr>& types) const;
  void analyze(const Block* b);
  void analyze(const Node* n);
  void by_schema(const Node* n);
  void conservative(const Node* n);
  void container(const Node* n);
  bool escapes_with_container(const Value* container) const;
  uint32_t new_element(const Value* v);
  uint32_t element(const Value* v);
  void fresh(const Value* v, bool with_contents = true);
  void fill(uint32_t e, const std::vector<TypePtr>& types);
  int64_t find_wildcard(TypePtr t) const;
  int64_t make_wildcard(TypePtr t);
  int64_t set_wildcard(const Value* v);
  void point(const Value* from, const Value* to);
  void points(const std::vector<Value*>& from, const std::vector<Value*>& to, size_t skip_from,
              size_t skip_to);
  void write(const Value* v, const Node* n);
  void join_wildcards();
  const Places& places(uint32_t e) const;
  void contained(uint32_t e, Places& all) const;
  Places contained(const std::vector<Value*>& values) const;
  void add_writes(const Node* n, Places& all) const;
  void add_reads(const Node* n, Places& all) const;
  bool escapes(const std::vector<Value*>& values) const;
  bool try_move(Node* n, Node* point, bool before, bool only_ask);

  Graph& graph_;
  std::vector<Element> elements_;
  std::unordered_map<const Value*, uint32_t> element_of_;
  mutable std::unordered_map<TypePtr, std::vector<TypePtr>> alias_types_;
  std::unordered_map<TypePtr, uint32_t> wildcards_;
  std::vector<const Value*> wild_values_;
  std::unordered_set<const Value*> wild_seen_;
  std::unordered_map<const Node*, std::vector<const Value*>> writes_, writes_contained_;
  std::unordered_set<const Node*> writes_all_wildcards_;
  std::unordered_map<const Node*, Places> written_by_;
  Places written_;
};

// What Node::hasSideEffects says: as has_side_effects, and storing an attribute.
bool torch_side_effects(const Node* n);
// What Node::isNondeterministic says.
bool torch_nondeterministic(const Node* n);

}  // namespace sconce
