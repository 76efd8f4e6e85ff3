// SPDX-License-Identifier: Apache-2.0
// Common subexpressions are computed once:
//
//   %a = aten::add(%x, %y, %1)            %a = aten::add(%x, %y, %1)
//   %b = aten::add(%x, %y, %1)      =>    %c = aten::mul(%a, %a)
//   %c = aten::mul(%a, %b)
//
// when both are of one kind with the same inputs, attributes and types, in one block or the later
// one in a block within; nothing writes their inputs or outputs, they have no effects, draw no
// random numbers, and no two results of the graph become one. PyTorch's _jit_pass_cse. Order:
// after inlining, before dead code.
#include <cstring>
#include <unordered_map>

#include "ir/torch_alias.h"
#include "passes/node_query.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

bool same_value(const IValue& a, const IValue& b);

bool same_tensor(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) return !a.defined() && !b.defined();
  if (a.dtype() != b.dtype() || a.sizes() != b.sizes() || !(a.device() == b.device())) return false;
  const Tensor s = copy_extent(a, nullptr), t = copy_extent(b, nullptr);
  return s.is_contiguous() && t.is_contiguous() && !is_quantized(s.dtype()) &&
         std::memcmp(s.const_raw_data(), t.const_raw_data(),
                     static_cast<size_t>(s.numel()) * element_size(s.dtype())) == 0;
}

bool same_values(const std::vector<IValue>& a, const std::vector<IValue>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (!same_value(a[i], b[i])) return false;
  return true;
}

// As far as constants go; types of containers aren't compared.
bool same_value(const IValue& a, const IValue& b) {
  check_stack();
  if (a.tag() != b.tag()) return false;
  if (a.isDouble()) return a.toDouble() == b.toDouble();
  if (a.isTensor()) {
    if (!a.box() || !b.box()) return a.box() == b.box();
    return a.box() == b.box() || same_tensor(a.toTensorRef(), b.toTensorRef());
  }
  if (a.isList()) return same_values(a.toListRef().items, b.toListRef().items);
  if (a.isTuple()) return same_values(a.toTupleRef().items, b.toTupleRef().items);
  if (a.isEnum()) return a.box() == b.box();
  if (a.isObject() || a.isFunction() || a.isFuture()) return a.box() == b.box();
  return ivalue_equal(a, b);
}

bool same_attributes(const Node* a, const Node* b) {
  if (a->attributes.size() != b->attributes.size() || a->function != b->function) return false;
  for (const Attribute& x : a->attributes) {
    const Attribute* y = b->find(x.name);
    if (!y || x.kind != y->kind || x.kind == Attribute::Kind::Graph) return false;
    if (x.types != y->types || !same_value(x.value, y->value)) return false;
  }
  return true;
}

struct Hash {
  size_t operator()(const Node* n) const {
    size_t h = std::hash<Symbol>()(n->kind);
    for (const Value* v : n->inputs) h = h * 31 + std::hash<const void*>()(v);
    for (const Value* v : n->outputs) h = h * 31 + std::hash<const void*>()(v->type);
    if (n->is_constant())
      if (auto v = constant_value(n->output()); v && (v->isInt() || v->isBool() || v->isString()))
        h = h * 31 + ivalue_hash(*v);
    return h;
  }
};
struct Same {
  bool operator()(const Node* a, const Node* b) const {
    if (a->kind != b->kind || a->inputs != b->inputs || a->outputs.size() != b->outputs.size())
      return false;
    for (size_t i = 0; i < a->outputs.size(); ++i)
      if (a->outputs[i]->type != b->outputs[i]->type) return false;
    return same_attributes(a, b);
  }
};

class CommonSubexpressions {
 public:
  CommonSubexpressions(Graph& g, PassContext& c) : graph_(g), context_(c) {}
  bool run() { return block(graph_.block(), nullptr); }

 private:
  struct Seen {
    std::unordered_set<Node*, Hash, Same> nodes;
    const Seen* outer;
    Node* find_outside(Node* n) const {
      for (const Seen* s = outer; s; s = s->outer)
        if (auto it = s->nodes.find(n); it != s->nodes.end()) return *it;
      return nullptr;
    }
  };
  TorchAliasDb& alias() {
    if (!alias_) alias_.emplace(graph_);
    return *alias_;
  }
  bool block(Block* b, const Seen* outer) {
    check_stack();
    Seen seen{{}, outer};
    bool changed = false;
    for (Node* n : b->nodes()) {
      if (is_kind(n, "prim::profile") || torch_side_effects(n) || torch_nondeterministic(n))
        continue;
      if (!n->blocks.empty()) {
        for (Block* inner : n->blocks) changed |= block(inner, &seen);
        continue;
      }
      if (alias().has_writers(n)) continue;
      if (Node* known = seen.find_outside(n)) {
        if (alias().may_unite(n->outputs, known->outputs)) {
          unite(n, known);
          changed = true;
        } else {
          context_.missed(n, "cse", "both values leave the graph");
        }
        continue;
      }
      auto [it, added] = seen.nodes.insert(n);
      if (added) continue;
      if (alias().may_contain_alias(n->outputs, graph_.outputs()) &&
          alias().may_contain_alias((*it)->outputs, graph_.outputs())) {
        context_.missed(n, "cse", "both values are results of the graph");
        continue;
      }
      unite(n, *it);
      changed = true;
    }
    return changed;
  }
  void unite(Node* n, Node* known) {
    context_.applied(n, "cse");
    n->replace_all_uses_with(known);
    n->destroy();
  }

  Graph& graph_;
  PassContext& context_;
  std::optional<TorchAliasDb> alias_;
};

}  // namespace

bool cse(Graph& g, PassContext& c) { return CommonSubexpressions(g, c).run(); }

}  // namespace sconce
