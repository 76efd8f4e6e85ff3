// SPDX-License-Identifier: Apache-2.0
// Definitions: classes, NamedTuples, enums, interfaces, functions.
#include <algorithm>
#include <set>

#include "support/stack.h"
#include "writer/printer.h"

namespace sconce::writer {

namespace {

// Names with a meaning of their own in a class body.
bool is_special(const std::string& name) {
  for (const char* s : {"__parameters__", "__buffers__", "__forward_pre_hooks__",
                        "__forward_hooks__", "__annotations__"})
    if (name == s) return true;
  return false;
}

void check_name(const std::string& name, const std::string& of) {
  if (!is_plain_name(name))
    raise<Error>("the name ", quoted(name.substr(0, 200)), " in ", of,
                 " can't be written to an archive");
}

// int for List[int] stands for a list of n of them.
IValue spread(const Argument& a) {
  const IValue& v = *a.default_value;
  if (a.type->kind != TypeKind::List || v.isList() || v.isNone()) return v;
  return IValue(make_ref<ListBox>(
      a.type->elem(), std::vector<IValue>(static_cast<size_t>(std::clamp(a.n, 1, 64)), v)));
}

}  // namespace

void SourceFile::add(const Needs::Item& item) {
  if (item.function) return function(*item.function, 0);
  switch (item.type->kind) {
    case TypeKind::Class: return add_class(static_cast<const ClassType&>(*item.type), {});
    case TypeKind::Enum: return enumeration(static_cast<const EnumType&>(*item.type));
    case TypeKind::Interface: return interface(static_cast<const InterfaceType&>(*item.type));
    default: return named_tuple(item.type);
  }
}

void SourceFile::add_class(const ClassType& t, const std::vector<Function*>& functions) {
  // What PyTorch itself is made of is there already.
  if (t.is_native) return;
  const std::string name(last_of(needs_.names.of(&t)));
  line(0, "class " + name + (t.is_module ? "(Module):" : ":"));
  auto names = [&](const char* what, auto chosen) {
    std::string s;
    for (auto& a : t.attributes)
      if (chosen(a)) s += quoted(a.name) + ", ";
    line(1, std::string(what) + " = [" + s + "]");
  };
  auto hooks = [&](const char* what, const std::vector<Function*>& list) {
    if (list.empty()) return;
    std::string s;
    for (Function* h : list) s += quoted(h->name) + ", ";
    line(1, std::string(what) + " = [" + s + "]");
  };
  if (t.is_module) {
    names("__parameters__", [](auto& a) { return a.is_parameter; });
    names("__buffers__", [](auto& a) { return a.is_buffer; });
    hooks("__forward_pre_hooks__", t.forward_pre_hooks);
    hooks("__forward_hooks__", t.forward_hooks);
  } else if (t.attributes.empty() && t.methods.empty()) {
    line(1, "__annotations__ = []");  // a body needs a statement
  }
  bool first = true;
  for (auto& a : t.attributes) {
    needs_.add(a.type);
    const std::string type = needs_.names.annotation(a.type);
    if (is_plain_name(a.name) && !is_special(a.name)) {
      line(1, a.name + " : " + type);
    } else {
      if (first) line(1, "__annotations__ = []");
      line(1, "__annotations__[" + quoted(a.name) + "] = " + type);
    }
    first = false;
  }
  for (auto& [constant, v] : t.constants) {
    check_name(constant, t.name);
    TypePtr type = ivalue_type(v);
    needs_.add(type);
    line(1, constant + " : Final[" + needs_.names.annotation(type) +
                "] = " + constant_text(v, type, needs_));
  }
  for (auto& m : t.methods) function(*m.second, 1);
  for (Function* f : functions) function(*f, 1, &t);
  std::set<Function*> printed;
  for (auto* list : {&t.forward_hooks, &t.forward_pre_hooks})
    for (Function* h : *list)
      if (printed.insert(h).second) function(*h, 1);
}

void SourceFile::function(Function& f, size_t level, TypePtr self) {
  check_stack();
  Graph& g = needs_.graph_of(f);
  check_name(f.name, f.qualified_name);
  const FunctionSchema& schema = f.schema;
  const bool known = schema.arguments.size() == g.inputs().size();
  BodyPrinter body(needs_, text_, numbers_, level, f.qualified_name);
  const Place place(g.block()->param->range);
  auto put = [&](std::string_view s) { text_.add(s, place); };
  put(std::string(2 * level, ' ') + "def " + f.name + "(");
  bool first = true, after_star = false;
  auto parameter = [&](const std::string& name, TypePtr type, const std::string& rest) {
    needs_.add(type);
    put((first ? "" : ",\n    ") + name);
    // The class around is what the first parameter is of; its name may be none that code can say.
    if (!first || !f.self || type != f.self || needs_.names.is_plain(type))
      put(": " + needs_.names.annotation(type));
    put(rest);
    first = false;
  };
  if (self) {
    body.reserve("self");
    parameter("self", self, "");
  }
  for (size_t i = 0; i < g.inputs().size(); ++i) {
    Value* v = g.inputs()[i];
    if (!known) {
      const std::string plain = to_identifier(v->name.substr(0, v->name.find('.')));
      parameter(body.parameter(v, plain), v->type, "");
      continue;
    }
    const Argument& a = schema.arguments[i];
    if (!is_parameter_name(a.name)) check_name(a.name, f.qualified_name);
    if (a.kwarg_only && !after_star) {
      put(first ? "*" : ",\n    *");
      first = false, after_star = true;
    }
    std::string rest;
    if (a.default_value) {
      IValue v = spread(a);
      rest = "=" + constant_text(v, v.isNone() ? types::none() : a.type, needs_);
    }
    parameter(body.parameter(v, a.name), a.type ? a.type : v->type, rest);
  }
  TypePtr result = !schema.returns.empty() ? schema.returns[0].type : nullptr;
  if (!result && g.outputs().size() == 1) result = g.outputs()[0]->type;
  if (!result) result = types::none();
  needs_.add(result);
  put(") -> " + needs_.names.annotation(result) + ":\n");
  body.body(g.block());
}

void SourceFile::named_tuple(TypePtr t) {
  line(0, "class " + std::string(last_of(needs_.names.of(t))) + "(NamedTuple):");
  for (size_t i = 0; i < t->fields.size(); ++i) {
    check_name(t->fields[i], t->name);
    needs_.add(t->elems[i]);
    line(1, t->fields[i] + " : " + needs_.names.annotation(t->elems[i]));
  }
}

void SourceFile::interface(const InterfaceType& t) {
  line(0, "class " + std::string(last_of(needs_.names.of(&t))) +
              (t.is_module ? "(ModuleInterface):" : "(Interface):"));
  for (auto& m : t.methods) {
    check_name(m->name, t.name);
    std::string s = "def " + m->name + "(self";
    for (size_t i = 1; i < m->arguments.size(); ++i) {
      const Argument& a = m->arguments[i];
      check_name(a.name, t.name);
      needs_.add(a.type);
      s += ", " + a.name + ": " + needs_.names.annotation(a.type);
    }
    TypePtr result = m->returns.empty() ? types::none() : m->returns[0].type;
    needs_.add(result);
    line(1, s + ") -> " + needs_.names.annotation(result) + ":");
    line(2, "pass");
  }
}

void SourceFile::enumeration(const EnumType& t) {
  line(0, "class " + std::string(last_of(needs_.names.of(&t))) + "(Enum):");
  for (const IValue& m : t.members) {
    const EnumBox& e = m.toEnumRef();
    check_name(e.name, t.name);
    line(1, e.name + " = " + constant_text(e.value, t.value_type, needs_));
  }
}

}  // namespace sconce::writer
