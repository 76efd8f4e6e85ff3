// SPDX-License-Identifier: Apache-2.0
// Conditions: short circuits, None checks, isinstance, and what they tell of variables' types.
#include <algorithm>

#include "loader/script/emitter.h"
#include "support/stack.h"

namespace sconce::script {

namespace {
std::vector<Refinement> union_set(const std::vector<Refinement>& a,
                                  const std::vector<Refinement>& b) {
  std::vector<Refinement> r = a;
  for (auto& x : b) {
    auto it =
        std::find_if(r.begin(), r.end(), [&](const Refinement& e) { return e.name == x.name; });
    if (it == r.end())
      r.push_back(x);
    else if (it->type != x.type)
      r.erase(it);
  }
  return r;
}
std::vector<Refinement> intersect_set(const std::vector<Refinement>& a,
                                      const std::vector<Refinement>& b) {
  std::vector<Refinement> r;
  for (auto& x : a)
    for (auto& y : b)
      if (x.name == y.name && x.type == y.type) {
        r.push_back(x);
        break;
      }
  return r;
}
enum class NoneStatus { Always, Maybe, Never };
NoneStatus none_status(Value* v) {
  if (v->node->must_be_none() && v->node->kind == prim::Constant) return NoneStatus::Always;
  if (v->node->must_be_none()) return NoneStatus::Always;
  if (v->type->kind == TypeKind::Optional) return NoneStatus::Maybe;
  if (v->type->kind == TypeKind::Union && can_hold_none(v->type)) return NoneStatus::Maybe;
  return NoneStatus::Never;
}
}  // namespace

RefinementSet RefinementSet::And(const RefinementSet& r) const {
  return {union_set(when_true, r.when_true), intersect_set(when_false, r.when_false)};
}
RefinementSet RefinementSet::Or(const RefinementSet& r) const {
  return {intersect_set(when_true, r.when_true), union_set(when_false, r.when_false)};
}

Cond Emitter::constant_condition(bool v, RefinementSet r) {
  return {insert_constant(v), std::move(r), v};
}

void Emitter::insert_refinements(const std::vector<Refinement>& list) {
  for (auto& r : list) {
    Value* v = get_var(r.name);
    set_var(r.name, unchecked_cast(v, r.type));
  }
}

Value* Emitter::unchecked_cast(Value* v, TypePtr t) {
  Node* n = insert(prim::unchecked_cast, {v});
  n->output()->type = t;
  return n->output();
}

Value* Emitter::to_bool(Value* v) {
  Value* out = as_value(call(resolve_global("bool"), {{v, ""}}, {}));
  if (!out->type->is_subtype_of(types::boolean()))
    error("expected a bool expression for condition but found ", out->type->annotation_str());
  return out;
}

Cond Emitter::condition(const TreeRef& e) {
  check_stack();
  RangeScope scope(*graph_, e->range);
  switch (e->kind) {
    case Kind::And:
    case Kind::Or: return short_circuit((*e)[0], (*e)[1], e->kind == Kind::Or);
    case Kind::Not: {
      Cond c = condition((*e)[0]);
      Value* r = builtin("aten::__not__", {c.value});
      std::optional<bool> st;
      if (c.static_if) st = !*c.static_if;
      return {r, c.refinements.Not(), st};
    }
    case Kind::Is:
    case Kind::IsNot: {
      bool is = e->kind == Kind::Is;
      Value *lhs = expression((*e)[0]), *rhs = expression((*e)[1]);
      NoneStatus l = none_status(lhs), r = none_status(rhs);
      if (l == NoneStatus::Always && r == NoneStatus::Always) return constant_condition(is);
      if ((l == NoneStatus::Always && r == NoneStatus::Never) ||
          (l == NoneStatus::Never && r == NoneStatus::Always))
        return constant_condition(!is);
      Value* c = builtin(is ? "aten::__is__" : "aten::__isnot__", {lhs, rhs});
      RefinementSet set;
      const Tree *a = (*e)[0].get(), *b = (*e)[1].get();
      Value* av = lhs;
      if (a->kind == Kind::None && b->kind != Kind::None) {
        std::swap(a, b);
        av = rhs;
      }
      if (b->kind == Kind::None && a->kind == Kind::Var) {
        std::vector<Refinement> present;
        if (av->type->kind == TypeKind::Optional) present.push_back({a->text, av->type->elems[0]});
        if (av->type->kind == TypeKind::Union) {
          std::vector<TypePtr> rest;
          for (TypePtr t : av->type->elems)
            if (t->kind != TypeKind::None) rest.push_back(t);
          if (!rest.empty()) present.push_back({a->text, types_.union_of(rest)});
        }
        (is ? set.when_false : set.when_true) = present;
      }
      return {c, set, std::nullopt};
    }
    default: break;
  }
  if (e->kind == Kind::Apply && (*e)[0]->kind == Kind::Var && (*e)[1]->size() == 2) {
    if ((*e)[0]->text == "isinstance") return is_instance((*(*e)[1])[0], (*(*e)[1])[1]);
    if ((*e)[0]->text == "hasattr") return has_attr_condition((*(*e)[1])[0], (*(*e)[1])[1]);
  }
  if (e->kind == Kind::Apply) repeat((*e)[0]);  // PyTorch looks at the callee first
  Value* v = to_bool(expression(e));
  std::optional<bool> st;
  if (v->node->kind == Symbol("aten::is_scripting")) st = true;
  if (v->node->kind == Symbol("aten::has_torch_function")) st = false;
  if (auto c = constant_value(v)) st = c->toBool();
  return {v, {}, st};
}

Cond Emitter::short_circuit(const TreeRef& a, const TreeRef& b, bool is_or) {
  Cond lhs = condition(a);
  Cond rhs;
  auto constant = [&] { return insert_constant(is_or); };
  auto go_on = [&] {
    rhs = condition(b);
    return rhs.value;
  };
  Value* v;
  RefinementSet set;
  std::optional<bool> st;
  if (is_or) {
    v = if_expression(lhs, constant, go_on);
    set = lhs.refinements.Or(rhs.refinements);
    if (lhs.static_if.value_or(false) || rhs.static_if.value_or(false))
      st = true;
    else if (lhs.static_if && rhs.static_if)
      st = *lhs.static_if || *rhs.static_if;
  } else {
    v = if_expression(lhs, go_on, constant);
    set = lhs.refinements.And(rhs.refinements);
    if (!lhs.static_if.value_or(true) || !rhs.static_if.value_or(true))
      st = false;
    else if (lhs.static_if && rhs.static_if)
      st = *lhs.static_if && *rhs.static_if;
  }
  return {v, set, st};
}

Value* Emitter::if_expression(const Cond& c, const std::function<Value*()>& yes,
                              const std::function<Value*()>& no) {
  Node* n = insert(prim::If, {c.value}, 0);
  Block *t = n->add_block(), *f = n->add_block();
  auto branch = [&](Block* b, const std::vector<Refinement>& r, const std::function<Value*()>& e) {
    push_frame(b);
    InsertPoint at(*graph_, b);
    insert_refinements(r);
    b->register_output(e());
    pop_frame();
  };
  branch(t, c.refinements.when_true, yes);
  branch(f, c.refinements.when_false, no);
  TypePtr u = unify_types(t->outputs()[0]->type, f->outputs()[0]->type, types_);
  if (!u)
    error("if-expression's true branch has type ", t->outputs()[0]->type->annotation_str(),
          " but false branch has type ", f->outputs()[0]->type->annotation_str());
  return n->add_output(u);
}

Value* Emitter::ternary(const Tree& e, TypePtr hint) {
  Cond c = condition(e[0]);
  if (c.static_if) return expression(*c.static_if ? e[1] : e[2], hint);
  return if_expression(
      c, [&] { return expression(e[1], hint); }, [&] { return expression(e[2], hint); });
}

Cond Emitter::has_attr_condition(const TreeRef& obj, const TreeRef& name) {
  SugaredPtr o = sugared(obj);
  if (name->kind != Kind::StringLit) error("hasattr's second argument must be a string literal");
  return constant_condition(has_attr(o, name->text));
}

Cond Emitter::is_instance(const TreeRef& obj, const TreeRef& classes) {
  Value* v = expression(obj);
  std::vector<TypePtr> lhs, rhs;
  std::function<void(const TreeRef&)> gather = [&](const TreeRef& e) {
    if (e->kind == Kind::Tuple) {
      for (auto& k : e->kids) gather(k);
    } else {
      rhs.push_back(cu_.parse_type(e));
    }
  };
  gather(classes);
  auto standardize = [&](std::vector<TypePtr>& list) {
    std::vector<TypePtr> flat;
    std::function<void(TypePtr)> add = [&](TypePtr t) {
      if (t->kind == TypeKind::Union) {
        for (TypePtr x : t->elems) add(x);
      } else if (t->kind == TypeKind::Number) {
        for (TypePtr x :
             {types::get(TypeKind::Float), types::get(TypeKind::Complex), types::integer()})
          flat.push_back(x);
      } else if (t->kind == TypeKind::Optional) {
        add(t->elems[0]);
        flat.push_back(types::none());
      } else {
        flat.push_back(t);
      }
    };
    for (TypePtr t : list) add(t);
    std::vector<TypePtr> unique;
    for (TypePtr t : flat)
      if (std::find(unique.begin(), unique.end(), t) == unique.end()) unique.push_back(t);
    list = unique;
  };
  lhs.push_back(v->type);
  std::vector<TypePtr> given = rhs;
  standardize(lhs);
  standardize(rhs);
  std::vector<TypePtr> yes, no;
  bool all = true;
  for (TypePtr l : lhs) {
    if (l->kind == TypeKind::Any) {
      yes.insert(yes.end(), rhs.begin(), rhs.end());
      no.push_back(types::any());
      if (yes.size() != 1 || yes[0]->kind != TypeKind::Any) all = false;
      break;
    }
    TypePtr found = nullptr;
    for (TypePtr r : rhs) {
      TypePtr smaller = l->is_subtype_of(r) ? l : r->is_subtype_of(l) ? r : nullptr;
      if (!smaller) continue;
      if (smaller == l) {
        found = l;
      } else {
        TypePtr u = found ? unify_types(found, r, types_) : r;
        found = u ? u : r;
      }
    }
    if (found) {
      yes.push_back(found);
    } else {
      no.push_back(l);
      all = false;
    }
  }
  RefinementSet set;
  if (obj->kind == Kind::Var) {
    if (!yes.empty())
      if (TypePtr u = unify_type_list(yes, types_, true)) set.when_true.push_back({obj->text, u});
    if (!no.empty())
      if (TypePtr u = unify_type_list(no, types_, true)) set.when_false.push_back({obj->text, u});
  }
  if (all) return constant_condition(true, set);
  if (yes.empty()) return constant_condition(false, set);
  Node* n = insert(prim::isinstance, {v});
  n->set(Symbol("types"), Attribute::Kind::Types).types = rhs;
  n->output()->type = types::boolean();
  return {n->output(), set, std::nullopt};
}

}  // namespace sconce::script
