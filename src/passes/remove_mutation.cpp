// SPDX-License-Identifier: Apache-2.0
// Writes become new values where nobody can tell the difference:
//
//   %a = aten::zeros(...)                       %a = aten::zeros(...)
//   %b = aten::add_(%a, %x, %one)           =>  %b = aten::add(%a, %x, %one)
//   %c = aten::mul(%a, %y)                      %c = aten::mul(%b, %y)
//
//   %l = prim::ListConstruct(%x)            =>  %l = prim::ListConstruct(%x, %y)
//   %m = aten::append(%l, %y)
//
// when the written value is memory of its own and nothing that reads or writes it stands between
// its making and the write; nodes in between may move behind the write. fill_, zero_ and normal_
// become nodes that make a tensor like the written one. The value of an If whose branches both make
// memory of their own counts too. remove_mutation does both, lists first;
// inplace_to_functional_activation takes activations only (PyTorch's names). Order: before passes
// that look for values, such as those that fold or share.
#include "passes/mutation.h"

#include <algorithm>

#include "ir/cleanup.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

constexpr std::pair<const char*, bool> kActivations[] = {
    {"sigmoid", true},    {"tanh", true},      {"celu", false},       {"elu", false},
    {"gelu", false},      {"glu", false},      {"hardshrink", false}, {"hardsigmoid", false},
    {"hardswish", false}, {"hardtanh", false}, {"leaky_relu", false}, {"prelu", false},
    {"relu6", false},     {"relu", false},     {"rrelu", false},      {"selu", false},
    {"silu", false}};

const std::vector<Activation>& activations() {
  static const auto* table = [] {
    auto* t = new std::vector<Activation>;
    for (auto& [name, may_promote] : kActivations) {
      const std::string kind = std::string("aten::") + name;
      t->push_back({Symbol(kind), Symbol(kind + "_"), may_promote});
    }
    return t;
  }();
  return *table;
}

}  // namespace

const Activation* activation(Symbol kind) {
  for (const Activation& a : activations())
    if (a.kind == kind) return &a;
  return nullptr;
}
const Activation* in_place_activation(Symbol kind) {
  for (const Activation& a : activations())
    if (a.in_place == kind) return &a;
  return nullptr;
}

bool has_effect_or_alias(Value* v, const TorchAliasDb& db) {
  const Node* n = v->node;
  if (n->kind == prim::Param || !n->blocks.empty() || subgraph(n) || has_side_effects(n))
    return true;
  return n->kind != prim::ListConstruct && db.may_contain_alias(n->inputs, {v});
}

void replace_uses_after(Node* n, Value* old, Value* now) {
  std::vector<Use> later;
  for (const Use& u : old->uses) {
    Node* at = u.user;
    while (at && at->owner != n->owner) at = at->owner ? at->owner->owning_node : nullptr;
    if (at && is_before(n, at)) later.push_back(u);
  }
  for (const Use& u : later) u.user->replace_input(u.offset, now);
}

namespace {

class MutationRemover {
 public:
  MutationRemover(Graph& g, PassContext& c) : g_(g), c_(c), db_(g) {}

