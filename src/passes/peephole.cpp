// SPDX-License-Identifier: Apache-2.0
// PyTorch's peephole pass:
//
//   %b = aten::__is__(%x, %none)           =>   False, when %x's type can't be None
//   %i = aten::Int(prim::NumToTensor(%k))  =>   %k
//   %y = aten::mul(%x, 1)                  =>   %x, when both needn't stay two tensors
//   %d = aten::dim(aten::conv2d(...))      =>   4
//   cat([cat([%x, %y]), %z])               =>   cat([%x, %y, %z])
//
// and what peephole_list_idioms.cpp and peephole_shapes.cpp say. disable_shape_peepholes=true:
// types of tensors aren't trusted. PyTorch's _jit_pass_peephole. Order: after inlining, before
// constant propagation, which takes out the decided Ifs.
#include <algorithm>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include "ir/torch_alias.h"
#include "ir/cleanup.h"
#include "passes/node_query.h"
#include "passes/passes.h"
#include "passes/peephole_parts.h"
#include "support/stack.h"

namespace sconce {

namespace {

// ---- tensors ----

// sum_to(sum_to(x, a), b) is sum_to(x, b).
bool skip_inner_sums(Node* n) {
  bool changed = false;
  const std::vector<Use> uses = n->output()->uses;
  for (const Use& u : uses)
    if (is_overload(u.user, "aten::_grad_sum_to_size") &&
        u.user->inputs[1]->type->is_subtype_of(types::list(types::integer()))) {
      u.user->replace_input(0, n->inputs[0]);
      changed = true;
    }
  return changed;
}

Value* tensor_idiom(const Node* n) {
  if (is_overload(n, "aten::_grad_sum_to_size"))
    return must_be_none(n->inputs[1]) ? n->inputs[0] : nullptr;
  if (is_overload(n, "aten::t")) {
    const Node* in = n->inputs[0]->node;
    return is_overload(in, "aten::t") ? in->inputs[0] : nullptr;
  }
  if ((is_kind(n, "aten::Float") || is_kind(n, "aten::Int") || is_kind(n, "aten::FloatImplicit") ||
       is_kind(n, "aten::IntImplicit") || is_kind(n, "aten::ScalarImplicit")) &&
      n->inputs.size() == 1 && n->inputs[0]->node->kind == prim::NumToTensor)
    return n->inputs[0]->node->inputs[0];
  return nullptr;
}

bool tensor_idioms(Block* b, PassContext& c, bool shapes) {
  check_stack();
  bool changed = false;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) changed |= tensor_idioms(inner, c, shapes);
    if (Value* same = tensor_idiom(n)) {
      c.applied(n, "tensor");
      n->output()->replace_all_uses_with(same);
      changed = true;
    } else if (is_overload(n, "aten::_grad_sum_to_size")) {
      changed |= skip_inner_sums(n);
    } else if (shapes) {
      changed |= shape_idiom(n, c);
    }
  }
  return changed;
}

// ---- what depends on aliasing ----

class AliasSensitive {
 public:
  AliasSensitive(Graph& g, PassContext& c, bool shapes)
      : graph_(g), context_(c), shapes_(shapes), alias_(g) {}
  bool run() { return block(graph_.block()); }

