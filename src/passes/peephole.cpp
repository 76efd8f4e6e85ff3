// SPDX-License-Identifier: Apache-2.0
// PyTorch's peephole pass without the rewrites that need known shapes:
//
//   %b = aten::__is__(%x, %none)      =>   False, when %x's type can't be None
//   %n = aten::len(%list_construct)   =>   its number of elements
//   %i = aten::Int(prim::NumToTensor(%k))  =>   %k
//   cat([cat([%x, %y]), %z])          =>   cat([%x, %y, %z])
//
// Order: after inlining, before constant propagation, which takes out the decided Ifs.
#include <algorithm>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include "ir/alias.h"
#include "ir/cleanup.h"
#include "passes/passes.h"
#include "support/stack.h"

namespace sconce {

namespace {

bool is(const Node* n, const char* kind) { return n->kind.view() == kind; }
bool matches(const Node* n, const char* overload) {
  return n->op && n->op->full_name() == overload;
}
void replace_by_constant(Node* at, Value* old, IValue v) {
  InsertPoint point(*at->graph, at);
  old->replace_all_uses_with(at->graph->insert_constant(std::move(v)));
}
std::optional<int64_t> constant_int(const Value* v) {
  auto c = constant_value(v);
  return c && c->isInt() ? std::optional<int64_t>(c->toInt()) : std::nullopt;
}

// ---- tensors ----

bool tensor_idioms(Block* b) {
  check_stack();
  bool changed = false;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) changed |= tensor_idioms(inner);
    if (matches(n, "aten::_grad_sum_to_size")) {
      if (n->inputs[1]->type->kind == TypeKind::None) {
        n->output()->replace_all_uses_with(n->inputs[0]);
        changed = true;
      }
    } else if (matches(n, "aten::t")) {
      Node* in = n->inputs[0]->node;
      if (matches(in, "aten::t")) {
        n->output()->replace_all_uses_with(in->inputs[0]);
        changed = true;
      }
    } else if ((is(n, "aten::Float") || is(n, "aten::Int") || is(n, "aten::FloatImplicit") ||
                is(n, "aten::IntImplicit") || is(n, "aten::ScalarImplicit")) &&
               n->inputs.size() == 1 && n->inputs[0]->node->kind == prim::NumToTensor) {
      n->output()->replace_all_uses_with(n->inputs[0]->node->inputs[0]);
      changed = true;
    }
  }
  return changed;
}

// ---- lists and dicts that nothing writes ----

class Containers {
 public:
  explicit Containers(Graph& g) : graph_(g), alias_(g) {}
  bool run_lists() { return lists(graph_.block()); }
  bool run_dicts() { return dicts(graph_.block()); }

