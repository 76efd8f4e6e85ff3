// SPDX-License-Identifier: Apache-2.0
// Statements to SSA: assignments, branches, loops, with, returns (serialized-language.md sections
// 10 and 11).
#include <limits>
#include <set>

#include "loader/script/emitter.h"
#include "loader/script/ssa.h"
#include "support/stack.h"

namespace sconce::script {

using K = Sugared::Kind;

void Emitter::run(const Tree& def) {
  auto g = std::make_shared<Graph>();
  graph_ = g.get();
  g->types = &types_;
  g->op_version = cu_.version();
  env_ = nullptr;
  emit_def(def, g->block(), false);
  convert_to_ssa(*g);
  canonicalize_modified_loops(*g);
  normalize_ops(*g, cu_.ops());
  clean_up(*g, cu_.ops(), cu_.next_warning);
  fn_.graph = std::move(g);
}

namespace {
// Its results take no memory to speak of: the spelling of a constant ("float('inf')", "-1").
bool makes_a_number(const FunctionSchema& s) {
  return std::all_of(s.returns.begin(), s.returns.end(), [](const Argument& r) {
    switch (r.type->kind) {
      case TypeKind::Int:
      case TypeKind::Float:
      case TypeKind::Bool:
      case TypeKind::Complex:
      case TypeKind::Number:
      case TypeKind::Device: return true;
      default: return false;
    }
  });
}
}  // namespace

IValue Emitter::constant(const TreeRef& expr, TypePtr type) {
  if (expr->kind == Kind::None && type && can_hold_none(type)) return IValue();
  Graph g;
  g.types = &types_;
  graph_ = &g;
  push_frame(g.block(), true);
  RangeScope scope(g, expr->range);
  Value* v = expression(expr, type);
  if (type) {
    v = try_convert(type, v, true);
    if (!v->type->is_subtype_of(type))
      error("a default value of type ", v->type->annotation_str(), " does not fit ",
            type->annotation_str());
  }
  std::function<IValue(Value*)> read = [&](Value* x) -> IValue {
    if (auto c = constant_value(x)) return *c;
    Node* n = x->node;
    if (n->kind == prim::ListConstruct || n->kind == prim::EmptyListLiteral) {
      auto l = make_ref<ListBox>(x->type->elems[0]);
      for (Value* i : n->inputs) l->items.push_back(read(i));
      return l;
    }
    if (n->kind == prim::TupleConstruct) {
      std::vector<IValue> items;
      for (Value* i : n->inputs) items.push_back(read(i));
      return make_ref<TupleBox>(std::move(items), x->type->is_named_tuple() ? x->type : nullptr);
    }
    if (n->kind == prim::DictConstruct) {
      auto d = make_ref<DictBox>(x->type->elems[0], x->type->elems[1]);
      for (size_t i = 0; i + 1 < n->inputs.size(); i += 2)
        d->set(read(n->inputs[i]), read(n->inputs[i + 1]));
      return d;
    }
    if (n->op) {
      if (cu_.policy && !cu_.policy->run_at_load && !makes_a_number(n->op->schema()))
        throw PolicyError(describe_error(
            expr->range, detail::concat("the operator ", n->op->full_name(),
                                        " would run when the file is loaded, which the host "
                                        "refuses (allow_setstate is false)")));
      std::vector<IValue> in;
      for (Value* i : n->inputs) in.push_back(read(i));
      return run_operator(*n->op, std::move(in)).at(0);
    }
    error("a default value must be a constant");
  };
  IValue r = read(v);
  pop_frame(true);
  return r;
}

void Emitter::emit_def(const Tree& def, Block* block, bool is_closure) {
  InsertPoint at(*graph_, block);
  RangeScope scope(*graph_, def.range);
  push_frame(block, true);
  if (!is_closure && !fn_.schema.returns.empty())
    defs_.back().declared = fn_.schema.returns[0].type;
  if (is_closure && def[1]->present()) defs_.back().declared = cu_.parse_type(def[1]);
  auto& params = def[0]->kids;
  for (size_t i = 0; i < params.size(); ++i) {
    const std::string& name = params[i]->text;
    bool self = i == 0 && fn_.self && !is_closure;
    Value* in = block->add_input(self || meaningful_name(name) ? name : "");
    in->type = is_closure ? types::tensor() : fn_.schema.arguments[i].type;
    if (self)
      env_->values[name] = simple(in);
    else
      set_var(name, in);
  }
  statements(*def[2]);
  auto& d = defs_.back();
  if (!exit_blocks_.count(block)) {
    if (d.declared && d.declared->kind != TypeKind::None && d.declared->kind != TypeKind::Any &&
        !is_optional(d.declared))
      error("Function was not annotated as having type None, but does not return along all paths");
    return_statement(nullptr);
  } else if (!d.merged) {
    d.merged = d.declared ? d.declared : types::none();
  }
  Node* placeholder = graph_->insert_node(graph_->create_uninitialized(d.merged));
  block->register_output(placeholder->output());
  if (!is_closure) {
    Argument ret;
    ret.type = d.merged;
    fn_.schema.returns = {ret};
    fn_.schema_ready = true;
  }
  pop_frame(true);
}

void Emitter::statements(const Tree& list) {
  for (auto& s : list.kids) {
    statement(s);
    if (exit_blocks_.count(env_->block)) return;
  }
}

void Emitter::statement(const TreeRef& s) {
  check_stack();
  RangeScope scope(*graph_, s->range);
  auto exit_node = [&](Symbol kind, const char* word) {
    if (loop_ == LoopStatus::None) error("SyntaxError: '", word, "' outside loop");
    if (loop_ == LoopStatus::Unrolled)
      error("'", word,
            "' is not supported inside a loop over a tuple or module list, which is unrolled");
    insert(kind, {}, 0);
  };
  switch (s->kind) {
    case Kind::If: return if_statement(*s);
    case Kind::While: return loop([&] { statements(*(*s)[1]); }, nullptr, nullptr, (*s)[0]);
    case Kind::For:
      if ((*s)[1]->size() != 1) error("List of iterables is not supported currently");
      return for_loop((*s)[0], (*(*s)[1])[0], [&] { statements(*(*s)[2]); });
    case Kind::Assign: return assignment(*s);
    case Kind::AugAssign: return aug_assign(*s);
    case Kind::ExprStmt: (void)sugared((*s)[0]); return;
    case Kind::Raise: return raise_statement((*s)[0]);
    case Kind::Assert: return assert_statement(*s);
    case Kind::Return: return return_statement((*s)[0]);
    case Kind::Break: return exit_node(prim::BreakStmt, "break");
    case Kind::Continue: return exit_node(prim::ContinueStmt, "continue");
    case Kind::Pass: return;
    case Kind::Def: return closure_def(*s);
    case Kind::Del: return del(*s);
    case Kind::With: return with(*s);
    default: error("this kind of statement is not supported");
  }
}

// ---- branches ----

void Emitter::if_statement(const Tree& s) {
  Cond c = condition(s[0]);
  if_blocks(c, s[1], s[2]);
}

void Emitter::if_blocks(const Cond& cond, const TreeRef& yes, const TreeRef& no) {
  if (cond.static_if) {
    insert_refinements(*cond.static_if ? cond.refinements.when_true : cond.refinements.when_false);
    statements(*(*cond.static_if ? yes : no));
    return;
  }
  Node* n = insert(prim::If, {cond.value}, 0);
  Block *tb = n->add_block(), *fb = n->add_block();
  auto branch = [&](Block* b, const TreeRef& body, const std::vector<Refinement>& r) {
    push_frame(b);
    InsertPoint at(*graph_, b);
    insert_refinements(r);
    statements(*body);
    return pop_frame();
  };
  auto save_t = branch(tb, yes, cond.refinements.when_true);
  auto save_f = branch(fb, no, cond.refinements.when_false);
  bool t_exits = exit_blocks_.count(tb), f_exits = exit_blocks_.count(fb);
  if (t_exits && f_exits) exit_blocks_.insert(n->owner);
  Environment* root = env_.get();
  while (root->next) root = root->next.get();
  std::set<std::string> mutated;
  for (auto& kv : save_t->types) {
    InsertPoint at(*graph_, fb);
    if (find(save_f, kv.first) || f_exits)
      mutated.insert(kv.first);
    else
      root->errors[kv.first] = kv.first + " is not defined in the false branch";
  }
  for (auto& kv : save_f->types) {
    InsertPoint at(*graph_, tb);
    if (find(save_t, kv.first) || t_exits)
      mutated.insert(kv.first);
    else
      root->errors[kv.first] = kv.first + " is not defined in the true branch";
  }
  for (auto& x : mutated) {
    if (t_exits && f_exits) continue;
    Value *tv = nullptr, *fv = nullptr;
    auto read = [&](Block* b, const EnvironmentPtr& e) {
      InsertPoint at(*graph_, b);
      return as_value(find(e, x));
    };
    if (!t_exits) tv = read(tb, save_t);
    if (!f_exits) fv = read(fb, save_f);
    auto fill = [&](Block* b, TypePtr t) {
      Node* u = graph_->create_uninitialized(t)->insert_before(b->ret);
      graph_->create_store(x, u->output())->insert_before(b->ret);
      return u->output();
    };
    if (t_exits) tv = fill(tb, fv->type);
    if (f_exits) fv = fill(fb, tv->type);
    TypePtr full = nullptr;
    if (SugaredPtr outer = find(env_, x); outer && outer->kind == K::Simple)
      full = outer->value->type;
    bool to_union = full && (full->kind == TypeKind::Union || full->kind == TypeKind::Optional ||
                             full->kind == TypeKind::Number);
    TypePtr u = unify_types(tv->type, fv->type, types_, to_union);
    if (!u) {
      std::string text = "Type mismatch: " + x + " is set to type " + tv->type->annotation_str() +
                         " in the true branch and type " + fv->type->annotation_str() +
                         " in the false branch";
      if (find(save_t->next, x)) error(text);
      root->errors[x] = text;
      continue;
    }
    env_->types[x] = u;
  }
}

void Emitter::assert_statement(const Tree& s) {
  Cond c = condition(s[0]);
  auto tree = [&](Kind k, std::vector<TreeRef> kids, std::string text = "") {
    auto t = std::make_shared<Tree>();
    t->kind = k;
    t->range = s.range;
    t->kids = std::move(kids);
    t->text = std::move(text);
    return TreeRef(t);
  };
  TreeRef message = s[1]->present() ? s[1] : tree(Kind::StringLit, {});
  TreeRef call = tree(Kind::Apply, {tree(Kind::Var, {}, "AssertionError"),
                                    tree(Kind::List, {message}), tree(Kind::List, {})});
  if_blocks(c, tree(Kind::List, {}), tree(Kind::List, {tree(Kind::Raise, {call})}));
}

void Emitter::raise_statement(const TreeRef& e) {
  SugaredPtr s = sugared(e);
  Value* message;
  Value* cls = nullptr;
  if (s->kind == K::ExceptionMessage)
    message = s->value;
  else if (s->kind == K::Exception)
    message = insert_constant("");
  else
    error("exceptions must derive from BaseException");
  if (message->type->kind != TypeKind::String) message = builtin("aten::str", {message});
  if (s->name == "AssertionError") {
    // "AssertionError: " stands in front of the text.
    message = builtin("aten::add", {insert_constant("AssertionError: "), message});
  }
  if (!cls) cls = insert_constant(IValue());
  builtin_call("prim::RaiseException", {{message, ""}, {cls, ""}});
  exit_blocks_.insert(env_->block);
}

void Emitter::return_statement(const TreeRef& e) {
  auto& d = defs_.back();
  TypePtr declared = d.declared;
  Value* v = e ? expression(e, declared) : insert_constant(IValue());
  if (declared) {
    v = try_convert(declared, v, true);
    if (!v->type->is_subtype_of(declared))
      error("Return value was annotated as having type ", declared->annotation_str(),
            " but is actually of type ", v->type->annotation_str());
  } else {
    declared = d.merged ? d.merged : v->type;
    TypePtr u = unify_types(declared, v->type, types_);
    if (!u)
      error("Previous return statement returned a value of type ", declared->annotation_str(),
            " but this return statement returns a value of type ", v->type->annotation_str());
    declared = u;
  }
  d.merged = declared;
  if (declared->kind == TypeKind::Any && v->type->kind != TypeKind::Any)
    v = unchecked_cast(v, declared);
  insert(prim::ReturnStmt, {v}, 0);
  exit_blocks_.insert(env_->block);
}

// ---- loops ----

Value* Emitter::front_constant(IValue v) {
  InsertPoint at(*graph_, graph_->block()->first());
  return insert_constant(std::move(v));
}

void Emitter::loop(const std::function<void()>& body, const SugaredPtr& it, const TreeRef& targets,
                   const TreeRef& cond) {
  Value* trip;
  if (it) {
    trip = len(it);
  } else {
    int64_t max = std::numeric_limits<int64_t>::max();
    Value*& c = ints_[max];
    if (!c) c = front_constant(max);
    trip = c;
  }
  Node* n = insert(prim::Loop, {}, 0);
  Block* b = n->add_block();
  {
    Block* cb = n->add_block();
    push_frame(cb);
    Value* out;
    if (cond) {
      InsertPoint at(*graph_, cb);
      RangeScope scope(*graph_, cond->range);
      out = to_bool(expression(cond));
    } else {
      InsertPoint at(*graph_, n);
      out = insert_constant(true);
    }
    cb->register_output(out);
    pop_frame();
  }
  n->add_input(trip);
  LoopStatus saved = loop_;
  loop_ = LoopStatus::Loop;
  Value* i = b->add_input();
  i->type = types::integer();
  push_frame(b);
  {
    InsertPoint at(*graph_, b);
    if (it && targets) {
      Value* elem = as_value(getitem(it, i));
      std::vector<TreeRef> list = targets->kids;
      binders(list);
      if (list.size() > 1) {
        auto t = std::make_shared<Tree>();
        t->kind = Kind::Tuple;
        t->range = targets->range;
        t->kids = list;
        list = {t};
      }
      assign_each(list, {simple(elem)}, 1);
    }
    body();
  }
  pop_frame();
  loop_ = saved;
}

void Emitter::for_loop(const TreeRef& targets, const TreeRef& iterable,
                       const std::function<void()>& body) {
  SugaredPtr it = iter(sugared(iterable));
  auto n = static_len(it);
  if (!n || (it->kind == K::Range && !it->static_len)) return loop(body, it, targets, nullptr);
  LoopStatus saved = loop_;
  loop_ = LoopStatus::Unrolled;
  for (int64_t i = 0; i < *n; ++i) {
    Value*& c = ints_[i];
    if (!c) c = front_constant(i);
    SugaredPtr item = getitem(it, c);
    std::vector<TreeRef> list = targets->kids;
    if (list.size() > 1) {
      auto t = std::make_shared<Tree>();
      t->kind = Kind::Tuple;
      t->range = targets->range;
      t->kids = list;
      list = {t};
    }
    assign_each(list, {item}, 1);
    body();
  }
  loop_ = saved;
}

void Emitter::with(const Tree& s) {
  std::vector<Value*> entered;
  for (auto& item : s[0]->kids) {
    Value* v = expression((*item)[0]);
    Node* n = insert(prim::Enter, {v});
    entered.push_back(v);
    if (v->type->kind != TypeKind::Class) error("With item expression must return an object");
    auto* cls = static_cast<const ClassType*>(v->type);
    Function *enter = cls->find_method("__enter__"), *exit = cls->find_method("__exit__");
    if (!enter || !exit)
      error(
          "Object returned by with item expression does not define __enter__ and __exit__ methods");
    cu_.ensure_schema(*enter);
    cu_.ensure_schema(*exit);
    if (enter->schema.arguments.size() != 1)
      error("__enter__ must have only one argument and one return value");
    if (exit->schema.arguments.size() != 4) error("__exit__ must have four arguments");
    n->output()->type = enter->schema.returns[0].type;
    if ((*item)[1]->present()) set_var((*item)[1]->text, n->output());
  }
  statements(*s[1]);
  for (size_t i = entered.size(); i-- > 0;) insert(prim::Exit, {entered[i]});
}

void Emitter::del(const Tree& s) {
  for (auto& t : s.kids) {
    if (t->kind == Kind::Var) {
      remove_var(t->text);
    } else if (t->kind == Kind::Subscript) {
      if ((*(*t)[1])[0]->kind == Kind::Slice)
        error("del statements only support deletion at a single index, slicing is not supported");
      SugaredPtr container = sugared((*t)[0]);
      Value* idx = expression((*(*t)[1])[0]);
      Value* v = as_value(container);
      if (v->type->kind == TypeKind::Class)
        call_method(v, "__delitem__", {{idx, ""}}, {});
      else
        builtin("aten::Delete", {v, idx});
    } else {
      error("del statements are only supported for deleting list and dict items and variables");
    }
  }
}

SugaredPtr Emitter::closure(const std::function<void(Block*)>& body) {
  Node* n = insert(prim::Closure, {});
  n->output()->type = types::none();
  Block* b = n->add_block();
  LoopStatus saved = loop_;
  loop_ = LoopStatus::None;
  {
    InsertPoint at(*graph_, b);
    push_frame(b, true);
    body(b);
    pop_frame(true);
  }
  loop_ = saved;
  auto s = make(K::Closure);
  s->value = n->output();
  return s;
}

void Emitter::closure_def(const Tree& def) {
  SugaredPtr s = closure([&](Block* b) { emit_def(def, b, true); });
  set_sugared(def.text, s, nullptr);
}

// ---- assignments ----

void Emitter::assignment(const Tree& s) {
  if (!s[1]->present()) error("For an assignment, expected an expression on the right-hand side");
  TypePtr type = s[2]->present() ? cu_.parse_type(s[2]) : nullptr;
  auto& targets = s[0]->kids;
  if (targets.size() == 1) return assign(targets[0], s[1], type);
  std::string tmp = "$tmp_assign_" + std::to_string(temp_++);
  set_sugared(tmp, sugared(s[1]), nullptr);
  auto var = std::make_shared<Tree>();
  var->kind = Kind::Var;
  var->range = s[1]->range;
  var->text = tmp;
  for (auto& t : targets) assign(t, var, nullptr);
}

void Emitter::assign(const TreeRef& lhs, const TreeRef& rhs, TypePtr type) {
  switch (lhs->kind) {
    case Kind::Var: {
      SugaredPtr v = sugared(rhs, type);
      set_sugared(lhs->text, v, type);
      return;
    }
    case Kind::Tuple: {
      binders(lhs->kids);
      wanted_outputs_ = lhs->size();
      SugaredPtr value = sugared(rhs);
      wanted_outputs_ = 1;
      assign_tuple(*lhs, value);
      return;
    }
    case Kind::Select: {
      SugaredPtr object = sugared((*lhs)[0]);
      Value* v = as_value(sugared(rhs, type));
      set_attr(object, lhs->text, v);
      return;
    }
    case Kind::Subscript: return subscript_assign(*lhs, expression(rhs));
    default: error("unexpected expression on left-hand side of assignment");
  }
}

size_t Emitter::binders(const std::vector<TreeRef>& lhs) {
  size_t starred = 0;
  for (auto& t : lhs) {
    if (t->kind == Kind::Starred)
      ++starred;
    else if (t->kind != Kind::Var && t->kind != Kind::Subscript && t->kind != Kind::Tuple &&
             t->kind != Kind::Select)
      error("lhs of assignment must be a variable, subscript, or starred expression");
  }
  if (starred > 1) error("Only one starred expression is allowed on the lhs");
  if (starred && lhs.size() == 1)
    error(
        "A Starred expression may only appear on the lhs within the presence of another "
        "non-starred expression");
  return lhs.size() - starred;
}

void Emitter::assign_tuple(const Tree& lhs, const SugaredPtr& rhs) {
  size_t n = binders(lhs.kids);
  bool starred = n != lhs.kids.size();
  auto parts = as_tuple(rhs, starred ? std::nullopt : std::optional<size_t>(n));
  if (parts.size() < n)
    error("need ", starred ? "at least " : "", n, " values to unpack but found only ",
          parts.size());
  if (parts.size() > n && !starred)
    error("too many values to unpack: need ", n, " but found ", parts.size());
  assign_each(lhs.kids, parts, n);
}

void Emitter::assign_each(const std::vector<TreeRef>& lhs, const std::vector<SugaredPtr>& rhs,
                          size_t n_binders) {
  size_t i = 0;
  for (auto& t : lhs) {
    switch (t->kind) {
      case Kind::Subscript: subscript_assign(*t, as_value(rhs.at(i++))); break;
      case Kind::Var: set_sugared(t->text, rhs.at(i++), nullptr); break;
      case Kind::Starred: {
        if ((*t)[0]->kind != Kind::Var) error("Cannot pack a tuple into a non-variable");
        size_t n = rhs.size() - n_binders;
        std::vector<Value*> v;
        for (size_t k = 0; k < n; ++k) v.push_back(as_value(rhs.at(i + k)));
        set_var((*t)[0]->text, graph_->insert_node(graph_->create_tuple(v))->output());
        i += n;
        break;
      }
      case Kind::Tuple: assign_tuple(*t, rhs.at(i++)); break;
      case Kind::Select: {
        SugaredPtr object = sugared((*t)[0]);
        set_attr(object, t->text, as_value(rhs.at(i++)));
        break;
      }
      default: error("unexpected expression on the left-hand side");
    }
  }
}

void Emitter::set_attr(const SugaredPtr& object, const std::string& name, Value* v) {
  if (object->kind != K::Simple || object->value->type->kind != TypeKind::Class)
    error("Tried to set an attribute: ", name, " on a non-class");
  auto* cls = const_cast<ClassType*>(static_cast<const ClassType*>(object->value->type));
  int i = cls->find_attribute(name);
  if (i < 0) {
    if (cls->find_method("__" + name + "_setter")) {
      call_method(object->value, "__" + name + "_setter", {{v, ""}}, {});
      return;
    }
    bool initializing = fn_.name == "__init__" && fn_.self == cls;
    if (!initializing)
      error("Tried to set nonexistent attribute: ", name,
            ". Did you forget to initialize it in __init__()?");
    cls->add_attribute({name, v->type, false, false, false});
    i = cls->find_attribute(name);
  }
  auto& a = cls->attributes[static_cast<size_t>(i)];
  if (fn_.name != "__init__") a.written = true;
  v = try_convert(a.type, v, false);
  if (!v->type->is_subtype_of(a.type))
    error("Wrong type for attribute assignment. Expected ", a.type->annotation_str(), " but got ",
          v->type->annotation_str());
  insert(prim::SetAttr, {object->value, v}, 0)->set_s(Symbol("name"), name);
}

void Emitter::subscript_assign(const Tree& lhs, Value* rhs) {
  Value* target = expression(lhs[0]);
  if (is_tensor(target->type)) {
    auto [sliced, indices] = int_and_slice_indexing(target, *lhs[1]);
    TypeKind k = rhs->type->kind;
    if (k == TypeKind::Number || k == TypeKind::Int || k == TypeKind::Bool ||
        k == TypeKind::Float || k == TypeKind::Complex) {
      Value* dtype = builtin("prim::dtype", {sliced});
      Value* device = builtin("prim::device", {sliced});
      rhs = builtin_call("aten::tensor", {{rhs, ""}}, {{dtype, "dtype"}, {device, "device"}});
    }
    if (indices.empty()) {
      builtin("aten::copy_", {sliced, rhs});
    } else {
      Value* list =
          graph_->insert_node(graph_->create_list(types_.optional(types::tensor()), indices))
              ->output();
      builtin("aten::index_put_", {sliced, list, rhs});
    }
    return;
  }
  if (lhs[1]->size() != 1 || (*lhs[1])[0]->kind == Kind::Slice)
    error("Sliced expression not yet supported for subscripted assignment.");
  if (target->type->kind == TypeKind::Tuple)
    error(target->type->annotation_str(), " does not support subscripted assignment");
  Value* idx = expression((*lhs[1])[0]);
  if (target->type->kind == TypeKind::Class)
    call_method(target, "__setitem__", {{idx, ""}, {rhs, ""}}, {});
  else
    builtin("aten::_set_item", {target, idx, rhs});
}

std::string Emitter::aug_op(const Tree& s, TypePtr t) {
  bool in_place = is_tensor(t) || t->kind == TypeKind::List;
  struct Row {
    const char *op, *tensor, *other;
  };
  static constexpr Row kRows[] = {{"+", "aten::add_", "aten::add"},
                                  {"-", "aten::sub_", "aten::sub"},
                                  {"/", "aten::div_", "aten::div"},
                                  {"*", "aten::mul_", "aten::mul"},
                                  {"%", "aten::fmod_", "aten::fmod"},
                                  {"|", "aten::bitwise_or", "aten::__or__"},
                                  {"&", "aten::bitwise_and", "aten::__and__"},
                                  {"^", "aten::bitwise_xor", "aten::__xor__"},
                                  {"<<", "aten::__ilshift__", "aten::__lshift__"},
                                  {">>", "aten::__irshift__", "aten::__rshift__"},
                                  {"**", "aten::pow", "aten::pow"}};
  for (auto& r : kRows)
    if (s.text == r.op) return in_place ? r.tensor : r.other;
  error("Unknown augmented assignment: ", s.text, "=");
}

Value* Emitter::aug_value(const Tree& s, Value* lhs) {
  if (lhs->type->kind == TypeKind::Class) {
    static constexpr const char* kMagic[][3] = {{"+", "__iadd__", "__add__"},
                                                {"-", "__isub__", "__sub__"},
                                                {"/", "__itruediv__", "__truediv__"},
                                                {"*", "__imul__", "__mul__"},
                                                {"%", "__imod__", "__mod__"}};
    Value* rhs = expression(s[1]);
    auto* cls = static_cast<const ClassType*>(lhs->type);
    for (auto& m : kMagic)
      if (s.text == m[0])
        for (int i : {1, 2})
          if (cls->find_method(m[i])) return as_value(call_method(lhs, m[i], {{rhs, ""}}, {}));
    error("Cannot emit inplace op on ", lhs->type->annotation_str(),
          " since it does not define the method");
  }
  Value* rhs = expression(s[1]);
  return builtin(aug_op(s, lhs->type), {lhs, rhs});
}

void Emitter::aug_assign(const Tree& s) {
  const Tree& lhs = *s[0];
  switch (lhs.kind) {
    case Kind::Var: {
      Value* v = aug_value(s, expression(s[0]));
      set_var(lhs.text, v);
      return;
    }
    case Kind::Select: {
      SugaredPtr object = sugared(lhs[0]);
      Value* v = aug_value(s, as_value(attr(object, lhs.text)));
      set_attr(object, lhs.text, v);
      return;
    }
    case Kind::Subscript: break;
    default: error("unexpected expression on left-hand side of augmented assignment");
  }
  Value* target = expression(lhs[0]);
  if (is_tensor(target->type)) {
    auto [sliced, indices] = int_and_slice_indexing(target, *lhs[1]);
    Value* rhs = expression(s[1]);
    if (indices.empty()) {
      builtin_call(aug_op(s, target->type), {{rhs, ""}}, {}, sliced);
      return;
    }
    Value* list =
        graph_->insert_node(graph_->create_list(types_.optional(types::tensor()), indices))
            ->output();
    Value* indexed = builtin("aten::index", {sliced, list});
    Value* v = builtin_call(aug_op(s, target->type), {{rhs, ""}}, {}, indexed);
    builtin("aten::index_put_", {sliced, list, v});
    return;
  }
  if (lhs[1]->size() != 1) error("Sliced expression not yet supported for augmented assignment.");
  TypePtr elem;
  if (target->type->kind == TypeKind::List)
    elem = target->type->elems[0];
  else if (target->type->kind == TypeKind::Dict)
    elem = target->type->elems[0];  // PyTorch looks at the key's type
  else
    error(target->type->annotation_str(), " does not support augmented assignment.");
  Value* idx = expression((*lhs[1])[0]);
  Value* rhs = expression(s[1]);
  Value* item = builtin("aten::__getitem__", {target, idx});
  Value* v = builtin(aug_op(s, elem), {item, rhs});
  builtin("aten::_set_item", {target, idx, v});
}

}  // namespace sconce::script