 private:
  bool replace(Node* n) {
    Value *in = n->inputs[0], *out = n->output();
    if (!alias_.may_unite({in}, {out}) || alias_.may_alias({in, out}, stale_)) {
      context_.missed(n, "neutral", "the result and the operand must stay two tensors");
      return false;
    }
    context_.applied(n, "neutral");
    out->replace_all_uses_with(in);
    stale_.insert(in);
    stale_.insert(out);
    return true;
  }
  // Numbers don't change a tensor's dtype: it is known to be a floating one, or they are integers.
  bool promotes(const Node* n) const {
    const TensorInfo* t = n->inputs[0]->type->tensor.get();
    if (shapes_ && t && t->has_dtype && is_floating(t->dtype)) return false;
    for (size_t i = 1; i < n->inputs.size(); ++i)
      if (n->inputs[i]->type->kind != TypeKind::Int) return true;
    return is_kind(n, "aten::div");
  }
  static bool is_neutral(const Node* n) {
    auto other = constant_number(n->inputs[1]);
    if (is_overload(n, "aten::mul.Scalar") || is_overload(n, "aten::div.Scalar")) return other == 1;
    return (is_overload(n, "aten::add.Scalar") || is_overload(n, "aten::sub.Scalar")) &&
           other == 0 && constant_number(n->inputs[2]) == 1;
  }
  // dim() of a convolution.
  bool dims(Node* n, int64_t count) {
    std::vector<Node*> users;
    for (const Use& u : n->output()->uses)
      if (is_kind(u.user, "aten::dim")) users.push_back(u.user);
    bool changed = false;
    const bool written = alias_.has_writers(n->output());
    for (Node* u : users) {
      if (written && !alias_.move_after(n, u)) {
        context_.missed(u, "dim", "the tensor may be written before it is asked");
        continue;
      }
      context_.applied(u, "dim");
      replace_by_constant(u, u->output(), IValue(count));
      changed = true;
    }
    return changed;
  }
  bool block(Block* b) {
    check_stack();
    bool changed = false;
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) changed |= block(inner);
      int64_t count = is_kind(n, "aten::conv1d")   ? 3
                      : is_kind(n, "aten::conv2d") ? 4
                      : is_kind(n, "aten::conv3d") ? 5
                                                   : 0;
      if (count)
        changed |= dims(n, count);
      else if (n->inputs.size() > 1 && is_neutral(n) && !promotes(n))
        changed |= replace(n);
    }
    return changed;
  }

  Graph& graph_;
  PassContext& context_;
  bool shapes_;
  TorchAliasDb alias_;
  std::unordered_set<const Value*> stale_;
};

// ---- numbers, None, casts ----

bool must_not_be_none(const Value* v) {
  if (is_kind(v->node, "prim::AutogradAdd")) return false;
  if (v->type->kind == TypeKind::None || v->type->kind == TypeKind::Optional) return false;
  return v->type->kind != TypeKind::Union || !can_hold_none(v->type);
}
// The constant of an integer operation; it becomes the second operand.
std::optional<int64_t> arithmetic_constant(Node* n) {
  if (n->inputs.size() != 2 || n->inputs[0]->type->kind != TypeKind::Int ||
      n->inputs[1]->type->kind != TypeKind::Int)
    return std::nullopt;
  if (is_kind(n, "aten::mul") || is_kind(n, "aten::add"))
    if (auto c = constant_int(n->inputs[0])) {
      Value *a = n->inputs[0], *b = n->inputs[1];
      n->replace_input(0, b);
      n->replace_input(1, a);
      return c;
    }
  return constant_int(n->inputs[1]);
}
bool simplify_sum(Node* n) {
  auto c = arithmetic_constant(n);
  if (!c) return false;
  if (*c == 0) {
    n->output()->replace_all_uses_with(n->inputs[0]);
    return true;
  }
  Node* dep = n->inputs[0]->node;
  if (!is_kind(dep, "aten::add") && !is_kind(dep, "aten::sub")) return false;
  auto d = arithmetic_constant(dep);
  if (!d) return false;
  int64_t merged;
  if (dep->kind == n->kind ? __builtin_add_overflow(*c, *d, &merged)
                           : __builtin_sub_overflow(*c, *d, &merged))
    return false;
  if (merged == 0) {
    n->output()->replace_all_uses_with(dep->inputs[0]);
  } else {
    InsertPoint point(*n->graph, n);
    n->replace_input(0, dep->inputs[0]);
    n->replace_input(1, n->graph->insert_constant(IValue(merged)));
  }
  return true;
}
bool compares_without_error(TypePtr t) {
  auto plain = [](TypePtr e) {
    return e->kind == TypeKind::Bool || e->kind == TypeKind::Int || e->kind == TypeKind::Float ||
           e->kind == TypeKind::None;
  };
  if (t->kind == TypeKind::List) return plain(t->elems[0]);
  if (t->kind == TypeKind::Dict) return plain(t->elems[0]) && plain(t->elems[1]);
  return plain(t);
}
// `x and True`, `x or False`; and a type that both branches have.
bool if_idiom(Node* n) {
  bool changed = false;
  const auto &then = n->blocks[0]->outputs(), &otherwise = n->blocks[1]->outputs();
  for (size_t i = 0; i < n->outputs.size(); ++i)
    if (n->outputs[i]->type->kind == TypeKind::Bool && constant_bool(then[i]).value_or(false) &&
        !constant_bool(otherwise[i]).value_or(true)) {
      n->outputs[i]->replace_all_uses_with(n->inputs[0]);
      changed = true;
    }
  for (size_t i = 0; i < n->outputs.size(); ++i) {
    TypePtr x = then[i]->type, y = otherwise[i]->type;
    if (n->outputs[i]->type->kind != TypeKind::Optional || x->kind == TypeKind::Optional ||
        y->kind == TypeKind::Optional)
      continue;
    if (TypePtr t = unify_types(x, y, *n->graph->types)) {
      n->outputs[i]->type = t;
      changed = true;
    }
  }
  return changed;
}