 private:
  bool written(Value* v) {
    // Values made since the analysis are known by mark.
    if (fresh_.count(v)) return fresh_written_.count(v) != 0;
    return alias_.has_writers_itself(v);
  }
  Value* new_list(Node* at, const std::vector<Value*>& items) {
    InsertPoint point(graph_, at);
    Node* made = graph_.insert_node(graph_.create_list(at->output()->type->elems[0], items));
    Value* v = made->output();
    v->type = at->output()->type;
    fresh_.insert(v);
    if (written(at->output())) fresh_written_.insert(v);
    at->output()->replace_all_uses_with(v);
    return v;
  }
  bool lists(Block* b) {
    check_stack();
    bool changed = false;
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) changed |= lists(inner);
      if (n->inputs.empty() || n->inputs[0]->type->kind != TypeKind::List) continue;
      Value* first = n->inputs[0];
      if (first->node->kind != prim::ListConstruct || written(first)) continue;
      auto& items = first->node->inputs;
      auto size = static_cast<int64_t>(items.size());
      if (is(n, "aten::len")) {
        replace_by_constant(n, n->output(), IValue(size));
        changed = true;
      } else if (is(n, "aten::__getitem__")) {
        auto i = constant_int(n->inputs[1]);
        if (!i) continue;
        int64_t at = *i < 0 ? *i + size : *i;
        if (at < 0 || at >= size) continue;
        n->output()->replace_all_uses_with(items[static_cast<size_t>(at)]);
        changed = true;
      } else if (n->kind == prim::ListUnpack) {
        if (items.size() != n->outputs.size()) continue;
        for (size_t i = 0; i < items.size(); ++i) {
          n->outputs[i]->replace_all_uses_with(items[i]);
          changed = true;
        }
      } else if (is(n, "aten::add")) {
        if (n->inputs.size() != 2) continue;
        Value* second = n->inputs[1];
        if (second->node->kind != prim::ListConstruct || written(second)) continue;
        std::vector<Value*> all(items.begin(), items.end());
        all.insert(all.end(), second->node->inputs.begin(), second->node->inputs.end());
        new_list(n, all);
        changed = true;
      } else if (is(n, "aten::slice")) {
        changed |= slice(n, items);
      }
    }
    return changed;
  }
  bool slice(Node* n, const std::vector<Value*>& items) {
    if (n->inputs.size() != 4) return false;
    auto a = constant_value(n->inputs[1]), e = constant_value(n->inputs[2]),
         s = constant_value(n->inputs[3]);
    if (!a || !e || !s) return false;
    auto size = static_cast<int64_t>(items.size());
    constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
    int64_t step = s->isInt() ? s->toInt() : 1;
    if (step == 0) return false;
    step = std::clamp(step, -size - 1, size + 1);  // beyond the ends is beyond the ends
    // None is the end from which the step leads away.
    int64_t start = a->isInt() ? a->toInt() : step > 0 ? 0 : kMax;
    int64_t end = e->isInt() ? e->toInt() : step > 0 ? kMax : -size - 1;
    auto clip = [&](int64_t v) {
      if (v < 0) return std::max<int64_t>(v + size, step < 0 ? -1 : 0);
      return std::min(v, step < 0 ? size - 1 : size);
    };
    start = clip(start);
    end = clip(end);
    std::vector<Value*> kept;
    for (int64_t i = start; step > 0 ? i < end : i > end; i += step)
      kept.push_back(items[static_cast<size_t>(i)]);
    new_list(n, kept);
    return true;
  }
  // The value of a constant key of a dict literal whose keys are constants and differ.
  static bool constant_keys(const Node* n, std::vector<IValue>& keys) {
    for (size_t i = 0; i + 1 < n->inputs.size(); i += 2) {
      auto k = constant_value(n->inputs[i]);
      if (!k || !(k->isInt() || k->isDouble() || k->isString())) return false;
      for (auto& other : keys)
        if (same_key(other, *k)) return false;
      keys.push_back(*k);
    }
    return true;
  }
  static bool same_key(const IValue& a, const IValue& b) {
    if (a.isInt() && b.isInt()) return a.toInt() == b.toInt();
    if (a.isDouble() && b.isDouble()) return a.toDouble() == b.toDouble();
    return a.isString() && b.isString() && a.toStringRef() == b.toStringRef();
  }
  bool dicts(Block* b) {
    check_stack();
    bool changed = false;
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) changed |= dicts(inner);
      if (n->inputs.empty() || n->inputs[0]->type->kind != TypeKind::Dict) continue;
      Value* first = n->inputs[0];
      if (first->node->kind != prim::DictConstruct || written(first)) continue;
      std::vector<IValue> keys;
      if (is(n, "aten::len")) {
        if (!constant_keys(first->node, keys)) continue;
        replace_by_constant(n, n->output(), IValue(static_cast<int64_t>(keys.size())));
        changed = true;
      } else if (is(n, "aten::__getitem__")) {
        auto wanted = constant_value(n->inputs[1]);
        if (!wanted || !constant_keys(first->node, keys)) continue;
        for (size_t i = 0; i < keys.size(); ++i)
          if (same_key(keys[i], *wanted)) {
            n->output()->replace_all_uses_with(first->node->inputs[2 * i + 1]);
            changed = true;
          }
      }
    }
    return changed;
  }

  Graph& graph_;
  AliasDb alias_;
  std::unordered_set<const Value*> fresh_, fresh_written_;
};

