// SPDX-License-Identifier: Apache-2.0
// Expressions to SSA (serialized-language.md section 9).
#include <cstdlib>
#include <limits>

#include "loader/script/emitter.h"
#include "loader/script/ssa.h"
#include "support/stack.h"

namespace sconce::script {

using K = Sugared::Kind;

Value* Emitter::expression(const TreeRef& e, TypePtr hint) {
  check_stack();
  RangeScope scope(*graph_, e->range);
  Value* v = as_value(sugared(e, hint));
  if (hint && hint->kind == TypeKind::Any && v->type->kind != TypeKind::Any)
    v = unchecked_cast(v, hint);
  return v;
}

void Emitter::repeat(const TreeRef& e, Value** value) {
  constexpr size_t kMost = 20'000;
  if (repeating_ && repeated_ > kMost) return;
  struct Within {
    int& depth;
    ~Within() { --depth; }
  } within{++repeating_};
  if (value)
    *value = expression(e);
  else
    (void)sugared(e);
}

SugaredPtr Emitter::sugared(const TreeRef& e, TypePtr hint) {
  if (repeating_ > 1) ++repeated_;
  check_stack();
  RangeScope scope(*graph_, e->range);
  switch (e->kind) {
    case Kind::Var: return get_sugared(e->text);
    case Kind::Select: return attr(sugared((*e)[0]), e->text);
    case Kind::Apply: return apply(*e, hint);
    case Kind::Subscript: return subscript(*e, hint);
    default: return simple(simple_expression(e, hint));
  }
}

std::vector<Value*> Emitter::values(const std::vector<TreeRef>& list, bool unpack) {
  std::vector<Value*> out;
  for (auto& e : list) {
    if (unpack && e->kind == Kind::Starred) {
      for (auto& s : as_tuple(sugared((*e)[0]), std::nullopt)) out.push_back(as_value(s));
    } else {
      out.push_back(expression(e));
    }
  }
  return out;
}
std::vector<Arg> Emitter::args(const Tree& list) {
  std::vector<Arg> a;
  for (Value* v : values(list.kids, true)) a.push_back({v, ""});
  return a;
}
std::vector<Arg> Emitter::kwargs(const Tree& list) {
  std::vector<Arg> a;
  for (auto& k : list.kids) a.push_back({expression((*k)[0]), k->text});
  return a;
}

SugaredPtr Emitter::apply(const Tree& e, TypePtr hint) {
  SugaredPtr callee = sugared(e[0]);
  if (callee->kind == K::SpecialForm) return apply_special(e, callee->form, callee, hint);
  auto a = args(*e[1]);
  auto k = kwargs(*e[2]);
  return call(callee, std::move(a), std::move(k));
}

SugaredPtr Emitter::apply_special(const Tree& e, Symbol form, const SugaredPtr& callee,
                                  TypePtr hint) {
  auto& in = e[1]->kids;
  auto need = [&](size_t lo, size_t hi) {
    if (in.size() < lo || in.size() > hi || e[2]->size())
      error("expected ", lo, lo == hi ? "" : " or more", " arguments but found ", in.size());
  };
  if (form == prim::fork) return fork(e, false);
  if (form == prim::awaitable) return fork(e, true);
  if (form == prim::annotate) {
    need(2, 2);
    TypePtr t = cu_.parse_type(in[0]);
    Value* v = try_convert(t, expression(in[1], t), true);
    if (!v->type->is_subtype_of(t))
      error("expected an expression of type ", t->annotation_str(), " but found ",
            v->type->annotation_str());
    if ((t->kind == TypeKind::Optional || (t->kind == TypeKind::Union && can_hold_none(t))) &&
        v->type->kind == TypeKind::None)
      v = insert_constant(IValue(), t);
    return simple(v);
  }
  if (form == prim::unchecked_cast) {
    need(2, 2);
    TypePtr t = cu_.parse_type(in[0]);
    Value* v = expression(in[1]);
    if (v->node->kind != prim::unchecked_cast || v->type != t) v = unchecked_cast(v, t);
    return simple(v);
  }
  if (form == prim::GetAttr) {
    need(2, 3);
    SugaredPtr o = sugared(in[0]);
    if (in[1]->kind != Kind::StringLit) error("getattr's second argument must be a string literal");
    if (in.size() == 3 && !has_attr(o, in[1]->text)) return sugared(in[2]);
    return attr(o, in[1]->text);
  }
  if (form == prim::Uninitialized) {
    need(1, 1);
    return simple(
        graph_->insert_node(graph_->create_uninitialized(cu_.parse_type(in[0])))->output());
  }
  if (form == prim::TupleConstruct) {
    need(1, 1);
    std::vector<Value*> v;
    for (auto& s : as_tuple(sugared(in[0]), std::nullopt)) v.push_back(as_value(s));
    return simple(graph_->insert_node(graph_->create_tuple(v))->output());
  }
  if (form == prim::isinstance) {
    need(2, 2);
    return simple(is_instance(in[0], in[1]).value);
  }
  if (form == prim::HasAttr) {
    need(2, 2);
    return simple(has_attr_condition(in[0], in[1]).value);
  }
  if (form == prim::tolist) {
    Value* v = expression((*e[0])[0]);
    if (!hint) error("Expected type hint for result of tolist()");
    int64_t depth = 0;
    TypePtr t = hint;
    for (; t->kind == TypeKind::List; t = t->elems[0]) ++depth;
    int64_t elem = t->kind == TypeKind::Int       ? 0
                   : t->kind == TypeKind::Float   ? 1
                   : t->kind == TypeKind::Bool    ? 2
                   : t->kind == TypeKind::Complex ? 3
                                                  : -1;
    if (elem < 0)
      error(t->annotation_str(),
            " is not one of the supported element types for tolist: int, float, complex, bool");
    Value* d = insert_constant(depth);
    Value* k = insert_constant(elem);
    Node* n = insert(prim::tolist, {v, d, k});
    n->output()->type = hint;
    return simple(n->output());
  }
  if (form == prim::CreateObject) {
    need(1, 1);
    SugaredPtr cls = sugared(in[0]);
    if (cls->kind != K::Class) error("Expected class value as argument to __new__");
    if (static_cast<const ClassType*>(cls->type)->is_absent)
      return simple(unknown_call(cls->type->name + "::__new__", nullptr, {}, {}, cls->type));
    Node* n = insert(prim::CreateObject, {});
    n->output()->type = cls->type;
    return simple(n->output());
  }
  if (form == prim::range) return range(values(in, true), std::nullopt);
  if (form == prim::enumerate) return enumerate(e);
  if (form == prim::zip) {
    if (in.empty()) error("zip expected at least 1 arguments, got 0");
    auto tree = make(K::Iterables);
    bool first = true;
    for (auto& x : in) {
      SugaredPtr it = iter(sugared(x));
      auto n = static_len(it);
      if (first)
        tree->static_len = n;
      else if (n.has_value() != tree->static_len.has_value())
        error(
            "Can not iterate over a module list or tuple with a value that does not have a "
            "statically determinable length");
      else if (n)
        tree->static_len = std::min(*n, *tree->static_len);
      first = false;
      tree->children.push_back(it);
    }
    return tree;
  }
  if (form == prim::list) return list_call(e, hint);
  if (form == prim::dict) return dict_call(e, hint);
  (void)callee;
  error("this special form cannot be called here");
}

SugaredPtr Emitter::enumerate(const Tree& e) {
  auto& in = e[1]->kids;
  Value* start = nullptr;
  if (in.empty()) error("enumerate expected at least 1 arguments, got 0");
  if (in.size() + e[2]->size() > 2)
    error("enumerate expected at most 2 arguments, got ", in.size() + e[2]->size());
  if (in.size() == 2) start = expression(in[1]);
  if (e[2]->size() == 1) {
    if ((*e[2])[0]->text != "start")
      error("enumerate expected kwarg name 'start', got '", (*e[2])[0]->text, "'");
    start = expression((*(*e[2])[0])[0]);
  }
  std::vector<Value*> r;
  if (start) r.push_back(start);
  Value*& max = ints_[std::numeric_limits<int64_t>::max()];
  if (!max) max = front_constant(std::numeric_limits<int64_t>::max());
  r.push_back(max);
  SugaredPtr it = iter(sugared(in[0]));
  auto n = static_len(it);
  auto tree = make(K::Iterables);
  tree->children = {range(r, n), it};
  tree->static_len = n;
  return tree;
}

SugaredPtr Emitter::fork(const Tree& e, bool awaitable) {
  auto& in = e[1]->kids;
  if (in.empty()) error("Expected at least one argument to fork()");
  SugaredPtr forked = sugared(in[0]);
  std::vector<Arg> a;
  for (Value* v : values(std::vector<TreeRef>(in.begin() + 1, in.end()), true))
    a.push_back({v, ""});
  auto k = kwargs(*e[2]);
  Node* n = insert(awaitable ? prim::awaitableClosure : prim::forkClosure, {});
  TypePtr out;
  {
    InsertPoint at(*graph_, n);
    if (forked->kind == K::Closure) {
      out = forked->value->node->blocks[0]->outputs()[0]->type;
      n->add_input(forked->value);
    } else {
      SugaredPtr c = closure([&](Block* b) {
        Value* v = as_value(call(forked, a, k));
        b->register_output(v);
        out = v->type;
      });
      n->add_input(c->value);
    }
  }
  n->output()->type = awaitable ? types_.await(out) : types_.future(out);
  return simple(n->output());
}

// ---- simple expressions ----

Value* Emitter::number(const Tree& e) {
  const std::string& t = e.text;
  auto front = [&](auto& slot, IValue v) {
    if (!slot) slot = front_constant(std::move(v));
    return slot;
  };
  if (is_complex_literal(t)) {
    double im = std::strtod(t.substr(0, t.size() - 1).c_str(), nullptr);
    return front(complexes_[{0.0, im}], std::complex<double>(0, im));
  }
  if (is_float_literal(t)) {
    double d = std::strtod(t.c_str(), nullptr);
    return front(floats_[{d, std::signbit(d)}], d);
  }
  errno = 0;
  long long i = std::strtoll(t.c_str(), nullptr, 0);
  if (errno == ERANGE) error("Integral constant ", t, " is out of range");
  return front(ints_[i], static_cast<int64_t>(i));
}

Value* Emitter::simple_expression(const TreeRef& e, TypePtr hint) {
  switch (e->kind) {
    case Kind::Const: return number(*e);
    case Kind::StringLit: return insert_constant(e->text);
    case Kind::True: return insert_constant(true);
    case Kind::False: return insert_constant(false);
    case Kind::None: return insert_constant(IValue());
    case Kind::And:
    case Kind::Or:
    case Kind::Not:
    case Kind::Is:
    case Kind::IsNot: return condition(e).value;
    case Kind::IfExpr: return ternary(*e, hint);
    case Kind::Neg: return unary(*e, "__neg__", "aten::neg");
    case Kind::Invert: return unary(*e, "__invert__", "aten::bitwise_not");
    case Kind::Binary: return binary(*e);
    case Kind::ListLit: return list_literal(*e, hint);
    case Kind::DictLit: return dict_literal(*e, hint);
    case Kind::ListComp: return list_comprehension((*e)[0], (*e)[1], (*e)[2], hint);
    case Kind::DictComp: return dict_comprehension((*e)[0], (*e)[1], (*e)[2], (*e)[3], hint);
    case Kind::Tuple:
      return graph_->insert_node(graph_->create_tuple(values(e->kids, true)))->output();
    default: error("this expression is not supported here");
  }
}

Value* Emitter::unary(const Tree& e, const char* magic, const char* op) {
  auto m = make(K::Magic, magic);
  m->base = make(K::Builtin, op);
  Value* v = as_value(call(m, {{expression(e[0]), ""}}, {}));
  if (v->node->kind != Symbol(op)) return v;
  if (auto folded = fold_node(v->node)) return insert_constant(folded->at(0));
  return v;
}

Value* Emitter::binary(const Tree& e) {
  struct Row {
    const char *op, *kind, *magic;
  };
  static constexpr Row kRows[] = {{"+", "aten::add", "__add__"},
                                  {"-", "aten::sub", "__sub__"},
                                  {"*", "aten::mul", "__mul__"},
                                  {"/", "aten::div", "__truediv__"},
                                  {"%", "aten::remainder", "__mod__"},
                                  {"**", "aten::pow", "__pow__"},
                                  {"==", "aten::eq", "__eq__"},
                                  {"!=", "aten::ne", "__ne__"},
                                  {"<", "aten::lt", "__lt__"},
                                  {">", "aten::gt", "__gt__"},
                                  {"<=", "aten::le", "__le__"},
                                  {">=", "aten::ge", "__ge__"},
                                  {"&", "aten::__and__", "__and__"},
                                  {"|", "aten::__or__", "__or__"},
                                  {"^", "aten::__xor__", "__xor__"},
                                  {"<<", "aten::__lshift__", "__lshift__"},
                                  {">>", "aten::__rshift__", "__rshift__"},
                                  {"in", "aten::__contains__", "__contains__"},
                                  {"//", "aten::floordiv", nullptr},
                                  {"@", "aten::matmul", nullptr}};
  const Row* row = nullptr;
  for (auto& r : kRows)
    if (e.text == r.op) row = &r;
  if (!row) error("unknown operator ", e.text);
  Value* lhs = expression(e[0]);
  if (e.text == "%" && lhs->type->kind == TypeKind::String) {
    // PyTorch emits the format once more.
    repeat(e[0], &lhs);
    std::vector<Value*> in{lhs, expression(e[1])};
    check_policy("aten::percentFormat", "aten::percentFormat");
    Node* n = insert(Symbol("aten::percentFormat"), in);
    n->op = cu_.ops().find_overload("aten::percentFormat");
    n->output()->type = types::string();
    return n->output();
  }
  if (e.text == "%") repeat(e[0], &lhs);  // the first is dead
  Value* rhs = expression(e[1]);
  if (e.text == "in") std::swap(lhs, rhs);
  if (lhs->type->kind == TypeKind::Tuple && rhs->type->kind == TypeKind::Tuple && e.text == "+") {
    auto a = unpack_tuple(lhs), b = unpack_tuple(rhs);
    a.insert(a.end(), b.begin(), b.end());
    return graph_->insert_node(graph_->create_tuple(a))->output();
  }
  if (row->magic && lhs->type->kind == TypeKind::Class)
    return as_value(call(value_attr(lhs, row->magic), {{rhs, ""}}, {}));
  return builtin(row->kind, {lhs, rhs});
}

// ---- containers ----

// The member of a Union or Optional hint that has the wanted kind.
TypePtr Emitter::refine_hint(TypePtr hint, TypeKind wanted) {
  if (!hint) return nullptr;
  if (hint->kind == TypeKind::Optional) return refine_hint(hint->elems[0], wanted);
  if (hint->kind == TypeKind::Union) {
    TypePtr found = nullptr;
    size_t n = 0;
    for (TypePtr t : hint->elems)
      if (t->kind == wanted) found = t, ++n;
    if (n == 0)
      error("Expected an Union type annotation with an inner ",
            wanted == TypeKind::List ? "List" : "Dict", " type, but got ", hint->annotation_str());
    return n == 1 ? found : nullptr;
  }
  if (hint->kind == wanted) return hint;
  if (hint->kind == TypeKind::Any) return nullptr;
  error("Expected an annotation of type ", wanted == TypeKind::List ? "List" : "Dict", " but got ",
        hint->annotation_str());
}

Value* Emitter::list_literal(const Tree& e, TypePtr hint) {
  auto v = values(e.kids, true);
  if (v.empty() && !hint) {
    Node* n = insert(prim::EmptyListLiteral, {});
    n->output()->type = types::list(types::tensor());
    return n->output();
  }
  TypePtr list_hint = hint ? refine_hint(hint, TypeKind::List) : nullptr;
  TypePtr elem = list_hint ? list_hint->elems[0] : types::tensor();
  if (!v.empty()) {
    std::vector<TypePtr> t;
    for (Value* x : v) t.push_back(x->type);
    TypePtr unified = unify_type_list(t, types_, true, list_hint ? elem : nullptr);
    if (list_hint && !unified->is_subtype_of(elem))
      error("List type annotation `", list_hint->annotation_str(),
            "` did not match the types of the given list elements, which were unified to ",
            unified->annotation_str());
    if (!list_hint) elem = unified;
    if (!list_hint && hint && hint->kind == TypeKind::Union)
      for (TypePtr c : hint->elems)
        if (c->kind == TypeKind::List && unified->is_subtype_of(c->elems[0])) elem = c->elems[0];
  }
  Value* r = graph_->insert_node(graph_->create_list(elem, v))->output();
  return hint && hint->kind == TypeKind::Union ? unchecked_cast(r, hint) : r;
}

Value* Emitter::dict_literal(const Tree& e, TypePtr hint) {
  std::vector<Value*> in;
  TypePtr key = nullptr, value = nullptr;
  for (size_t i = 0; i < e[0]->size(); ++i) {
    Value *k = expression((*e[0])[i]), *v = expression((*e[1])[i]);
    if (key && key->kind != k->type->kind)
      error("Dict keys must contain only a single type. Expected: ", key->annotation_str(),
            " but found ", k->type->annotation_str(), " instead");
    key = k->type;
    value = value ? unify_types(value, v->type, types_, true) : v->type;
    in.push_back(k);
    in.push_back(v);
  }
  TypePtr t = hint ? refine_hint(hint, TypeKind::Dict) : nullptr;
  if (!t) t = in.empty() ? types_.dict(types::string(), types::tensor()) : types_.dict(key, value);
  if (!in.empty()) {
    if (t->elems[0] != key)
      error("Type annotation was inferred to be ", t->annotation_str(),
            " but the type of keys given by the dict literal is ", key->annotation_str());
    if (!value->is_subtype_of(t->elems[1]))
      error("Type annotation was inferred to be `", t->annotation_str(),
            "`, but the type of values given by the dict literal is ", value->annotation_str());
  }
  Node* n = insert(prim::DictConstruct, in);
  n->output()->type = t;
  return hint && hint->kind == TypeKind::Union ? unchecked_cast(n->output(), hint) : n->output();
}

Value* Emitter::list_comprehension(const TreeRef& elt, const TreeRef& target, const TreeRef& it,
                                   TypePtr hint) {
  Node* list = insert(prim::ListConstruct, {});
  Value* lv = list->output();
  lv->type = types::list(types::tensor());
  TypePtr refined = hint ? refine_hint(hint, TypeKind::List) : nullptr;
  if (refined) lv->type = refined;
  bool seen = false;
  Node* scope = insert(prim::ComprehensionScope, {}, 0);
  Block* b = scope->add_block();
  push_frame(b);
  {
    InsertPoint at(*graph_, b);
    auto targets = std::make_shared<Tree>();
    targets->kind = Kind::List;
    targets->range = target->range;
    targets->kids = {target};
    for_loop(targets, it, [&] {
      Value* out = expression(elt);
      if (!seen) {
        lv->type = types_.list(out->type);
        seen = true;
      }
      TypePtr unified = unify_types(lv->type->elems[0], out->type, types_, true,
                                    refined ? refined->elems[0] : nullptr);
      if (refined && !unified->is_subtype_of(refined->elems[0]))
        error("List type annotation `", refined->annotation_str(),
              "` did not match the types of the given list elements, which were unified to ",
              unified->annotation_str());
      if (!refined) refined = types_.list(unified);
      lv->type = refined;
      out->type = refined->elems[0];
      builtin_call("aten::append", {{out, ""}}, {}, lv);
    });
  }
  pop_frame();
  return lv;
}

Value* Emitter::dict_comprehension(const TreeRef& key, const TreeRef& value, const TreeRef& target,
                                   const TreeRef& it, TypePtr hint) {
  Node* dict = insert(prim::DictConstruct, {});
  Value* dv = dict->output();
  TypePtr refined = hint ? refine_hint(hint, TypeKind::Dict) : nullptr;
  dv->type = refined ? refined : types_.dict(types::string(), types::tensor());
  Node* scope = insert(prim::ComprehensionScope, {}, 0);
  Block* b = scope->add_block();
  push_frame(b);
  {
    InsertPoint at(*graph_, b);
    auto targets = std::make_shared<Tree>();
    targets->kind = Kind::List;
    targets->range = target->range;
    targets->kids = {target};
    for_loop(targets, it, [&] {
      Value *k = expression(key), *v = expression(value);
      if (refined) {
        if (!k->type->is_subtype_of(refined->elems[0]) ||
            !v->type->is_subtype_of(refined->elems[1]))
          error("Dict type annotation `", refined->annotation_str(),
                "` did not match the types of the generated keys and values");
        k->type = refined->elems[0];
        v->type = refined->elems[1];
      } else {
        dv->type = types_.dict(k->type, v->type);
      }
      builtin("aten::_set_item", {dv, k, v});
    });
  }
  pop_frame();
  return hint && hint->kind == TypeKind::Union ? unchecked_cast(dv, hint) : dv;
}

SugaredPtr Emitter::list_call(const Tree& e, TypePtr hint) {
  if (e[1]->size() == 0) {
    TypePtr t = hint ? refine_hint(hint, TypeKind::List) : nullptr;
    return simple(
        graph_->insert_node(graph_->create_list(t ? t->elems[0] : types::tensor(), {}))->output());
  }
  if (e[1]->size() != 1) error("list expected exactly 1 argument");
  SugaredPtr it = sugared((*e[1])[0]);
  if (it->kind == K::Simple &&
      (it->value->type->kind == TypeKind::List || it->value->type->kind == TypeKind::String))
    return simple(builtin("aten::list", {it->value}));
  std::string iter_name = "$_iter" + std::to_string(temp_),
              elem_name = "$_elem" + std::to_string(temp_);
  ++temp_;
  set_sugared(iter_name, it, nullptr);
  auto var = [&](const std::string& n) {
    auto t = std::make_shared<Tree>();
    t->kind = Kind::Var;
    t->range = e.range;
    t->text = n;
    return TreeRef(t);
  };
  return simple(list_comprehension(var(elem_name), var(elem_name), var(iter_name), hint));
}

SugaredPtr Emitter::dict_call(const Tree& e, TypePtr hint) {
  auto& in = e[1]->kids;
  auto& named = e[2]->kids;
  TypePtr t = hint && (hint->kind == TypeKind::Dict || hint->kind == TypeKind::Optional ||
                       hint->kind == TypeKind::Union)
                  ? refine_hint(hint, TypeKind::Dict)
                  : nullptr;
  auto add_named = [&](Value* d) {
    for (auto& k : named) {
      Value* key = insert_constant(k->text);
      Value* v = expression((*k)[0]);
      builtin("aten::_set_item", {d, key, v});
    }
    return d;
  };
  auto tree = [&](Kind k, std::vector<TreeRef> kids, std::string text = "") {
    auto r = std::make_shared<Tree>();
    r->kind = k;
    r->range = e.range;
    r->kids = std::move(kids);
    r->text = std::move(text);
    return TreeRef(r);
  };
  bool empty_input = in.empty() || (in[0]->kind == Kind::DictLit && (*in[0])[0]->size() == 0) ||
                     (in[0]->kind == Kind::ListLit && in[0]->size() == 0);
  if (empty_input && named.empty()) {
    Node* n = insert(prim::DictConstruct, {});
    n->output()->type = t ? t : types_.dict(types::string(), types::tensor());
    return simple(n->output());
  }
  if (!in.empty() && !empty_input) {
    if (in[0]->kind == Kind::DictComp) {
      auto& c = *in[0];
      return simple(add_named(dict_comprehension(c[0], c[1], c[2], c[3], t)));
    }
    if (in[0]->kind != Kind::ListLit && in[0]->kind != Kind::DictLit) {
      SugaredPtr s = sugared(in[0]);
      if (s->kind == K::Simple && s->value->type->kind == TypeKind::Dict)
        return simple(add_named(builtin("aten::dict", {s->value})));
    }
  }
  // A list of pairs, with the keyword arguments appended when it is a literal.
  TreeRef source = empty_input ? tree(Kind::ListLit, {}) : in[0];
  bool literal = source->kind == Kind::ListLit || source->kind == Kind::DictLit;
  if (source->kind == Kind::DictLit) {
    std::vector<TreeRef> pairs;
    for (size_t i = 0; i < (*source)[0]->size(); ++i)
      pairs.push_back(tree(Kind::Tuple, {(*(*source)[0])[i], (*(*source)[1])[i]}));
    source = tree(Kind::ListLit, pairs);
  }
  if (literal && !named.empty()) {
    std::vector<TreeRef> pairs = source->kids;
    for (auto& k : named)
      pairs.push_back(tree(Kind::Tuple, {tree(Kind::StringLit, {}, k->text), (*k)[0]}));
    source = tree(Kind::ListLit, pairs);
  }
  std::string n = std::to_string(temp_++);
  set_sugared("$_iter" + n, sugared(source), nullptr);
  TreeRef key = tree(Kind::Var, {}, "$_key" + n), value = tree(Kind::Var, {}, "$_value" + n);
  Value* d = dict_comprehension(key, value, tree(Kind::Tuple, {key, value}),
                                tree(Kind::Var, {}, "$_iter" + n), t);
  return simple(literal ? d : add_named(d));
}

// ---- subscripts ----

Value* Emitter::tuple_index(Value* tup, Value* idx) {
  auto& elems = tup->type->elems;
  if (idx->type->kind != TypeKind::Int) error("tuple index must be an integer");
  TypePtr out;
  if (auto c = constant_value(idx)) {
    int64_t n = static_cast<int64_t>(elems.size()), i = c->toInt();
    if (i < -n || i >= n)
      error("Tuple index out of range. Tuple is length ", n, " and index is ", i);
    out = elems[static_cast<size_t>(i < 0 ? i + n : i)];
  } else {
    if (elems.empty() || !convertible_to_list(tup->type, types_.list(elems[0])))
      error("Cannot index into a ", tup->type->annotation_str(),
            " with a non-integer literal because we cannot resolve the output type");
    out = elems[0];
  }
  Node* n = insert(prim::TupleIndex, {tup, idx});
  n->output()->type = out;
  return n->output();
}

Value* Emitter::tuple_slice(Value* tup, Value* start, Value* end, Value* step) {
  int64_t n = static_cast<int64_t>(tup->type->elems.size());
  auto read = [&](Value* v, int64_t absent) {
    if (!v) return absent;
    auto c = constant_value(v);
    if (!c || !c->isInt()) error("tuple slice indices must be integer constants");
    return c->toInt();
  };
  int64_t by = read(step, 1);
  if (by == 0) error("slice step cannot be zero");
  int64_t none = std::numeric_limits<int64_t>::max();
  int64_t b = read(start, none), e = read(end, none);
  if (start && b < 0) b += n;
  if (end && e < 0) e += n;
  if (by > 0) {
    b = start ? std::min(std::max<int64_t>(b, 0), n) : 0;
    e = end ? std::min(std::max<int64_t>(e, 0), n) : n;
  } else {
    b = start ? std::min(std::max<int64_t>(b, -1), n - 1) : n - 1;
    e = end ? std::min(std::max<int64_t>(e, -1), n - 1) : -1;
  }
  std::vector<Value*> out;
  for (int64_t i = b; by > 0 ? i < e : i > e; i += by) {
    Value* idx = insert_constant(i);
    Node* x = insert(prim::TupleIndex, {tup, idx});
    x->output()->type = tup->type->elems[static_cast<size_t>(i)];
    out.push_back(x->output());
  }
  return graph_->insert_node(graph_->create_tuple(out))->output();
}

Value* Emitter::slice(Value* v, Value* dim, const Tree& s) {
  auto part = [&](const TreeRef& t) { return t->present() ? expression(t) : nullptr; };
  Value *start = part(s[0]), *end = part(s[1]), *step = part(s[2]);
  if (v->type->kind == TypeKind::Tuple) return tuple_slice(v, start, end, step);
  if (!step) step = insert_constant(int64_t{1});
  std::vector<Arg> a{{v, ""}};
  if (dim) a.push_back({dim, ""});
  std::vector<Arg> k;
  k.push_back({start ? start : insert_constant(IValue()), "start"});
  k.push_back({end ? end : insert_constant(IValue()), "end"});
  k.push_back({step, "step"});
  // Positional in PyTorch; the order of parameters is the same.
  for (auto& x : k) a.push_back({x.value, ""});
  return builtin_call("aten::slice", a);
}

std::pair<Value*, std::vector<Value*>> Emitter::int_and_slice_indexing(Value* v, const Tree& subs) {
  size_t n = subs.size();
  std::vector<int64_t> dims(n);
  std::vector<Value*> exprs(n, nullptr);
  auto handle = [&](size_t i, int64_t dim, bool reverse) -> int64_t {
    const TreeRef& s = subs[i];
    dims[i] = dim;
    int64_t step = reverse ? dim - 1 : dim + 1;
    if (s->kind == Kind::Slice) return step;
    repeat(s);  // dead unless it calls something
    Value* index = expression(s, s->kind == Kind::None ? types::none() : nullptr);
    if (index->type->kind == TypeKind::List) {
      Value* dtype = insert_constant(static_cast<int64_t>(kLong));
      index = builtin_call("aten::tensor", {{index, ""}}, {{dtype, "dtype"}});
    }
    exprs[i] = index;
    if (index->type->kind == TypeKind::None) return reverse ? dim : dim + 1;
    if (index->type->kind == TypeKind::Int) return reverse ? dim - 1 : dim;
    if (index->type->is_subtype_of(types_.optional(types::tensor()))) {
      if (reverse) error("Ellipses followed by tensor indexing is currently not supported");
      return dim + 1;
    }
    error("Unsupported operation: indexing tensor with unsupported index type '",
          index->type->annotation_str(), "'. Only ints, slices, lists and tensors are supported");
  };
  size_t i = 0;
  int64_t dim = 0;
  for (; i < n && subs[i]->kind != Kind::Dots; ++i) dim = handle(i, dim, false);
  int64_t rdim = -1;
  for (size_t r = n - 1; r > i && r < n; --r) {
    if (subs[r]->kind == Kind::Dots) error("An index can only have a single ellipsis ('...')");
    rdim = handle(r, rdim, true);
  }
  std::vector<Value*> tensors;
  auto dim_value = [&](size_t k) { return insert_constant(dims[k]); };
  for (size_t k = 0; k < n; ++k) {
    if (!exprs[k]) {
      if (subs[k]->kind == Kind::Slice) {
        Value* d = dim_value(k);
        v = slice(v, d, *subs[k]);
      }
      continue;
    }
    Value* e = exprs[k];
    if (e->type->kind == TypeKind::None) {
      v = builtin("aten::unsqueeze", {v, dim_value(k)});
    } else if (e->type->kind == TypeKind::Int) {
      v = builtin("aten::select", {v, dim_value(k), e});
    } else {
      tensors.resize(static_cast<size_t>(dims[k]) + 1, nullptr);
      tensors[static_cast<size_t>(dims[k])] = e;
    }
  }
  for (Value*& t : tensors)
    if (!t) t = insert_constant(IValue());
  return {v, tensors};
}

Value* Emitter::multi_index(Value* v, const Tree& subs) {
  if (!is_tensor(v->type))
    error("Unsupported operation: attempted to use multidimensional indexing on a non-tensor type");
  auto [sliced, tensors] = int_and_slice_indexing(v, subs);
  if (tensors.empty()) return sliced;
  Value* list =
      graph_->insert_node(graph_->create_list(types_.optional(types::tensor()), tensors))->output();
  return builtin("aten::index", {sliced, list});
}

SugaredPtr Emitter::subscript(const Tree& e, TypePtr hint) {
  SugaredPtr s = sugared(e[0]);
  const Tree& subs = *e[1];
  if (subs.size() != 1) return simple(multi_index(as_value(s), subs));
  if (subs[0]->kind == Kind::Slice) {
    Value* v = as_value(s);
    Value* dim = is_tensor(v->type) ? insert_constant(int64_t{0}) : nullptr;
    return simple(slice(v, dim, *subs[0]));
  }
  Value* v = as_value(s);
  if (is_tensor(v->type)) {
    if (subs[0]->kind != Kind::Dots) repeat(subs[0]);
    return simple(multi_index(v, subs));
  }
  Value* idx = expression(subs[0]);
  if (v->type->kind == TypeKind::Tuple) return simple(tuple_index(v, idx));
  return getitem(s, idx, hint);
}

}  // namespace sconce::script
