// SPDX-License-Identifier: Apache-2.0
// What PyTorch's own alias analysis says of a graph, for passes whose text has to be PyTorch's.
// AliasDb (ir/alias.h) follows elements through containers and is what the runtime relies on. This
// one knows less, and just so much less:
//
//   - there is one wildcard for each type, and two values of different types never meet in one;
//   - whatever goes into a container, or comes out of one, an attribute or a call, is its type's
//     wildcard; a list that is only handed to cat, stack and the like, or returned, keeps its own;
//   - a loop's first iteration stands for all of them.
//
// Memory is a graph of elements, one for each value of a mutable type: an element points to those
// that it may be the same as, and contains those that are in it. Its locations are the elements at
// the end of the pointers, and the wildcards that those were made to point to after the analysis.
#pragma once
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ir/graph.h"

namespace sconce {

class PyTorchAliasDb {
 public:
  // The graph is kept and, by move_before, reordered.
  explicit PyTorchAliasDb(Graph& g);
  bool is_mutable(const Value* v);
  bool may_alias(const Value* a, const Value* b);
  // One of the values, or something in it, may be b or something in b.
  bool may_contain_alias(const std::vector<Value*>& values, const Value* b);
  bool has_writers(const Value* v);
  // n, or a node in its blocks, may write what one of the values refers to.
  bool writes_to_alias(const Node* n, const std::vector<Value*>& values);
  // n itself writes what inputs, attributes or calls may refer to.
  bool writes_to_wildcard(const Node* n) const;
  // Moves n to stand directly before at, which comes later in the same block, and what between them
  // depends on n to behind at. False, and nothing happens, where an order of reads and writes
  // forbids that.
  bool move_before(Node* n, Node* at);

  // After a rewrite. now stands for the memory of old, and old for one of its own.
  void replace(const Value* old, const Value* now);
  // n is about to be removed, or writes no longer.
  void forget_writes(const Node* n);

 private:
  using Locations = std::vector<uint32_t>;  // sorted
  struct Element {
    const Value* value = nullptr;  // null: a wildcard
    std::vector<uint32_t> points_to, contains;
    Locations locations;
    bool known = false;  // locations are
  };
  struct Effects;
  class Moving;

  // The types that values of type t may be at run time, as far as they are mutable; each stands for
  // a wildcard.
  const std::vector<TypePtr>& mutable_types(TypePtr t);
  TypePtr one_type(TypePtr t);
  uint32_t element_of(const Value* v);
  uint32_t make(const Value* v);
  void fresh(const Value* v, bool wildcards_in_it = true);
  void contain_wildcards(uint32_t element, const std::vector<TypePtr>& types);
  // The wildcard of a type, made when it is missing; kNone for immutable types.
  uint32_t wildcard(TypePtr t);
  uint32_t known_wildcard(TypePtr t);
  uint32_t set_wildcard(const Value* v);
  void point(const Value* from, const Value* to);
  void point_all(const std::vector<Value*>& from, size_t skip_from, const std::vector<Value*>& to,
                 size_t skip_to);
  void register_write(const Value* v, const Node* n, bool contents = false);

  void analyze(Block* b);
  void analyze(Node* n);
  void analyze_container(Node* n);
  void analyze_schema(Node* n);
  void analyze_subgraph(Node* n);
  void unknown_effects(Node* n);
  void settle();

  const Locations& locations(uint32_t element);
  void collect(uint32_t element, std::unordered_set<uint32_t>& into);
  void add_writes(const Node* n, std::unordered_set<uint32_t>& into) const;
  void add_reads(const Node* n, std::unordered_set<uint32_t>& into);
  Effects effects(const Node* n);

  static constexpr uint32_t kNone = ~uint32_t{0};
  Graph& graph_;
  std::vector<Element> elements_;
  std::unordered_map<const Value*, uint32_t> of_;
  std::unordered_map<TypePtr, uint32_t> wildcards_;
  std::unordered_set<uint32_t> wildcard_elements_;
  std::unordered_map<TypePtr, std::vector<TypePtr>> mutable_types_;
  std::vector<const Value*> made_wildcard_;
  struct Write {
    const Value* value;
    bool contents;
  };
  std::unordered_map<const Node*, std::vector<Write>> registered_;
  std::vector<const Node*> waits_;  // they may write every wildcard
  std::unordered_map<const Node*, std::unordered_set<uint32_t>> writes_;
  std::unordered_map<uint32_t, size_t> writers_;  // of a location: nodes that write it
};

}  // namespace sconce