// ---- what depends on aliasing ----

class AliasSensitive {
 public:
  explicit AliasSensitive(Graph& g) : graph_(g), alias_(g) {}
  bool run() { return block(graph_.block()); }

 private:
  bool escapes(const Value* v) {
    for (const Value* io : graph_.block()->outputs())
      if (alias_.may_contain_alias(v, io)) return true;
    for (const Value* io : graph_.inputs())
      if (alias_.may_contain_alias(v, io)) return true;
    return false;
  }
  bool replace(Node* n) {
    Value *in = n->inputs[0], *out = n->output();
    if (alias_.has_writers(in) || alias_.has_writers(out)) return false;
    if (escapes(in) && escapes(out)) return false;
    for (const Value* s : stale_)
      if (alias_.may_alias(in, s) || alias_.may_alias(out, s)) return false;
    out->replace_all_uses_with(in);
    stale_.insert(in);
    stale_.insert(out);
    return true;
  }
  static bool int_constant(const Value* v, int64_t wanted) {
    auto c = constant_int(v);
    return v->type->kind == TypeKind::Int && c && *c == wanted;
  }
  bool block(Block* b) {
    check_stack();
    bool changed = false;
    for (Node* n : b->nodes()) {
      for (Block* inner : n->blocks) changed |= block(inner);
      int64_t dims = is(n, "aten::conv1d")   ? 3
                     : is(n, "aten::conv2d") ? 4
                     : is(n, "aten::conv3d") ? 5
                                             : 0;
      if (dims) {
        std::vector<Node*> users;
        for (const Use& u : n->output()->uses)
          if (is(u.user, "aten::dim")) users.push_back(u.user);
        if (users.empty() || alias_.has_writers(n->output())) continue;
        for (Node* u : users) replace_by_constant(u, u->output(), IValue(dims));
        changed = true;
      } else if (matches(n, "aten::add.Scalar") || matches(n, "aten::sub.Scalar")) {
        if (int_constant(n->inputs[1], 0) && int_constant(n->inputs[2], 1)) changed |= replace(n);
      } else if (matches(n, "aten::mul.Scalar")) {
        if (int_constant(n->inputs[1], 1)) changed |= replace(n);
      }
    }
    return changed;
  }

  Graph& graph_;
  AliasDb alias_;
  std::unordered_set<const Value*> stale_;
};

// ---- numbers, None, casts ----