bool compares_with_none(Node* n) {
  bool changed = false;
  for (size_t k : {size_t{0}, size_t{1}})
    if (must_be_none(n->inputs[k]) && must_not_be_none(n->inputs[1 - k])) {
      replace_by_constant(n, n->output(), IValue(is_kind(n, "aten::__isnot__")));
      changed = true;
    }
  return changed;
}

// The input that n gives unchanged.
Value* same_as_input(Node* n) {
  if (n->inputs.empty()) return nullptr;
  Value* in = n->inputs[0];
  if (is_kind(n, "aten::_unwrap_optional") || is_kind(n, "prim::unchecked_unwrap_optional"))
    return must_not_be_none(in) ? in : nullptr;
  if (n->kind == prim::unchecked_cast) {
    TypeTable& table = *n->graph->types;
    return unshaped(in->type, table)->is_subtype_of(unshaped(n->output()->type, table)) ? in
                                                                                        : nullptr;
  }
  if (is_kind(n, "aten::Int") || is_kind(n, "aten::ceil"))
    return n->inputs.size() == 1 && in->type->kind == TypeKind::Int ? in : nullptr;
  if (is_kind(n, "aten::mul") || is_kind(n, "aten::floordiv") || is_kind(n, "aten::div"))
    return arithmetic_constant(n) == 1 ? n->inputs[0] : nullptr;
  return nullptr;
}

bool other_idiom(Node* n) {
  bool changed = false;
  if (!n->is_constant())
    for (Value* out : n->outputs)
      if (out->type->kind == TypeKind::None) {
        replace_by_constant(n, out, IValue());
        changed = true;
      }
  if (n->kind == prim::If) return if_idiom(n) || changed;
  if (n->outputs.size() != 1) return changed;
  if (Value* same = same_as_input(n)) {
    n->output()->replace_all_uses_with(same);
    return true;
  }
  if (is_kind(n, "aten::__is__") || is_kind(n, "aten::__isnot__"))
    return compares_with_none(n) || changed;
  if (is_kind(n, "aten::add") || is_kind(n, "aten::sub")) return simplify_sum(n) || changed;
  if ((is_kind(n, "aten::ne") || is_kind(n, "aten::eq")) && n->inputs.size() == 2 &&
      n->inputs[0] == n->inputs[1] && compares_without_error(n->inputs[0]->type)) {
    replace_by_constant(n, n->output(), IValue(is_kind(n, "aten::eq")));
    return true;
  }
  return changed;
}

bool other_idioms(Block* b, PassContext& c) {
  check_stack();
  bool changed = false;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) changed |= other_idioms(inner, c);
    if (!other_idiom(n)) continue;
    c.applied(n, "value");
    changed = true;
  }
  return changed;
}

// ---- concatenations of concatenations ----

