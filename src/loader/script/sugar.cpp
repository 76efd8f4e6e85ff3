// SPDX-License-Identifier: Apache-2.0
// Sugared values: attribute access, calls, iteration (serialized-language.md sections 6, 7, 9, 11).
#include <limits>

#include "loader/script/emitter.h"
#include "support/stack.h"

namespace sconce::script {

using K = Sugared::Kind;

SugaredPtr Emitter::make(Sugared::Kind k, const std::string& name) {
  auto s = std::make_shared<Sugared>();
  s->kind = k;
  s->name = name;
  return s;
}
SugaredPtr Emitter::simple(Value* v) {
  auto s = make(K::Simple);
  s->value = v;
  return s;
}
SugaredPtr Emitter::special(Symbol form) {
  auto s = make(K::SpecialForm);
  s->form = form;
  return s;
}

std::string Emitter::kind_name(const SugaredPtr& s) {
  switch (s->kind) {
    case K::Simple: return "value of type '" + s->value->type->annotation_str() + "'";
    case K::None: return "None";
    case K::Builtin: return "builtin function " + s->name;
    case K::Print: return "print";
    case K::Exception: return "exception class";
    case K::Method: return "method " + s->name;
    case K::Function: return "function";
    case K::Class:
    case K::NamedTuple: return "class " + s->type->annotation_str();
    case K::EnumClass: return "enum class";
    case K::Range:
    case K::Iterables: return "iterable";
    case K::Closure: return "nested function";
    default: return s->name.empty() ? "special form" : s->name;
  }
}

Value* Emitter::as_value(const SugaredPtr& s) {
  check_stack();
  switch (s->kind) {
    case K::Simple: return s->value;
    case K::Closure: return s->value;
    case K::ExceptionMessage: return s->value;
    case K::TupleOfSugared: {
      std::vector<Value*> v;
      for (auto& c : s->children) v.push_back(as_value(c));
      return graph_->insert_node(graph_->create_tuple(v))->output();
    }
    default: error(kind_name(s), " cannot be used as a value");
  }
}

namespace {
struct CastMethod {
  const char* name;
  ScalarType type;
};
constexpr CastMethod kCastMethods[] = {
    {"byte", kByte},   {"char", kChar},           {"double", kDouble},
    {"float", kFloat}, {"cfloat", kComplexFloat}, {"cdouble", kComplexDouble},
    {"int", kInt},     {"long", kLong},           {"short", kShort},
    {"half", kHalf}};
struct Property {
  TypeKind kind;
  const char *name, *op;
};
constexpr Property kProperties[] = {
    {TypeKind::Optional, "unchecked_unwrap_optional", "prim::unchecked_unwrap_optional"},
    {TypeKind::Tensor, "dtype", "prim::dtype"},
    {TypeKind::Tensor, "device", "prim::device"},
    {TypeKind::Tensor, "grad", "prim::grad"},
    {TypeKind::Tensor, "data", "prim::data"},
    {TypeKind::Tensor, "shape", "prim::shape"},
    {TypeKind::Tensor, "is_cuda", "prim::is_cuda"},
    {TypeKind::Tensor, "is_cpu", "prim::is_cpu"},
    {TypeKind::Tensor, "is_xpu", "prim::is_xpu"},
    {TypeKind::Tensor, "is_sparse", "prim::is_sparse"},
    {TypeKind::Tensor, "is_sparse_csr", "prim::is_sparse_csr"},
    {TypeKind::Tensor, "is_mkldnn", "prim::is_mkldnn"},
    {TypeKind::Tensor, "is_mps", "prim::is_mps"},
    {TypeKind::Tensor, "is_quantized", "prim::is_quantized"},
    {TypeKind::Tensor, "is_vulkan", "prim::is_vulkan"},
    {TypeKind::Tensor, "is_ipu", "prim::is_ipu"},
    {TypeKind::Tensor, "is_meta", "prim::is_meta"},
    {TypeKind::Tensor, "is_maia", "prim::is_maia"},
    {TypeKind::Tensor, "is_leaf", "aten::is_leaf"},
    {TypeKind::Tensor, "is_nested", "prim::is_nested"},
    {TypeKind::Tensor, "requires_grad", "prim::requires_grad"},
    {TypeKind::Tensor, "layout", "prim::layout"},
    {TypeKind::Tensor, "T", "prim::T"},
    {TypeKind::Tensor, "H", "prim::H"},
    {TypeKind::Tensor, "mT", "aten::mT"},
    {TypeKind::Tensor, "mH", "aten::mH"},
    {TypeKind::Tensor, "ndim", "prim::ndim"},
    {TypeKind::Tensor, "name", "prim::name"},
    {TypeKind::Tensor, "real", "aten::real"},
    {TypeKind::Tensor, "imag", "aten::imag"},
    {TypeKind::Tensor, "retains_grad", "aten::retains_grad"},
    {TypeKind::Tensor, "itemsize", "prim::itemsize"},
    {TypeKind::Tensor, "nbytes", "prim::nbytes"},
    {TypeKind::Device, "type", "prim::type"},
    {TypeKind::Device, "index", "prim::index"},
};
}  // namespace

SugaredPtr Emitter::value_attr(Value* v, const std::string& name) {
  if (is_tensor(v->type))
    for (auto& c : kCastMethods)
      if (name == c.name) {
        auto s = make(K::TensorCast, name);
        s->value = v;
        s->dtype = static_cast<int64_t>(c.type);
        return s;
      }
  for (auto& p : kProperties)
    if (p.kind == v->type->kind && name == p.name) return simple(builtin(p.op, {v}));
  TypePtr t = v->type;
  if (t->is_named_tuple()) {
    for (size_t i = 0; i < t->fields.size(); ++i)
      if (t->fields[i] == name) {
        Value* idx = insert_constant(static_cast<int64_t>(i));
        Node* n = insert(prim::TupleIndex, {v, idx});
        n->output()->type = t->elems[i];
        return simple(n->output());
      }
  } else if (t->kind == TypeKind::Class) {
    auto* cls = static_cast<const ClassType*>(t);
    auto method = [&] {
      auto s = make(K::Method, name);
      s->value = v;
      return s;
    };
    if (cls->is_absent || cls->find_method(name)) return method();
    if (int i = cls->find_attribute(name); i >= 0) {
      Node* n = insert(prim::GetAttr, {v});
      n->set_s(Symbol("name"), name);
      n->output()->type = cls->attributes[static_cast<size_t>(i)].type;
      bool digits = name.find_first_not_of("0123456789") == std::string::npos;
      n->output()->set_name(digits ? "_" + name : name);
      return simple(n->output());
    }
    if (cls->find_method("__" + name + "_getter"))
      return call_method(v, "__" + name + "_getter", {}, {});
  } else if (t->kind == TypeKind::Interface) {
    for (auto& m : static_cast<const InterfaceType*>(t)->methods)
      if (m->name == name) {
        auto s = make(K::Method, name);
        s->value = v;
        return s;
      }
  } else if (t->kind == TypeKind::Enum) {
    if (name == "name" || name == "value") {
      Node* n = insert(name == "name" ? prim::EnumName : prim::EnumValue, {v});
      n->output()->type =
          name == "name" ? types::string() : static_cast<const EnumType*>(t)->value_type;
      return simple(n->output());
    }
  }
  auto op_method = [&](const std::string& op) {
    auto s = make(K::Builtin, op);
    s->value = v;
    return s;
  };
  if (name == "type" && builtin_exists("aten::to", v)) return op_method("aten::to");
  if (builtin_exists("aten::" + name, v)) return op_method("aten::" + name);
  if (is_tensor(t) && name == "tolist") return special(prim::tolist);
  error("'", t->annotation_str(), "' object has no attribute or method '", name, "'.");
}

SugaredPtr Emitter::attr(const SugaredPtr& s, const std::string& name) {
  switch (s->kind) {
    case K::Simple: return value_attr(s->value, name);
    case K::Ops: return make(K::OpNamespace, name);
    case K::OpNamespace:
      if (s->name == "aten" && name == "autograd") return s;
      if (s->name == "aten" && name == "ops") return make(K::Ops);  // torch.ops
      return make(K::Builtin, s->name + "::" + name);
    case K::Constants: {
      char* end = nullptr;
      long long i = name.size() > 1 ? std::strtoll(name.c_str() + 1, &end, 10) : -1;
      if (i < 0 || !end || *end) error("invalid constant specifier: ", name);
      if (static_cast<size_t>(i) >= cu_.constants.size())
        error("constant index ", i, " is out of bounds (constant table has ", cu_.constants.size(),
              " entries)");
      const IValue& v = cu_.constants[static_cast<size_t>(i)];
      return simple(insert_constant(v, unshaped(ivalue_type(v), types_)));
    }
    case K::ClassNamespace: {
      std::string full = s->name + "." + name;
      if (TypePtr t = cu_.find_type(full)) {
        SugaredPtr r;
        if (t->kind == TypeKind::Class) r = make(K::Class);
        if (t->kind == TypeKind::Tuple) r = make(K::NamedTuple);
        if (t->kind == TypeKind::Enum) r = make(K::EnumClass);
        if (r) {
          r->type = t;
          return r;
        }
      }
      if (sconce::Function* f = cu_.find_function(full)) {
        auto r = make(K::Function);
        r->function = f;
        return r;
      }
      return make(K::ClassNamespace, full);
    }
    case K::Class: {
      auto* cls = static_cast<const ClassType*>(s->type);
      for (auto* list : {&cls->forward_hooks, &cls->forward_pre_hooks})
        for (sconce::Function* f : *list)
          if (f->name == name) {
            auto r = make(K::Function);
            r->function = f;
            return r;
          }
      if (name != "__new__")
        error("Tried to lookup unknown attribute '", name, "' on class ",
              s->type->annotation_str());
      auto r = special(prim::CreateObject);
      r->type = s->type;
      return r;
    }
    case K::EnumClass:
      for (auto& m : static_cast<const EnumType*>(s->type)->members)
        if (m.toEnumRef().name == name) {
          // Each mention is an object of its own, as `is` can tell.
          const EnumBox& e = m.toEnumRef();
          return simple(
              insert_constant(IValue(make_ref<EnumBox>(e.type, e.name, e.value)), s->type));
        }
      error(s->type->annotation_str(), " has no attribute '", name, "'");
    default: error(kind_name(s), " has no attribute '", name, "'");
  }
}

bool Emitter::has_attr(const SugaredPtr& s, const std::string& name) {
  if (s->kind != K::Simple || s->value->type->kind != TypeKind::Class)
    error("hasattr's first argument must be an object");
  auto* cls = static_cast<const ClassType*>(s->value->type);
  for (auto& c : cls->constants)
    if (c.first == name) return true;
  return cls->find_method(name) || cls->find_attribute(name) >= 0;
}

SugaredPtr Emitter::call_method(Value* self, const std::string& name, std::vector<Arg> args,
                                std::vector<Arg> kwargs) {
  const FunctionSchema* schema = nullptr;
  if (self->type->kind == TypeKind::Class) {
    auto* cls = static_cast<const ClassType*>(self->type);
    if (cls->is_absent)
      return simple(unknown_call(cls->name + "::" + name, self, args, kwargs, nullptr));
    sconce::Function* f = cls->find_method(name);
    if (!f) error("class ", self->type->name, " has no method ", name);
    cu_.ensure_schema(*f);
    schema = &f->schema;
  } else {
    for (auto& m : static_cast<const InterfaceType*>(self->type)->methods)
      if (m->name == name) schema = m.get();
  }
  args.insert(args.begin(), Arg{self, ""});
  Match m = match(*schema, args, kwargs, nullptr);
  Node* n = insert(prim::CallMethod, m.inputs);
  n->set_s(Symbol("name"), name);
  n->output()->type = m.returns.at(0);
  return simple(n->output());
}

SugaredPtr Emitter::call(const SugaredPtr& s, std::vector<Arg> args, std::vector<Arg> kwargs) {
  check_stack();
  switch (s->kind) {
    case K::Print: {
      if (!kwargs.empty()) error("print doesn't accept any keyword arguments");
      std::vector<Value*> in;
      for (auto& a : args) in.push_back(a.value);
      insert(prim::Print, in, 0);
      return make(K::None);
    }
    case K::Builtin: return simple(builtin_call(s->name, args, kwargs, s->value));
    case K::Cast: {
      if (args.size() != 1 || !kwargs.empty()) {
        // int(), str(): let the operator's own schema complain.
        return simple(builtin_call(s->name, args, kwargs));
      }
      // PyTorch's compiler puts the zero there for every cast. Clean-up drops it where nothing uses
      // it, but it stands between an If and one that tests its flag, which are then not made one.
      Value* zero = insert_constant(int64_t{0});
      Value* v = args[0].value;
      if (v->type->is_subtype_of(s->type) &&
          !(s->type->kind == TypeKind::Int && v->type->kind == TypeKind::Bool))
        return simple(v);
      if (s->type->kind == TypeKind::Bool &&
          (v->type->kind == TypeKind::List || v->type->kind == TypeKind::Dict ||
           v->type->kind == TypeKind::String)) {
        Value* n = builtin("aten::len", {v});
        return simple(builtin("aten::gt", {n, zero}));
      }
      return simple(builtin_call(s->name, args));
    }
    case K::Magic:
      if (!args.empty() && args[0].value->type->kind == TypeKind::Class) {
        Value* self = args[0].value;
        args.erase(args.begin());
        return call(value_attr(self, s->name), std::move(args), std::move(kwargs));
      }
      return call(s->base, std::move(args), std::move(kwargs));
    case K::TensorCast: {
      if (!args.empty() || !kwargs.empty())
        error("the cast method ", s->name, " takes no arguments");
      Value* dtype = insert_constant(s->dtype);
      return simple(builtin("aten::to", {s->value, dtype}));
    }
    case K::Exception: {
      auto r = make(K::ExceptionMessage, s->name);
      if (args.empty())
        r->value = insert_constant("");
      else if (args.size() == 1)
        r->value = args[0].value;
      else {
        std::vector<Value*> in;
        for (auto& a : args) in.push_back(a.value);
        r->value = graph_->insert_node(graph_->create_tuple(in))->output();
      }
      return r;
    }
    case K::Method: return call_method(s->value, s->name, std::move(args), std::move(kwargs));
    case K::Function: {
      cu_.ensure_schema(*s->function);
      Match m = match(s->function->schema, args, kwargs, nullptr);
      Node* c = graph_->insert_node(graph_->create(prim::Constant, 1));
      c->set_s(Symbol("name"), s->function->name);
      c->output()->type = types::get(TypeKind::Function);
      c->function = s->function;
      m.inputs.insert(m.inputs.begin(), c->output());
      Node* n = insert(prim::CallFunction, m.inputs);
      n->output()->type = m.returns.at(0);
      return simple(n->output());
    }
    case K::Class: {
      auto* cls = static_cast<const ClassType*>(s->type);
      Node* n = insert(prim::CreateObject, {});
      n->output()->type = s->type;
      if (!cls->find_method("__init__"))
        error("Class ", cls->name, " does not have an __init__ function defined");
      call_method(n->output(), "__init__", std::move(args), std::move(kwargs));
      return simple(n->output());
    }
    case K::NamedTuple: {
      FunctionSchema schema;
      schema.name = s->type->name;
      for (size_t i = 0; i < s->type->fields.size(); ++i) {
        Argument a;
        a.name = s->type->fields[i];
        a.type = s->type->elems[i];
        schema.arguments.push_back(a);
      }
      Match m = match(schema, args, kwargs, nullptr);
      return simple(graph_->insert_node(graph_->create_tuple(m.inputs, s->type))->output());
    }
    case K::Simple:
      if (s->value->type->kind == TypeKind::Class) {
        auto* cls = static_cast<const ClassType*>(s->value->type);
        return call(
            value_attr(s->value,
                       cls->is_module && !cls->find_method("__call__") ? "forward" : "__call__"),
            std::move(args), std::move(kwargs));
      }
      if (s->value->type->kind == TypeKind::Interface)
        return call(value_attr(s->value, "forward"), std::move(args), std::move(kwargs));
      error("a ", kind_name(s), " cannot be called");
    default: error(kind_name(s), " cannot be called");
  }
}

std::vector<SugaredPtr> Emitter::as_tuple(const SugaredPtr& s, std::optional<size_t> size_hint) {
  std::vector<SugaredPtr> out;
  if (s->kind == K::TupleOfSugared) return s->children;
  Value* v = as_value(s);
  if (v->type->kind == TypeKind::Tuple) {
    for (Value* x : unpack_tuple(v)) out.push_back(simple(x));
    return out;
  }
  if (v->type->kind == TypeKind::List) {
    if (!size_hint) error("cannot statically infer the expected size of a list in this context");
    Node* n = insert(prim::ListUnpack, {v}, 0);
    for (size_t i = 0; i < *size_hint; ++i) out.push_back(simple(n->add_output(v->type->elems[0])));
    return out;
  }
  error("a ", v->type->annotation_str(), " cannot be used as a tuple");
}

// ---- iteration ----

SugaredPtr Emitter::range(const std::vector<Value*>& in, std::optional<int64_t> len) {
  for (Value* v : in)
    if (v->type->kind != TypeKind::Int)
      error("all inputs of range must be ints, found ", v->type->annotation_str());
  if (in.empty()) error("range expected at least 1 arguments, got 0");
  if (in.size() > 3) error("range expected at most 3 arguments, got ", in.size());
  auto s = make(K::Range);
  if (in.size() == 1) {
    s->end = in[0];
    s->start = insert_constant(int64_t{0});
    s->step = insert_constant(int64_t{1});
    s->only_end = true;
  } else {
    s->start = in[0];
    s->end = in[1];
    s->step = in.size() == 3 ? in[2] : insert_constant(int64_t{1});
  }
  s->static_len = len;
  return s;
}

SugaredPtr Emitter::iter(const SugaredPtr& s) {
  switch (s->kind) {
    case K::Range:
    case K::Iterables:
    case K::TupleOfSugared: return s;
    case K::EnumClass: {
      auto* e = static_cast<const EnumType*>(s->type);
      return simple(
          insert_constant(IValue(make_ref<ListBox>(s->type, e->members)), types_.list(s->type)));
    }
    case K::Simple: break;
    default: error(kind_name(s), " is not iterable");
  }
  Value* v = s->value;
  switch (v->type->kind) {
    case TypeKind::List:
    case TypeKind::String:
    case TypeKind::Tensor: return s;
    case TypeKind::Dict: return simple(builtin("aten::keys", {v}));
    case TypeKind::Tuple: {
      auto r = make(K::TupleOfSugared);
      for (Value* x : unpack_tuple(v)) r->children.push_back(simple(x));
      return r;
    }
    default: error("'", v->type->annotation_str(), "' object is not iterable");
  }
}

std::optional<int64_t> Emitter::static_len(const SugaredPtr& s) {
  if (s->kind == K::TupleOfSugared) return static_cast<int64_t>(s->children.size());
  if (s->kind == K::Range || s->kind == K::Iterables) return s->static_len;
  return std::nullopt;
}

void Emitter::base_iterables(const SugaredPtr& s, std::vector<SugaredPtr>& out) {
  check_stack();
  if (s->kind != K::Iterables) {
    out.push_back(s);
    return;
  }
  for (auto& c : s->children) base_iterables(c, out);
}

Value* Emitter::len(const SugaredPtr& s) {
  check_stack();
  switch (s->kind) {
    case K::Range:
      if (s->static_len) return insert_constant(*s->static_len);
      if (s->only_end) return s->end;
      return builtin("aten::__range_length", {s->start, s->end, s->step});
    case K::Iterables: {
      std::vector<SugaredPtr> base;
      base_iterables(s, base);
      std::vector<Value*> lengths;
      for (auto& b : base) lengths.push_back(len(b));
      Value* list = graph_->insert_node(graph_->create_list(types::integer(), lengths))->output();
      return builtin("prim::min", {list});
    }
    default: {
      Value* v = as_value(s);
      TypeKind k = v->type->kind;
      if (k != TypeKind::List && k != TypeKind::String && k != TypeKind::Tensor)
        error("'", v->type->annotation_str(), "' object is not iterable");
      return builtin("aten::len", {v});
    }
  }
}

SugaredPtr Emitter::getitem(const SugaredPtr& s, Value* idx, TypePtr hint) {
  check_stack();
  switch (s->kind) {
    case K::Range:
      return s->only_end ? simple(idx)
                         : simple(builtin("aten::__derive_index", {idx, s->start, s->step}));
    case K::Iterables: {
      auto r = make(K::TupleOfSugared);
      for (auto& c : s->children) r->children.push_back(getitem(c, idx));
      return r;
    }
    case K::TupleOfSugared: {
      auto i = constant_value(idx);
      if (!i || !i->isInt()) error("Expected integer literal for index into a tuple");
      int64_t n = static_cast<int64_t>(s->children.size()), at = i->toInt();
      if (at < -n || at >= n) error("Tuple index out of range");
      return s->children[static_cast<size_t>(at < 0 ? at + n : at)];
    }
    default: break;
  }
  Value* v = as_value(s);
  switch (v->type->kind) {
    case TypeKind::List:
    case TypeKind::String:
    case TypeKind::Dict: return simple(builtin("aten::__getitem__", {v, idx}));
    case TypeKind::Tensor:
      return simple(builtin("aten::select", {v, insert_constant(int64_t{0}), idx}));
    case TypeKind::Class: {
      auto* cls = static_cast<const ClassType*>(v->type);
      if (cls->is_module && hint) {
        Node* n = insert(prim::ModuleContainerIndex, {v, idx});
        n->output()->type = hint;
        return simple(n->output());
      }
      return call(value_attr(v, "__getitem__"), {{idx, ""}}, {});
    }
    default: error("'", v->type->annotation_str(), "' object is not subscriptable");
  }
}

}  // namespace sconce::script
