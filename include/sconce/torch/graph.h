// SPDX-License-Identifier: Apache-2.0
// A method's graph to look at, as LibTorch's users walk it: graph->nodes(), node->kind(),
// node->inputs(), value->debugName(). Nothing can be changed.
#pragma once
#include "sconce/ir.h"
#include "sconce/torch/containers.h"

namespace c10 {
struct Symbol {
  explicit Symbol(sconce::Symbol s) : s_(s) {}
  static Symbol fromQualString(const std::string& s) { return Symbol(sconce::Symbol(s)); }
  const char* toQualString() const { return s_.str(); }
  std::string toUnqualString() const { return std::string(s_.unqualified()); }
  bool is_aten() const { return s_.is_aten(); }
  bool is_prim() const { return s_.is_prim(); }
  bool operator==(const Symbol& o) const { return s_ == o.s_; }
  bool operator!=(const Symbol& o) const { return s_ != o.s_; }

 private:
  sconce::Symbol s_;
};
}  // namespace c10

namespace torch::jit {
using c10::Symbol;
using NodeKind = Symbol;
struct Node;
struct Block;

// These are never made: a pointer to one is a pointer to sconce's.
struct Value {
  Value() = delete;
  std::string debugName() const {
    return self().name.empty() ? std::to_string(self().id) : self().name;
  }
  bool hasDebugName() const { return !self().name.empty(); }
  c10::TypePtr type() const { return c10::TypePtr(self().type); }
  const Node* node() const { return reinterpret_cast<const Node*>(self().node); }
  Node* node() { return reinterpret_cast<Node*>(self().node); }
  size_t offset() const { return self().offset; }
  size_t unique() const { return self().id; }
  bool hasUses() const { return self().has_uses(); }
  size_t numUses() const { return self().uses.size(); }

 private:
  const sconce::Value& self() const { return *reinterpret_cast<const sconce::Value*>(this); }
};

namespace detail {
inline c10::ArrayRef<Value*> values(const std::vector<sconce::Value*>& v) {
  return {reinterpret_cast<Value* const*>(v.data()), v.size()};
}
// For range-based loops over a block.
struct NodeRange {
  struct iterator {
    sconce::Block::Iterator at;
    Node* operator*() const { return reinterpret_cast<Node*>(*at); }
    iterator& operator++() {
      ++at;
      return *this;
    }
    bool operator!=(const iterator& o) const { return at != o.at; }
    bool operator==(const iterator& o) const { return !(at != o.at); }
  };
  sconce::Block* block;
  iterator begin() const { return {block->nodes().begin()}; }
  iterator end() const { return {block->nodes().end()}; }
};
}  // namespace detail

struct Node {
  Node() = delete;
  NodeKind kind() const { return NodeKind(self().kind); }
  c10::ArrayRef<Value*> inputs() const { return detail::values(self().inputs); }
  c10::ArrayRef<Value*> outputs() const { return detail::values(self().outputs); }
  Value* input(size_t i) const { return inputs().at(i); }
  Value* input() const { return input(0); }
  Value* output(size_t i) const { return outputs().at(i); }
  Value* output() const { return output(0); }
  c10::ArrayRef<Block*> blocks() const {
    return {reinterpret_cast<Block* const*>(self().blocks.data()), self().blocks.size()};
  }
  std::string scopeName() const { return self().scope.str(); }
  bool hasAttribute(const std::string& name) const { return find(name) != nullptr; }
  bool hasAttributeS(const std::string& name) const { return hasAttribute(name); }
  std::vector<std::string> attributeNamesS() const {
    std::vector<std::string> r;
    for (const auto& a : self().attributes) r.emplace_back(a.name.unqualified());
    return r;
  }
  std::string s(const std::string& name) const { return get(name).toStringRef(); }
  int64_t i(const std::string& name) const { return get(name).toInt(); }
  double f(const std::string& name) const { return get(name).toDouble(); }
  c10::IValue ival(const std::string& name) const { return get(name); }
  at::Tensor t(const std::string& name) const { return c10::IValue(get(name)).toTensor(); }

 private:
  const sconce::Node& self() const { return *reinterpret_cast<const sconce::Node*>(this); }
  const sconce::Attribute* find(const std::string& name) const {
    for (const auto& a : self().attributes)
      if (a.name.view() == name || a.name.unqualified() == name) return &a;
    return nullptr;
  }
  const sconce::IValue& get(const std::string& name) const {
    if (const sconce::Attribute* a = find(name)) return a->value;
    throw c10::Error("the node has no attribute " + name);
  }
};
struct Block {
  Block() = delete;
  c10::ArrayRef<Value*> inputs() const { return detail::values(self().inputs()); }
  c10::ArrayRef<Value*> outputs() const { return detail::values(self().outputs()); }
  detail::NodeRange nodes() const { return {const_cast<sconce::Block*>(&self())}; }

 private:
  const sconce::Block& self() const { return *reinterpret_cast<const sconce::Block*>(this); }
};
struct Graph {
  Graph() = delete;
  c10::ArrayRef<Value*> inputs() const { return detail::values(self().inputs()); }
  c10::ArrayRef<Value*> outputs() const { return detail::values(self().outputs()); }
  detail::NodeRange nodes() const { return {self().block()}; }
  Block* block() const { return reinterpret_cast<Block*>(self().block()); }
  std::string toString(bool = true) const { return sconce::libtorch::graph_text(self()); }
  friend std::ostream& operator<<(std::ostream& os, const Graph& g) { return os << g.toString(); }

 private:
  const sconce::Graph& self() const { return *reinterpret_cast<const sconce::Graph*>(this); }
};
inline std::shared_ptr<Graph> graph_of(const sconce::Module& m, const std::string& method,
                                       bool inlined) {
  std::shared_ptr<sconce::Graph> g =
      c10::detail::guarded([&] { return sconce::libtorch::graph(m, method, inlined); });
  return std::shared_ptr<Graph>(g, reinterpret_cast<Graph*>(g.get()));
}

}  // namespace torch::jit