// %a = aten::cat([%x, %y], 1); %b = aten::cat([%a, %z], 1)  =>  %b = aten::cat([%x, %y, %z], 1)
// when %b is the only use of %a. A concatenation takes in one other at most, as PyTorch has it.
class Concatenations {
 public:
  Concatenations(Graph& g, PassContext& c) : graph_(g), context_(c), alias_(g) {}
  bool run() {
    collect(graph_.block());
    if (pairs_.empty()) return false;
    // By the outer concatenation: all that its list holds at last.
    std::unordered_map<Node*, std::vector<Value*>> lists;
    for (const Pair& p : pairs_) {
      auto known = lists.find(p.inner);
      std::vector<Value*> items =
          known == lists.end() ? p.inner->inputs[0]->node->inputs : std::move(known->second);
      if (known != lists.end()) lists.erase(known);
      const auto& around = p.outer->inputs[0]->node->inputs;
      auto place = around.begin() + static_cast<ptrdiff_t>(p.index);
      items.insert(items.begin(), around.begin(), place);
      items.insert(items.end(), place + 1, around.end());
      lists.emplace(p.outer, std::move(items));
    }
    for (const Pair& p : pairs_) {
      auto it = lists.find(p.outer);
      if (it == lists.end()) continue;
      Value* old = p.outer->inputs[0];
      InsertPoint point(graph_, p.outer);
      Node* list = graph_.insert_node(graph_.create_list(old->type->elems[0], it->second));
      list->output()->type = old->type;
      old->replace_all_uses_with(list->output());
      lists.erase(it);
    }
    eliminate_dead_code(graph_);
    return true;
  }

 private:
  struct Pair {
    Node *inner, *outer;
    size_t index;  // of the inner one's result in the outer one's list
  };
  void collect(Block* b) {
    check_stack();
    for (Node* n : b->nodes()) {
      if (is_kind(n, "aten::cat")) consider(n);
      for (Block* inner : n->blocks) collect(inner);
    }
  }
  void consider(Node* n) {
    auto dim = constant_int(n->inputs[1]);
    if (!dim || n->inputs[0]->node->kind != prim::ListConstruct || n->output()->uses.size() != 1)
      return;
    Use in_list = n->output()->uses[0];
    if (in_list.user->kind != prim::ListConstruct || in_list.user->output()->uses.size() != 1)
      return;
    Node* outer = in_list.user->output()->uses[0].user;
    if (!is_kind(outer, "aten::cat") || constant_int(outer->inputs[1]) != dim) return;
    // What is joined must be the same at the list, here and at the outer one.
    Node* list = n->inputs[0]->node;
    if (list->owner != n->owner || outer->owner != n->owner) return;
    for (Node* between = list->next; between != outer; between = between->next)
      if (alias_.writes_to_alias(between, {n->inputs[0], in_list.user->output()}))
        return context_.missed(n, "cat", "what is joined may be written in between");
    context_.applied(n, "cat");
    pairs_.push_back({n, outer, in_list.offset});
  }

  Graph& graph_;
  PassContext& context_;
  TorchAliasDb alias_;
  std::vector<Pair> pairs_;
};

}  // namespace

namespace {
bool peephole_with(Graph& g, PassContext& c, bool shapes) {
  bool changed = tensor_idioms(g.block(), c, shapes);
  changed |= list_idioms(g, c, false);
  changed |= dict_idioms(g, c);
  changed |= AliasSensitive(g, c, shapes).run();
  changed |= other_idioms(g.block(), c);
  changed |= Concatenations(g, c).run();
  // PyTorch's pass doesn't analyze here either: dead writes go with constant propagation.
  if (changed) eliminate_dead_code(g, false);
  return changed;
}
}  // namespace

bool peephole(Graph& g, PassContext& c) {
  return peephole_with(g, c, !c.arguments.flag("disable_shape_peepholes", false));
}
bool peephole_without_shapes(Graph& g, PassContext& c) { return peephole_with(g, c, false); }

}  // namespace sconce
