// SPDX-License-Identifier: Apache-2.0
// Overload resolution by schema, implicit conversions (serialized-language.md sections 7 and 8).
#include "core/selection.h"
#include "loader/script/emitter.h"
#include "loader/script/upgraders.h"
#include "support/stack.h"

namespace sconce::script {

bool is_tensor(TypePtr t) { return t->kind == TypeKind::Tensor; }

bool Emitter::convertible_to_list(TypePtr t, TypePtr list) const {
  if (list->kind != TypeKind::List) return false;
  if (t->is_subtype_of(list)) return true;
  if (t->kind != TypeKind::Tuple) return false;
  for (TypePtr e : t->elems)
    if (!e->is_subtype_of(list->elems[0])) return false;
  return true;
}

Value* Emitter::try_convert(TypePtr wanted, Value* v, bool conversions) {
  check_stack();
  if (is_optional(wanted) && !is_optional(v->type) && v->type->kind != TypeKind::None)
    return try_convert(wanted->elems[0], v, conversions);
  if (v->node->kind == prim::EmptyListLiteral && wanted->kind == TypeKind::List)
    v = graph_->insert_node(graph_->create_list(wanted->elems[0], {}))->output();
  if (v->type->kind == TypeKind::Tuple) {
    TypePtr tuple = v->type;
    if (convertible_to_list(v->type, unwrap_optional(wanted))) {
      auto parts = unpack_tuple(v);
      v = graph_->insert_node(graph_->create_list(unwrap_optional(wanted)->elems[0], parts))
              ->output();
    }
    if (wanted->kind == TypeKind::Tuple && !tuple->is_subtype_of(wanted) &&
        wanted->elems.size() == tuple->elems.size()) {
      auto parts = unpack_tuple(v);
      for (size_t i = 0; i < parts.size(); ++i)
        parts[i] = try_convert(wanted->elems[i], parts[i], conversions);
      v = graph_->insert_node(graph_->create_tuple(parts))->output();
    }
  }
  if (!conversions) return v;
  if (is_tensor(v->type)) {
    switch (wanted->kind) {
      case TypeKind::Float: return builtin("aten::FloatImplicit", {v});
      case TypeKind::Complex: return builtin("aten::ComplexImplicit", {v});
      case TypeKind::Int: return builtin("aten::IntImplicit", {v});
      case TypeKind::Number: return builtin("aten::ScalarImplicit", {v});
      default: break;
    }
  } else if (v->type->kind == TypeKind::Number) {
    switch (wanted->kind) {
      case TypeKind::Float: return builtin("aten::Float", {v});
      case TypeKind::Complex: return builtin("aten::Complex", {v});
      case TypeKind::Int: return builtin("aten::Int", {v});
      default: break;
    }
  }
  // A literal such as 1e10 is printed without its point; accept the int where only a float fits.
  if (v->type->kind == TypeKind::Int && wanted->kind == TypeKind::Float &&
      v->node->kind == prim::Constant) {
    auto c = constant_value(v);
    if (c && c->isInt() && std::abs(static_cast<double>(c->toInt())) >= 1e10)
      return insert_constant(static_cast<double>(c->toInt()));
  }
  if (v->type->kind == TypeKind::String && wanted->kind == TypeKind::Device)
    return builtin("aten::device", {v});
  return v;
}

// Schemas name native classes; the archive has the types.
TypePtr Emitter::with_classes(TypePtr t) {
  check_stack();
  if (t->kind == TypeKind::Var && t->name.rfind("__torch__.", 0) == 0) {
    TypePtr cls = cu_.find_type(t->name);
    return cls ? cls : t;
  }
  if ((t->kind == TypeKind::List || t->kind == TypeKind::Optional) && t->elems.size() == 1) {
    TypePtr e = with_classes(t->elems[0]);
    if (e == t->elems[0]) return t;
    return t->kind == TypeKind::List ? types_.list(e) : types_.optional(e);
  }
  return t;
}

Value* Emitter::try_match_argument(const Argument& a, Value* v, std::string* why, bool conversions,
                                   TypeEnv& env) {
  TypePtr formal = with_classes(a.type);
  // A number given for int[N] is repeated.
  TypePtr plain = unwrap_optional(formal);
  if (a.n && plain->kind == TypeKind::List && plain->elems[0] == v->type &&
      (v->type->kind == TypeKind::Int || v->type->kind == TypeKind::Float))
    v = graph_
            ->insert_node(
                graph_->create_list(v->type, std::vector<Value*>(static_cast<size_t>(a.n), v)))
            ->output();
  std::string reason;
  if (!match_type_variables(formal, v->type, env, types_, why ? &reason : nullptr)) {
    if (why)
      *why += "Could not match type " + v->type->annotation_str() + " to " +
              formal->annotation_str() + " in argument '" + a.name + "': " + reason + ".\n";
    return nullptr;
  }
  TypePtr concrete = eval_type_variables(formal, env, types_);
  if (!concrete) {
    if (why)
      *why += "Type variables in type " + formal->str() +
              " could not be inferred from actual type " + v->type->annotation_str() + ".\n";
    return nullptr;
  }
  v = try_convert(concrete, v, conversions);
  if (concrete->kind == TypeKind::Var && concrete->name == v->type->name)
    return v;  // a native class named in a schema
  if (!v->type->is_subtype_of(concrete)) {
    if (why)
      *why += "Expected a value of type '" + concrete->annotation_str() + "' for argument '" +
              a.name + "' but instead found type '" + v->type->annotation_str() + "'.\n";
    return nullptr;
  }
  return v;
}

std::optional<Emitter::Match> Emitter::try_match(const FunctionSchema& s,
                                                 const std::vector<Arg>& args,
                                                 const std::vector<Arg>& kwargs, Value* self,
                                                 std::string* why, bool conversions) {
  if (s.overload == "dtype" && s.name == "aten::view")
    return std::nullopt;  // cannot be told from view(int)
  bool aten = s.name.rfind("aten::", 0) == 0;
  TypeEnv env;
  Match m;
  std::vector<bool> used(kwargs.size(), false);
  size_t used_args = 0;
  for (size_t i = 0; i < s.arguments.size(); ++i) {
    const Argument& a = s.arguments[i];
    Value* v = nullptr;
    auto keyword = [&]() -> std::optional<size_t> {
      for (size_t k = 0; k < kwargs.size(); ++k)
        if (kwargs[k].name == a.name || (aten && a.name == "self" && kwargs[k].name == "input"))
          return k;
      return std::nullopt;
    };
    if (a.name == "self" && self) {
      v = self;
      self = nullptr;
    } else if (!a.kwarg_only && used_args < args.size()) {
      bool last = i + 1 == s.arguments.size() || s.arguments[i + 1].kwarg_only;
      bool varargs = conversions && last && a.type->kind == TypeKind::List && a.n == 0 &&
                     a.type->elems[0]->kind != TypeKind::Var;
      TypePtr actual = args[used_args].value->type;
      if (varargs && actual->kind != TypeKind::List && !convertible_to_list(actual, a.type)) {
        Argument elem;
        elem.name = "<varargs>";
        elem.type = a.type->elems[0];
        std::vector<Value*> items;
        for (; used_args < args.size(); ++used_args) {
          Value* x = try_match_argument(elem, args[used_args].value, why, conversions, env);
          if (!x) return std::nullopt;
          items.push_back(x);
        }
        m.inputs.push_back(graph_->insert_node(graph_->create_list(elem.type, items))->output());
        continue;
      }
      v = args[used_args++].value;
    } else if (auto k = keyword()) {
      if (used[*k]) {
        if (why) *why += "Argument " + kwargs[*k].name + " specified twice.\n";
        return std::nullopt;
      }
      used[*k] = true;
      v = kwargs[*k].value;
    } else if (a.default_value) {
      v = insert_constant(*a.default_value);
    } else {
      if (why) *why += "Argument " + a.name + " not provided.\n";
      return std::nullopt;
    }
    v = try_match_argument(a, v, why, conversions, env);
    if (!v) return std::nullopt;
    m.inputs.push_back(v);
  }
  if (self) {
    if (why) *why += "Provided self argument not used in schema.\n";
    return std::nullopt;
  }
  if (s.is_vararg)
    for (; used_args < args.size(); ++used_args) m.inputs.push_back(args[used_args].value);
  if (used_args < args.size()) {
    if (why)
      *why += detail::concat("Expected at most ", used_args, " arguments but found ", args.size(),
                             " positional arguments.\n");
    return std::nullopt;
  }
  for (size_t k = 0; k < kwargs.size(); ++k)
    if (!used[k]) {
      if (why)
        *why += "Keyword argument " + kwargs[k].name +
                (s.argument_index(kwargs[k].name) < 0 ? " unknown.\n" : " specified twice.\n");
      return std::nullopt;
    }
  bool named = !s.returns.empty();
  for (auto& r : s.returns) {
    TypePtr t = eval_type_variables(r.type, env, types_);
    if (!t) return std::nullopt;
    if (t->kind == TypeKind::Var ||
        (t->mentions_class == false && t->name.rfind("__torch__", 0) == 0))
      if (TypePtr cls = cu_.find_type(t->name)) t = cls;
    m.returns.push_back(t);
    named &= !r.name.empty();
  }
  if (named)
    for (auto& r : s.returns) m.fields.push_back(r.name);
  return m;
}

Emitter::Match Emitter::match(const FunctionSchema& s, const std::vector<Arg>& args,
                              const std::vector<Arg>& kwargs, Value* self) {
  std::string why;
  if (auto m = try_match(s, args, kwargs, self, &why, true)) return *m;
  error("the call does not fit ", s.str(), ":\n", why);
}

Value* Emitter::pack(const std::vector<Value*>& outs, const std::vector<std::string>& fields) {
  if (outs.size() == 1) return outs[0];
  TypePtr named = nullptr;
  if (!fields.empty()) {
    std::vector<TypePtr> t;
    for (Value* v : outs) t.push_back(v->type);
    named = types_.named_tuple("", fields, t);
  }
  return graph_->insert_node(graph_->create_tuple(outs, named))->output();
}

Value* Emitter::builtin(const std::string& name, const std::vector<Value*>& inputs) {
  std::vector<Arg> a;
  for (Value* v : inputs) a.push_back({v, ""});
  return builtin_call(name, a);
}

Value* Emitter::builtin_call(const std::string& name, const std::vector<Arg>& args,
                             const std::vector<Arg>& kwargs, Value* self) {
  struct Candidate {
    const FunctionSchema* schema;
    const Operator* op;
    Function* function;
  };
  std::vector<Candidate> list;
  // Methods of classes in old archives mean the old operators; free functions don't.
  bool old = fn_.self && cu_.version() <= kLastUpgradedVersion;
  for (const Operator& op : cu_.ops().find(name)) {
    Function* u = old ? find_upgrader(cu_.ops(), op.full_name(), cu_.version()) : nullptr;
    if (u)
      list.push_back({&u->schema, nullptr, u});
    else
      list.push_back({&op.schema(), &op, nullptr});
  }
  for (Function* f : builtin_functions(cu_.ops(), name)) list.push_back({&f->schema, nullptr, f});
  if (list.empty() && !cu_.ops().has_namespace(name.substr(0, name.find("::")))) {
    return unknown_call(name, self, args, kwargs, nullptr);
  }
  if (list.empty() && kReduced)
    throw MissingOp(describe_error(graph_->current_range, missing_operator_text(name)));
  if (list.empty())
    error("Unknown builtin op: ", name, ". This operator is not known to PyTorch or to sconce.");
  auto emit = [&](const Candidate& c, const Match& m) -> Value* {
    check_policy(name, c.op ? c.op->full_name() : name);
    if (c.function) return insert_graph(*graph_, c.function->ensure_graph(), m.inputs).at(0);
    Node* n = insert(Symbol(name), m.inputs, 0);
    n->op = c.op;
    for (TypePtr t : m.returns) n->add_output(t);
    return pack(n->outputs, m.fields);
  };
  for (bool conversions : {false, true}) {
    if (list.size() == 1 && !conversions) continue;
    for (auto& c : list)
      if (auto m = try_match(*c.schema, args, kwargs, self, nullptr, conversions))
        return emit(c, *m);
  }
  std::string text = "Arguments for call are not valid.\nThe following variants are available:\n";
  for (auto& c : list) {
    std::string why;
    (void)try_match(*c.schema, args, kwargs, self, &why, true);
    text += "  " + c.schema->str() + ":\n    " + why;
  }
  error(text);
}

Value* Emitter::unknown_call(const std::string& name, Value* self, const std::vector<Arg>& args,
                             const std::vector<Arg>& kwargs, TypePtr result) {
  std::vector<Value*> inputs;
  check_policy(name, name);
  if (self) inputs.push_back(self);
  for (auto& a : args) inputs.push_back(a.value);
  for (auto& a : kwargs) inputs.push_back(a.value);
  Node* n = insert(Symbol(name), inputs, 0);
  cu_.unknown_operators.emplace_back(name, n->range);
  if (result) return n->add_output(result);
  for (size_t i = 0; i < wanted_outputs_; ++i) n->add_output(types::tensor());
  return pack(n->outputs, {});
}

void Emitter::refuse_by_policy(std::string_view name, std::string_view overload) {
  // Methods of native classes are sconce's own code.
  if (fn_.self && fn_.self->is_native) return;
  if (cu_.policy->permits(name, overload)) return;
  throw PolicyError(describe_error(
      graph_->current_range, detail::concat("the operator ", overload,
                                            " is not among those that the host lets files use")));
}

bool Emitter::builtin_exists(const std::string& name, Value* self) {
  for (const Operator& op : cu_.ops().find(name)) {
    if (!self) return true;
    const FunctionSchema& s = op.schema();
    int i = s.argument_index("self");
    if (i < 0) continue;
    TypeEnv env;
    TypePtr formal = s.arguments[static_cast<size_t>(i)].type;
    if (!match_type_variables(formal, self->type, env, types_, nullptr)) continue;
    TypePtr concrete = eval_type_variables(formal, env, types_);
    if (concrete && self->type->is_subtype_of(concrete)) return true;
  }
  if (!self) return !builtin_functions(cu_.ops(), name).empty();
  return false;
}

}  // namespace sconce::script