bool must_be_none(const Value* v) {
  if (v->type->kind == TypeKind::None) return true;
  auto c = constant_value(v);
  return c && c->isNone();
}
bool must_not_be_none(const Value* v) {
  if (v->type->kind == TypeKind::None || v->type->kind == TypeKind::Optional) return false;
  return v->type->kind != TypeKind::Union || !can_hold_none(v->type);
}
// The constant of an integer operation; it becomes the second operand.
std::optional<int64_t> arithmetic_constant(Node* n) {
  if (n->inputs.size() != 2 || n->inputs[0]->type->kind != TypeKind::Int ||
      n->inputs[1]->type->kind != TypeKind::Int)
    return std::nullopt;
  if (is(n, "aten::mul") || is(n, "aten::add"))
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
  if (!is(dep, "aten::add") && !is(dep, "aten::sub")) return false;
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
bool constant_bool(const Value* v, bool fallback) {
  auto c = constant_value(v);
  return c && c->isBool() ? c->toBool() : fallback;
}

bool other_idioms(Block* b) {
  check_stack();
  bool changed = false;
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) changed |= other_idioms(inner);
    if (n->kind != prim::Constant)
      for (Value* out : n->outputs)
        if (out->type->kind == TypeKind::None) {
          replace_by_constant(n, out, IValue());
          changed = true;
        }
    if (n->kind == prim::If) {
      for (size_t i = 0; i < n->outputs.size(); ++i) {
        if (n->outputs[i]->type->kind != TypeKind::Bool) continue;
        if (constant_bool(n->blocks[0]->outputs()[i], false) &&
            !constant_bool(n->blocks[1]->outputs()[i], true)) {
          n->outputs[i]->replace_all_uses_with(n->inputs[0]);
          changed = true;
        }
      }
      for (size_t i = 0; i < n->outputs.size(); ++i) {
        TypePtr x = n->blocks[0]->outputs()[i]->type, y = n->blocks[1]->outputs()[i]->type;
        if (n->outputs[i]->type->kind != TypeKind::Optional || x->kind == TypeKind::Optional ||
            y->kind == TypeKind::Optional)
          continue;
        if (TypePtr t = unify_types(x, y, *n->graph->types)) {
          n->outputs[i]->type = t;
          changed = true;
        }
      }
    } else if (is(n, "aten::__is__") || is(n, "aten::__isnot__")) {
      for (size_t k : {size_t{0}, size_t{1}})
        if (must_be_none(n->inputs[k]) && must_not_be_none(n->inputs[1 - k])) {
          replace_by_constant(n, n->output(), IValue(is(n, "aten::__isnot__")));
          changed = true;
        }
    } else if (is(n, "aten::_unwrap_optional") || is(n, "prim::unchecked_unwrap_optional")) {
      if (must_not_be_none(n->inputs[0])) {
        n->output()->replace_all_uses_with(n->inputs[0]);
        changed = true;
      }
    } else if (n->kind == prim::unchecked_cast) {
      if (n->inputs[0]->type->is_subtype_of(n->output()->type)) {
        n->output()->replace_all_uses_with(n->inputs[0]);
        changed = true;
      }
    } else if ((is(n, "aten::Int") || is(n, "aten::ceil")) && n->inputs.size() == 1 &&
               n->inputs[0]->type->kind == TypeKind::Int) {
      n->output()->replace_all_uses_with(n->inputs[0]);
      changed = true;
    } else if (is(n, "aten::ne") || is(n, "aten::eq")) {
      if (n->inputs.size() == 2 && n->inputs[0] == n->inputs[1] &&
          compares_without_error(n->inputs[0]->type)) {
        replace_by_constant(n, n->output(), IValue(is(n, "aten::eq")));
        changed = true;
      }
    } else if (is(n, "aten::mul") || is(n, "aten::floordiv") || is(n, "aten::div")) {
      auto c = arithmetic_constant(n);
      if (c && *c == 1) {
        n->output()->replace_all_uses_with(n->inputs[0]);
        changed = true;
      }
    } else if (is(n, "aten::add") || is(n, "aten::sub")) {
      changed |= simplify_sum(n);
    }
  }
  return changed;
}

// ---- concatenations of concatenations ----

// %a = aten::cat([%x, %y], 1); %b = aten::cat([%a, %z], 1)  =>  %b = aten::cat([%x, %y, %z], 1)
// when %b is the only use of %a. A concatenation takes in one other at most, as PyTorch has it.
class Concatenations {
 public:
  explicit Concatenations(Graph& g) : graph_(g), alias_(g) {}
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
      if (is(n, "aten::cat")) consider(n);
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
    if (!is(outer, "aten::cat") || constant_int(outer->inputs[1]) != dim) return;
    // What is joined must be the same at the list, here and at the outer one.
    Node* list = n->inputs[0]->node;
    if (list->owner != n->owner || outer->owner != n->owner) return;
    for (Node* between = list->next; between != outer; between = between->next)
      if (alias_.writes_to_alias(between, {n->inputs[0], in_list.user->output()})) return;
    pairs_.push_back({n, outer, in_list.offset});
  }

  Graph& graph_;
  AliasDb alias_;
  std::vector<Pair> pairs_;
};

}  // namespace

bool peephole(Graph& g, PassContext&) {
  bool changed = tensor_idioms(g.block());
  changed |= Containers(g).run_lists();
  changed |= Containers(g).run_dicts();
  changed |= AliasSensitive(g).run();
  changed |= other_idioms(g.block());
  changed |= Concatenations(g).run();
  // PyTorch's pass doesn't analyze here either: dead writes go with constant propagation.
  if (changed) eliminate_dead_code(g, false);
  return changed;
}

}  // namespace sconce