  bool remove_from_lists(Block* b) {
    check_stack();
    bool changed = false;
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) changed |= remove_from_lists(inner);
      if (!changes_list_literal(n)) continue;
      if (!joins_its_making(n->inputs[0], n)) {
        c_.missed(n, "list", "what is between may see the list before it is written");
        continue;
      }
      c_.applied(n, "list");
      put_into_literal(n);
      if (!n->outputs.empty()) n->output()->replace_all_uses_with(n->inputs[0]);
      n->destroy();
      changed = true;
    }
    return changed;
  }

  bool remove_from_tensors(Block* b, bool activations_only) {
    check_stack();
    bool changed = false;
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) changed |= remove_from_tensors(inner, activations_only);
      if (activations_only && !in_place_activation(n->kind)) continue;
      if (!writes_its_first(n)) continue;
      Value* written = n->inputs[0];
      if (!joins_its_making(written, n) && !joins_its_branches(written, n)) {
        c_.missed(n, "tensor",
                  "the tensor may be seen under another name, or before it is written");
        continue;
      }
      Node* pure = makes_tensor_like(n) ? tensor_like(n) : out_of_place(n);
      if (!pure) {
        c_.missed(n, "tensor", "the operator has no form that makes a new tensor of these");
        continue;
      }
      c_.applied(n, "tensor");
      replace_uses_after(n, written, pure->output());
      n->output()->replace_all_uses_with(pure->output());
      // What follows knows the new value under the old one's aliases.
      db_.replace(written, pure->output());
      n->destroy();
      changed = true;
    }
    return changed;
  }

 private:
  static bool is(const Node* n, const char* kind) { return n->kind.view() == kind; }
  static bool overload(const Node* n, const char* name) {
    return n->op && n->op->full_name() == name;
  }

  // ---- lists ----

  static bool changes_list_literal(const Node* n) {
    if (n->inputs.empty() || n->inputs[0]->node->kind != prim::ListConstruct) return false;
    if (is(n, "aten::append")) return n->inputs.size() == 2;
    const bool set = is(n, "aten::_set_item");
    if ((!set && !is(n, "aten::insert")) || n->inputs.size() != 3) return false;
    auto index = constant_value(n->inputs[1]);
    if (!index || !index->isInt()) return false;
    const auto size = static_cast<int64_t>(n->inputs[0]->node->inputs.size());
    return !set || (index->toInt() < size && index->toInt() >= -size);
  }
  static void put_into_literal(Node* n) {
    Node* list = n->inputs[0]->node;
    if (is(n, "aten::append")) return list->add_input(n->inputs[1]);
    const auto size = static_cast<int64_t>(list->inputs.size());
    int64_t at = constant_value(n->inputs[1])->toInt();
    if (at < 0) at = std::max<int64_t>(at + size, 0);
    at = std::min(at, size);
    if (is(n, "aten::insert"))
      list->insert_input(static_cast<size_t>(at), n->inputs[2]);
    else
      list->replace_input(static_cast<size_t>(at), n->inputs[2]);
  }

  // ---- tensors ----

  static bool makes_tensor_like(const Node* n) {
    return overload(n, "aten::zero_") || overload(n, "aten::fill_.Scalar") ||
           overload(n, "aten::normal_");
  }
  bool writes_its_first(Node* n) {
    if (!n->kind.is_aten()) return false;
    if (makes_tensor_like(n)) return true;
    const std::string_view name = n->kind.view();
    if (!n->op || name.back() != '_' || has_side_effects(n) || n->outputs.size() != 1 ||
        n->inputs.empty())
      return false;
    return db_.writes_to_alias(n, {n->inputs[0]}) &&
           !db_.writes_to_alias(n, {n->inputs.begin() + 1, n->inputs.end()}) &&
           !c_.ops->find(name.substr(0, name.size() - 1)).empty();
  }
  bool joins_its_making(Value* v, Node* n) {
    return !has_effect_or_alias(v, db_) && db_.move_before(v->node, n);
  }
  bool joins_its_branches(Value* v, Node* n) {
    if (v->node->kind != prim::If) return false;
    for (Block* b : v->node->blocks) {
      Value* made = b->outputs()[v->offset];
      if (made->uses.size() > 1 || has_effect_or_alias(made, db_)) return false;
    }
    return db_.move_before(v->node, n);
  }

  // Nodes before n, as its position and scope.
  Node* make(Node* n, const char* kind, const std::vector<Value*>& inputs, TypePtr type) {
    Node* r = g_.create(Symbol(kind), inputs)->insert_before(n);
    r->output()->set_type(type);
    r->op = resolve_operator(r, *c_.ops);
    return r;
  }
  Value* none(Node* n) { return g_.create_constant(IValue())->insert_before(n)->output(); }

  Node* tensor_like(Node* n) {
    Value* self = n->inputs[0];
    std::vector<Value*> in{self};
    const char* kind = "aten::zeros_like";
    if (overload(n, "aten::normal_")) {
      kind = "aten::normal";
      TypePtr ints = types::list(types::integer());
      Value* size = make(n, "aten::size", {self}, ints)->output();
      Value* dtype = make(n, "prim::dtype", {self}, types::integer())->output();
      Value* layout = make(n, "prim::layout", {self}, types::integer())->output();
      Value* device = make(n, "prim::device", {self}, types::device())->output();
      Value* pinned = make(n, "aten::is_pinned", {self, none(n)}, types::boolean())->output();
      in = {n->inputs[1], n->inputs[2], size, none(n), dtype, layout, device, pinned};
    } else if (overload(n, "aten::fill_.Scalar")) {
      kind = "aten::full_like";
      in = {self, n->inputs[1], make(n, "prim::dtype", {self}, types::integer())->output()};
      for (int i = 0; i < 4; ++i) in.push_back(none(n));
    } else {
      for (int i = 0; i < 5; ++i) in.push_back(none(n));
    }
    Node* r = make(n, kind, in, n->output()->type);
    r->range = n->range;
    r->scope = n->scope;
    return r;
  }
  Node* out_of_place(Node* n) {
    std::string kind(n->kind.view());
    kind.pop_back();
    Node* r = make(n, kind.c_str(), n->inputs, n->output()->type);
    r->range = n->range;
    r->scope = n->scope;
    if (r->op) return r;
    r->destroy();
    return nullptr;
  }

  Graph& g_;
  PassContext& c_;
  TorchAliasDb db_;
};

}  // namespace

bool remove_mutation(Graph& g, PassContext& c) {
  bool changed = MutationRemover(g, c).remove_from_lists(g.block());
  return MutationRemover(g, c).remove_from_tensors(g.block(), false) || changed;
}
bool remove_list_mutation(Graph& g, PassContext& c) {
  return MutationRemover(g, c).remove_from_lists(g.block());
}
bool inplace_to_functional_activation(Graph& g, PassContext& c) {
  return MutationRemover(g, c).remove_from_tensors(g.block(), true);
}

}  // namespace sconce
