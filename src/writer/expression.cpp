// SPDX-License-Identifier: Apache-2.0
// The right-hand side of a node, and literals.
#include <cmath>

#include "ir/cleanup.h"
#include "support/stack.h"
#include "writer/printer.h"

namespace sconce::writer {

namespace {

// A list or dict literal with elements of these types has another type, or might.
bool needs_annotation(TypePtr element) {
  switch (element->kind) {
    case TypeKind::Union:
    case TypeKind::Optional:
    case TypeKind::Number:
    case TypeKind::Interface:
    case TypeKind::Any: return true;
    default: return false;
  }
}
bool needs_annotation(TypePtr element, const std::vector<Value*>& values, size_t from,
                      size_t step) {
  if (needs_annotation(element)) return true;
  for (size_t i = from; i < values.size(); i += step)
    if (values[i]->type != element && values[i]->type->str() != element->str() &&
        element->kind != TypeKind::Tensor)
      return true;
  return false;
}

std::string float_text(double v) {
  std::string s = float_str(v);
  if (v == 0 && std::signbit(v)) s = "-" + s;
  return s;
}
// 1.+2.j. Empty for what a sum of the parts isn't.
std::string complex_text(std::complex<double> v) {
  auto odd = [](double d) { return !std::isfinite(d) || (d == 0 && std::signbit(d)); };
  return odd(v.real()) || odd(v.imag()) ? "" : complex_str(v);
}

bool has_text_beyond_ascii(const IValue& v) {
  check_stack();
  auto any = [](const std::vector<IValue>& items) {
    for (const IValue& i : items)
      if (has_text_beyond_ascii(i)) return true;
    return false;
  };
  if (v.isString()) return beyond_ascii(v.toStringRef());
  if (v.isList()) return any(v.toListRef().items);
  if (v.isTuple()) return any(v.toTupleRef().items);
  if (v.isDict())
    for (auto& kv : v.toDictRef().items)
      if (has_text_beyond_ascii(kv.first) || has_text_beyond_ascii(kv.second)) return true;
  return false;
}

bool is_out(const Argument& a) { return a.kwarg_only && a.alias.is_write; }

// The same as the default, sign of zero included.
bool is_default(const Argument& a, const Value* v) {
  if (!a.default_value) return false;
  auto given = constant_value(v);
  if (!given || given->tag() != a.default_value->tag()) return false;
  if (given->isDouble() &&
      std::signbit(given->toDouble()) != std::signbit(a.default_value->toDouble()))
    return false;
  return ivalue_equal(*given, *a.default_value);
}

}  // namespace

std::string constant_text(const IValue& v, TypePtr type, Needs& needs) {
  check_stack();
  auto join = [&](const std::vector<IValue>& items, auto type_of) {
    std::string s;
    for (size_t i = 0; i < items.size(); ++i)
      s += (i ? ", " : "") + constant_text(items[i], type_of(i), needs);
    return s;
  };
  const TypeKind wanted = type ? type->kind : TypeKind::Any;
  switch (v.tag()) {
    case Tag::None:
      // Of an Optional it keeps that type only when told so.
      if (wanted == TypeKind::Optional || wanted == TypeKind::Union)
        return "annotate(" + needs.names.annotation(type) + ", None)";
      return "None";
    case Tag::Int:
      if (wanted == TypeKind::Float) return float_text(static_cast<double>(v.toInt()));
      if (wanted == TypeKind::Bool) return v.toBool() ? "True" : "False";
      return std::to_string(v.toInt());
    case Tag::Bool: return v.toBool() ? "True" : "False";
    case Tag::Double: return float_text(v.toDouble());
    case Tag::ComplexDouble: {
      std::string s = complex_text(v.toComplexDouble());
      return s.empty() ? needs.constant(v) : s;
    }
    case Tag::Device: {
      const Device d = v.toDevice();
      const bool moved = needs.device && d.type != DeviceType::Meta;
      return "torch.device(" + quoted((moved ? *needs.device : d).str()) + ")";
    }
    case Tag::String:
      return beyond_ascii(v.toStringRef()) ? needs.constant(v) : quoted(v.toStringRef());
    case Tag::Tensor:
      if (!v.box()) break;
      return needs.constant(v);
    case Tag::Object:
      if (v.toObjectRef().type->is_module) break;
      return needs.constant(v);
    case Tag::Enum: {
      const EnumBox& e = v.toEnumRef();
      needs.add(e.type);
      return needs.names.of(e.type) + "." + e.name;
    }
    case Tag::Generator:
      return "torch.Generator(device=\"cpu\", seed=" +
             std::to_string(static_cast<int64_t>(v.toGeneratorRef().seed())) + ")";
    case Tag::List: {
      const ListBox& l = v.toListRef();
      TypePtr e = wanted == TypeKind::List ? type->elem() : l.elem_type;
      needs.add(e);
      std::string s = "[" + join(l.items, [&](size_t) { return e; }) + "]";
      if (!l.items.empty() && !needs_annotation(e)) return s;
      return "annotate(List[" + needs.names.annotation(e) + "], " + s + ")";
    }
    case Tag::Dict: {
      const DictBox& d = v.toDictRef();
      TypePtr k = wanted == TypeKind::Dict ? type->elem(0) : d.key_type;
      TypePtr e = wanted == TypeKind::Dict ? type->elem(1) : d.value_type;
      needs.add(e);
      std::string s = "{";
      for (auto& [key, value] : d.items)
        s += (s.size() > 1 ? ", " : "") + constant_text(key, k, needs) + ": " +
             constant_text(value, e, needs);
      s += "}";
      if (!d.items.empty() && !needs_annotation(k) && !needs_annotation(e)) return s;
      return "annotate(Dict[" + needs.names.annotation(k) + ", " + needs.names.annotation(e) +
             "], " + s + ")";
    }
    case Tag::Tuple: {
      if (has_text_beyond_ascii(v)) return needs.constant(v);
      const TupleBox& t = v.toTupleRef();
      TypePtr own = t.type ? t.type : type;
      if (own && (own->kind != TypeKind::Tuple || own->elems.size() != t.items.size()))
        own = nullptr;
      std::string name;
      if (own && own->is_named_tuple() && !own->name.empty()) {
        needs.add(own);
        name = needs.names.of(own);
      }
      return name + "(" + join(t.items, [&](size_t i) { return own ? own->elems[i] : nullptr; }) +
             (t.items.size() == 1 ? ",)" : ")");
    }
    default: break;
  }
  raise<Error>("a constant ", v.isObject() ? "module" : v.tag_name(), " has no source text");
}

std::string BodyPrinter::annotation(TypePtr type) {
  needs_.add(type);
  return needs_.names.annotation(type);
}

void BodyPrinter::container(Text& t, Node* n) {
  TypePtr type = n->output()->type;
  const bool dict = n->kind == prim::DictConstruct;
  if (type->kind != (dict ? TypeKind::Dict : TypeKind::List)) refuse(n, "its type is another");
  bool annotated = n->inputs.empty() || needs_annotation(type->elem(0), n->inputs, 0, dict ? 2 : 1);
  if (dict && !annotated) annotated = needs_annotation(type->elem(1), n->inputs, 1, 2);
  if (annotated) add(t, "annotate(" + annotation(type) + ", ");
  add(t, dict ? "{" : "[");
  if (dict) {
    for (size_t i = 0; i + 1 < n->inputs.size(); i += 2) {
      if (i) add(t, ", ");
      t.add(use(n->inputs[i]));
      add(t, ": ");
      t.add(use(n->inputs[i + 1]));
    }
  } else {
    list(t, n->inputs);
  }
  add(t, dict ? "}" : "]");
  if (annotated) add(t, ")");
}

// An operator, by its schema: trailing arguments that are the defaults are left out.
void BodyPrinter::call(Text& t, Node* n) {
  const Operator* op = n->op ? n->op : resolve_operator(n, needs_.ops);
  if (!op)
    refuse(n, n->kind.is_prim() ? "it is made by a pass and has no source text"
                                : "no such operator is registered");
  static const Symbol warn("aten::warn");
  if (!n->attributes.empty() && n->kind != warn)
    refuse(n, "it is made by a pass and has attributes");
  if (!is_plain_name(n->kind.unqualified()) && !is_identifier(n->kind.unqualified()))
    refuse(n, "its name can't be written");
  const FunctionSchema& s = op->schema();
  needs_.uses(*op);
  static const Symbol backward("aten::backward"), grad("aten::grad");
  if (n->kind == backward || n->kind == grad)
    add(t, "torch.autograd." + std::string(n->kind.unqualified()));
  else if (n->kind.is_aten())
    add(t, "torch." + std::string(n->kind.unqualified()));
  else {
    const std::string space(n->kind.view().substr(0, n->kind.view().find("::")));
    if (!is_identifier(space)) refuse(n, "its name can't be written");
    add(t, "ops." + space + "." + std::string(n->kind.unqualified()));
  }
  add(t, "(");
  const size_t all = s.arguments.size();
  size_t necessary = all;
  while (necessary > 0 && is_out(s.arguments[necessary - 1])) --necessary;
  const size_t outs = all - necessary;
  if (n->inputs.size() > all) {
    if (!s.is_vararg) refuse(n, "it has more inputs than its schema");
    necessary = n->inputs.size();
  } else {
    if (n->inputs.size() < all) refuse(n, "it has fewer inputs than its schema");
    while (necessary > 0 && is_default(s.arguments[necessary - 1], n->inputs[necessary - 1]))
      --necessary;
  }
  bool first = true;
  auto argument = [&](size_t schema_index, const Value* v) {
    if (!first) add(t, ", ");
    first = false;
    if (schema_index < all && s.arguments[schema_index].kwarg_only)
      add(t, s.arguments[schema_index].name + "=");
    t.add(use(v));
  };
  for (size_t i = 0; i < necessary; ++i) argument(i, n->inputs[i]);
  if (n->inputs.size() <= all)
    for (size_t i = all - outs; i < all; ++i) argument(i, n->inputs[i]);
  add(t, ")");
}

Text BodyPrinter::expression(Node* n) {
  Text t;
  auto wrap = [&](const char* before) {
    add(t, before);
    list(t, n->inputs);
    add(t, ")");
  };
  auto typed = [&](const char* form) {
    add(t, form + ("(" + annotation(n->output()->type)) + ", ");
    t.add(use(n->input()));
    add(t, ")");
  };
  auto parenthesised = [&](const Value* v) {
    add(t, "(");
    t.add(use(v));
    add(t, ")");
  };
  static const Symbol name("name"), types("types");
  static const Symbol scalar("aten::ScalarImplicit"), real("aten::FloatImplicit"),
      integer("aten::IntImplicit"), complex("aten::ComplexImplicit"), to_int("aten::Int"),
      to_float("aten::Float"), to_bool("aten::Bool"), to_str("aten::str"),
      item("aten::__getitem__"), sorted("aten::sorted"), unwrap("aten::_unwrap_optional"),
      begin("beg"), end("end");
  const Symbol k = n->kind;
  if (k == prim::Constant) {
    if (n->function) {
      needs_.add(n->function);
      add(t, needs_.names.of(*n->function));
    } else if (auto v = constant_value(n->output())) {
      try {
        add(t, constant_text(*v, n->output()->type, needs_));
      } catch (const LimitError&) {
        throw;
      } catch (const Error& e) {
        refuse(n, e.what());
      }
    } else {
      refuse(n, "its value isn't known");
    }
  } else if (k == prim::Uninitialized) {
    add(t, "uninitialized(" + annotation(n->output()->type) + ")");
  } else if (k == scalar || k == real || k == integer || k == complex) {
    typed("annotate");
  } else if (k == to_int && n->inputs.size() == 1) {
    wrap("int(");
  } else if (k == to_float && n->inputs.size() == 1) {
    wrap("float(");
  } else if (k == to_bool && n->inputs.size() == 1) {
    wrap("bool(");
  } else if (k == to_str && n->inputs.size() == 1) {
    wrap("str(");
  } else if (k == prim::Print) {
    wrap("print(");
  } else if (k == sorted) {
    wrap("sorted(");
  } else if (k == item && n->inputs.size() == 2) {
    if (is_identifier(use(n->input(0)).str()))
      t.add(use(n->input(0)));
    else
      parenthesised(n->input(0));
    add(t, "[");
    t.add(use(n->input(1)));
    add(t, "]");
  } else if (k == prim::TupleConstruct) {
    TypePtr type = n->output()->type;
    if (type->is_named_tuple() && !type->name.empty()) add(t, annotation(type));
    add(t, "(");
    list(t, n->inputs);
    add(t, n->inputs.size() == 1 ? ",)" : ")");
  } else if (k == prim::TupleIndex) {
    parenthesised(n->input(0));
    add(t, "[");
    t.add(use(n->input(1)));
    add(t, "]");
  } else if (k == prim::TupleSlice) {
    parenthesised(n->input(0));
    add(t, "[" + std::to_string(n->find(begin)->value.toInt()) + ":" +
               std::to_string(n->find(end)->value.toInt()) + "]");
  } else if (k == prim::ListConstruct || k == prim::DictConstruct) {
    container(t, n);
  } else if (k == prim::CreateObject) {
    const std::string cls = annotation(n->output()->type);
    add(t, cls + ".__new__(" + cls + ")");
  } else if (k == prim::GetAttr) {
    const std::string& field = n->s(name);
    if (is_plain_name(field)) {
      t.add(use(n->input()));
      add(t, "." + field);
    } else {
      add(t, "getattr(");
      t.add(use(n->input()));
      add(t, ", " + quoted(field) + ")");
    }
  } else if (k == prim::CallFunction || k == prim::CallMethod) {
    if (k == prim::CallFunction) {
      t.add(use(n->input(0)));
    } else {
      if (!is_plain_name(n->s(name))) refuse(n, "its name can't be written");
      parenthesised(n->input(0));
      add(t, "." + n->s(name));
    }
    add(t, "(");
    for (size_t i = 1; i < n->inputs.size(); ++i) {
      t.add(use(n->inputs[i]));
      add(t, ", ");
    }
    add(t, ")");
  } else if (k == unwrap) {
    if (n->input()->type->kind == TypeKind::None) {
      // Else nobody could tell of what it is.
      add(t, "torch._unwrap_optional(annotate(Optional[" + annotation(n->output()->type) + "], ");
      t.add(use(n->input()));
      add(t, "))");
    } else {
      wrap("torch._unwrap_optional(");
    }
  } else if (k == prim::unchecked_cast || k == prim::unchecked_unwrap_optional) {
    typed("unchecked_cast");
  } else if (k == prim::isinstance) {
    add(t, "isinstance(");
    t.add(use(n->input()));
    const std::vector<TypePtr>& of = n->find(types)->types;
    std::string names;
    for (TypePtr type : of) names += (names.empty() ? "" : ", ") + annotation(type);
    add(t, ", " + (of.size() == 1 ? names : "(" + names + ")") + ")");
  } else if (k == prim::tolist) {
    add(t, "annotate(" + annotation(n->output()->type) + ", ");
    t.add(use(n->input(0)));
    add(t, ".tolist())");
  } else if (k == prim::EnumName || k == prim::EnumValue) {
    parenthesised(n->input());
    add(t, k == prim::EnumName ? ".name" : ".value");
  } else {
    call(t, n);
  }
  return t;
}

}  // namespace sconce::writer
